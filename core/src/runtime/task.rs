//! One future on the handler pool: its place in the life between polls, and its waker.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use super::BoxFuture;
use super::pool::Pool;

/// Nobody has it: it waits for a wake.
const IDLE: u8 = 0;
/// It is in the queue of the pool, once.
const QUEUED: u8 = 1;
/// A thread polls it.
const RUNNING: u8 = 2;
/// A thread polls it, and it was woken meanwhile: it is queued again after the poll.
const WOKEN: u8 = 3;
/// It has ended; the future is gone.
const ENDED: u8 = 4;

/// A detached future. Every change of state is a read-modify-write, so that a poll sees what was
/// done before the wakes that it answers.
///
/// The wakers own it: a task that nobody can wake any more is freed.
pub(super) struct Task {
    state: AtomicU8,
    /// Locked only by the thread that holds the task in `RUNNING`, so never waited for.
    future: Mutex<Option<BoxFuture<()>>>,
    pool: Weak<Pool>,
}

impl Task {
    /// A task that starts as queued: the caller puts it into the queue.
    pub(super) fn queued(future: BoxFuture<()>, pool: Weak<Pool>) -> Arc<Task> {
        Arc::new(Task {
            state: AtomicU8::new(QUEUED),
            future: Mutex::new(Some(future)),
            pool,
        })
    }

    /// Polls once. True: it was woken during the poll and has to be queued again.
    pub(super) fn run(self: &Arc<Self>) -> bool {
        self.state.swap(RUNNING, Ordering::AcqRel);
        let waker = Waker::from(self.clone());
        let mut slot = self.future.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = match slot.as_mut() {
            None => true,
            // A panic ends the task and not the thread; who waits for the task has a drop guard.
            Some(future) => catch_unwind(AssertUnwindSafe(|| {
                future.as_mut().poll(&mut Context::from_waker(&waker))
            }))
            .map_or(true, |poll: Poll<()>| poll.is_ready()),
        };
        if ended {
            let future = slot.take();
            drop(slot);
            self.state.store(ENDED, Ordering::Release);
            let _ = catch_unwind(AssertUnwindSafe(|| drop(future)));
            return false;
        }
        drop(slot);
        match self
            .state
            .compare_exchange(RUNNING, IDLE, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => false,
            Err(_woken) => {
                self.state.swap(QUEUED, Ordering::AcqRel);
                true
            }
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let mut seen = self.state.load(Ordering::Acquire);
        loop {
            let next = match seen {
                IDLE => QUEUED,
                RUNNING => WOKEN,
                ENDED => return,
                // A poll is to come already. It is written all the same: the write is what makes
                // that poll see what was done before this wake.
                queued_or_woken => queued_or_woken,
            };
            match self
                .state
                .compare_exchange(seen, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(IDLE) => {
                    if let Some(pool) = self.pool.upgrade() {
                        pool.requeue(self);
                    }
                    return;
                }
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }
}
