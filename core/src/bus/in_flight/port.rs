//! The way that an outcome goes.

use std::sync::Arc;

use crate::promise::outcome::Outcome;
use crate::reply::Reply;

/// Where an answer goes that leaves this process, and where the end of a delivery is told.
pub trait ReplyTo: Send + Sync {
    /// The delivery that came as `id` has ended with `reply`. Called exactly once for each; for a cast, and for a call
    /// that was cancelled meanwhile, it only says that the room it took is free again.
    fn reply(&self, id: u64, reply: Reply);

    /// The server of the delivery that came as `id` lives and has it still (C-DL-6). Called now and
    /// then for a call that asked for it, never after its `reply`, and not again before
    /// `beat_taken`. Must not block.
    fn beat(&self, id: u64);
}

/// Where the outcome goes.
pub(super) enum Port {
    /// It stays here, for the promise.
    Kept(Outcome<Reply>),
    /// The same, but it is settled already what it will be: a failure, of which the promise learns when all who still
    /// work on the request have been told.
    Failing(Outcome<Reply>),
    /// To the connection that the request came by.
    Remote(Arc<dyn ReplyTo>, u64),
    /// Delivered; or a cast, which has none.
    Closed,
}

impl Port {
    /// Whether an outcome would still be one.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Port::Kept(outcome) => !outcome.is_decided(),
            Port::Remote(..) => true,
            Port::Failing(_) | Port::Closed => false,
        }
    }

    pub(super) fn outcome(&mut self) -> Option<&mut Outcome<Reply>> {
        match self {
            Port::Kept(outcome) | Port::Failing(outcome) => Some(outcome),
            Port::Remote(..) | Port::Closed => None,
        }
    }
    /// Tells a connection; any other way has nobody to tell.
    pub(super) fn deliver(self, reply: Reply) {
        match self {
            Port::Remote(connection, id) => connection.reply(id, reply),
            Port::Kept(_) | Port::Failing(_) | Port::Closed => {}
        }
    }
}
