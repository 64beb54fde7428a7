//! When to try the address again that was lost (T20, T21).

use std::time::{Duration, Instant};

use super::backoff::Backoff;

/// The pauses of a member that is soon back if it can be, and tires if it cannot.
pub(super) struct Pace {
    backoff: Backoff,
    /// For one that may have to take the address over.
    haste: Option<Haste>,
}

/// Attempts that follow each other within milliseconds, while others may be taking the address over. Each costs a
/// token, and tokens come back slowly, so that a hub that greets and goes, again and again, does not keep everybody in
/// haste.
struct Haste {
    tokens: u32,
    counted: Instant,
    /// Attempts since the loss; `None` when it is not in haste.
    attempts: Option<u32>,
}

const TOKENS: u32 = 256;
const TOKENS_PER_SECOND: u32 = 16;
/// After so many attempts, about a third of a second, it is in no haste any more.
const ATTEMPTS: u32 = 80;
/// The pauses in haste grow to this many milliseconds.
const SLOWEST_HASTE: u32 = 5;

impl Pace {
    /// Of one that only connects.
    pub(super) fn of_a_member() -> Pace {
        Pace {
            backoff: Backoff::new(),
            haste: None,
        }
    }

    /// Of one that may take the address over.
    pub(super) fn of_an_heir() -> Pace {
        Pace {
            haste: Some(Haste {
                tokens: TOKENS,
                counted: Instant::now(),
                attempts: None,
            }),
            ..Pace::of_a_member()
        }
    }

    /// A connection has ended after `up`; `greeted` tells whether the hub had said Hello.
    pub(super) fn lost(&mut self, up: Duration, greeted: bool) {
        self.backoff.was_up(up);
        if let Some(haste) = self.haste.as_mut().filter(|_| greeted) {
            haste.attempts = Some(0);
        }
    }

    /// The next pause.
    pub(super) fn pause(&mut self) -> Duration {
        let hasty = self.haste.as_mut().and_then(Haste::pause);
        match hasty {
            Some(millis) => self.backoff.jittered(Duration::from_millis(millis.into())),
            None => self.backoff.pause(),
        }
    }
}

impl Haste {
    /// Milliseconds, while it is in haste.
    fn pause(&mut self) -> Option<u32> {
        self.count_tokens(Instant::now());
        let attempts = self.attempts?;
        if attempts >= ATTEMPTS || self.tokens == 0 {
            self.attempts = None;
            return None;
        }
        self.tokens -= 1;
        self.attempts = Some(attempts + 1);
        Some(attempts.min(SLOWEST_HASTE))
    }

    fn count_tokens(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.counted);
        let came = (passed.as_millis() * u128::from(TOKENS_PER_SECOND) / 1000).min(TOKENS.into());
        if came > 0 {
            self.tokens = (self.tokens + came as u32).min(TOKENS);
            self.counted = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_heir_is_quick_at_first_and_then_as_slow_as_a_member() {
        let mut pace = Pace::of_an_heir();
        pace.lost(Duration::ZERO, true);
        assert_eq!(pace.pause(), Duration::ZERO);
        let hasty: Vec<Duration> = (1..ATTEMPTS).map(|_| pace.pause()).collect();
        assert!(hasty.iter().all(|pause| *pause <= Duration::from_millis(6)));
        let sum: Duration = hasty.iter().sum();
        assert!(
            sum > Duration::from_millis(200) && sum < Duration::from_millis(600),
            "{sum:?}"
        );
        assert!(pace.pause() >= Duration::from_millis(8));
        assert!(pace.pause() >= Duration::from_millis(16));
    }

    #[test]
    fn a_door_that_opens_and_closes_is_no_reason_for_haste() {
        let mut pace = Pace::of_an_heir();
        pace.lost(Duration::ZERO, false);
        assert!(pace.pause() >= Duration::from_millis(8));
    }

    #[test]
    fn a_hub_that_greets_and_goes_a_thousand_times_tires_everybody() {
        let mut pace = Pace::of_an_heir();
        let mut sum = Duration::ZERO;
        for _ in 0..1000 {
            pace.lost(Duration::ZERO, true);
            sum += pace.pause();
        }
        // All but the first hundreds of pauses are seconds long.
        assert!(sum > Duration::from_secs(3000), "{sum:?}");
    }

    #[test]
    fn a_member_that_only_connects_is_never_in_haste() {
        let mut pace = Pace::of_a_member();
        pace.lost(Duration::ZERO, true);
        assert!(pace.pause() >= Duration::from_millis(8));
    }
}
