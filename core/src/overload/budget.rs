//! How much memory a bus may hold for messages, in all.
//!
//! Each limit of a queue or a connection is a limit of its own, and a hub has a thousand connections. The budget is what
//! they have together: payloads from their arrival to the end of their handler, and answers until they are written. It is
//! counted in steps, once for a turn of a connection and not for each message, so that small ones cost nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that a bus may hold for messages, unless set.
pub(crate) const DEFAULT_BUDGET: usize = 256 << 20;

/// What is counted at a time.
const STEP: usize = 16 * 1024;

/// A budget of bytes, and how much of it is in use.
///
/// It is kept by refusing what is new, never by stopping to read: replies to what was taken before, and the credit that
/// comes with them, are what makes room again.
#[derive(Debug)]
pub struct MemoryBudget {
    limit: usize,
    used: AtomicUsize,
}

impl MemoryBudget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> MemoryBudget {
        MemoryBudget {
            limit,
            used: AtomicUsize::new(0),
        }
    }

    /// Bytes in use, in steps of 16 KiB for each connection.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// How many bytes of requests may come: of three quarters of the budget, what is not in use. The rest is for the
    /// answers to what is there already.
    pub(crate) fn room_for_requests(&self) -> usize {
        (self.limit / 4 * 3).saturating_sub(self.used())
    }

    /// How many of these bulk leaves to what is small, which is not to be refused because large messages are kept. It is
    /// more than connections take at the same time, each as if the room was its own.
    pub(crate) fn kept_from_bulk(&self) -> usize {
        self.limit / 8
    }

    /// Whether all of it is in use.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.used() >= self.limit
    }

    /// Counts `bytes` in for as long as the charge lives; `None` when there is no room for them.
    pub(crate) fn charge(self: &Arc<Self>, bytes: usize) -> Option<Charge> {
        let more = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.limit);
        let charged = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        charged.is_ok().then(|| Charge {
            budget: self.clone(),
            bytes,
        })
    }
}

/// Bytes that are counted in, until this is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Arc<MemoryBudget>,
    bytes: usize,
}

impl Charge {
    /// A charge that changes, of nothing yet.
    #[cfg(unix)]
    pub(crate) fn on(budget: &Arc<MemoryBudget>) -> Charge {
        Charge {
            budget: budget.clone(),
            bytes: 0,
        }
    }

    #[cfg(unix)]
    pub(crate) fn budget(&self) -> &MemoryBudget {
        &self.budget
    }

    /// It is so many bytes from now on, rounded up. What is there is counted, whether there is room for it or not.
    #[cfg(unix)]
    pub(crate) fn set(&mut self, bytes: usize) {
        let bytes = bytes.div_ceil(STEP) * STEP;
        if bytes > self.bytes {
            self.budget
                .used
                .fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else if bytes < self.bytes {
            self.budget
                .used
                .fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_less_than_the_limit_as_much_and_one_more() {
        let budget = Arc::new(MemoryBudget::new(1000));
        let most = budget.charge(999).unwrap();
        assert!(budget.charge(2).is_none() && !budget.is_exhausted());
        let last = budget.charge(1).unwrap();
        assert!(budget.charge(1).is_none() && budget.is_exhausted());
        assert!(budget.charge(usize::MAX).is_none());
        drop(most);
        assert_eq!(budget.used(), 1);
        drop(last);
        assert_eq!((budget.used(), budget.room_for_requests()), (0, 750));
    }

    #[cfg(unix)]
    #[test]
    fn a_connection_is_counted_in_steps_up_and_down() {
        let budget = Arc::new(MemoryBudget::new(10 * STEP));
        let mut charge = Charge::on(&budget);
        for (bytes, steps) in [(1, 1), (STEP, 1), (STEP + 1, 2), (0, 0), (20 * STEP, 20)] {
            charge.set(bytes);
            assert_eq!(budget.used(), steps * STEP);
        }
        assert!(budget.is_exhausted());
        assert_eq!(budget.room_for_requests(), 0);
        drop(charge);
        assert_eq!(budget.used(), 0);
    }
}
