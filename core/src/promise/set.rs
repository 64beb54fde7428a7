use super::seam::CallError;
use super::{Promise, PromiseError, WaitError, wait};
use crate::sync::{Arc, Instant, Mutex};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// A key and the outcome of the promise that was inserted under it.
pub type Completed<K, T, E> = (K, Result<T, E>);

/// Promises under keys, taken in the order in which they complete.
///
/// A completion costs one wake-up and one poll however many promises there are (C12). Dropping
/// the set drops, and so cancels, what is left in it.
///
/// ```
/// use tidings_core::promise::{Promise, PromiseError, PromiseSet};
///
/// let (slow, promise) = Promise::<&str, PromiseError>::channel();
/// let mut set = PromiseSet::new();
/// set.insert("slow", promise);
/// set.insert("fast", Promise::ready("first"));
/// assert_eq!(set.next().wait(), Ok(Some(("fast", Ok("first")))));
/// slow.complete("second").unwrap();
/// assert_eq!(set.next().wait(), Ok(Some(("slow", Ok("second")))));
/// assert_eq!(set.next().wait(), Ok(None));
/// ```
pub struct PromiseSet<K, T, E = CallError> {
    entries: Vec<Entry<K, T, E>>,
    vacant: Vec<usize>,
    rung: Arc<RungList>,
}

struct Entry<K, T, E> {
    /// None when the entry is vacant.
    held: Option<(K, Promise<T, E>)>,
    /// Made when the promise is first found pending.
    bell: Option<Arc<Bell>>,
    /// Tells a late wake-up of an earlier promise in this entry.
    generation: u64,
}

impl<K, T, E> PromiseSet<K, T, E> {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        PromiseSet {
            entries: Vec::new(),
            vacant: Vec::new(),
            rung: Arc::default(),
        }
    }

    /// How many promises have not been handed out.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() - self.vacant.len()
    }

    /// Whether every promise was handed out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a promise. Keys need not differ.
    pub fn insert(&mut self, key: K, promise: Promise<T, E>) {
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.entries.push(Entry {
                held: None,
                bell: None,
                generation: 0,
            });
            self.entries.len() - 1
        });
        self.entries[slot].held = Some((key, promise));
        self.rung.push(slot, self.entries[slot].generation);
    }
}

impl<K, T, E: From<PromiseError>> PromiseSet<K, T, E> {
    /// The first promise to complete, with its key; None when the set is empty. A future that can
    /// also be waited on.
    #[expect(
        clippy::should_implement_trait,
        reason = "a future, as for any async iterator"
    )]
    pub fn next(&mut self) -> Next<'_, K, T, E> {
        Next { set: self }
    }

    /// As [`next`](PromiseSet::next), without waiting: None when none has completed.
    pub fn try_next(&mut self) -> Option<Completed<K, T, E>> {
        while let Some((slot, generation)) = self.rung.pop() {
            if let Some(completed) = self.look(slot, generation) {
                return Some(completed);
            }
        }
        None
    }

    /// [`next`](PromiseSet::next) as a poll function.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Completed<K, T, E>>> {
        loop {
            if let Some(completed) = self.try_next() {
                return Poll::Ready(Some(completed));
            }
            if self.is_empty() {
                return Poll::Ready(None);
            }
            if self.rung.sleep(cx.waker()) {
                return Poll::Pending;
            }
        }
    }

    /// Polls the promise that rang.
    fn look(&mut self, slot: usize, generation: u64) -> Option<Completed<K, T, E>> {
        let entry = self
            .entries
            .get_mut(slot)
            .filter(|entry| entry.generation == generation)?;
        let (_, promise) = entry.held.as_mut()?;
        let outcome = promise.try_take().or_else(|| {
            let bell = entry
                .bell
                .get_or_insert_with(|| Bell::new(&self.rung, slot, generation));
            let waker = Waker::from(Arc::clone(bell));
            match promise.poll_outcome(&mut Context::from_waker(&waker)) {
                Poll::Ready(outcome) => Some(outcome),
                Poll::Pending => None,
            }
        })?;
        let (key, _) = entry.held.take()?;
        entry.bell = None;
        entry.generation += 1;
        self.vacant.push(slot);
        Some((key, outcome))
    }
}

