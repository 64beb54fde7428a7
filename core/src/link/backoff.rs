//! How long to wait before connecting again (T20, T21).

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(5);
/// A connection that was up for this long counts as good: the next loss starts from the shortest
/// pause again. One that closes at once does not.
const GOOD: Duration = Duration::from_secs(30);

/// Pauses that double, each 20 % shorter or longer by chance, so that those who lost the same hub
/// do not come back in step.
pub(super) struct Backoff {
    next: Duration,
    chance: RandomState,
    drawn: u64,
}

impl Backoff {
    pub(super) fn new() -> Backoff {
        Backoff {
            next: FIRST,
            chance: RandomState::new(),
            drawn: 0,
        }
    }

    /// A connection has ended after `up`.
    pub(super) fn was_up(&mut self, up: Duration) {
        if up >= GOOD {
            self.next = FIRST;
        }
    }

    /// The next pause.
    pub(super) fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        self.jittered(pause)
    }

    /// `pause`, 20 % shorter or longer by chance.
    pub(super) fn jittered(&mut self, pause: Duration) -> Duration {
        self.drawn += 1;
        let percent = 80 + self.chance.hash_one(self.drawn) % 41;
        pause * percent as u32 / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_within_their_jitter_up_to_the_longest() {
        let mut backoff = Backoff::new();
        let mut expected = FIRST;
        for _ in 0..20 {
            let pause = backoff.pause();
            assert!(
                (expected * 4 / 5..=expected * 6 / 5).contains(&pause),
                "{pause:?}"
            );
            expected = (expected * 2).min(LONGEST);
        }
    }

    #[test]
    fn only_a_connection_that_lasted_starts_the_pauses_anew() {
        let mut backoff = Backoff::new();
        for _ in 0..5 {
            backoff.pause();
        }
        backoff.was_up(Duration::from_millis(1));
        assert!(backoff.pause() > FIRST * 2);
        backoff.was_up(GOOD);
        assert!(backoff.pause() <= FIRST * 6 / 5);
    }
}
