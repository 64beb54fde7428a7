//! How a server is handed a request, and whether it takes it.

use std::sync::Arc;
use std::time::Instant;

use crate::bus::{Delivery, InFlight};
use crate::error::CallError;
use crate::reply::Reply;

/// How far a request may go on the thread that delivers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It goes into the queue.
    Queue,
    /// The task of a connection delivers it, which serves others as well: until then a handler may be started right here
    /// that is known to take next to no time.
    Turn(Instant),
    /// It was accepted and waited in front of the queue, where it can wait no longer: it goes in though that is full.
    Over,
}

/// How a request that was taken goes on.
#[must_use = "an answer that is dropped is lost: its record does not have it"]
pub enum Sent {
    /// Its record tells the outcome.
    OnItsWay,
    /// It was answered right here ([`Mode::Turn`]), before anybody else knew of it: this is its outcome, and its
    /// record is not told.
    Answered(Reply),
}

/// How a call goes whose caller would only wait, so that it may be answered on the caller's own thread.
#[must_use = "an answer that is dropped is lost: its record does not have it"]
pub enum Answered {
    /// Nobody could answer it here: it is still to be sent.
    NotHere,
    /// It was, before anybody else knew of it: this is its outcome, and its record is not told. Without a reply, the
    /// value lies in the place that the caller has for it.
    Here(Arc<InFlight>, Option<Reply>),
    /// Its handler has been started here and goes on: its record tells the outcome.
    GoesOn(Arc<InFlight>),
    /// It failed; its promise knows.
    Refused(CallError),
}

/// A place into which no value goes.
pub(crate) struct NoPlace;

/// Why a request was not taken.
pub enum NotAccepted {
    /// It failed; its promise knows.
    Refused(CallError),
    /// There is no room just now; here it is back, with the failure that it would be.
    Full(Delivery, CallError),
    /// There is no room just now, and by the policy of the queue it waits until there is.
    Later(Delivery, CallError),
}

impl NotAccepted {
    /// The failure; a request that would have waited for room is failed with it.
    pub fn into_error(self) -> CallError {
        match self {
            NotAccepted::Refused(error) => error,
            NotAccepted::Full(delivery, error) | NotAccepted::Later(delivery, error) => {
                let (in_flight, _payload) = delivery.into_parts();
                in_flight.finish(Reply::Failed(error.clone()));
                error
            }
        }
    }
}
