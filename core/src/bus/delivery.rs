//! A request on its way.

use std::sync::Arc;

use crate::bus::InFlight;
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::payload::Payload;
use crate::reply::Reply;

/// A request on its way to a handler, with what it carries. Whoever holds it must answer it, hand it on or refuse it:
/// dropped, it fails the request.
#[must_use = "dropped, it fails the request"]
pub struct Delivery {
    parts: Option<(Arc<InFlight>, Payload)>,
}

impl Delivery {
    /// `payload` on its way for `in_flight`.
    pub fn new(in_flight: Arc<InFlight>, payload: Payload) -> Self {
        Delivery {
            parts: Some((in_flight, payload)),
        }
    }

    /// The request's record.
    pub fn in_flight(&self) -> &Arc<InFlight> {
        match &self.parts {
            Some((in_flight, _)) => in_flight,
            None => unreachable!("a delivery is whole until it is taken apart or dropped"),
        }
    }

    /// The request's record and what it carries; the caller answers for it from here on.
    pub fn into_parts(mut self) -> (Arc<InFlight>, Payload) {
        match self.parts.take() {
            Some(parts) => parts,
            None => unreachable!("a delivery is whole until it is taken apart or dropped"),
        }
    }

    /// What it counts against limits in bytes.
    pub fn weight(&self) -> usize {
        self.parts
            .as_ref()
            .map_or(0, |(_, payload)| payload.weight())
    }

    /// Fails the request, and gives the failure back, told of the request.
    pub fn refuse(self, kind: CallErrorKind, fate: Fate, stage: Stage) -> CallError {
        let (in_flight, _payload) = self.into_parts();
        let error = in_flight.told(CallError::new(kind, fate, stage));
        in_flight.finish(Reply::Failed(error.clone()));
        error
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some((in_flight, _payload)) = self.parts.take() {
            let error = in_flight.failure_here(CallErrorKind::Closed);
            in_flight.finish(Reply::Failed(error));
        }
    }
}
