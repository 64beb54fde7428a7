//! The queue of requests to one connection, bounded in messages and in bytes (R5, R6).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Context;
use std::time::Instant;

use super::LinkOptions;
use super::full_ways::FullWays;
use super::ways::{Place, Ways};
use crate::bus::{Delivery, Room, Verb, Withdraw};
use crate::doorbell::Doorbell;
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::mailbox::{Limits, Mailbox, PushError, Ticket};
use crate::overload::Tally;
use crate::server::{NotAccepted, Sent};
use crate::session::{BindId, Session};

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
    /// Where there is no room, though there is some in the queue.
    full: FullWays,
    /// Nobody waits any more for some of what the task has set aside.
    given_up: AtomicBool,
    tally: Arc<Tally>,
    pub(super) bell: Arc<Doorbell>,
}

/// The end of the task that owns the connection.
pub(super) struct Intake {
    outbox: Arc<Outbox>,
    /// Taken out of the queue, and the session has no room for it.
    next: Option<Outgoing>,
    /// What may not go just now, so that it holds up nobody who goes elsewhere.
    ways: Ways,
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
        full: FullWays::default(),
        given_up: AtomicBool::new(false),
        tally,
        bell: Arc::default(),
    });
    let intake = Intake {
        outbox: outbox.clone(),
        next: None,
        ways: Ways::new(),
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
        if !lossy && self.full.has(outgoing.to, head) {
            return Err(self.full(outgoing.delivery));
        }
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

    /// Wakes the waker of `cx` when half of the queue is free again, and as much as `delivery` needs; at once, when it
    /// is.
    pub(super) fn wait_for_room(&self, to: To, delivery: &Delivery, cx: &mut Context<'_>) {
        if self.full.wait(to, delivery.in_flight().head(), cx) {
            return;
        }
        self.room.register(self.charged(delivery.weight()), cx);
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
        match self.queue.remove(ticket) {
            Some(withdrawn) => {
                drop(withdrawn);
                self.wake_for_room();
            }
            None => {
                self.given_up.store(true, Ordering::Release);
                self.bell.ring();
            }
        }
    }
}

impl Intake {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.next.is_none() && self.ways.aside().requests == 0 && self.outbox.queue.is_empty()
    }

    /// The next request that `session` has room for, and its way. Those whose way has its share of the credit are set
    /// aside, in their order, and the others pass (C-OV-2).
    pub(super) fn next(&mut self, session: &Session, now: Instant) -> Option<(usize, Outgoing)> {
        if self.outbox.given_up.swap(false, Ordering::AcqRel) {
            self.purge(now);
        }
        if let Some((way, outgoing)) = self.ways.next(session) {
            self.tell_room(way);
            return Some((way, outgoing));
        }
        loop {
            let outgoing = self.next.take().or_else(|| self.take())?;
            let way = self
                .ways
                .of(outgoing.to, outgoing.delivery.in_flight().head());
            let size = outgoing.delivery.weight();
            let waits = self.ways.has_line(way) || !session.is_fair(way as u64, size);
            if waits && self.has_room_aside(size) {
                self.set_aside(way, outgoing);
            } else if waits || !session.can_accept(size) {
                self.next = Some(outgoing);
                return None;
            } else {
                return Some((way, outgoing));
            }
        }
    }

    /// Fails all that waits.
    pub(super) fn refuse_all(&mut self, kind: &CallErrorKind) {
        while let Some(outgoing) = self.next.take().or_else(|| self.take()) {
            self.refuse(outgoing, kind.clone());
        }
        for outgoing in self.ways.drain() {
            self.refuse(outgoing, kind.clone());
        }
        self.outbox.full.clear();
    }

    /// A registration was withdrawn: what is set aside for it goes nowhere.
    pub(super) fn unbound(&mut self, id: BindId) {
        let gone = CallErrorKind::ShuttingDown;
        for way in self.ways.lines() {
            if self.ways.place(way) == Some(&Place::Bound(id)) {
                for outgoing in self.ways.take_line(way) {
                    self.refuse(outgoing, gone.clone());
                }
                self.tell_room(way);
            }
        }
    }

    fn take(&mut self) -> Option<Outgoing> {
        let next = self.outbox.queue.try_pop()?;
        self.outbox.wake_for_room();
        Some(next)
    }

    /// All that was in the queue when a way had to wait can be set aside, and as much again.
    fn has_room_aside(&self, size: usize) -> bool {
        let (aside, limits) = (self.ways.aside(), self.outbox.limits);
        aside.requests < limits.items.saturating_mul(2)
            && (aside.bytes == 0 || aside.bytes + size <= limits.bytes.saturating_mul(2))
    }

    fn set_aside(&mut self, way: usize, outgoing: Outgoing) {
        let head = outgoing.delivery.in_flight().head();
        if head.lossy && head.verb == Verb::Cast && self.ways.is_full(way) {
            if let Some(oldest) = self.ways.take_oldest_lossy(way) {
                self.outbox.tally.dropped_cast();
                let full = self.outbox.is_full(Verb::Cast);
                oldest
                    .delivery
                    .refuse(full, Fate::NotSent, Stage::QueuedHere);
            }
        }
        self.ways.set_aside(way, outgoing);
        if self.ways.fills_up(way, self.outbox.limits) {
            if let Some(place) = self.ways.place(way) {
                self.outbox.full.add(place);
            }
        }
    }

    /// Something has left the line of `way`.
    fn tell_room(&mut self, way: usize) {
        if self.ways.has_room_again(way, self.outbox.limits) {
            if let Some(place) = self.ways.place(way) {
                self.outbox.full.remove(place);
            }
        }
    }

    /// Drops what nobody waits for any more.
    fn purge(&mut self, now: Instant) {
        for way in self.ways.lines() {
            drop(self.ways.purge(way, now));
            self.tell_room(way);
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
        self.refuse_all(&CallErrorKind::Closed);
        self.outbox.room.wake();
        self.outbox.tally.tell_unsent(&self.address);
    }
}
