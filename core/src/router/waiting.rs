//! Requests that wait for a server: they stand in lines, one for each topic, namespace and version (and server, where one
//! is named), in the order in which they came. Those that need another version wait for other servers, and are not
//! held up.
//!
//! Lines are bounded in requests and in bytes, in all and for each flow: a flow is a handle of this process, or all that
//! one connection brings, which so keeps most of its credit for requests that do not wait.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::time::{Duration, Instant};

use super::lines::Lapse;
use crate::bus::{Delivery, Head, InFlight, Room};
use crate::name::{Exchange, Namespace, ServerName, Topic};
use crate::timer::{TimerKey, Timers};
use crate::version::Version;

/// How many requests may wait for servers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WaitingLimits {
    /// In all.
    pub(crate) requests: usize,
    /// Payload bytes of those; one request may exceed it alone.
    pub(crate) bytes: usize,
    /// Of one handle or one connection.
    pub(crate) of_a_flow: usize,
}

impl Default for WaitingLimits {
    fn default() -> Self {
        WaitingLimits {
            requests: 4096,
            bytes: 16 << 20,
            of_a_flow: 1024,
        }
    }
}

/// A request gives up waiting this much of its time before its deadline, so that its caller, who may be at the other
/// end of a connection, hears that nothing ran rather than nothing.
const WORD_SHARE: u32 = 10;
const WORD_MOST: Duration = Duration::from_millis(50);

/// The lines of a router.
#[derive(Default)]
pub(crate) struct Waiting {
    pub(super) limits: WaitingLimits,
    state: Mutex<State>,
    /// Servers that have just come, and lines that are let through: while it is 0, nobody can be overtaken.
    moving: AtomicUsize,
    room: Room,
    /// Until when those wait as well that did not ask for it.
    settling: Mutex<Option<Instant>>,
    /// Whether that may be now, for a look without the lock.
    settles: AtomicBool,
}

#[derive(Default)]
struct State {
    lines: HashMap<Key, Line>,
    flows: HashMap<u64, usize>,
    requests: usize,
    bytes: usize,
    tickets: u64,
}

/// What the requests of a line wait for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) exchange: Exchange,
    pub(super) topic: Topic,
    pub(super) server: Option<ServerName>,
    pub(super) namespace: Option<Namespace>,
    pub(super) version: Version,
}

impl Key {
    pub(super) fn of(head: &Head) -> Key {
        Key {
            exchange: head.exchange.clone(),
            topic: head.topic.clone(),
            server: head.server.clone(),
            namespace: head.namespace().cloned(),
            version: head.version,
        }
    }
}

#[derive(Default)]
struct Line {
    /// By ticket, which is their order.
    entries: BTreeMap<u64, Entry>,
    moves: Moves,
}

/// Whether a line is let through.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Moves {
    #[default]
    No,
    /// By one thread; `again` when there was a reason to look once more meanwhile.
    Now { again: bool },
    /// The server has no room for the next one, and will say when it has.
    NoRoom,
}

struct Entry {
    delivery: Delivery,
    /// Goes off when it has waited long enough.
    alarm: Option<Alarm>,
}

pub(super) struct Alarm {
    pub(super) timers: Arc<Timers>,
    pub(super) key: TimerKey,
    /// The timers alone would not keep it.
    pub(super) _lapse: Arc<Lapse>,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.timers.disarm(self.key);
    }
}

impl Waiting {
    pub(crate) fn new(limits: WaitingLimits) -> Self {
        Waiting {
            limits,
            ..Waiting::default()
        }
    }

