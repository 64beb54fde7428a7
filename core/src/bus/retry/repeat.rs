//! A request that can be made again.

use std::time::Instant;

use crate::bus::draft::{Args, Draft, Terms, Timeout};
use crate::bus::handle::WeakBus;
use crate::bus::{Rare, WhenDisconnected};
use crate::codec::{CodecId, EncodeError};
use crate::name::{Method, NameError, ServerName, Topic};
use crate::payload::Payload;
use crate::version::Version;

/// All that a draft says, with its arguments encoded. It does not keep the bus open.
pub(super) struct Repeat {
    bus: WeakBus,
    flow: u64,
    names: Result<(Topic, Method), NameError>,
    arguments: Result<(Vec<u8>, CodecId), EncodeError>,
    server: Option<Result<ServerName, NameError>>,
    version: Version,
    terms: Option<Box<Terms>>,
    fingerprint: Option<fn() -> u64>,
    timeout: Timeout,
    headers: Vec<(String, String)>,
    wait_for_server: bool,
    when_disconnected: Option<WhenDisconnected>,
    rare: Option<Box<Rare>>,
    pub(super) begun: Instant,
}

impl Repeat {
    /// Encodes the arguments, once for all attempts, whose time starts at `begun`.
    pub(super) fn of(draft: Draft, begun: Instant) -> Self {
        let limit = draft.bus.transport().capabilities().max_message;
        let encode = |Args(payload): Args| {
            let codec = payload.codec();
            Ok((payload.into_bytes(limit, codec)?, codec))
        };
        Repeat {
            bus: WeakBus::of(&draft.bus),
            flow: draft.flow,
            names: draft.names,
            arguments: draft.arguments.and_then(encode),
            server: draft.server,
            version: draft.version,
            terms: draft.terms,
            fingerprint: draft.fingerprint,
            timeout: draft.timeout,
            headers: draft.headers,
            wait_for_server: draft.wait_for_server,
            when_disconnected: draft.when_disconnected,
            rare: draft.rare,
            begun,
        }
    }

    /// The request for another attempt; none when the bus is gone.
    pub(super) fn draft(&self) -> Option<Draft> {
        let arguments = self.arguments.clone();
        Some(Draft {
            bus: self.bus.upgrade()?,
            flow: self.flow,
            names: self.names.clone(),
            arguments: arguments.map(|(bytes, codec)| Args(Payload::encoded(bytes, codec))),
            server: self.server.clone(),
            version: self.version,
            terms: self.terms.clone(),
            fingerprint: self.fingerprint,
            timeout: self.timeout,
            headers: self.headers.clone(),
            wait_for_server: self.wait_for_server,
            when_disconnected: self.when_disconnected,
            rare: self.rare.clone(),
            begun: Some(self.begun),
        })
    }

    /// What it is for, for messages.
    pub(super) fn target(&self) -> String {
        match &self.names {
            Ok((topic, method)) => format!("{topic}.{method}"),
            Err(_) => String::new(),
        }
    }

    pub(super) fn is_idempotent(&self) -> bool {
        let rare = self.rare.as_ref();
        rare.is_some_and(|rare| rare.idempotency_key.is_some())
    }
}
