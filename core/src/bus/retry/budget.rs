//! A budget for retries: so many for each call, and a few each second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Keeps retries from multiplying an overload: when all calls fail, only a part of them is tried
/// again. Clones share it.
///
/// Each call puts a part of a retry in, and each second some more; a retry takes one out, and where
/// there is none, the failure is told at once.
///
/// ```
/// use tidings_core::{Retry, RetryBudget};
/// // One retry for five calls, and two each second.
/// let budget = RetryBudget::new(20, 2);
/// let (reads, writes) = (Retry::new().budget(budget.clone()), Retry::new().budget(budget));
/// ```
#[derive(Clone, Debug)]
pub struct RetryBudget(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    percent: u32,
    per_second: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Hundredths of retries.
    hundredths: u64,
    /// Until when the seconds have been counted.
    counted: Instant,
}

/// The budget holds what this time brings in at most, so that a quiet hour does not pay for a storm.
const SECONDS_KEPT: u64 = 10;

impl Default for RetryBudget {
    /// One retry for ten calls, and ten each second.
    fn default() -> Self {
        RetryBudget::new(10, 10)
    }
}

impl RetryBudget {
    /// A budget of `percent` retries for a hundred calls, and of `per_second` each second besides.
    /// It holds at most what ten seconds bring in by themselves, or 10 retries if that is more; it
    /// starts with a second's.
    pub fn new(percent: u32, per_second: u32) -> Self {
        RetryBudget(Arc::new(Budget {
            percent,
            per_second,
            state: Mutex::new(State {
                hundredths: u64::from(per_second) * 100,
                counted: Instant::now(),
            }),
        }))
    }

    /// A call is made.
    pub(super) fn call(&self) {
        let budget = &self.0;
        let mut state = budget.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.hundredths = budget.bounded(state.hundredths + u64::from(budget.percent));
    }

    /// Takes out one retry, if there is one.
    pub(super) fn take(&self, now: Instant) -> bool {
        let budget = &self.0;
        let mut state = budget.state.lock().unwrap_or_else(PoisonError::into_inner);
        budget.count(&mut state, now);
        let left = state.hundredths.checked_sub(100);
        state.hundredths = left.unwrap_or(state.hundredths);
        left.is_some()
    }
}

impl Budget {
    fn count(&self, state: &mut State, now: Instant) {
        let each_second = u128::from(self.per_second) * 100;
        let passed = now.saturating_duration_since(state.counted);
        let more = passed.as_nanos() * each_second / 1_000_000_000;
        if more > 0 {
            // What is not worth a hundredth yet is counted next time.
            let worth = more * 1_000_000_000 / each_second;
            state.counted += Duration::from_nanos(u64::try_from(worth).unwrap_or(u64::MAX));
            let more = u64::try_from(more).unwrap_or(u64::MAX);
            state.hundredths = self.bounded(state.hundredths.saturating_add(more));
        }
    }

    fn bounded(&self, hundredths: u64) -> u64 {
        hundredths.min((u64::from(self.per_second) * SECONDS_KEPT).max(10) * 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(budget: &RetryBudget, now: Instant) -> usize {
        (0..10_000).take_while(|_| budget.take(now)).count()
    }

    #[test]
    fn calls_pay_for_a_part_of_them() {
        let budget = RetryBudget::new(10, 0);
        let now = Instant::now();
        assert_eq!(taken(&budget, now), 0);
        for _ in 0..39 {
            budget.call();
        }
        assert_eq!(taken(&budget, now), 3);
        budget.call();
        assert_eq!(taken(&budget, now), 1);
    }

    #[test]
    fn each_second_brings_some() {
        let budget = RetryBudget::new(0, 4);
        let start = Instant::now();
        let counted = budget.0.state.lock().unwrap().counted;
        assert_eq!(taken(&budget, counted), 4);
        // In small steps, of which none alone is worth a retry.
        let all = (1..=1000).map(|n| taken(&budget, counted + Duration::from_millis(n)));
        assert_eq!(all.sum::<usize>(), 4);
        assert!(start <= Instant::now());
    }

    #[test]
    fn a_quiet_hour_does_not_pay_for_a_storm() {
        let budget = RetryBudget::new(100, 4);
        for _ in 0..100_000 {
            budget.call();
        }
        assert_eq!(
            taken(&budget, Instant::now() + Duration::from_secs(3600)),
            40
        );
    }
}
