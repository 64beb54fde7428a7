//! Where a request is, and what may be said of it there.

use std::sync::{Arc, Weak};
use std::task::Waker;

use crate::error::{Fate, Stage};
use crate::mailbox::Ticket;
use crate::router::Waiting;
use crate::server::ServerCore;

/// A connection that a request was handed to.
pub trait Forwarded: Send + Sync {
    /// Nobody waits for the request `id` any more: tell the peer.
    fn cancel(&self, id: u64);

    /// Nobody waits for the request `id` here, and the peer is to go on with it.
    fn leave(&self, id: u64);
}

/// A queue to a connection, out of whose middle a request can be taken.
pub trait Withdraw: Send + Sync {
    /// Nobody waits for the request with this ticket any more: its place is free.
    fn withdraw(&self, ticket: Ticket);
}

/// Where the request is.
pub(super) enum Place {
    /// Being made or sent by this process.
    Here,
    /// On its way into a queue to a connection.
    Outbox,
    /// In a queue to a connection.
    Outboxed(Arc<dyn Withdraw>, Ticket),
    /// Handed to a connection, which knows it by this id.
    Forwarded(Arc<dyn Forwarded>, u64),
    /// In a line of requests that wait for a server.
    Waiting(Weak<Waiting>, u64),
    /// In a server's queue.
    Queued(Arc<ServerCore>, Ticket),
    /// Its handler has been started; the waker is that of its task.
    Running(Option<Waker>),
    /// Its handler has ended.
    Ended,
}

impl Place {
    /// What may honestly be said of the handler when the request ends here without an answer, and where it stood.
    pub(super) fn fate(&self) -> (Fate, Stage) {
        match self {
            Place::Here => (Fate::NotSent, Stage::Preparing),
            Place::Outbox | Place::Outboxed(..) => (Fate::NotSent, Stage::QueuedHere),
            Place::Forwarded(..) => (Fate::Unknown, Stage::Sent),
            Place::Waiting(..) => (Fate::NotExecuted, Stage::Routing),
            Place::Queued(..) => (Fate::NotExecuted, Stage::Accepted),
            Place::Running(_) => (Fate::Unknown, Stage::Running),
            Place::Ended => (Fate::Executed, Stage::Running),
        }
    }
}
