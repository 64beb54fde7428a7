//! A server at the other end of a connection, as the hub's router sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Context;

use super::outbox::{Load, Outbox, Outgoing, To};
use crate::authorise::Policy;
use crate::bus::{Delivery, Standing};
use crate::error::{CallError, CallErrorKind, Fate, Stage};
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
    /// It is sent nothing more.
    retired: AtomicBool,
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
            retired: AtomicBool::new(false),
        }
    }

    /// Takes nothing more, from when the router knows it no more.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::SeqCst);
    }

    /// Whether nothing is on its way to it, nor unanswered. After [`retire`](Self::retire), that stays so.
    pub(super) fn has_nothing(&self) -> bool {
        self.load.load(Ordering::SeqCst) == 0
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

    fn deliver(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        if let Some(forbidden) = self.policy.refusal(delivery.in_flight()) {
            let error = delivery.refuse(forbidden, Fate::NotExecuted, Stage::Routing);
            return Err(NotAccepted::Refused(error));
        }
        // Counted first, and looked at after: what saw it serve is seen by whoever looks whether it has anything.
        let load = Load::one_more(&self.load);
        if self.has_gone() {
            drop(load);
            self.outbox.bell.ring();
            return Err(gone(delivery));
        }
        let outgoing = Outgoing {
            delivery,
            to: To::Bound(self.id),
            load: Some(load),
        };
        let sent = self.outbox.push(outgoing, mode);
        if sent.is_err() && self.has_gone() {
            self.outbox.bell.ring(); // Who looks whether it has anything may have looked while this was counted.
        }
        sent
    }

    fn has_gone(&self) -> bool {
        self.retired.load(Ordering::SeqCst)
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

/// For the router, which chooses another one.
fn gone(delivery: Delivery) -> NotAccepted {
    let kind = CallErrorKind::ShuttingDown;
    let error = CallError::new(kind, Fate::NotExecuted, Stage::Routing);
    let error = delivery.in_flight().told(error);
    NotAccepted::Full(delivery, error)
}
