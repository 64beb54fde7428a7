//! Delivering an outcome to a callback, on whichever thread completes the promise.

use super::{Promise, PromiseError};
use crate::sync::{Arc, Mutex, catch_unwind, thread_local};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem;
use std::task::{Context, Poll, Wake, Waker};

/// Calls `callback` with the outcome of `promise`, once: now, or on the completing thread.
/// Returns a handle that can stop it.
pub(super) fn deliver<T, E, F>(promise: Promise<T, E>, callback: F) -> Arc<Delivery<T, E, F>>
where
    T: Send + 'static,
    E: From<PromiseError> + Send + 'static,
    F: FnOnce(Result<T, E>) + Send + 'static,
{
    let delivery = Arc::new(Delivery {
        phase: Mutex::new(Phase::Waiting(promise, callback)),
    });
    Arc::clone(&delivery).wake();
    delivery
}

/// A promise whose waker is this very thing: woken, it takes the outcome.
pub(super) struct Delivery<T, E, F> {
    phase: Mutex<Phase<T, E, F>>,
}

enum Phase<T, E, F> {
    Waiting(Promise<T, E>, F),
    /// A thread is polling the promise, outside the lock.
    Polling,
    /// As `Polling`, and it was woken meanwhile.
    PollingAgain,
    /// Delivered, or stopped.
    Over,
}

/// A delivery that may be no longer wanted.
pub(super) trait Stop: Send + Sync {
    /// Drops promise and callback, unless the outcome is being delivered already.
    fn stop(&self);
}

impl<T: Send, E: Send, F: Send> Stop for Delivery<T, E, F> {
    fn stop(&self) {
        let stopped = mem::replace(&mut *self.phase.lock(), Phase::Over);
        drop(stopped);
    }
}

impl<T, E, F> Delivery<T, E, F> {
    /// Takes the promise out to poll it; None when another thread is at it.
    fn begin(&self) -> Option<(Promise<T, E>, F)> {
        let mut phase = self.phase.lock();
        match mem::replace(&mut *phase, Phase::Polling) {
            Phase::Waiting(promise, callback) => Some((promise, callback)),
            Phase::Polling | Phase::PollingAgain => {
                *phase = Phase::PollingAgain;
                None
            }
            Phase::Over => {
                *phase = Phase::Over;
                None
            }
        }
    }

    /// Puts the promise back to wait; gives it back when it is to be polled again at once, and
    /// drops it when the delivery was stopped meanwhile.
    fn wait(&self, promise: Promise<T, E>, callback: F) -> Option<(Promise<T, E>, F)> {
        let mut phase = self.phase.lock();
        match &*phase {
            Phase::Polling => *phase = Phase::Waiting(promise, callback),
            Phase::PollingAgain => {
                *phase = Phase::Polling;
                return Some((promise, callback));
            }
            Phase::Waiting(..) | Phase::Over => {
                drop(phase);
                drop((promise, callback));
            }
        }
        None
    }
}

impl<T, E, F> Wake for Delivery<T, E, F>
where
    T: Send + 'static,
    E: From<PromiseError> + Send + 'static,
    F: FnOnce(Result<T, E>) + Send + 'static,
{
    fn wake(self: Arc<Self>) {
        let waker = Waker::from(Arc::clone(&self));
        let mut next = self.begin();
        while let Some((mut promise, callback)) = next {
            // What `map` was given runs in here; its panic breaks the promise.
            let polled = catch_unwind(|| promise.poll_outcome(&mut Context::from_waker(&waker)))
                .unwrap_or_else(|| Poll::Ready(Err(E::from(PromiseError::Broken))));
            match polled {
                Poll::Pending => next = self.wait(promise, callback),
                Poll::Ready(outcome) => {
                    *self.phase.lock() = Phase::Over;
                    return bounce(move || callback(outcome));
                }
            }
        }
    }
}

/// Open while a callback runs.
type Queue = RefCell<Option<VecDeque<Box<dyn FnOnce()>>>>;

thread_local! {
    /// The callbacks that were started by one that is still running on this thread.
    static QUEUED: Queue = RefCell::new(None);
}

/// Runs `callback`, or queues it behind the one that runs on this thread: a trampoline, so that a
/// chain of promises completed in callbacks does not grow the stack.
fn bounce(callback: impl FnOnce() + 'static) {
    let nested = QUEUED.try_with(|queued| {
        let mut queued = queued.borrow_mut();
        let nested = queued.is_some();
        queued.get_or_insert_default();
        nested
    });
    match nested {
        Ok(true) => QUEUED.with(|queued| {
            if let Some(queue) = queued.borrow_mut().as_mut() {
                queue.push_back(Box::new(callback));
            }
        }),
        Ok(false) => {
            catch_unwind(callback);
            while let Some(next) = next_queued() {
                catch_unwind(next);
            }
        }
        // The thread is ending: there is no queue any more.
        Err(_) => {
            catch_unwind(callback);
        }
    }
}

/// The next queued callback; when there is none the queue is closed.
fn next_queued() -> Option<Box<dyn FnOnce()>> {
    QUEUED.with(|queued| {
        let mut queued = queued.borrow_mut();
        let next = queued.as_mut().and_then(VecDeque::pop_front);
        if next.is_none() {
            *queued = None;
        }
        next
    })
}
