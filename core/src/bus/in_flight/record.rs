//! The record of one request in flight: what is known of it, and what may be asked of it at any time.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;

use super::place::Place;
use super::port::Port;
use super::pulse::Pulses;
use crate::bus::head::{Head, Verb};
use crate::codec::CodecId;
use crate::error::{CallError, CallErrorKind};
use crate::reply::Reply;
use crate::timer::{TimerKey, Timers};

/// One request in flight.
pub struct InFlight {
    pub(super) head: Head,
    /// The largest encoded reply, where replies are handed over encoded.
    pub(super) encode_replies: Option<usize>,
    /// Made by another request's handler, or run for several who asked: it may be cancelled at any time.
    pub(super) adopted: bool,
    /// It came by a connection.
    pub(super) remote: bool,
    /// A beat waits for the connection that it goes to.
    pub(super) beat_waits: AtomicBool,
    pub(super) state: Mutex<State>,
}

pub(super) struct State {
    pub(super) port: Port,
    pub(super) place: Place,
    pub(super) timer: Option<(Arc<Timers>, TimerKey)>,
    pub(super) cancelled: bool,
    /// Boxed, for few requests have any.
    pub(super) more: Option<Box<More>>,
}

/// What few requests have.
#[derive(Default)]
pub(super) struct More {
    /// Requests made by this one's handler: they end with it.
    pub(super) children: Vec<Weak<InFlight>>,
    /// Who waits for the cancellation.
    pub(super) watchers: Vec<Waker>,
    pub(super) pulses: Pulses,
}

impl InFlight {
    /// What was asked of whom.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Whether nobody waits for the outcome any more.
    pub fn is_cancelled(&self) -> bool {
        self.lock().cancelled
    }

    /// Whether it came by a connection, from another process.
    pub(crate) fn is_remote(&self) -> bool {
        self.remote
    }

    /// Whether the handler that made it may cancel it. Otherwise nobody knows of it before it is
    /// queued or its outcome is asked for.
    pub(crate) fn is_adopted(&self) -> bool {
        self.adopted
    }

    /// Whether somebody may give it up: who waits for its outcome, or the connection that it came by.
    pub(crate) fn may_be_given_up(&self) -> bool {
        self.head.verb == Verb::Call || self.remote
    }

    /// The most bytes that its reply is encoded in, and how; `None` where it is handed over as it is.
    pub(crate) fn encodes_reply(&self) -> Option<(usize, CodecId)> {
        self.encode_replies.map(|limit| (limit, self.head.codec))
    }

    /// `reply` as it is handed over: encoded, where that is asked for, and told of this request.
    #[inline]
    pub(crate) fn as_outcome(&self, reply: Reply) -> Reply {
        let reply = match self.encodes_reply() {
            Some((limit, codec)) => reply.encoded(limit, codec),
            None => reply,
        };
        match reply {
            Reply::Failed(error) if error.target().is_empty() => Reply::Failed(self.told(error)),
            other => other,
        }
    }

    /// A failure of this request that its place allows to claim.
    pub(crate) fn failure_here(&self, kind: CallErrorKind) -> CallError {
        let (fate, stage) = self.lock().place.fate();
        self.told(CallError::new(kind, fate, stage))
    }

    /// `error`, told of this request.
    pub(crate) fn told(&self, error: CallError) -> CallError {
        let Head {
            topic,
            method,
            made_at,
            ..
        } = &self.head;
        let idempotent = self.head.idempotency_key().is_some();
        error.of_request(format!("{topic}.{method}"), made_at.elapsed(), idempotent)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // No user code runs under this lock: a poisoned one still holds a whole state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[inline]
pub(super) fn disarm(timer: Option<(Arc<Timers>, TimerKey)>) {
    if let Some((timers, key)) = timer {
        timers.disarm(key);
    }
}
