use super::callback::{self, Stop};
use super::{Promise, PromiseError, WaitError, wait};
use crate::sync::{Arc, Instant, Mutex};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A promise's outcome for several: made by [`Promise::shared`].
///
/// Each clone is a future of its own that resolves to a clone of the outcome, and goes on doing so
/// when polled again. When the last clone is dropped before there is an outcome, the request is
/// cancelled.
#[must_use = "the last clone that is dropped cancels the request"]
pub struct Shared<T, E> {
    all: Arc<Handles<T, E>>,
    /// Under which this clone's waker is kept.
    id: u64,
}

/// Dropped with the last clone.
struct Handles<T, E> {
    board: Arc<Board<T, E>>,
    delivery: Arc<dyn Stop>,
}

/// Where the outcome is put up for all to read.
struct Board<T, E> {
    inner: Mutex<Inner<T, E>>,
}

struct Inner<T, E> {
    outcome: Option<Arc<Result<T, E>>>,
    wakers: BTreeMap<u64, Waker>,
    next_id: u64,
}

impl<T, E> Shared<T, E>
where
    T: Clone + Send + Sync + 'static,
    E: From<PromiseError> + Clone + Send + Sync + 'static,
{
    pub(super) fn of(promise: Promise<T, E>) -> Self {
        let inner = Inner {
            outcome: None,
            wakers: BTreeMap::new(),
            next_id: 1,
        };
        let board = Arc::new(Board {
            inner: Mutex::new(inner),
        });
        let put_up = Arc::clone(&board);
        let delivery = callback::deliver(promise, move |outcome| put_up.put_up(outcome));
        Shared {
            all: Arc::new(Handles { board, delivery }),
            id: 0,
        }
    }

    /// Blocks the thread until there is an outcome, with no runtime.
    ///
    /// # Errors
    /// As for [`Promise::wait`].
    pub fn wait(mut self) -> Result<T, E> {
        wait::drive(Pin::new(&mut self), None)
            .unwrap_or_else(|_| Err(E::from(PromiseError::WouldBlock)))
    }

    /// Waits for `timeout` at the longest; None when the time was over first.
    ///
    /// # Errors
    /// As for [`Promise::wait_timeout`].
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<Result<T, E>> {
        match wait::drive(Pin::new(self), Instant::now().checked_add(timeout)) {
            Ok(outcome) => Some(outcome),
            Err(WaitError::Elapsed) => None,
            Err(WaitError::WouldBlock) => Some(Err(E::from(PromiseError::WouldBlock))),
        }
    }

    /// A copy of the outcome if there is one, without waiting.
    #[must_use]
    pub fn peek(&self) -> Option<Result<T, E>> {
        let outcome = self.all.board.inner.lock().outcome.clone();
        outcome.map(|outcome| (*outcome).clone())
    }
}

impl<T, E> Shared<T, E> {
    /// Whether there is an outcome. Once true, always true.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.all.board.inner.lock().outcome.is_some()
    }
}

impl<T, E> Board<T, E> {
    fn put_up(&self, outcome: Result<T, E>) {
        let outcome = Arc::new(outcome);
        let wakers = {
            let mut inner = self.inner.lock();
            inner.outcome = Some(outcome);
            mem::take(&mut inner.wakers)
        };
        wakers.into_values().for_each(Waker::wake);
    }

    /// The outcome; else `waker` is kept in place of the one before, which is returned to be
    /// dropped outside the lock.
    fn look(&self, id: u64, waker: Waker) -> Result<Arc<Result<T, E>>, Option<Waker>> {
        let mut inner = self.inner.lock();
        match &inner.outcome {
            Some(outcome) => Ok(Arc::clone(outcome)),
            None => Err(inner.wakers.insert(id, waker)),
        }
    }
}

impl<T, E> Future for Shared<T, E>
where
    T: Clone + Send + Sync + 'static,
    E: From<PromiseError> + Clone + Send + Sync + 'static,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.all.board.look(self.id, cx.waker().clone()) {
            Ok(outcome) => Poll::Ready((*outcome).clone()),
            Err(_replaced) => Poll::Pending,
        }
    }
}

impl<T, E> Clone for Shared<T, E> {
    fn clone(&self) -> Self {
        let mut inner = self.all.board.inner.lock();
        let id = inner.next_id;
        inner.next_id += 1;
        Shared {
            all: Arc::clone(&self.all),
            id,
        }
    }
}

impl<T, E> Drop for Shared<T, E> {
    fn drop(&mut self) {
        let waker = self.all.board.inner.lock().wakers.remove(&self.id);
        drop(waker);
    }
}

impl<T, E> Drop for Handles<T, E> {
    fn drop(&mut self) {
        self.delivery.stop();
    }
}

impl<T, E> fmt::Debug for Shared<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("ready", &self.is_ready())
            .finish_non_exhaustive()
    }
}
