//! Waiting for a future on an ordinary thread, with no runtime.

use super::WaitError;
use super::seam::block;
use crate::sync::{
    Arc, AtomicU32, Instant, Ordering, Parked, Thread, park, park_until, this_thread,
};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Waits for any future on the calling thread, with no runtime.
///
/// The future is polled here; what it needs to make progress (a promise's completer, a runtime's
/// reactor) must run elsewhere.
///
/// ```
/// use std::time::Duration;
/// use tidings_core::promise::WaitExt;
/// assert_eq!(async { 6 * 7 }.wait(), 42);
/// assert!(std::future::pending::<()>().wait_timeout(Duration::from_millis(1)).is_err());
/// ```
pub trait WaitExt: Future {
    /// Blocks the thread until there is an output.
    ///
    /// # Panics
    /// Where blocking would stop a runtime's worker thread and this can be told: a plain future
    /// has no error to say it with. [`Promise::wait`](super::Promise::wait) returns an error
    /// instead.
    fn wait(self) -> Self::Output
    where
        Self: Sized,
    {
        match drive(pin!(self), None) {
            Ok(output) => output,
            Err(error) => panic!("{error}"),
        }
    }

    /// Blocks the thread until there is an output, for `timeout` at the longest; the future can go
    /// on after a timeout. One that is not `Unpin` is to be pinned first (`std::pin::pin!`).
    ///
    /// # Errors
    /// [`WaitError::Elapsed`] when the time was over first (an output that is there wins), and
    /// [`WaitError::WouldBlock`] where blocking would stop a runtime's worker thread.
    fn wait_timeout(&mut self, timeout: Duration) -> Result<Self::Output, WaitError>
    where
        Self: Sized + Unpin,
    {
        drive(Pin::new(self), Instant::now().checked_add(timeout))
    }
}

impl<F: Future> WaitExt for F {}

/// Waits as [`park_until_ready`] does; if that ends without an output, makes the future let go of
/// our waker, and lets completion beat the timeout.
pub(super) fn drive<F: Future + ?Sized>(
    mut future: Pin<&mut F>,
    deadline: Option<Instant>,
) -> Result<F::Output, WaitError> {
    park_until_ready(future.as_mut(), deadline).or_else(|error| {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Ok(output),
            Poll::Pending => Err(error),
        }
    })
}

/// Polls `future` until it is ready, parking the thread in between. Does not block for one that is
/// ready at once. After an error the future still holds the waker.
pub(super) fn park_until_ready<F: Future + ?Sized>(
    mut future: Pin<&mut F>,
    deadline: Option<Instant>,
) -> Result<F::Output, WaitError> {
    let parker = Parker::of_this_thread();
    let waker = Waker::from(Arc::clone(&parker));
    let mut cx = Context::from_waker(&waker);
    let outcome = match future.as_mut().poll(&mut cx) {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => match block(|| park_and_poll(future, &mut cx, &parker, deadline)) {
            Ok(outcome) => outcome,
            Err(_) => Err(WaitError::WouldBlock),
        },
    };
    drop(waker);
    parker.put_back();
    outcome
}

fn park_and_poll<F: Future + ?Sized>(
    mut future: Pin<&mut F>,
    cx: &mut Context<'_>,
    parker: &Parker,
    deadline: Option<Instant>,
) -> Result<F::Output, WaitError> {
    loop {
        if parker.park(deadline) == Parked::Elapsed {
            return Err(WaitError::Elapsed);
        }
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Ok(output);
        }
    }
}

/// A waker that unparks a thread. It keeps a flag of its own, because a wait inside a wait on the
/// same thread may eat the outer one's unpark.
pub(crate) struct Parker {
    thread: Thread,
    woken: AtomicU32,
}

impl Parker {
    /// Parks until woken since the last return, or until the deadline.
    pub(crate) fn park(&self, deadline: Option<Instant>) -> Parked {
        while self.woken.swap(0, Ordering::Acquire) == 0 {
            match deadline {
                None => park(),
                Some(deadline) => {
                    if park_until(deadline) == Parked::Elapsed {
                        return Parked::Elapsed;
                    }
                }
            }
        }
        Parked::Woken
    }

    fn new() -> Arc<Self> {
        Arc::new(Parker {
            thread: this_thread(),
            woken: AtomicU32::new(0),
        })
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.woken.swap(1, Ordering::Release) == 0 {
            self.thread.unpark();
        }
    }
}

#[cfg(not(tidings_loom))]
mod cache {
    use super::{Arc, Parker};
    use std::cell::Cell;

    thread_local! {
        /// The parker of this thread, unless a wait further up the stack has it.
        static PARKER: Cell<Option<Arc<Parker>>> = const { Cell::new(None) };
    }

    impl Parker {
        /// Kept from wait to wait, so that waiting allocates once per thread. A late wake-up
        /// meant for an earlier wait costs one poll.
        pub(crate) fn of_this_thread() -> Arc<Parker> {
            PARKER
                .try_with(Cell::take)
                .ok()
                .flatten()
                .unwrap_or_else(Parker::new)
        }

        pub(crate) fn put_back(self: Arc<Parker>) {
            // A thread that is ending has no place for it any more, and no need.
            let _ = PARKER.try_with(|kept| kept.set(Some(self)));
        }
    }
}

#[cfg(tidings_loom)]
impl Parker {
    pub(crate) fn of_this_thread() -> Arc<Parker> {
        Parker::new()
    }

    pub(crate) fn put_back(self: Arc<Parker>) {}
}
