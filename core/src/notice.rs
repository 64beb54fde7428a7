//! Notices: what the bus has to say that no caller hears, in the program's own log (the crate `log`).
//!
//! A peer must not be able to fill a log: of each kind and peer there is one line in a second, and no more than
//! [`PLACES`] lines in a second of all together; the next line says how many were left out (FAULTS R16). Whatever comes
//! from a peer is escaped and cut by whoever passes it (S13); payloads and secrets never come here (S12).

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Notice {
    /// Somebody was not let in.
    TurnedAway,
    /// A connection ended otherwise than by a wish of either side.
    ConnectionEnded,
    /// A policy denied something.
    Denied,
    /// Casts were accepted and did not leave.
    CastsNotSent,
    /// A handler panicked.
    HandlerPanicked,
    /// A handler failed with an error that it does not call expected (C-OC-3).
    HandlerFailed,
}

impl Notice {
    /// Where it comes from, as filters of a log see it.
    fn target(self) -> &'static str {
        match self {
            Notice::TurnedAway | Notice::ConnectionEnded | Notice::CastsNotSent => "tidings::link",
            Notice::HandlerPanicked | Notice::HandlerFailed => "tidings::server",
            Notice::Denied => "tidings::authorise",
        }
    }

    /// Tells it, unless the same was told of the same `whom` within the last second.
    pub(crate) fn tell(self, whom: &dyn fmt::Display, text: &str) {
        let target = self.target();
        if !log::log_enabled!(target: target, log::Level::Warn) {
            return;
        }
        let whom = whom.to_string();
        match limiter().admit(self, &whom, Instant::now()) {
            None => {}
            Some(0) => log::warn!(target: target, "{whom}: {text}"),
            Some(left_out) => {
                log::warn!(target: target, "{whom}: {text} (and {left_out} more like it)");
            }
        }
    }
}

/// Lines in a second, at the most.
const PLACES: usize = 64;
const PERIOD: Duration = Duration::from_secs(1);

fn limiter() -> &'static Limiter {
    static LIMITER: OnceLock<Limiter> = OnceLock::new();
    LIMITER.get_or_init(Limiter::default)
}

/// Who was told of when. Two that share a place by chance share its line.
struct Limiter {
    hasher: RandomState,
    places: Mutex<[Place; PLACES]>,
}

#[derive(Clone, Copy, Default)]
struct Place {
    told: Option<Instant>,
    left_out: u32,
}

impl Default for Limiter {
    fn default() -> Self {
        Limiter {
            hasher: RandomState::new(),
            places: Mutex::new([Place::default(); PLACES]),
        }
    }
}

impl Limiter {
    /// How many lines were left out since the last one; `None` when this one is left out too.
    fn admit(&self, notice: Notice, whom: &str, now: Instant) -> Option<u32> {
        let index = self.hasher.hash_one((notice, whom)) as usize % PLACES;
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = &mut places[index];
        if place
            .told
            .is_some_and(|told| now.saturating_duration_since(told) < PERIOD)
        {
            place.left_out = place.left_out.saturating_add(1);
            return None;
        }
        place.told = Some(now);
        Some(std::mem::take(&mut place.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_of_each_peer_and_kind_and_the_next_counts_the_others() {
        let (limiter, start) = (Limiter::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(limiter.admit(Notice::TurnedAway, "a", at(0)), Some(0));
        assert_eq!(limiter.admit(Notice::TurnedAway, "a", at(1)), None);
        assert_eq!(limiter.admit(Notice::TurnedAway, "a", at(999)), None);
        assert_eq!(limiter.admit(Notice::TurnedAway, "a", at(1000)), Some(2));
        assert_eq!(limiter.admit(Notice::TurnedAway, "a", at(2000)), Some(0));
    }

    #[test]
    fn many_peers_together_have_a_limit_too() {
        let (limiter, now) = (Limiter::default(), Instant::now());
        let told = (0..10_000)
            .filter(|n| {
                let whom = format!("peer {n}");
                limiter.admit(Notice::ConnectionEnded, &whom, now).is_some()
            })
            .count();
        assert!((1..=PLACES).contains(&told), "{told}");
    }
}
