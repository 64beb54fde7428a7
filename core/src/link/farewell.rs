//! The end of closing: what a bus had accepted leaves before the handle that was dropped is gone.
//!
//! A program that casts and ends would else lose the cast with its process. The wait is bounded by
//! the connection's own [`LINGER`], and left out where the thread may not
//! be put to sleep: there the runtime goes on and writes what there is.

use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use super::driver::LINGER;
use crate::blocking;
use crate::bus::Room;
use crate::runtime::Runtime;

/// How long after its time to linger a connection's task may take to end.
const MARGIN: Duration = Duration::from_millis(200);

/// Counts the tasks that may still have something to write.
#[derive(Default)]
pub(super) struct Farewell {
    tasks: Mutex<usize>,
    ended: Condvar,
    leaving: Room,
}

/// One such task; it has ended when this is dropped.
pub(super) struct Leaving(Arc<Farewell>);

impl Farewell {
    /// One more task.
    pub(super) fn task(self: &Arc<Self>) -> Leaving {
        *self.tasks() += 1;
        Leaving(self.clone())
    }

    /// Resolves when all tasks have ended.
    pub(super) async fn ended(self: Arc<Self>) {
        poll_fn(|cx| {
            self.leaving.register(0, cx);
            match *self.tasks() {
                0 => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
    }

    fn tasks(&self) -> MutexGuard<'_, usize> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all tasks of `runtime` have ended, where this thread may wait for them.
    pub(super) fn wait(&self, runtime: &dyn Runtime) {
        if !runtime.runs_by_itself() {
            return; // By this very thread, perhaps.
        }
        blocking::block_where_certain(|| {
            let tasks = self.tasks();
            // Whether they ended or their time did: there is nothing more to wait for.
            drop(
                self.ended
                    .wait_timeout_while(tasks, LINGER + MARGIN, |tasks| *tasks > 0),
            );
        });
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        *self.0.tasks() -= 1;
        self.0.ended.notify_all();
        self.0.leaving.wake();
    }
}
