//! Whether a bus is connected: its [`State`] as a value, and what changes as [`Events`].
//!
//! ```
//! # let bus = tidings_core::connection::Watch::local(); // as any bus has one
//! use tidings_core::connection::{Event, State};
//!
//! assert!(matches!(bus.state(), State::Connected { .. }));
//! let mut events = bus.events(); // how it stands now, and then what happens
//! assert!(matches!(events.next(), Some(Event::Connected { .. })));
//! # bus.closed(); macro_rules! ignore { ($($t:tt)*) => {} } ignore! {
//! bus.close();
//! # }
//! assert_eq!(events.next(), Some(Event::Closed)); // in async code: events.changed().await
//! assert_eq!(events.next(), None);
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::promise::{WaitError, WaitExt};

/// Events that are kept for those who have not looked yet.
const KEPT: usize = 64;

/// How a bus stands with its address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It was opened, and the other side has not said its first word yet.
    Connecting,
    /// Requests travel.
    Connected {
        /// Whose time it is: another one when the hub was replaced or restarted (T20).
        epoch: Epoch,
        /// What this process is at the address.
        role: Role,
    },
    /// There is no connection; another one is tried for, again and again.
    Disconnected {
        /// Since when.
        since: Instant,
        /// Why, for people: what the system or the peer said last.
        reason: Arc<str>,
    },
    /// The bus was closed. This is the last state.
    Closed,
}

/// What a process is at a bus's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// The bus is within this process.
    Local,
    /// The others connect to this process.
    Hub,
    /// It is connected to the hub.
    Member,
}

/// Names the time of one hub, from its taking the address to its end. Two members that show the
/// same one are at the same hub; who sees another one than before is at another hub, or at one
/// that was restarted, where nothing is known of what went before.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch([u8; 16]);

impl Epoch {
    /// One that differs from all others, also of other processes and across restarts.
    pub fn unique() -> Self {
        let half = |_| RandomState::new().hash_one((std::process::id(), Instant::now()));
        let [high, low] = [0, 1].map(half);
        Epoch((u128::from(high) << 64 | u128::from(low)).to_le_bytes())
    }

    /// The one that a peer tells of itself.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Epoch(bytes)
    }

    /// As it is told to a peer.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_le_bytes(self.0))
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Something that happened to a bus's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// There is a connection, or this process has become the hub.
    Connected {
        /// As in [`State::Connected`].
        epoch: Epoch,
        /// As in [`State::Connected`]: [`Role::Hub`] says that this process took the address over.
        role: Role,
    },
    /// The connection was lost. What was in flight has failed.
    Disconnected {
        /// Why, for people.
        reason: Arc<str>,
    },
    /// All servers of this bus are registered again after a loss.
    ServersRestored {
        /// How many.
        servers: usize,
    },
    /// The bus was closed; nothing follows.
    Closed,
    /// So many events were dropped because nobody looked for long. What follows is later.
    Missed(u64),
}

/// The events of a bus: first how it stands, unless it is [`Connecting`](State::Connecting) still, and then all that
/// happens. Made by [`Bus::events`](crate::Bus::events).
///
/// Awaited with [`changed`](Self::changed) (or polled), or waited on as an iterator. It ends behind
/// [`Event::Closed`]. It does not keep the bus open. The latest 64 events are kept for one that does
/// not look; how many were dropped it learns by [`Event::Missed`].
#[derive(Debug)]
pub struct Events {
    watch: Arc<Watch>,
    /// Among the listeners.
    id: u64,
    /// How it stood at the beginning, until that has been told.
    first: Option<Event>,
    next: u64,
}

