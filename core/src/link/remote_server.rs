//! A server at the other end of a connection, as the hub's router sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Context;

use super::outbox::{Load, Outbox, Outgoing, To};
use crate::authorise::Policy;
use crate::bus::{Delivery, Standing};
use crate::error::{Fate, Stage};
use crate::router::Destination;
use crate::server::{Mode, NotAccepted, Offers, Sent};
use crate::session::BindId;

/// A registration of a member.
pub(super) struct RemoteServer {
    outbox: Arc<Outbox>,
    id: BindId,
    offers: Offers,
    load: Arc<AtomicUsize>,
    /// Who may call it: the hub's word, beside that of the member itself.
    policy: Policy,
    /// Copies of fanout casts that it missed here and that its process was not told of.
    missed: AtomicU64,
}

impl RemoteServer {
    pub(super) fn new(
        outbox: Arc<Outbox>,
        id: BindId,
        offers: Offers,
        policy: Policy,
    ) -> RemoteServer {
        RemoteServer {
            outbox,
            id,
            offers,
            load: Arc::default(),
            policy,
            missed: AtomicU64::new(0),
        }
    }

    /// The copies that it missed since this was asked last.
    pub(super) fn take_missed(&self) -> u64 {
        self.missed.swap(0, Ordering::Relaxed)
    }
}

impl Destination for RemoteServer {
    /// What was sent there and is not answered, together with what waits to be sent.
    fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// What its registration says.
    fn offers(&self) -> Offers {
        self.offers.clone()
    }

    fn deliver(&self, delivery: Delivery, _mode: Mode) -> Result<Sent, NotAccepted> {
        if let Some(forbidden) = self.policy.refusal(delivery.in_flight()) {
            let error = delivery.refuse(forbidden, Fate::NotExecuted, Stage::Routing);
            return Err(NotAccepted::Refused(error));
        }
        self.outbox.push(Outgoing {
            delivery,
            to: To::Bound(self.id),
            load: Some(Load::one_more(&self.load)),
        })
    }

    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>) {
        self.outbox.wait_for_room(To::Bound(self.id), delivery, cx);
    }

    /// By the queue to its process: what its own says is seen there.
    fn standing(&self, weight: usize) -> Standing {
        self.outbox.standing(self.id, weight)
    }

    fn missed(&self) {
        self.missed.fetch_add(1, Ordering::Relaxed);
        self.outbox.some_missed();
    }
}
