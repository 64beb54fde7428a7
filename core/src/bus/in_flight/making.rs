//! A request is made: in this process, by a connection that it comes by, for the run under a key.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use super::place::Place;
use super::port::{Port, ReplyTo};
use super::record::{InFlight, State};
use crate::bus::head::{Head, Verb};
use crate::promise::outcome::Outcome;

impl InFlight {
    /// A request of this process that is still being made: nobody else knows of it.
    #[inline]
    pub(crate) fn unsent(head: Head) -> Arc<Self> {
        let origin = Origin {
            adopted: false,
            remote: false,
        };
        Self::with_port(head, Port::Kept(Outcome::default()), None, origin)
    }

    /// What may still be changed of a request that is being made.
    pub(crate) fn as_unsent(self: &mut Arc<Self>) -> (&mut Head, Sending<'_>) {
        let Some(this) = Arc::get_mut(self) else {
            unreachable!("nobody else knows of a request before it is sent");
        };
        let state = this.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let sending = Sending {
            encode_replies: &mut this.encode_replies,
            adopted: &mut this.adopted,
            port: &mut state.port,
        };
        (&mut this.head, sending)
    }

    /// A request made in this process. With `encode_replies`, its reply is handed over encoded and
    /// is at most that many bytes, wherever the handler runs. A call that is made by the handler of
    /// `parent` ends with that.
    pub(crate) fn new(
        head: Head,
        encode_replies: Option<usize>,
        parent: Option<&InFlight>,
    ) -> Arc<Self> {
        let (port, parent) = match head.verb {
            Verb::Call => (Port::Kept(Outcome::default()), parent),
            Verb::Cast => (Port::Closed, None),
        };
        let origin = Origin {
            adopted: parent.is_some(),
            remote: false,
        };
        let in_flight = Self::with_port(head, port, encode_replies, origin);
        if let Some(parent) = parent {
            parent.adopt(&in_flight);
        }
        in_flight
    }

    /// A request that came by a connection, which knows it as `id` and is told when it has ended. Its reply is encoded
    /// where its handler ends, for the connection's task has others to serve, and is at most `limit` bytes.
    pub fn from_remote(
        head: Head,
        connection: Arc<dyn ReplyTo>,
        id: u64,
        limit: usize,
    ) -> Arc<Self> {
        let origin = Origin {
            adopted: false,
            remote: true,
        };
        let encode_replies = (head.verb == Verb::Call).then_some(limit);
        Self::with_port(head, Port::Remote(connection, id), encode_replies, origin)
    }

    /// What the handler of a run under a key runs for: it may be cancelled at any time.
    pub(crate) fn of_run(head: Head, run: Arc<dyn ReplyTo>) -> Arc<Self> {
        let origin = Origin {
            adopted: true,
            remote: true,
        };
        Self::with_port(head, Port::Remote(run, 0), None, origin)
    }

    /// A copy of this one, for one of several servers, from wherever this one came. Nobody is told its outcome.
    pub(crate) fn copy(&self, head: Head) -> Arc<Self> {
        let origin = Origin {
            adopted: false,
            remote: self.remote,
        };
        Self::with_port(head, Port::Closed, None, origin)
    }

    #[inline]
    fn with_port(
        head: Head,
        port: Port,
        encode_replies: Option<usize>,
        origin: Origin,
    ) -> Arc<Self> {
        let state = State {
            port,
            place: Place::Here,
            timer: None,
            cancelled: false,
            more: None,
        };
        Arc::new(InFlight {
            head,
            encode_replies,
            beat_waits: AtomicBool::new(false),
            adopted: origin.adopted,
            remote: origin.remote,
            state: Mutex::new(state),
        })
    }
}

/// How a request is sent.
pub(crate) struct Sending<'a> {
    encode_replies: &'a mut Option<usize>,
    adopted: &'a mut bool,
    port: &'a mut Port,
}

impl Sending<'_> {
    /// Its reply is handed over encoded and is at most so many bytes, wherever the handler runs.
    pub(crate) fn encode_replies(&mut self, limit: Option<usize>) {
        *self.encode_replies = limit;
    }

    /// A cast has no outcome. A call that a handler makes ends with that.
    pub(crate) fn by(&mut self, verb: Verb, is_nested: bool) {
        match verb {
            Verb::Call => *self.adopted = is_nested,
            Verb::Cast => *self.port = Port::Closed,
        }
    }
}

/// Where a request came from.
struct Origin {
    /// Out of another request's handler.
    adopted: bool,
    /// By a connection.
    remote: bool,
}
