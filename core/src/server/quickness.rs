//! How long a method's handler takes to its first wait, as far as that decides where it may be started.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// What the task of a connection has to spare for one handler: everybody else on the connection waits for as long.
const QUICK: Duration = Duration::from_micros(50);

/// Quick starts in a row that prove a handler quick. One that has not shown it yet, or was slow since, is started by its
/// server's own task, and shows it there.
const PROOF: u8 = 4;

/// Of one method.
#[derive(Default)]
pub(crate) struct Quickness {
    /// Quick starts in a row, up to `PROOF`.
    quick: AtomicU8,
}

impl Quickness {
    /// Whether the handler is expected to come to its first wait, or its answer, within `QUICK`.
    pub(crate) fn is_quick(&self) -> bool {
        self.quick.load(Ordering::Relaxed) == PROOF
    }

    /// It was started and took so long.
    pub(crate) fn took(&self, time: Duration) {
        let quick = self.quick.load(Ordering::Relaxed);
        // Starts on several threads may count as one: then it is proven a little later.
        match time <= QUICK {
            true if quick < PROOF => self.quick.store(quick + 1, Ordering::Relaxed),
            true => {}
            false => self.quick.store(0, Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_is_quick_from_four_quick_starts_until_a_slow_one() {
        let quickness = Quickness::default();
        for _ in 0..2 {
            for _ in 0..PROOF {
                assert!(!quickness.is_quick());
                quickness.took(QUICK);
            }
            assert!(quickness.is_quick());
            quickness.took(QUICK);
            assert!(quickness.is_quick());
            quickness.took(QUICK + Duration::from_nanos(1));
        }
    }
}
