//! One sleeper, many ringers.

use crate::sync::{AtomicU32, Mutex, Ordering};
use std::task::{Context, Poll, Waker};

const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;
const RUNG: u32 = 2;

/// Wakes the one task that looks after something, a connection's say, when there is work for it.
///
/// Put the work where the sleeper will find it, then ring. The sleeper looks for work after each
/// `Ready` and before each sleep: what was put there before a ring is seen after it, and a ring
/// is never lost. Ringing twice is one ring.
pub struct Doorbell {
    state: AtomicU32,
    sleeper: Mutex<Option<Waker>>,
}

impl Doorbell {
    /// A doorbell that was not rung.
    #[must_use]
    pub fn new() -> Self {
        Doorbell {
            state: AtomicU32::new(AWAKE),
            sleeper: Mutex::new(None),
        }
    }

    /// Rings: one atomic operation, unless the sleeper is asleep.
    pub fn ring(&self) {
        // Always a read-modify-write, never a load that finds it rung already: only so does the
        // sleeper that answers the earlier ring see what was put there before this one.
        if self.state.swap(RUNG, Ordering::Release) == ASLEEP {
            let sleeper = self.sleeper.lock().take();
            if let Some(sleeper) = sleeper {
                sleeper.wake();
            }
        }
    }

    /// Whether it was rung since the last answer, for a sleeper that will look again before it sleeps.
    pub fn answer(&self) -> bool {
        self.state.swap(AWAKE, Ordering::Acquire) == RUNG
    }

    /// Ready once for any number of rings since the last answer; else the waker of `cx` is woken by
    /// the next ring. For one task at a time: the last waker wins.
    pub fn poll_rung(&self, cx: &mut Context<'_>) -> Poll<()> {
        // Relaxed: a ring that is seen here is answered, with Acquire, and one that is not is seen below.
        if self.state.load(Ordering::Relaxed) == RUNG {
            self.answer();
            return Poll::Ready(());
        }
        self.leave_waker(cx.waker());
        // Relaxed: the waker is under its lock, and a ring is answered with Acquire.
        match self
            .state
            .compare_exchange(AWAKE, ASLEEP, Ordering::Relaxed, Ordering::Relaxed)
        {
            // Asleep since before: whoever rings next finds the waker that was left just now.
            Ok(_) | Err(ASLEEP) => Poll::Pending,
            // Rung in the meantime; this takes the ring.
            Err(_) => {
                self.answer();
                Poll::Ready(())
            }
        }
    }

    fn leave_waker(&self, waker: &Waker) {
        let known = self
            .sleeper
            .lock()
            .as_ref()
            .is_some_and(|kept| kept.will_wake(waker));
        if !known {
            let waker = waker.clone();
            let replaced = self.sleeper.lock().replace(waker);
            drop(replaced);
        }
    }
}

impl Default for Doorbell {
    fn default() -> Self {
        Doorbell::new()
    }
}

impl std::fmt::Debug for Doorbell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doorbell").finish_non_exhaustive()
    }
}
