//! A request on its way.

use std::sync::Arc;

use crate::bus::InFlight;
use crate::codec::{CodecId, EncodeError};
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::payload::Payload;
use crate::reply::Reply;

/// A request on its way to a handler, with what it carries. Whoever holds it must answer it, hand it on or refuse it:
/// dropped, it fails the request.
#[must_use = "dropped, it fails the request"]
pub struct Delivery {
    /// `None` once somebody else answers for it.
    in_flight: Option<Arc<InFlight>>,
    payload: Payload,
}

impl Delivery {
    /// `payload` on its way for `in_flight`.
    pub fn new(in_flight: Arc<InFlight>, payload: Payload) -> Self {
        Delivery {
            in_flight: Some(in_flight),
            payload,
        }
    }

    /// The request's record.
    pub fn in_flight(&self) -> &Arc<InFlight> {
        match &self.in_flight {
            Some(in_flight) => in_flight,
            None => gone(),
        }
    }

    /// The same while it is being made: nobody else knows of it.
    pub(super) fn unsent(&mut self) -> &mut Arc<InFlight> {
        match &mut self.in_flight {
            Some(in_flight) => in_flight,
            None => gone(),
        }
    }

    /// The whole of it; whoever holds this place has nothing to answer for any more.
    pub(crate) fn take(&mut self) -> Delivery {
        let (in_flight, payload) = self.parts();
        Delivery::new(in_flight, payload.take_out())
    }

    /// Encodes what it carries, as [`Payload::encode`].
    ///
    /// # Errors
    /// As that; nothing is left then.
    pub(super) fn encode(&mut self, limit: usize, codec: CodecId) -> Result<(), EncodeError> {
        self.payload = self.payload.take_out().encode(limit, codec)?;
        Ok(())
    }

    /// The request's record and what it carries; the caller answers for it from here on.
    pub fn into_parts(mut self) -> (Arc<InFlight>, Payload) {
        let (in_flight, payload) = self.parts();
        (in_flight, payload.take_out())
    }

    /// The same where it lies: moved on only once, to where its arguments are read.
    pub(crate) fn parts(&mut self) -> (Arc<InFlight>, &mut Payload) {
        match self.in_flight.take() {
            Some(in_flight) => (in_flight, &mut self.payload),
            None => gone(),
        }
    }

    /// What it counts against limits in bytes.
    pub fn weight(&self) -> usize {
        self.payload.weight()
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
        if let Some(in_flight) = self.in_flight.take() {
            let error = in_flight.failure_here(CallErrorKind::Closed);
            in_flight.finish(Reply::Failed(error));
        }
    }
}

#[cold]
fn gone() -> ! {
    unreachable!("a delivery is whole until it is taken apart or dropped")
}
