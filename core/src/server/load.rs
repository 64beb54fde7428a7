//! How much a server has to do: one number, so that each step of a request is one operation on it.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Requests in the queue or just taken out of it, in the upper half, and running handlers, in the lower. All operations
/// are in one order with the flags of those who wait for the end of either.
#[derive(Default)]
pub(super) struct Load {
    both: AtomicU64,
    /// Those of the unstarted that have a slot already.
    starting: AtomicUsize,
}

/// One request whose handler has not been started: none may be overtaken.
const UNSTARTED: u64 = 1 << 32;
/// One handler that runs.
const RUNNING: u64 = 1;

/// What a server has to do at one moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Count(u64);

impl Count {
    pub(super) fn unstarted(self) -> usize {
        (self.0 >> 32) as usize
    }

    pub(super) fn running(self) -> usize {
        (self.0 & (UNSTARTED - 1)) as usize
    }

    pub(super) fn is_idle(self) -> bool {
        self.0 == 0
    }
}

impl Load {
    pub(super) fn now(&self) -> Count {
        Count(self.both.load(Ordering::SeqCst))
    }

    /// Requests that it has and has not ended.
    pub(super) fn len(&self) -> usize {
        let seen = Count(self.both.load(Ordering::Relaxed));
        let both = seen.unstarted() + seen.running();
        both.saturating_sub(self.starting.load(Ordering::Relaxed))
    }

    /// A request comes into the queue.
    pub(super) fn comes(&self) {
        self.both.fetch_add(UNSTARTED, Ordering::SeqCst);
    }

    /// Takes a slot for one more running handler, of `limit`, where what is there `allows` it.
    pub(super) fn claim(&self, limit: usize, allows: impl Fn(Count) -> bool) -> bool {
        let more = |seen| {
            let free = Count(seen).running() < limit && allows(Count(seen));
            free.then_some(seen + RUNNING)
        };
        let (order, first) = (Ordering::SeqCst, Ordering::SeqCst);
        self.both.fetch_update(order, first, more).is_ok()
    }

    /// A slot is free again; tells what is left.
    pub(super) fn release(&self) -> Count {
        self.less(RUNNING)
    }

    /// A request of the queue has been started, or will not be; tells what is left.
    pub(super) fn started(&self) -> Count {
        self.less(UNSTARTED)
    }

    /// A request of the queue was started and has ended; tells what is left.
    pub(super) fn started_and_ended(&self) -> Count {
        self.less(UNSTARTED + RUNNING)
    }

    /// How many requests of the queue are on the way to their first wait: the server's task starts one at a time.
    pub(super) fn is_starting(&self, requests: usize) {
        self.starting.store(requests, Ordering::Relaxed);
    }

    fn less(&self, what: u64) -> Count {
        Count(self.both.fetch_sub(what, Ordering::SeqCst) - what)
    }
}