impl<K, T, E> Default for PromiseSet<K, T, E> {
    fn default() -> Self {
        PromiseSet::new()
    }
}

impl<K, T, E> Extend<(K, Promise<T, E>)> for PromiseSet<K, T, E> {
    fn extend<I: IntoIterator<Item = (K, Promise<T, E>)>>(&mut self, promises: I) {
        for (key, promise) in promises {
            self.insert(key, promise);
        }
    }
}

impl<K, T, E> FromIterator<(K, Promise<T, E>)> for PromiseSet<K, T, E> {
    fn from_iter<I: IntoIterator<Item = (K, Promise<T, E>)>>(promises: I) -> Self {
        let mut set = PromiseSet::new();
        set.extend(promises);
        set
    }
}

impl<K, T, E> fmt::Debug for PromiseSet<K, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PromiseSet")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// The next completion of a [`PromiseSet`]; dropping it loses nothing.
#[must_use = "a future does nothing until it is awaited or waited on"]
pub struct Next<'a, K, T, E> {
    set: &'a mut PromiseSet<K, T, E>,
}

impl<K, T, E: From<PromiseError>> Next<'_, K, T, E> {
    /// Blocks the thread until a promise completes.
    ///
    /// # Errors
    /// [`WaitError::WouldBlock`] where blocking would stop a runtime's worker thread. The set
    /// stays as it was.
    pub fn wait(mut self) -> Result<Option<Completed<K, T, E>>, WaitError> {
        wait::drive(Pin::new(&mut self), None)
    }

    /// As [`wait`](Next::wait), for `timeout` at the longest.
    ///
    /// # Errors
    /// [`WaitError::Elapsed`] when no promise completed in time, else as for [`wait`](Next::wait).
    pub fn wait_timeout(
        mut self,
        timeout: Duration,
    ) -> Result<Option<Completed<K, T, E>>, WaitError> {
        wait::drive(Pin::new(&mut self), Instant::now().checked_add(timeout))
    }
}

impl<K, T, E: From<PromiseError>> Future for Next<'_, K, T, E> {
    type Output = Option<Completed<K, T, E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.set.poll_next(cx)
    }
}

/// Which entries are to be polled, and who sleeps until there is one.
struct RungList {
    inner: Mutex<Rung>,
}

#[derive(Default)]
struct Rung {
    entries: VecDeque<(usize, u64)>,
    sleeper: Option<Waker>,
}

impl Default for RungList {
    fn default() -> Self {
        RungList {
            inner: Mutex::new(Rung::default()),
        }
    }
}

impl RungList {
    fn push(&self, slot: usize, generation: u64) {
        let sleeper = {
            let mut inner = self.inner.lock();
            inner.entries.push_back((slot, generation));
            inner.sleeper.take()
        };
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }

    fn pop(&self) -> Option<(usize, u64)> {
        self.inner.lock().entries.pop_front()
    }

    /// Leaves the waker for the next push; false when there was one meanwhile.
    fn sleep(&self, waker: &Waker) -> bool {
        let waker = waker.clone();
        let mut inner = self.inner.lock();
        if !inner.entries.is_empty() {
            return false;
        }
        let replaced = inner.sleeper.replace(waker);
        drop(inner);
        drop(replaced);
        true
    }
}

/// The waker of one entry. Rung once too often it costs a look.
struct Bell {
    list: Arc<RungList>,
    slot: usize,
    generation: u64,
}

impl Bell {
    fn new(list: &Arc<RungList>, slot: usize, generation: u64) -> Arc<Self> {
        Arc::new(Bell {
            list: Arc::clone(list),
            slot,
            generation,
        })
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.list.push(self.slot, self.generation);
    }
}
