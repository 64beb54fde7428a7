//! Requests that wait for room on this side: where a server's or a handle's policy is `Block`.
//!
//! They wait by destination and in order, in a task that is there while something waits. Nothing of a bus is kept alive
//! by it: when the bus is closed, what waits fails as not sent.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use crate::bus::open::Open;
use crate::bus::{Delivery, Head, Room, Withdraw};
use crate::doorbell::Doorbell;
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::mailbox::{Bounds, Limits, Mailbox, PushError, Ticket};
use crate::name::{Exchange, ServerName, Topic};
use crate::name_map::IdMap;
use crate::overload::{Parked, Tally, Way};
use crate::server::{Mode, NotAccepted, Sent};

/// What waits for room on the side of its sender.
pub(crate) struct WaitingRoom {
    limits: Limits,
    /// On its way to the task; what the task has taken over counts as well.
    inbox: Mailbox<Delivery>,
    /// Whether anything waits: spares the others a look at the state.
    active: AtomicBool,
    state: Mutex<State>,
    /// Nobody waits any more for some of what the task has taken over.
    given_up: AtomicBool,
    bell: Doorbell,
    room: Room,
    tally: Arc<Tally>,
}

#[derive(Default)]
struct State {
    /// What waits of each flow, by destination.
    flows: IdMap<u64, Vec<Line>>,
    requests: usize,
    bytes: usize,
    has_task: bool,
    closed: bool,
}

/// Requests of one flow to one destination.
struct Line {
    exchange: Exchange,
    topic: Topic,
    server: Option<ServerName>,
    is_fanout: bool,
    requests: usize,
    /// What they wait for. A line that has waited for its server is one that does.
    for_what: For,
}

/// What requests wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// The queue to a connection, because they say so.
    Connection,
    /// The queue of a server, because that says so, whatever they say.
    Server,
}

impl Line {
    fn new(head: &Head) -> Line {
        Line {
            exchange: head.exchange.clone(),
            topic: head.topic.clone(),
            server: head.server.clone(),
            is_fanout: head.is_for_all(),
            requests: 0,
            for_what: For::Connection,
        }
    }

    fn is_of(&self, head: &Head) -> bool {
        (&self.topic, &self.exchange, &self.server) == (&head.topic, &head.exchange, &head.server)
            && self.is_fanout == head.is_for_all()
    }

    /// Whether a request of the same flow would overtake one of these.
    fn is_before(&self, head: &Head) -> bool {
        (&self.topic, &self.exchange) == (&head.topic, &head.exchange)
            && (self.server == head.server || self.is_fanout || head.is_for_all())
    }
}

impl WaitingRoom {
    pub(super) fn new(limits: Limits, tally: Arc<Tally>) -> Arc<WaitingRoom> {
        // Bounded here, together with what has left the inbox.
        let unbounded = Limits {
            items: usize::MAX,
            bytes: usize::MAX,
        };
        Arc::new(WaitingRoom {
            limits,
            inbox: Mailbox::new(unbounded),
            active: AtomicBool::new(false),
            state: Mutex::default(),
            given_up: AtomicBool::new(false),
            bell: Doorbell::new(),
            room: Room::new(),
            tally,
        })
    }

    /// Whether requests of this flow wait, so that none may overtake them (C-VB-4).
    pub(super) fn has_of(&self, flow: u64) -> bool {
        self.active.load(Ordering::Acquire) && self.lock().flows.contains_key(&flow)
    }

    /// What those wait for that a request would overtake; `None` when there are none such.
    pub(super) fn before(&self, head: &Head) -> Option<For> {
        let state = self.lock();
        let lines = state.flows.get(&head.flow)?;
        let mut before = lines.iter().filter(|line| line.is_before(head));
        let first = before.next()?.for_what;
        let for_server = first == For::Server || before.any(|line| line.for_what == For::Server);
        Some(if for_server { For::Server } else { first })
    }

    /// Refuses a request that may not wait for a connection, and not overtake those of its handle that do.
    pub(super) fn refuse(&self, delivery: Delivery) -> NotAccepted {
        Self::told_full(
            delivery,
            "the queue to the connection",
            "its limit, and others of this handle wait for room".to_owned(),
        )
    }

    /// Has a request wait for room.
    pub(super) fn push(
        self: &Arc<Self>,
        delivery: Delivery,
        for_what: For,
        bus: &Arc<Open>,
    ) -> Result<Sent, NotAccepted> {
        let in_flight = delivery.in_flight().clone();
        let weight = delivery.weight();
        let mut state = self.lock();
        let full = state.requests >= self.limits.items
            // One alone may be larger: it is bounded by the largest message.
            || (state.bytes > 0 && state.bytes.saturating_add(weight) > self.limits.bytes);
        if full || state.closed {
            drop(state);
            return Err(self.full(delivery));
        }
        state.requests += 1;
        state.bytes += weight;
        let head = in_flight.head();
        let lines = state.flows.entry(head.flow).or_default();
        let at = lines.iter().position(|line| line.is_of(head));
        let at = at.unwrap_or_else(|| {
            lines.push(Line::new(head));
            lines.len() - 1
        });
        if let Some(line) = lines.get_mut(at) {
            line.requests += 1;
            if for_what == For::Server {
                line.for_what = for_what;
            }
        }
        self.active.store(true, Ordering::Release);
        let starts = !std::mem::replace(&mut state.has_task, true);
        drop(state);
        let mut entered = None;
        let enters = |delivery: &Delivery, ticket| {
            entered = Some((ticket, delivery.in_flight().waits_in(self, ticket)));
        };
        match self.inbox.push(delivery, weight, Bounds::Kept, enters) {
            Ok(_) => {
                // Or the task went, with the bus, just when this came.
                let is_left = |waits: bool| !waits || !self.lock().has_task;
                if let Some((ticket, _)) = entered.filter(|(_, waits)| is_left(waits.is_some())) {
                    self.withdraw(ticket);
                }
            }
            // Without bounds it is never full, and never closed.
            Err(PushError::Full(delivery) | PushError::Closed(delivery)) => self.gave_up(&delivery),
        }
        self.bell.ring();
        if starts {
            bus.transport().runtime().spawn(Box::pin(Task {
                room: self.clone(),
                bus: Arc::downgrade(bus),
                parked: Parked::default(),
                done: false,
            }));
        }
        Ok(Sent::OnItsWay)
    }

