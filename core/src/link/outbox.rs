//! The queue of requests to one connection, bounded in messages and in bytes (R5, R6).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Context;

use super::LinkOptions;
use crate::bus::{Delivery, Room, Verb, Withdraw};
use crate::doorbell::Doorbell;
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::mailbox::{Limits, Mailbox, PushError, Ticket};
use crate::overload::Tally;
use crate::server::{NotAccepted, Sent};
use crate::session::BindId;

/// A request on its way to a connection.
pub(super) struct Outgoing {
    pub(super) delivery: Delivery,
    pub(super) to: To,
    /// Its place in the load of the server that it goes to.
    pub(super) load: Option<Load>,
}

/// Whom a request is for, at the other end.
#[derive(Clone, Copy)]
pub(super) enum To {
    /// Whoever the head names.
    Named,
    /// This registration of the peer.
    Bound(BindId),
}

/// One request in a server's load, for as long as it lives.
pub(super) struct Load(Arc<AtomicUsize>);

impl Load {
    pub(super) fn one_more(load: &Arc<AtomicUsize>) -> Load {
        load.fetch_add(1, Ordering::Relaxed);
        Load(load.clone())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The senders' end.
pub(super) struct Outbox {
    queue: Mailbox<Outgoing>,
    limits: Limits,
    room: Room,
    /// The casts in the queue that give way to newer ones, oldest first; some have left already.
    lossy: Mutex<VecDeque<Ticket>>,
    tally: Arc<Tally>,
    pub(super) bell: Arc<Doorbell>,
}

/// The end of the task that owns the connection.
pub(super) struct Intake {
    outbox: Arc<Outbox>,
    address: String,
}

pub(super) fn outbox(options: &LinkOptions, tally: Arc<Tally>) -> (Arc<Outbox>, Intake) {
    let limits = Limits {
        items: options.outbox_messages.max(1),
        bytes: options.outbox_bytes.max(1),
    };
    let outbox = Arc::new(Outbox {
        queue: Mailbox::new(limits),
        limits,
        room: Room::new(),
        lossy: Mutex::default(),
        tally,
        bell: Arc::default(),
    });
    let intake = Intake {
        outbox: outbox.clone(),
        address: options.address.clone(),
    };
    (outbox, intake)
}

impl Outbox {
    /// Queues a request and wakes the task.
    pub(super) fn push(self: &Arc<Self>, outgoing: Outgoing) -> Result<Sent, NotAccepted> {
        let in_flight = outgoing.delivery.in_flight().clone();
        let weight = self.charged(outgoing.delivery.weight());
        let head = in_flight.head();
        let lossy = head.lossy && head.verb == Verb::Cast;
        in_flight.into_outbox();
        match self.try_push(outgoing, weight, lossy) {
            Ok(ticket) => {
                if lossy {
                    self.may_drop(ticket);
                }
                self.bell.ring();
                if !in_flight.waits_in(self, ticket) {
                    self.withdraw(ticket);
                }
                Ok(Sent::OnItsWay)
            }
            Err(PushError::Full(outgoing)) => Err(self.full(outgoing.delivery)),
            Err(PushError::Closed(outgoing)) => {
                let lost = CallErrorKind::ConnectionLost("it was closed".into());
                let delivery = outgoing.delivery;
                Err(NotAccepted::Refused(delivery.refuse(
                    lost,
                    Fate::NotSent,
                    Stage::QueuedHere,
                )))
            }
        }
    }

    fn try_push(
        &self,
        mut outgoing: Outgoing,
        weight: usize,
        lossy: bool,
    ) -> Result<Ticket, PushError<Outgoing>> {
        loop {
            match self.queue.try_push(outgoing, weight) {
                Err(PushError::Full(back)) if lossy && self.drop_oldest() => outgoing = back,
                other => return other,
            }
        }
    }

    /// Remembers a cast that gives way to newer ones.
    fn may_drop(&self, ticket: Ticket) {
        let mut lossy = self.lossy.lock().unwrap_or_else(PoisonError::into_inner);
        lossy.push_back(ticket);
        // No more are in the queue, and they leave it in this order.
        if lossy.len() > self.limits.items {
            lossy.pop_front();
        }
    }

    /// Drops the oldest cast that gives way to newer ones; says whether there was any.
    fn drop_oldest(&self) -> bool {
        loop {
            let mut lossy = self.lossy.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(ticket) = lossy.pop_front() else {
                return false;
            };
            drop(lossy);
            if let Some(Outgoing { delivery, .. }) = self.queue.remove(ticket) {
                self.tally.dropped_cast();
                let full = self.is_full(Verb::Cast);
                delivery.refuse(full, Fate::NotSent, Stage::QueuedHere);
                return true;
            }
        }
    }

    fn full(&self, delivery: Delivery) -> NotAccepted {
        let full = self.is_full(delivery.in_flight().head().verb);
        let error = CallError::new(full, Fate::NotSent, Stage::QueuedHere);
        let error = delivery.in_flight().told(error);
        NotAccepted::Full(delivery, error)
    }

    fn is_full(&self, verb: Verb) -> CallErrorKind {
        CallErrorKind::QueueFull {
            queue: match verb {
                Verb::Call => "the queue of requests to the connection",
                Verb::Cast => "the queue of casts to the connection",
            },
            limit: format!(
                "{} messages or {} bytes",
                self.limits.items, self.limits.bytes
            ),
        }
    }

    /// Wakes the waker of `cx` when half of the queue is free again, and as much as a request of `weight` bytes needs;
    /// at once, when it is.
    pub(super) fn wait_for_room(&self, weight: usize, cx: &mut Context<'_>) {
        self.room.register(self.charged(weight), cx);
        self.wake_for_room();
    }

    fn wake_for_room(&self) {
        if self.room.is_awaited() && self.queue.len() <= self.limits.items / 2 {
            let (bytes, limit) = (self.queue.bytes(), self.limits.bytes);
            self.room
                .wake_where(|weight| bytes <= (limit / 2).min(limit - weight));
        }
    }

    /// What a request counts against the limit. One message alone may be larger than that: it is bounded by
    /// `max_message`.
    fn charged(&self, weight: usize) -> usize {
        weight.min(self.limits.bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn is_disconnected(&self) -> bool {
        self.queue.is_closed()
    }
}

impl Withdraw for Outbox {
    fn withdraw(&self, ticket: Ticket) {
        let withdrawn = self.queue.remove(ticket);
        drop(withdrawn);
        self.wake_for_room();
    }
}

impl Intake {
    /// The payload size of the next request.
    pub(super) fn next_weight(&mut self) -> Option<usize> {
        self.outbox.queue.peek(|next| next.delivery.weight())
    }

    /// The next request.
    pub(super) fn take(&mut self) -> Option<Outgoing> {
        let next = self.outbox.queue.try_pop()?;
        self.outbox.wake_for_room();
        Some(next)
    }

    /// Fails all that waits.
    pub(super) fn refuse_all(&mut self, kind: &CallErrorKind) {
        while let Some(outgoing) = self.take() {
            self.refuse(outgoing, kind.clone());
        }
    }

    fn refuse(&self, outgoing: Outgoing, kind: CallErrorKind) {
        let delivery = outgoing.delivery;
        if delivery.in_flight().head().verb == Verb::Cast {
            self.outbox.tally.unsent_cast();
        }
        delivery.refuse(kind, Fate::NotSent, Stage::QueuedHere);
    }

    pub(super) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        for outgoing in self.outbox.queue.close() {
            self.refuse(outgoing, CallErrorKind::Closed);
        }
        self.outbox.room.wake();
        self.outbox.tally.tell_unsent(&self.address);
    }
}
