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

/// Who was told of when.
#[derive(Default)]
struct Limiter {
    hasher: RandomState,
    told: Mutex<Told>,
}

struct Told {
    places: [Place; PLACES],
    /// Left out because every place was taken.
    crowded_out: u32,
}

#[derive(Clone, Copy, Default)]
struct Place {
    /// Of the kind and the peer.
    mark: u64,
    at: Option<Instant>,
    left_out: u32,
}

impl Place {
    fn is_recent(&self, now: Instant) -> bool {
        self.at
            .is_some_and(|at| now.saturating_duration_since(at) < PERIOD)
    }
}

impl Default for Told {
    fn default() -> Self {
        Told {
            places: [Place::default(); PLACES],
            crowded_out: 0,
        }
    }
}

impl Limiter {
    /// How many lines were left out since the last one; `None` when this one is left out too.
    fn admit(&self, notice: Notice, whom: &str, now: Instant) -> Option<u32> {
        let mark = self.hasher.hash_one((notice, whom));
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let Told {
            places,
            crowded_out,
        } = &mut *told;
        let own = places.iter().position(|place| place.mark == mark);
        // Its own place, else that of one of whom nothing was told lately.
        let place = own.or_else(|| places.iter().position(|place| !place.is_recent(now)));
        let Some(place) = place.map(|index| &mut places[index]) else {
            *crowded_out = crowded_out.saturating_add(1);
            return None;
        };
        if place.is_recent(now) {
            place.left_out = place.left_out.saturating_add(1);
            return None;
        }
        let left_out = place.left_out.saturating_add(*crowded_out);
        *crowded_out = 0;
        *place = Place {
            mark,
            at: Some(now),
            left_out: 0,
        };
        Some(left_out)
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
        assert_eq!(told, PLACES);
        let later = limiter.admit(Notice::Denied, "another", now + PERIOD);
        assert_eq!(later, Some(10_000 - told as u32));
    }

    #[test]
    fn no_peer_takes_the_line_of_another() {
        let (limiter, now) = (Limiter::default(), Instant::now());
        for n in 0..PLACES {
            let whom = format!("peer {n}");
            assert_eq!(limiter.admit(Notice::Denied, &whom, now), Some(0));
            assert_eq!(limiter.admit(Notice::Denied, &whom, now), None);
        }
    }
}
