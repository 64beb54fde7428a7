//! The queue of requests to one connection, bounded in messages and in bytes (R5, R6).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Context;
use std::time::Instant;

use super::LinkOptions;
use super::full_ways::FullWays;
use super::ways::{Place, Ways};
use crate::bus::{Backlog, Delivery, Head, Reach, Room, Standing, Verb, Withdraw};
use crate::doorbell::Doorbell;
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::mailbox::{Bounds, Limits, Mailbox, PushError, Ticket};
use crate::overload::{Tally, WhenFull};
use crate::server::{Mode, NotAccepted, Sent};
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
        load.fetch_add(1, Ordering::SeqCst);
        Load(load.clone())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The senders' end.
pub(super) struct Outbox {
    queue: Mailbox<Outgoing>,
    limits: Limits,
    /// What waits, in the queue and with the task, but for what that has set aside.
    fill: Fill,
    /// How many requests are set aside.
    aside: AtomicUsize,
    room: Room,
    backlog: Backlog,
    /// Some server at the other end has missed copies of fanout casts.
    some_missed: AtomicBool,
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
    /// Looked at and not taken yet: the next one, or all while there is no connection.
    held: VecDeque<Outgoing>,
    /// See [`keep_behind`](Self::keep_behind).
    keeps_behind: bool,
    /// What may not go just now, so that it holds up nobody who goes elsewhere.
    ways: Ways,
    address: String,
}

/// How many requests wait, and how many bytes of payload they have: one word, so that both are counted in one step.
#[derive(Default)]
struct Fill(AtomicU64);

impl Fill {
    const MESSAGE: u64 = 1 << 40;

    fn word(weight: usize) -> u64 {
        Fill::MESSAGE + (weight as u64).min(Fill::MESSAGE - 1)
    }

    /// Counts one more in, and gives what there was before.
    fn add(&self, weight: usize) -> (usize, usize) {
        Fill::both(self.0.fetch_add(Fill::word(weight), Ordering::AcqRel))
    }

    fn remove(&self, weight: usize) {
        self.0.fetch_sub(Fill::word(weight), Ordering::AcqRel);
    }

    fn now(&self) -> (usize, usize) {
        Fill::both(self.0.load(Ordering::Acquire))
    }

    fn both(word: u64) -> (usize, usize) {
        let (messages, bytes) = (word / Fill::MESSAGE, word % Fill::MESSAGE);
        (messages as usize, bytes as usize)
    }
}

pub(super) fn outbox(options: &LinkOptions, tally: Arc<Tally>) -> (Arc<Outbox>, Intake) {
    let limits = Limits {
        items: options.outbox_messages.max(1),
        bytes: options.outbox_bytes.max(1),
    };
    let outbox = Arc::new(Outbox {
        // Bounded by its fill, which counts what the task has taken out and could not send as well.
        queue: Mailbox::new(Limits {
            items: usize::MAX,
            bytes: usize::MAX,
        }),
        limits,
        fill: Fill::default(),
        aside: AtomicUsize::new(0),
        room: Room::new(),
        backlog: Backlog::default(),
        some_missed: AtomicBool::new(false),
        lossy: Mutex::default(),
        full: FullWays::default(),
        given_up: AtomicBool::new(false),
        tally,
        bell: Arc::default(),
    });
    let intake = Intake {
        outbox: outbox.clone(),
        held: VecDeque::new(),
        keeps_behind: false,
        ways: Ways::new(),
        address: options.address.clone(),
    };
    (outbox, intake)
}