    /// Requests that wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().requests
    }

    /// Until `end`, requests wait that did not ask for it, as long as their time allows.
    pub(crate) fn settle_until(&self, end: Instant) {
        *self.settling() = Some(end);
        self.settles.store(true, Ordering::Release);
    }

    /// Whether that may be now.
    pub(super) fn settles(&self) -> bool {
        self.settles.load(Ordering::Relaxed)
    }

    fn settling(&self) -> MutexGuard<'_, Option<Instant>> {
        self.settling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when a request waits for which there is no server; `None`: not at all.
    pub(super) fn waits_until(&self, head: &Head, now: Instant) -> Option<Option<Instant>> {
        let in_time = head.deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(now);
            deadline - (left / WORD_SHARE).min(WORD_MOST)
        });
        if head.wait_for_server {
            return Some(in_time);
        }
        let mut settling = self.settling();
        let end = (*settling).filter(|end| now < *end);
        *settling = end;
        self.settles.store(end.is_some(), Ordering::Release);
        let end = end?;
        Some(Some(in_time.map_or(end, |at| at.min(end))))
    }

    /// A server comes: until [`came`](Self::came), nothing is to pass by the lines. To be called before it can be found.
    pub(super) fn comes(&self) -> bool {
        let somebody_waits = self.lock().requests > 0;
        if somebody_waits {
            self.moving.fetch_add(1, Ordering::SeqCst);
        }
        somebody_waits
    }

    /// Its lines were let through, or are known to be moving.
    pub(super) fn came(&self) {
        self.moving.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether a line may be moving that a request would have to stand behind.
    pub(super) fn is_moving(&self) -> bool {
        self.moving.load(Ordering::SeqCst) > 0
    }

    /// Wakes the waker of `cx` when there is room for requests like `head`; at once, when there is.
    pub(super) fn wait_for_room(&self, head: &Head, cx: &mut Context<'_>) {
        self.room.register(0, cx);
        let state = self.lock();
        let of_the_flow = state.flows.get(&head.flow).copied().unwrap_or(0);
        let has_room = self.has_room(&state) && of_the_flow <= self.limits.of_a_flow / 2;
        drop(state);
        if has_room {
            self.room.wake();
        }
    }

    fn has_room(&self, state: &State) -> bool {
        state.requests <= self.limits.requests / 2 && state.bytes <= self.limits.bytes / 2
    }

    /// Puts a request at the end of its line, and gives its ticket there; gives it back when there is no room. With
    /// `behind`, only behind others.
    pub(super) fn stand(
        &self,
        delivery: Delivery,
        lapse: Lapse,
        behind: bool,
    ) -> Result<u64, Back> {
        let in_flight = delivery.in_flight().clone();
        let flow = in_flight.head().flow;
        let weight = delivery.weight();
        let mut state = self.lock();
        if behind && !state.lines.contains_key(&lapse.key) {
            return Err(Back::Free(delivery));
        }
        let of_the_flow = state.flows.get(&flow).copied().unwrap_or(0);
        let full = state.requests >= self.limits.requests
            || of_the_flow >= self.limits.of_a_flow
            || (state.bytes > 0 && state.bytes.saturating_add(weight) > self.limits.bytes);
        if full {
            return Err(Back::Full(delivery));
        }
        state.tickets += 1;
        let ticket = state.tickets;
        // First told where it is, then put there: whoever cancels it in between is seen below.
        in_flight.waits(lapse.waiting.clone(), ticket);
        let key = lapse.key.clone();
        let alarm = lapse.arm(ticket);
        state.insert(key, ticket, Entry { delivery, alarm });
        drop(state);
        if in_flight.is_cancelled() {
            self.withdraw(&in_flight, ticket);
        }
        Ok(ticket)
    }

    /// Puts a request back to the head of its line, which is being let through.
    pub(super) fn put_back(&self, delivery: Delivery, ticket: u64, lapse: Lapse) {
        let in_flight = delivery.in_flight().clone();
        in_flight.waits(lapse.waiting.clone(), ticket);
        let key = lapse.key.clone();
        let alarm = lapse.arm(ticket);
        let entry = Entry { delivery, alarm };
        self.lock().insert(key, ticket, entry);
        if in_flight.is_cancelled() {
            self.withdraw(&in_flight, ticket);
        }
    }

    /// Takes out those of a line that do not wait for a server: they stood behind those that do.
    pub(super) fn take_impatient(&self, key: &Key) -> Vec<Delivery> {
        let now = Instant::now();
        let mut state = self.lock();
        let Some(line) = state.lines.get(key) else {
            return Vec::new();
        };
        let entries = line.entries.iter();
        let tickets: Vec<u64> = entries
            .filter(|(_, entry)| {
                let head = entry.delivery.in_flight().head();
                self.waits_until(head, now).is_none()
            })
            .map(|(ticket, _)| *ticket)
            .collect();
        let taken: Vec<Entry> = tickets
            .into_iter()
            .filter_map(|ticket| state.remove(key, ticket))
            .collect();
        drop(state);
        taken.into_iter().map(|entry| entry.delivery).collect()
    }

    /// Whether the line of `key` is there and not let through.
    pub(super) fn stands_still(&self, key: &Key) -> bool {
        let state = self.lock();
        let line = state.lines.get(key);
        line.is_some_and(|line| line.moves == Moves::No)
    }

    /// Takes a request out that nobody waits for any more.
    pub(crate) fn withdraw(&self, in_flight: &InFlight, ticket: u64) {
        drop(self.take(&Key::of(in_flight.head()), ticket));
    }

    pub(super) fn take(&self, key: &Key, ticket: u64) -> Option<Delivery> {
        let mut state = self.lock();
        let entry = state.remove(key, ticket);
        let has_room = self.has_room(&state);
        drop(state);
        if has_room {
            self.room.wake();
        }
        let Entry { delivery, alarm } = entry?;
        drop(alarm);
        Some(delivery)
    }

    /// The lines that a server of this name may be for.
    pub(super) fn lines_for(
        &self,
        exchange: &Exchange,
        topic: &Topic,
        name: &ServerName,
    ) -> Vec<Key> {
        let is_for = |key: &&Key| {
            key.exchange == *exchange
                && key.topic == *topic
                && key.server.as_ref().is_none_or(|server| server == name)
        };
        self.lock().lines.keys().filter(is_for).cloned().collect()
    }

    /// Begins to let a line through; `false` when there is none, or somebody does that already.
    pub(super) fn begin(&self, key: &Key) -> bool {
        let mut state = self.lock();
        let Some(line) = state.lines.get_mut(key) else {
            return false;
        };
        match line.moves {
            Moves::No => {
                self.moving.fetch_add(1, Ordering::SeqCst);
                line.moves = Moves::Now { again: false };
                true
            }
            Moves::NoRoom => {
                line.moves = Moves::Now { again: false };
                true
            }
            Moves::Now { .. } => {
                line.moves = Moves::Now { again: true };
                false
            }
        }
    }

    /// Ends that, for now or (with `no_room`) until the server has room; `false` when there is a reason to look again.
    pub(super) fn pause(&self, key: &Key, no_room: bool) -> bool {
        let mut state = self.lock();
        let Some(line) = state.lines.get_mut(key) else {
            return true;
        };
        if line.moves == (Moves::Now { again: true }) {
            line.moves = Moves::Now { again: false };
            return false;
        }
        if no_room {
            line.moves = Moves::NoRoom;
        } else {
            line.moves = Moves::No;
            self.moving.fetch_sub(1, Ordering::SeqCst);
            state.forget_if_empty(key);
        }
        true
    }

    /// The first of a line that is let through; `None`, and the line is gone, when it is empty.
    pub(super) fn next(&self, key: &Key) -> Option<(u64, Delivery)> {
        let ticket = {
            let mut state = self.lock();
            let line = state.lines.get_mut(key)?;
            match line.entries.first_key_value() {
                Some((ticket, _)) => *ticket,
                None => {
                    line.moves = Moves::No;
                    self.moving.fetch_sub(1, Ordering::SeqCst);
                    state.forget_if_empty(key);
                    return None;
                }
            }
        };
        match self.take(key, ticket) {
            Some(delivery) => Some((ticket, delivery)),
            None => self.next(key), // Withdrawn in between.
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn insert(&mut self, key: Key, ticket: u64, entry: Entry) {
        self.requests += 1;
        self.bytes += entry.delivery.weight();
        let flow = entry.delivery.in_flight().head().flow;
        *self.flows.entry(flow).or_default() += 1;
        self.lines
            .entry(key)
            .or_default()
            .entries
            .insert(ticket, entry);
    }

    fn remove(&mut self, key: &Key, ticket: u64) -> Option<Entry> {
        let entry = self.lines.get_mut(key)?.entries.remove(&ticket)?;
        self.requests -= 1;
        self.bytes -= entry.delivery.weight();
        let flow = entry.delivery.in_flight().head().flow;
        if let Some(count) = self.flows.get_mut(&flow) {
            *count -= 1;
            if *count == 0 {
                self.flows.remove(&flow);
            }
        }
        self.forget_if_empty(key);
        Some(entry)
    }

    /// An empty line stays only while it is let through: what comes then must stand behind what went last.
    fn forget_if_empty(&mut self, key: &Key) {
        let over = |line: &Line| line.entries.is_empty() && line.moves == Moves::No;
        if self.lines.get(key).is_some_and(over) {
            self.lines.remove(key);
        }
    }
}

/// Why a request does not stand in a line.
pub(super) enum Back {
    /// There is no line that it would overtake.
    Free(Delivery),
    Full(Delivery),
}
