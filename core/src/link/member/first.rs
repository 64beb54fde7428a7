//! How the first connection turned out, for whoever opens the bus and waits for that.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The outcome of the first connection, once.
#[derive(Default)]
pub(super) struct First {
    outcome: Mutex<Option<Result<(), String>>>,
    told: Condvar,
}

impl First {
    /// The first outcome counts.
    pub(super) fn tell(&self, outcome: Result<(), String>) {
        let mut known = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_or_insert(outcome);
        drop(known);
        self.told.notify_all();
    }

    /// Blocks until it is known, or `most` has passed.
    pub(super) fn wait(&self, most: Duration) -> Option<Result<(), String>> {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let (outcome, _) = self
            .told
            .wait_timeout_while(outcome, most, |outcome| outcome.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        outcome.clone()
    }
}
