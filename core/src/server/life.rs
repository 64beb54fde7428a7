//! Whether a server takes requests: started, stopped, started again, closed; from any thread, in any order (C-LC-1).

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How a server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duty {
    /// It takes requests.
    Serving,
    /// It takes no more, and works on what it has.
    Draining,
    /// It has refused what was queued. It may be started again.
    Stopped,
    /// For good.
    Closed,
}

/// Which of its lives a server is in. What was begun in one of them ends nothing in the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

impl Epoch {
    pub(super) const FIRST: Epoch = Epoch(0);
}

/// A server's duty, and since when.
pub(super) struct Life {
    /// As `state` says, for a look without its lock.
    stopping: AtomicBool,
    epoch: AtomicU64,
    state: Mutex<State>,
    /// How many transports send it what is on its way.
    retiring: AtomicUsize,
}

impl Life {
    /// Its first: it serves.
    pub(super) fn new() -> Life {
        Life {
            stopping: AtomicBool::new(false),
            epoch: AtomicU64::new(Epoch::FIRST.0),
            state: Mutex::new(State {
                duty: Duty::Serving,
                epoch: Epoch::FIRST,
            }),
            retiring: AtomicUsize::new(0),
        }
    }

    /// Whether it takes requests.
    pub(super) fn is_serving(&self) -> bool {
        self.state().duty == Duty::Serving
    }

    /// Whether it takes no new requests: who is cut off in the middle is so because of that. Asked again once a request is
    /// counted in: either whoever drains the server sees the request, or this sees the end of the drain.
    #[inline]
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    #[inline]
    pub(super) fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// It takes no more requests but those that are on their way to it; tells in which life.
    pub(super) fn drain(&self) -> Epoch {
        self.state().drain()
    }

    /// Something may be on its way to it.
    pub(super) fn retires(&self) {
        self.retiring.fetch_add(1, Ordering::SeqCst);
    }

    /// That has come; says whether that was all.
    pub(super) fn has_retired(&self) -> bool {
        self.retiring.fetch_sub(1, Ordering::SeqCst) == 1
    }

    /// Whether something may be on its way to it.
    pub(super) fn is_retiring(&self) -> bool {
        self.retiring.load(Ordering::SeqCst) > 0
    }

    /// Has it take nothing from here on, if nothing is on its way and it still drains since `epoch`; `false` when
    /// something is.
    pub(super) fn shuts(&self, epoch: Epoch) -> bool {
        if self.is_retiring() {
            return false;
        }
        let state = self.state();
        if state.epoch == epoch && state.duty == Duty::Draining {
            self.stopping.store(true, Ordering::SeqCst);
        }
        true
    }

    /// Has it take nothing from here on; for good or not. What `closes` its queue runs before anybody can have it begin
    /// again. `None` when it serves anew since `epoch`.
    pub(super) fn stop<R>(
        &self,
        epoch: Option<Epoch>,
        to: Duty,
        closes: impl FnOnce() -> R,
    ) -> Option<R> {
        let mut state = self.state();
        if !state.stop(epoch, to) {
            return None;
        }
        self.stopping.store(true, Ordering::SeqCst);
        Some(closes())
    }

    /// Begins another life, in which it serves: what `reopens` its queue runs before anything is taken.
    ///
    /// # Errors
    /// Its duty, when it serves already or never will.
    pub(super) fn begin_again(&self, reopens: impl FnOnce()) -> Result<Epoch, Duty> {
        let mut state = self.state();
        let epoch = state.begin_again().ok_or(state.duty)?;
        self.epoch.store(epoch.0, Ordering::Release);
        reopens();
        self.stopping.store(false, Ordering::Release);
        Ok(epoch)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same, for one at a time.
struct State {
    duty: Duty,
    epoch: Epoch,
}

impl State {
    fn drain(&mut self) -> Epoch {
        if self.duty == Duty::Serving {
            self.duty = Duty::Draining;
        }
        self.epoch
    }

    fn stop(&mut self, epoch: Option<Epoch>, to: Duty) -> bool {
        if epoch.is_some_and(|epoch| epoch != self.epoch) {
            return false;
        }
        if self.duty != Duty::Closed {
            self.duty = to;
        }
        true
    }

    fn begin_again(&mut self) -> Option<Epoch> {
        match self.duty {
            Duty::Serving | Duty::Closed => None,
            Duty::Draining | Duty::Stopped => {
                self.duty = Duty::Serving;
                self.epoch = Epoch(self.epoch.0 + 1);
                Some(self.epoch)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop(life: &Life, epoch: Option<Epoch>, to: Duty) -> bool {
        life.stop(epoch, to, || ()).is_some()
    }

    #[test]
    fn a_drain_ends_nothing_of_a_later_life() {
        let life = Life::new();
        let drained = life.drain();
        assert_eq!(life.state().duty, Duty::Draining);
        assert!(life.begin_again(|| ()).is_ok());
        assert_eq!(life.begin_again(|| ()), Err(Duty::Serving));
        assert!(!stop(&life, Some(drained), Duty::Stopped));
        assert_eq!(life.state().duty, Duty::Serving);
        assert!(stop(&life, None, Duty::Stopped));
        assert!(life.begin_again(|| ()).is_ok());
    }

    #[test]
    fn what_is_closed_stays_closed() {
        let life = Life::new();
        assert!(stop(&life, None, Duty::Closed));
        life.drain();
        assert!(stop(&life, None, Duty::Stopped));
        assert_eq!(life.begin_again(|| ()), Err(Duty::Closed));
        assert_eq!(life.state().duty, Duty::Closed);
    }
}