impl Events {
    /// The next event; `None` when the bus is closed and all have been seen. Dropping the future
    /// loses nothing.
    pub async fn changed(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_changed(cx)).await
    }

    /// The next event, if there is one; else the waker of `cx` is woken by it.
    pub fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        let mut book = self.watch.lock();
        if let Poll::Ready(next) = book.after(&mut self.next) {
            return Poll::Ready(next);
        }
        let replaced = match book.listeners.iter_mut().find(|(id, _)| *id == self.id) {
            Some((_, known)) if known.will_wake(cx.waker()) => None,
            Some((_, known)) => Some(std::mem::replace(known, cx.waker().clone())),
            None => {
                book.listeners.push((self.id, cx.waker().clone()));
                None
            }
        };
        drop(book);
        drop(replaced);
        Poll::Pending
    }

    /// Blocks until the next event, for `timeout` at the longest.
    ///
    /// # Errors
    /// [`WaitError::Elapsed`] when nothing happened in that time, and [`WaitError::WouldBlock`]
    /// where blocking would stop a runtime's worker thread.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<Event>, WaitError> {
        poll_fn(|cx| self.poll_changed(cx)).wait_timeout(timeout)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let mut book = self.watch.lock();
        let at = book.listeners.iter().position(|(id, _)| *id == self.id);
        let waker = at.map(|at| book.listeners.swap_remove(at));
        drop(book);
        drop(waker);
    }
}

/// Blocks until each event; ends when the bus is closed.
///
/// # Panics
/// Where blocking would stop a runtime's worker thread and this can be told: use
/// [`changed`](Events::changed) there.
impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_changed(cx)).wait()
    }
}

/// Where a transport tells how it stands, for the handles of its bus to look at.
pub struct Watch {
    book: Mutex<Book>,
    /// Spares those who send a look at the book.
    away: AtomicBool,
}

struct Book {
    state: State,
    /// The latest events.
    kept: VecDeque<Event>,
    /// How many there were in all.
    told: u64,
    /// Those who wait for the next one.
    listeners: Vec<(u64, Waker)>,
    /// The next listener's id.
    next_id: u64,
}