    /// Whether nothing waits; else the waker of `cx` is woken when something has left.
    pub(super) fn is_empty(&self, cx: &mut Context<'_>) -> bool {
        self.room.register(0, cx);
        !self.active.load(Ordering::Acquire)
    }

    /// Wakes the waker of `cx` when something has left.
    pub(super) fn wait_for_room(&self, cx: &mut Context<'_>) {
        self.room.register(0, cx);
        if !self.active.load(Ordering::Acquire) {
            self.room.wake();
        }
    }

    /// Takes nothing more, and fails what waits.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.bell.ring();
    }

    fn full(&self, delivery: Delivery) -> NotAccepted {
        let limits = self.limits;
        let limit = format!("{} messages or {} bytes", limits.items, limits.bytes);
        Self::told_full(delivery, "the line of requests that wait for room", limit)
    }

    fn told_full(delivery: Delivery, queue: &'static str, limit: String) -> NotAccepted {
        let kind = CallErrorKind::QueueFull { queue, limit };
        let error = CallError::new(kind, Fate::NotSent, Stage::QueuedHere);
        let error = delivery.in_flight().told(error);
        NotAccepted::Full(delivery, error)
    }

    /// A request goes nowhere.
    fn gave_up(&self, delivery: &Delivery) {
        let head = delivery.in_flight().head();
        self.account(head, delivery.weight());
        self.tally.unsent(head.verb);
    }

    fn account(&self, head: &Head, weight: usize) {
        let mut state = self.lock();
        state.requests = state.requests.saturating_sub(1);
        state.bytes = state.bytes.saturating_sub(weight);
        if let Some(lines) = state.flows.get_mut(&head.flow) {
            if let Some(line) = lines.iter_mut().find(|line| line.is_of(head)) {
                line.requests -= 1;
            }
            lines.retain(|line| line.requests > 0);
            if lines.is_empty() {
                state.flows.remove(&head.flow);
            }
        }
        self.active.store(state.requests > 0, Ordering::Release);
        drop(state);
        self.room.wake();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Withdraw for WaitingRoom {
    fn withdraw(&self, ticket: Ticket) {
        match self.inbox.remove(ticket) {
            Some(delivery) => self.gave_up(&delivery),
            None => {
                self.given_up.store(true, Ordering::Release);
                self.bell.ring();
            }
        }
    }
}

/// Sends on what waits, as room comes about.
struct Task {
    room: Arc<WaitingRoom>,
    bus: Weak<Open>,
    parked: Parked,
    /// Nothing waits: what comes now is for another task.
    done: bool,
}

/// How often the task looks for room before other tasks have their turn.
const ROUNDS: usize = 16;

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let room = this.room.clone();
        for _ in 0..ROUNDS {
            let rung = room.bell.poll_rung(cx).is_ready();
            let Some(bus) = this.bus.upgrade().filter(|bus| !bus.is_closed()) else {
                return Poll::Ready(()); // Dropped, the task fails what waits.
            };
            if room.given_up.swap(false, Ordering::AcqRel) {
                this.parked.given_up();
            }
            let way = Through(&room, &bus);
            let mut moved = rung;
            while let Some(delivery) = room.inbox.try_pop() {
                this.parked.deliver(delivery, &way, Mode::Queue);
                moved = true;
            }
            moved |= this.parked.poll(&way, cx);
            if this.parked.is_empty() {
                let mut state = room.lock();
                if state.requests == 0 {
                    state.has_task = false;
                    this.done = true;
                    return Poll::Ready(());
                }
            }
            if !moved {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Task {
    /// The bus was closed, or the runtime has ended: nothing is sent any more.
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let room = self.room.clone();
        for delivery in self.parked.drain() {
            room.gave_up(&delivery);
        }
        while let Some(delivery) = room.inbox.try_pop() {
            room.gave_up(&delivery);
        }
        room.lock().has_task = false;
    }
}

/// The way out of the room: everything in it may wait.
struct Through<'a>(&'a WaitingRoom, &'a Open);

impl Way for Through<'_> {
    fn deliver(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        let Through(room, bus) = self;
        let (in_flight, weight) = (delivery.in_flight().clone(), delivery.weight());
        match bus.transport().send(delivery, mode) {
            Err(NotAccepted::Full(delivery, error) | NotAccepted::Later(delivery, error)) => {
                Err(NotAccepted::Later(delivery, error))
            }
            gone => {
                room.account(in_flight.head(), weight);
                if gone.is_err() {
                    room.tally.unsent(in_flight.head().verb);
                }
                gone
            }
        }
    }

    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>) {
        self.1.transport().wait_for_room(delivery, cx);
    }

    fn gave_up(&self, delivery: &Delivery) {
        self.0.gave_up(delivery);
    }
}