impl Outbox {
    /// Queues a request and wakes the task.
    pub(super) fn push(
        self: &Arc<Self>,
        outgoing: Outgoing,
        mode: Mode,
    ) -> Result<Sent, NotAccepted> {
        let weight = outgoing.delivery.weight();
        let head = outgoing.delivery.in_flight().head();
        let lossy = is_lossy(head);
        let over = mode == Mode::Over;
        let goes_anyway = lossy || over || is_chosen_copy(outgoing.to, head);
        if !goes_anyway && self.full.has(outgoing.to, head) {
            return Err(self.full(outgoing.delivery));
        }
        while !self.takes(weight, over) {
            if lossy && self.drop_oldest() {
                continue;
            }
            // The task may have taken out all that could be dropped, which made room.
            if lossy && self.takes(weight, over) {
                break;
            }
            // Without a connection, the task looks who of them is not waited for any more.
            self.bell.ring();
            return Err(self.full(outgoing.delivery));
        }
        let mut entered = None;
        let enters = |outgoing: &Outgoing, ticket| {
            let in_flight = outgoing.delivery.in_flight();
            // Whom nobody can give up is not to be found.
            let found = in_flight.may_be_given_up();
            let before = found.then(|| in_flight.waits_in(self, ticket));
            entered = Some((ticket, before));
        };
        match self.queue.push(outgoing, 0, Bounds::Kept, enters) {
            Ok(_) => {
                if let (true, Some((ticket, _))) = (lossy, &entered) {
                    self.may_drop(*ticket);
                }
                self.bell.ring();
                if let Some((ticket, Some(None))) = entered {
                    self.withdraw(ticket); // Nobody waits for it any more.
                }
                Ok(Sent::OnItsWay)
            }
            Err(PushError::Full(outgoing) | PushError::Closed(outgoing)) => {
                self.count_out(weight);
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

    /// Counts a request in, if there is room for it; `over` what there is, as much again.
    fn takes(&self, weight: usize, over: bool) -> bool {
        let Limits {
            items,
            bytes: limit,
        } = self.limits;
        let times = 1 + usize::from(over);
        let (messages, bytes) = self.count_in(weight);
        let too_heavy = bytes.saturating_add(self.charged(weight)) > limit.saturating_mul(times);
        let takes = messages < items.saturating_mul(times) && !too_heavy;
        if !takes {
            self.count_out(weight);
        }
        takes
    }

    /// Counts one more in, and gives what there was before.
    fn count_in(&self, weight: usize) -> (usize, usize) {
        self.fill.add(self.charged(weight))
    }

    fn count_out(&self, weight: usize) {
        self.fill.remove(self.charged(weight));
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
                self.count_out(delivery.weight());
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
        if !(self.room.is_awaited() || self.backlog.has_begun()) {
            return;
        }
        let (messages, bytes) = self.fill.now();
        if messages <= self.limits.items / 2 {
            let limit = self.limits.bytes;
            if bytes <= limit / 2 {
                self.backlog.half_free();
            }
            self.room
                .wake_where(|weight| bytes <= (limit / 2).min(limit - weight));
        }
    }

    /// What a request counts against the limit. One message may be larger than that, for it is bounded by `max_message`;
    /// and one that is leaves a quarter to what is small.
    fn charged(&self, weight: usize) -> usize {
        weight.min(self.limits.bytes - self.limits.bytes / 4)
    }

    /// How the queue, for the registration `id`, stands to one more copy of a fanout cast, of `weight` bytes.
    pub(super) fn standing(&self, id: BindId, weight: usize) -> Standing {
        let (messages, bytes) = self.fill.now();
        let full = self.full.has_bound(id);
        let fits = bytes.saturating_add(self.charged(weight)) <= self.limits.bytes;
        let has_room = fits && messages < self.limits.items && !full;
        let half_free = messages <= self.limits.items / 2 && bytes <= self.limits.bytes / 2;
        self.backlog.standing(has_room, half_free && !full)
    }

    /// A server at the other end has missed a copy; its process is to be told.
    pub(super) fn some_missed(&self) {
        self.some_missed.store(true, Ordering::Release);
        self.bell.ring();
    }

    /// Whether that happened since this was asked last.
    pub(super) fn take_some_missed(&self) -> bool {
        self.some_missed.load(Ordering::Relaxed) && self.some_missed.swap(false, Ordering::Acquire)
    }

    /// Requests that were pushed and have not gone on.
    pub(super) fn len(&self) -> usize {
        self.fill.now().0 + self.aside.load(Ordering::Acquire)
    }

    pub(super) fn is_disconnected(&self) -> bool {
        self.queue.is_closed()
    }
}

/// A copy for a server that had room a moment ago, when all were asked. Its way may have filled since, by what was in the
/// queue then: were it refused for that, a server that keeps up would miss it.
fn is_chosen_copy(to: To, head: &Head) -> bool {
    matches!(to, To::Bound(_)) && head.reach == Reach::Every
}

fn is_lossy(head: &Head) -> bool {
    head.when_full == WhenFull::DropOldest && head.verb == Verb::Cast
}

impl Withdraw for Outbox {
    fn withdraw(&self, ticket: Ticket) {
        match self.queue.remove(ticket) {
            Some(withdrawn) => {
                self.count_out(withdrawn.delivery.weight());
                drop(withdrawn);
                self.wake_for_room();
                self.bell.ring(); // It may have been the last one on its way to a server that retires.
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
        self.outbox.len() == 0
    }

    /// The next request that `session` has room for, and its way. Those whose way has its share of the credit are set
    /// aside, in their order, and the others pass (C-OV-2).
    pub(super) fn next(&mut self, session: &Session, now: Instant) -> Option<(usize, Outgoing)> {
        let given_up = &self.outbox.given_up;
        if given_up.load(Ordering::Relaxed) && given_up.swap(false, Ordering::AcqRel) {
            self.purge(now);
        }
        if let Some((way, outgoing)) = self.ways.next(session) {
            self.left(way);
            return Some((way, outgoing));
        }
        loop {
            let outgoing = self.look()?;
            let (to, size) = (outgoing.to, outgoing.delivery.weight());
            let way = self.ways.of(to, outgoing.delivery.in_flight().head());
            let waits = self.ways.has_line(way) || !session.is_fair(way as u64, size);
            if waits && self.has_room_aside(size) {
                self.gone(size);
                self.set_aside(way, outgoing);
            } else if waits || !session.can_accept(size) {
                self.held.push_front(outgoing);
                return None;
            } else {
                self.gone(size);
                return Some((way, outgoing));
            }
        }
    }

    /// What [`Ways::lane`] says of a way.
    pub(super) fn lane(&self, way: usize) -> u64 {
        self.ways.lane(way)
    }

    /// Gives the next request to `send`; until that returns, it counts as one that waits.
    pub(super) fn pass(&mut self, send: impl FnOnce(Delivery)) -> bool {
        self.gather();
        let Some(next) = self.look() else {
            return false;
        };
        let weight = next.delivery.weight();
        send(next.delivery);
        self.gone(weight);
        true
    }

    /// Whether requests stay behind what was taken out, though there be nothing left to take: counts as one that waits.
    pub(super) fn keep_behind(&mut self, keep: bool) {
        match (self.keeps_behind, keep) {
            (false, true) => {
                self.outbox.fill.add(0);
            }
            (true, false) => self.gone(0),
            _ => {}
        }
        self.keeps_behind = keep;
    }

    /// There is no connection, since then: takes out what does not wait for one, or not any longer, and what nobody
    /// waits for any more. Says when the next one of the others gives up.
    pub(super) fn review(
        &mut self,
        since: Instant,
        not_connected: impl Fn() -> CallErrorKind,
    ) -> Option<Instant> {
        let now = Instant::now();
        let mut next = None;
        self.gather();
        while let Some(outgoing) = self.outbox.queue.try_pop() {
            self.held.push_back(outgoing);
        }
        for _ in 0..self.held.len() {
            let Some(outgoing) = self.held.pop_front() else {
                break;
            };
            let in_flight = outgoing.delivery.in_flight();
            let head = in_flight.head();
            let gives_up = head.when_disconnected.gives_up(since);
            let kind = if head.is_late(now) || in_flight.is_cancelled() {
                head.too_late()
            } else if gives_up.is_some_and(|at| at <= now) {
                not_connected()
            } else {
                next = next.into_iter().chain(gives_up).min();
                self.held.push_back(outgoing);
                continue;
            };
            self.gone(outgoing.delivery.weight());
            self.refuse(outgoing, kind, Stage::Connecting);
        }
        next
    }

    /// Fails all that waits.
    fn refuse_all(&mut self, kind: &CallErrorKind) {
        self.gather();
        while let Some(outgoing) = self.look() {
            self.gone(outgoing.delivery.weight());
            self.refuse(outgoing, kind.clone(), Stage::QueuedHere);
        }
    }

    /// What comes next, not counted out yet.
    fn look(&mut self) -> Option<Outgoing> {
        self.held
            .pop_front()
            .or_else(|| self.outbox.queue.try_pop())
    }

    fn gone(&self, weight: usize) {
        self.outbox.count_out(weight);
        self.outbox.wake_for_room();
    }

    /// There is no session any more: what was set aside for its sake waits before the others again.
    fn gather(&mut self) {
        let aside = self.ways.drain();
        for outgoing in aside.into_iter().rev() {
            self.outbox.count_in(outgoing.delivery.weight());
            self.held.push_front(outgoing);
        }
        self.outbox.full.clear();
        self.outbox.aside.store(0, Ordering::Release);
    }

    /// All that was in the queue when a way had to wait can be set aside, and as much again.
    fn has_room_aside(&self, size: usize) -> bool {
        let (aside, limits) = (self.ways.aside(), self.outbox.limits);
        aside.requests < limits.items.saturating_mul(2)
            && (aside.bytes == 0 || aside.bytes + size <= limits.bytes.saturating_mul(2))
    }

    fn set_aside(&mut self, way: usize, outgoing: Outgoing) {
        if is_lossy(outgoing.delivery.in_flight().head()) && self.ways.is_full(way) {
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
        self.count_aside();
    }

    /// Something has left the line of `way`.
    fn left(&mut self, way: usize) {
        self.count_aside();
        if self.ways.has_room_again(way, self.outbox.limits) {
            if let Some(place) = self.ways.place(way) {
                self.outbox.full.remove(place);
            }
        }
    }

    fn count_aside(&self) {
        let requests = self.ways.aside().requests;
        self.outbox.aside.store(requests, Ordering::Release);
    }

    /// Takes out what nobody waits for any more, and what is too late: that may be told here first, before its sender's
    /// own clock says so.
    fn purge(&mut self, now: Instant) {
        for way in self.ways.lines() {
            for outgoing in self.ways.purge(way, now) {
                let kind = outgoing.delivery.in_flight().head().too_late();
                self.refuse(outgoing, kind, Stage::QueuedHere);
            }
            self.left(way);
        }
    }

    /// A registration was withdrawn: what is set aside for it goes nowhere.
    pub(super) fn unbound(&mut self, id: BindId) {
        let gone = CallErrorKind::ShuttingDown;
        for way in self.ways.lines() {
            if self.ways.place(way) == Some(&Place::Bound(id)) {
                for outgoing in self.ways.take_line(way) {
                    self.refuse(outgoing, gone.clone(), Stage::QueuedHere);
                }
                self.left(way);
            }
        }
    }

    fn refuse(&self, outgoing: Outgoing, kind: CallErrorKind, stage: Stage) {
        let delivery = outgoing.delivery;
        self.outbox.tally.unsent(delivery.in_flight().head().verb);
        delivery.refuse(kind, Fate::NotSent, stage);
    }

    pub(super) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        let closed = &CallErrorKind::Closed;
        self.refuse_all(closed);
        for outgoing in self.outbox.queue.close() {
            self.gone(outgoing.delivery.weight());
            self.refuse(outgoing, closed.clone(), Stage::QueuedHere);
        }
        self.outbox.room.wake();
        self.outbox.tally.tell_unsent(&self.address);
    }
}

#[cfg(test)]
mod tests;
