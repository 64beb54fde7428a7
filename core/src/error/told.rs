//! A failure as a value, so that a handler can pass it on as its method's own error.
//!
//! A service that calls another one may return the [`CallError`] that it got. To its own caller that
//! is an error of the application's: the handler did run. Where the other service's method failed with
//! an error of its own, that one goes on under its own kind; else the failure arrives as a `CallError`,
//! whose fate and target are still those of the call that failed (C-OC).

use std::time::Duration;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use crate::error::{CallError, CallErrorKind, Stage, WireFailure};

/// What travels of it.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename = "CallError")]
struct Told {
    code: u16,
    fate: u8,
    stage: u8,
    kind: String,
    message: String,
    details: Vec<u8>,
    target: String,
    elapsed: Duration,
    attempts: u32,
    idempotent: bool,
}

const STAGES: [Stage; 7] = [
    Stage::Preparing,
    Stage::Connecting,
    Stage::QueuedHere,
    Stage::Sent,
    Stage::Routing,
    Stage::Accepted,
    Stage::Running,
];

impl Serialize for CallError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let WireFailure {
            code,
            fate,
            kind,
            message,
            details,
        } = WireFailure::of_call(self);
        let stage = STAGES.iter().position(|stage| *stage == self.stage());
        let told = Told {
            code,
            fate,
            stage: stage.unwrap_or_default() as u8,
            kind,
            message,
            details,
            target: self.target().to_owned(),
            elapsed: self.elapsed(),
            attempts: self.attempts(),
            idempotent: self.is_idempotent(),
        };
        told.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CallError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let told = Told::deserialize(deserializer)?;
        let failure = WireFailure {
            code: told.code,
            fate: told.fate,
            kind: told.kind,
            message: told.message,
            details: told.details,
        };
        let fate = failure.fate();
        // A stage that is not known says the least of those that may have been sent.
        let stage = STAGES.get(usize::from(told.stage));
        let kind = failure.kind_of_code();
        let kind = kind.unwrap_or(CallErrorKind::Other(failure.message));
        Ok(
            CallError::new(kind, fate, stage.copied().unwrap_or(Stage::Sent))
                .of_request(told.target, told.elapsed, told.idempotent)
                .after(told.attempts, fate),
        )
    }
}
