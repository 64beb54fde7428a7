//! How long single operations take.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Takes the time of single operations, or does nothing: most runs are timed as a whole, which costs them nothing.
#[derive(Debug, Clone, Default)]
pub struct Laps(Option<Arc<Mutex<Vec<u64>>>>);

/// One operation that has begun.
#[derive(Debug, Clone, Copy)]
pub struct Lap(Option<Instant>);

impl Laps {
    pub(super) fn taken() -> Self {
        Laps(Some(Arc::default()))
    }

    /// An operation begins.
    #[inline]
    pub fn start(&self) -> Lap {
        Lap(self.0.as_ref().map(|_| Instant::now()))
    }

    /// That operation has ended.
    #[inline]
    pub fn end(&self, lap: Lap) {
        if let (Some(taken), Some(start)) = (&self.0, lap.0) {
            let took = start.elapsed().as_nanos() as u64;
            taken
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(took);
        }
    }

    /// What half of them took at most, and what all but one in a hundred did, in nanoseconds.
    pub(super) fn percentiles(&self) -> Option<(f64, f64)> {
        let mut taken = self
            .0
            .as_ref()?
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        taken.sort_unstable();
        let at = |share: f64| {
            let last = taken.len().checked_sub(1)?;
            Some(taken[(last as f64 * share).round() as usize] as f64)
        };
        Some((at(0.5)?, at(0.99)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_was_taken() {
        let laps = Laps(Some(Arc::new(Mutex::new((0..=100).rev().collect()))));
        assert_eq!(laps.percentiles(), Some((50.0, 99.0)));
        assert_eq!(Laps::taken().percentiles(), None);
        assert_eq!(Laps::default().percentiles(), None);
    }
}
