//! One connection, as those see it who answer requests that came by it or cancel those that left.

use std::sync::Arc;

use crate::bus::{Forwarded, ReplyTo};
use crate::doorbell::Doorbell;
use crate::link::hub::Settling;
use crate::promise::{Completer, PromiseError};
use crate::reply::Reply;
use crate::server::{Retiring, ServerCore};
use crate::session::CloseCode;

/// What must not wait behind requests.
pub(super) enum Control {
    /// The request that came as this id has ended.
    Reply(u64, Reply),
    /// Nobody waits for the request with this token.
    Cancel(u64),
    /// Nobody waits here for the request with this token; the peer is to go on with it.
    Leave(u64),
    /// The request that came as this id is alive.
    Beat(u64),
    /// Register a server at the hub.
    Bind(Arc<ServerCore>),
    /// Withdraw it.
    Unbind(Arc<ServerCore>),
    /// Have the hub send nothing more to a server.
    Retire(Retiring),
    /// Give a server of this process what waits in front of its queue.
    Settle(Arc<Settling>),
    /// Take no new requests, and say when nothing is on its way any more.
    GoAway(Completer<(), PromiseError>),
    /// Write what is queued, then end.
    Close(CloseCode),
    /// End now.
    Cut(CloseCode),
}

/// The senders' end of the control queue. It has no bound of its own: a reply needs a request that
/// the session took, a cancel one that it sent, both numbers are limited there, and of each request
/// one beat waits at a time.
pub(super) struct Connection {
    control: flume::Sender<Control>,
    bell: Arc<Doorbell>,
}

impl Connection {
    /// A connection, and the end of the task that owns it, which is woken by `bell`.
    pub(super) fn new(bell: Arc<Doorbell>) -> (Arc<Connection>, flume::Receiver<Control>) {
        let (control, receiver) = flume::unbounded();
        (Arc::new(Connection { control, bell }), receiver)
    }

    /// Says so to the task. Without effect after the connection has ended: then the session has
    /// told the end of everything that was in flight.
    pub(super) fn tell(&self, control: Control) {
        if self.control.send(control).is_ok() {
            self.bell.ring();
        }
    }
}

impl ReplyTo for Connection {
    fn reply(&self, id: u64, reply: Reply) {
        self.tell(Control::Reply(id, reply));
    }

    fn beat(&self, id: u64) {
        self.tell(Control::Beat(id));
    }
}

impl Forwarded for Connection {
    fn cancel(&self, id: u64) {
        self.tell(Control::Cancel(id));
    }

    fn leave(&self, id: u64) {
        self.tell(Control::Leave(id));
    }
}
