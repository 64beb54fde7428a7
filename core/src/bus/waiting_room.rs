//! Requests that wait for room on this side: where a server's or a handle's policy is `Block`.
//!
//! They wait by destination and in order, in a task that is there while something waits. Nothing of a bus is kept alive
//! by it: when the bus is closed, what waits fails as not sent.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use crate::bus::handle::Open;
use crate::bus::{Delivery, Head, Room, Withdraw};
use crate::doorbell::Doorbell;
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::mailbox::{Limits, Mailbox, PushError, Ticket};
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
    /// How much waits of each flow.
    flows: IdMap<u64, usize>,
    requests: usize,
    bytes: usize,
    has_task: bool,
    closed: bool,
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

    /// Has a request wait for room.
    pub(super) fn push(
        self: &Arc<Self>,
        delivery: Delivery,
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
        *state.flows.entry(in_flight.head().flow).or_default() += 1;
        self.active.store(true, Ordering::Release);
        let starts = !std::mem::replace(&mut state.has_task, true);
        drop(state);
        in_flight.into_outbox();
        match self.inbox.try_push(delivery, weight) {
            Ok(ticket) => {
                let waits = in_flight.waits_in(self, ticket);
                // Or the task went, with the bus, just when this came.
                if !waits || !self.lock().has_task {
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
        let kind = CallErrorKind::QueueFull {
            queue: "the line of requests that wait for room",
            limit: format!(
                "{} messages or {} bytes",
                self.limits.items, self.limits.bytes
            ),
        };
        let error = CallError::new(kind, Fate::NotSent, Stage::QueuedHere);
        let error = delivery.in_flight().told(error);
        NotAccepted::Full(delivery, error)
    }

    /// A request goes nowhere.
    fn gave_up(&self, delivery: &Delivery) {
        let Head { flow, verb, .. } = *delivery.in_flight().head();
        self.account(flow, delivery.weight());
        self.tally.unsent(verb);
    }

    fn account(&self, flow: u64, weight: usize) {
        let mut state = self.lock();
        state.requests = state.requests.saturating_sub(1);
        state.bytes = state.bytes.saturating_sub(weight);
        if let Some(waiting) = state.flows.get_mut(&flow) {
            *waiting -= 1;
            if *waiting == 0 {
                state.flows.remove(&flow);
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
        let Head { flow, verb, .. } = *delivery.in_flight().head();
        let weight = delivery.weight();
        match bus.transport().send(delivery, mode) {
            Err(NotAccepted::Full(delivery, error) | NotAccepted::Later(delivery, error)) => {
                Err(NotAccepted::Later(delivery, error))
            }
            gone => {
                room.account(flow, weight);
                if gone.is_err() {
                    room.tally.unsent(verb);
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
