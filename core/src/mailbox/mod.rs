//! The bounded queue of a topic whose servers compete for requests.
//!
//! Several producers, several consumers, blocking and async ones mixed, over one mutex. It is our
//! own because no wake-up may be lost with more than one async consumer:
//!
//! * a consumer registers only when it has found the queue empty, under the lock;
//! * each push wakes one registered consumer and takes it off the register;
//! * a consumer that was woken and leaves without taking hands the wake-up on.
//!
//! So there are always at least as many woken consumers on their way as there are items, or none
//! is asleep. Wakers are run, and items and wakers dropped, outside the lock.

mod consumer;
mod line;

pub use consumer::{Consumer, Pop};
pub use line::Ticket;

use crate::sync::{Arc, Mutex};
use line::Line;
use std::fmt;
use std::task::Waker;
use std::time::Duration;

/// A handle to a bounded queue; clones are handles to the same one.
pub struct Mailbox<T> {
    shared: Arc<Mutex<Inner<T>>>,
}

struct Inner<T> {
    items: Line<(T, usize)>,
    bytes: usize,
    limits: Limits,
    closed: bool,
    asleep: Line<Waker>,
}

/// How much a mailbox holds; whichever binds first (R6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// In items.
    pub items: usize,
    /// In bytes, as the producers state them.
    pub bytes: usize,
}

/// Whether an item has to find room within the [`Limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounds {
    /// It has to.
    Kept,
    /// It is bounded by something else.
    Lifted,
}

/// Why an item was not taken in; it comes back.
#[derive(Debug, PartialEq, Eq)]
pub enum PushError<T> {
    /// There is no room for it now; for one larger than the byte limit there never is.
    Full(T),
    /// The mailbox was closed.
    Closed(T),
}

impl<T> PushError<T> {
    /// The item.
    pub fn into_inner(self) -> T {
        match self {
            PushError::Full(item) | PushError::Closed(item) => item,
        }
    }
}

impl<T> Mailbox<T> {
    /// An empty mailbox.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Mailbox {
            shared: Arc::new(Mutex::new(Inner {
                items: Line::new(),
                bytes: 0,
                limits,
                closed: false,
                asleep: Line::new(),
            })),
        }
    }

    /// Puts an item at the end and wakes a consumer. The ticket takes it out again.
    ///
    /// # Errors
    /// [`PushError`], with the item.
    pub fn try_push(&self, item: T, bytes: usize) -> Result<Ticket, PushError<T>> {
        let mut own = None;
        self.push(item, bytes, Bounds::Kept, |_, ticket| own = Some(ticket))?;
        Ok(own.unwrap_or_else(|| unreachable!("what has come in was told its ticket")))
    }

    /// The same within `bounds`, and has `enters` told of the item and its ticket before anybody can take it. It runs
    /// under the lock. Says whether the mailbox was empty.
    ///
    /// # Errors
    /// [`PushError`], with the item.
    pub fn push(
        &self,
        item: T,
        bytes: usize,
        bounds: Bounds,
        enters: impl FnOnce(&T, Ticket),
    ) -> Result<bool, PushError<T>> {
        let (first, waker) = {
            let mut inner = self.shared.lock();
            if inner.closed {
                return Err(PushError::Closed(item));
            }
            if bounds == Bounds::Kept && !inner.has_room(bytes) {
                return Err(PushError::Full(item));
            }
            let first = inner.items.is_empty();
            inner.bytes += bytes;
            enters(&item, inner.items.next());
            inner.items.push((item, bytes));
            (first, inner.asleep.pop())
        };
        wake(waker);
        Ok(first)
    }

    /// The first item, if there is one.
    pub fn try_pop(&self) -> Option<T> {
        self.shared.lock().pop()
    }

    /// What `look` sees in the first item, if there is one. It runs under the lock.
    pub fn peek<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        let inner = self.shared.lock();
        inner.items.first().map(|(item, _)| look(item))
    }

    /// Takes an item out of the middle, which makes room at once; None when it has left already.
    pub fn remove(&self, ticket: Ticket) -> Option<T> {
        let mut inner = self.shared.lock();
        let (item, bytes) = inner.items.remove(ticket)?;
        inner.bytes -= bytes;
        Some(item)
    }

    /// A consumer, which can be polled, awaited and waited on.
    #[must_use]
    pub fn consumer(&self) -> Consumer<T> {
        Consumer::of(self.clone())
    }

    /// Blocks the thread until there is an item, for `timeout` at the longest. None when the time
    /// was over first or the mailbox is closed and empty. For threads that may block: on a
    /// runtime's worker use a [`Consumer`].
    ///
    /// # Panics
    /// Without a timeout, where blocking would stop a runtime's worker thread.
    pub fn pop_wait(&self, timeout: Option<Duration>) -> Option<T> {
        self.try_pop().or_else(|| self.consumer().wait(timeout))
    }

    /// Takes nothing more in, wakes every consumer, and returns what was still queued. Closing
    /// again returns nothing.
    pub fn close(&self) -> Vec<T> {
        let (items, wakers) = {
            let mut inner = self.shared.lock();
            inner.closed = true;
            inner.bytes = 0;
            (inner.items.drain(), inner.asleep.drain())
        };
        wakers.into_iter().for_each(Waker::wake);
        items.into_iter().map(|(item, _)| item).collect()
    }

    /// Takes items in again after it was closed.
    pub fn reopen(&self) {
        self.shared.lock().closed = false;
    }

    /// Whether [`close`](Mailbox::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.lock().closed
    }

    /// Items queued.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.lock().items.len()
    }

    /// Bytes queued, as the producers stated them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.shared.lock().bytes
    }

    /// Whether nothing is queued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.lock().items.is_empty()
    }
}

impl<T> Inner<T> {
    fn has_room(&self, bytes: usize) -> bool {
        let Limits { items, bytes: most } = self.limits;
        self.items.len() < items && bytes <= most.saturating_sub(self.bytes)
    }

    fn pop(&mut self) -> Option<T> {
        let (item, bytes) = self.items.pop()?;
        self.bytes -= bytes;
        Some(item)
    }

    /// An item, or the end, if there is either.
    fn next(&mut self) -> Option<Option<T>> {
        match self.pop() {
            Some(item) => Some(Some(item)),
            None if self.closed => Some(None),
            None => None,
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Self {
        Mailbox {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> fmt::Debug for Mailbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.shared.lock();
        f.debug_struct("Mailbox")
            .field("len", &inner.items.len())
            .field("bytes", &inner.bytes)
            .field("closed", &inner.closed)
            .finish_non_exhaustive()
    }
}
