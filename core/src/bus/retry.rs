//! Trying again what is safe to try again (C-OC, C-VB-5).
//!
//! In reading order: the policy; [`budget`], which keeps retries from multiplying an overload;
//! [`attempts`], the requests made one after the other; [`request`], what a user holds.

mod attempts;
mod budget;
mod repeat;
mod request;
mod task;

pub use budget::RetryBudget;
pub use request::{RetryCall, Retrying};

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::error::{CallError, CallErrorKind, Fate};

/// How often, and after which pauses, a request is tried again. Used by
/// [`Request::retry`](crate::Request::retry).
///
/// By default 3 attempts, with pauses of at most 50 ms, doubled up to 2 s. Each pause is drawn by
/// chance from zero to its length, so that those who failed together do not come back together
/// ("full jitter"); a server that says when to come back
/// ([`Busy`](CallErrorKind::Busy)) is taken at its word, and the drawn pause comes on top.
///
/// ```
/// use std::time::Duration;
/// use tidings_core::Retry;
/// let patient = Retry::new()
///     .attempts(6)
///     .backoff(Duration::from_millis(20), Duration::from_secs(5));
/// ```
#[derive(Debug, Clone)]
#[must_use = "a policy does nothing before `.retry(policy)`"]
pub struct Retry {
    attempts: u32,
    first: Duration,
    longest: Duration,
    budget: Option<RetryBudget>,
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            attempts: 3,
            first: Duration::from_millis(50),
            longest: Duration::from_secs(2),
            budget: None,
        }
    }
}

impl Retry {
    /// The default policy.
    pub fn new() -> Self {
        Retry::default()
    }

    /// At most `attempts` in all, the first one included; 1, or 0, never tries again.
    pub fn attempts(self, attempts: u32) -> Self {
        Retry { attempts, ..self }
    }

    /// Pauses of at most `first`, doubled with each attempt up to `longest`.
    pub fn backoff(self, first: Duration, longest: Duration) -> Self {
        Retry {
            first,
            longest,
            ..self
        }
    }

    /// Retries are paid from `budget`. Unset, it is that of the bus, which all requests with retries
    /// on it share.
    pub fn budget(self, budget: RetryBudget) -> Self {
        Retry {
            budget: Some(budget),
            ..self
        }
    }

    /// The pause before another try after `attempts` of which the last ended with `error`; `None`
    /// when another one is not safe, would be in vain, or was not asked for.
    fn pause(&self, attempts: u32, error: &CallError) -> Option<Duration> {
        let again = attempts < self.attempts && error.is_retryable() && may_pass(error.kind());
        again.then(|| {
            let doubled = 1_u32.checked_shl(attempts - 1).unwrap_or(u32::MAX);
            let most = self.first.saturating_mul(doubled).min(self.longest);
            let asked = match error.kind() {
                CallErrorKind::Busy { retry_after } => *retry_after,
                _ => Duration::ZERO,
            };
            asked.saturating_add(drawn(most))
        })
    }
}

/// Whether time may heal it. What is wrong with the request itself, or was wanted, stays as it is.
fn may_pass(kind: &CallErrorKind) -> bool {
    use CallErrorKind as K;
    !matches!(
        kind,
        K::Name(_)
            | K::Version(_)
            | K::VersionCap { .. }
            | K::Encode(_)
            | K::TooLarge { .. }
            | K::Unsupported { .. }
            | K::NoSuchMethod { .. }
            | K::NoSuchNamespace { .. }
            | K::UnsupportedVersion { .. }
            | K::UnknownCodec { .. }
            | K::SchemaMismatch { .. }
            | K::BadRequest(_)
            | K::Forbidden(_)
            | K::TooDeep { .. }
            | K::KeyConflict { .. }
            | K::DeadlineExceeded { .. }
            | K::Cancelled
            | K::Closed
            | K::Promise(_)
    )
}

/// A time from zero to `most`, by chance.
fn drawn(most: Duration) -> Duration {
    // Every `RandomState` has keys of its own.
    let chance = u128::from(RandomState::new().hash_one(most));
    let nanos = u128::from(u64::try_from(most.as_nanos()).unwrap_or(u64::MAX));
    Duration::from_nanos((nanos * chance / u128::from(u64::MAX)) as u64)
}

/// What is known of the handler after several attempts: the weakest of what is known of each, for a
/// fate may not be stronger than the truth (C-OC). One that ended settles it.
fn fate_of_all(before: Option<Fate>, last: Fate) -> Fate {
    match (before, last) {
        (_, Fate::Executed) => Fate::Executed,
        (Some(Fate::Unknown), _) | (_, Fate::Unknown) => Fate::Unknown,
        (Some(Fate::NotExecuted), _) | (_, Fate::NotExecuted) => Fate::NotExecuted,
        (_, Fate::NotSent) => Fate::NotSent,
    }
}

#[cfg(test)]
mod tests;
