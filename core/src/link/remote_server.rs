//! A server at the other end of a connection, as the hub's router sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;

use super::outbox::{Load, Outbox, Outgoing, To};
use crate::bus::Delivery;
use crate::router::Destination;
use crate::server::{Mode, NotAccepted, Sent};
use crate::session::BindId;

/// A registration of a member.
pub(super) struct RemoteServer {
    outbox: Arc<Outbox>,
    id: BindId,
    load: Arc<AtomicUsize>,
}

impl RemoteServer {
    pub(super) fn new(outbox: Arc<Outbox>, id: BindId) -> RemoteServer {
        RemoteServer {
            outbox,
            id,
            load: Arc::default(),
        }
    }
}

impl Destination for RemoteServer {
    /// What was sent there and is not answered, together with what waits to be sent.
    fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    fn deliver(&self, delivery: Delivery, _mode: Mode) -> Result<Sent, NotAccepted> {
        self.outbox.push(Outgoing {
            delivery,
            to: To::Bound(self.id),
            load: Some(Load::one_more(&self.load)),
        })
    }

    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>) {
        self.outbox.wait_for_room(To::Bound(self.id), delivery, cx);
    }
}
