//! When it is worth while to try again.

use std::time::{Duration, Instant};

/// The shortest and the longest time that somebody who was turned away is told to wait.
const BOUNDS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(1));

/// How long to stay away from a queue whose first request has waited since `oldest`.
///
/// The first of a full queue has seen all the others before it go: half of that time is what half of the queue takes
/// to go. So a quick queue calls back soon and a stuck one late, and nobody needs to look at the clock for each request.
pub(crate) fn retry_after(oldest: Option<Instant>, now: Instant) -> Duration {
    let (least, most) = BOUNDS;
    oldest.map_or(least, |oldest| {
        (now.saturating_duration_since(oldest) / 2).clamp(least, most)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_half_of_what_the_oldest_has_waited_within_bounds() {
        let now = Instant::now();
        let after = |waited| retry_after(now.checked_sub(waited), now);
        assert_eq!(after(Duration::ZERO), Duration::from_millis(1));
        assert_eq!(after(Duration::from_millis(40)), Duration::from_millis(20));
        assert_eq!(after(Duration::from_secs(60)), Duration::from_secs(1));
        assert_eq!(retry_after(None, now), Duration::from_millis(1));
    }
}