impl Book {
    /// The event behind `seen` others.
    fn after(&self, seen: &mut u64) -> Poll<Option<Event>> {
        let first = self.told - self.kept.len() as u64;
        if *seen < first {
            let missed = first - *seen;
            *seen = first;
            return Poll::Ready(Some(Event::Missed(missed)));
        }
        match self.kept.get((*seen - first) as usize) {
            Some(event) => {
                *seen += 1;
                Poll::Ready(Some(event.clone()))
            }
            None if self.state == State::Closed => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl Watch {
    /// Of a bus that is within this process, and so always connected.
    pub fn local() -> Arc<Self> {
        Watch::new(State::Connected {
            epoch: Epoch::unique(),
            role: Role::Local,
        })
    }

    /// Of a bus that begins in `state`.
    pub fn new(state: State) -> Arc<Self> {
        Arc::new(Watch {
            away: AtomicBool::new(matches!(state, State::Disconnected { .. })),
            book: Mutex::new(Book {
                state,
                kept: VecDeque::new(),
                told: 0,
                listeners: Vec::new(),
                next_id: 0,
            }),
        })
    }

    /// The state at this moment.
    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// How it stands, and what happens from now on.
    pub fn events(self: &Arc<Self>) -> Events {
        let mut book = self.lock();
        book.next_id += 1;
        Events {
            watch: self.clone(),
            id: book.next_id,
            first: match &book.state {
                State::Connecting => None,
                State::Connected { epoch, role } => Some(Event::Connected {
                    epoch: *epoch,
                    role: *role,
                }),
                State::Disconnected { reason, .. } => Some(Event::Disconnected {
                    reason: reason.clone(),
                }),
                State::Closed => Some(Event::Closed),
            },
            next: book.told,
        }
    }

    /// Whether the state is [`State::Disconnected`]: one load.
    pub fn is_away(&self) -> bool {
        self.away.load(Ordering::Acquire)
    }

    /// There is a connection.
    pub fn connected(&self, epoch: Epoch, role: Role) {
        self.change(|state| {
            *state = State::Connected { epoch, role };
            Some(Event::Connected { epoch, role })
        });
    }

    /// There is none, for `reason`. Said again, it renews the reason; the loss stays the one it was.
    pub fn disconnected(&self, reason: &str) {
        self.change(|state| {
            let reason: Arc<str> = reason.into();
            if let State::Disconnected { reason: known, .. } = state {
                *known = reason;
                return None;
            }
            *state = State::Disconnected {
                since: Instant::now(),
                reason: reason.clone(),
            };
            Some(Event::Disconnected { reason })
        });
    }

    /// All `servers` of the bus are registered again.
    pub fn servers_restored(&self, servers: usize) {
        self.change(|_| Some(Event::ServersRestored { servers }));
    }

    /// It is over.
    pub fn closed(&self) {
        self.change(|state| {
            *state = State::Closed;
            Some(Event::Closed)
        });
    }

    /// Nothing changes a closed bus any more.
    fn change(&self, change: impl FnOnce(&mut State) -> Option<Event>) {
        let mut book = self.lock();
        if book.state == State::Closed {
            return;
        }
        let event = change(&mut book.state);
        let away = matches!(book.state, State::Disconnected { .. });
        self.away.store(away, Ordering::Release);
        let Some(event) = event else { return };
        let dropped = (book.kept.len() == KEPT).then(|| book.kept.pop_front());
        book.kept.push_back(event);
        book.told += 1;
        let listeners = std::mem::take(&mut book.listeners);
        drop(book);
        drop(dropped);
        // Outside the lock: a waker may run anything.
        listeners.into_iter().for_each(|(_, waker)| waker.wake());
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lose(watch: &Watch, n: u64) {
        watch.disconnected(&n.to_string());
        watch.connected(Epoch::from_bytes([n as u8; 16]), Role::Member);
    }

    #[test]
    fn each_listener_sees_how_it_stands_and_then_every_change() {
        let watch = Watch::new(State::Connecting);
        let early = watch.events();
        lose(&watch, 1);
        let mut late = watch.events();
        watch.servers_restored(2);
        watch.closed();
        watch.disconnected("too late");
        assert_eq!(watch.state(), State::Closed);
        let last = [Event::ServersRestored { servers: 2 }, Event::Closed];
        let (epoch, role) = (Epoch::from_bytes([1; 16]), Role::Member);
        assert_eq!(late.next(), Some(Event::Connected { epoch, role }));
        assert_eq!(late.by_ref().collect::<Vec<_>>(), last);
        let early: Vec<_> = early.collect();
        assert_eq!(early.len(), 4);
        assert_eq!(
            early.first(),
            Some(&Event::Disconnected { reason: "1".into() })
        );
        assert_eq!(early[2..], last);
    }

    #[test]
    fn who_does_not_look_for_long_sees_the_latest_and_how_many_it_missed() {
        let watch = Watch::new(State::Connecting);
        let mut events = watch.events();
        for n in 0..100 {
            lose(&watch, n);
        }
        assert_eq!(events.next(), Some(Event::Missed(200 - KEPT as u64)));
        let kept: Vec<_> = (0..KEPT).filter_map(|_| events.next()).collect();
        let latest = Epoch::from_bytes([99; 16]);
        let role = Role::Member;
        assert_eq!(
            kept.last(),
            Some(&Event::Connected {
                epoch: latest,
                role
            })
        );
        assert_eq!(events.wait_timeout(Duration::ZERO), Err(WaitError::Elapsed));
    }

    #[test]
    fn a_loss_is_one_event_however_many_attempts_follow() {
        let watch = Watch::new(State::Connecting);
        let mut events = watch.events();
        watch.disconnected("reset");
        let State::Disconnected { since, .. } = watch.state() else {
            panic!("{watch:?}")
        };
        for _ in 0..1000 {
            watch.disconnected("refused");
        }
        assert!(watch.is_away());
        let reason: Arc<str> = "refused".into();
        assert_eq!(watch.state(), State::Disconnected { since, reason });
        assert!(matches!(events.next(), Some(Event::Disconnected { .. })));
        assert!(events.wait_timeout(Duration::ZERO).is_err());
        watch.connected(Epoch::unique(), Role::Member);
        assert!(!watch.is_away());
    }

    #[test]
    fn a_waiting_listener_is_woken() {
        let watch = Watch::new(State::Connecting);
        let mut events = watch.events();
        let waits = std::thread::spawn(move || events.next());
        watch.closed();
        assert_eq!(waits.join().unwrap(), Some(Event::Closed));
    }

    #[test]
    fn epochs_differ() {
        assert_ne!(Epoch::unique(), Epoch::unique());
    }
}
