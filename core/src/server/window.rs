//! How much a server remembers of the idempotency keys that it has seen.

use std::time::Duration;

/// How much a server remembers of requests that are done, so that it answers a repetition without
/// doing it again (C-VB-5): by number, by bytes and by time, whichever is reached first. Given by
/// [`ServerBuilder::idempotency_window`](crate::ServerBuilder::idempotency_window).
///
/// What waits or runs is remembered in any case: a repetition attaches to it, and both get one
/// answer. What is done is remembered with its answer: a value, the method's own error, a panic. A
/// request that did not run, or was given up by all who asked for it, is forgotten: its key is free.
///
/// A key is remembered for its caller and its method. Callers are told apart by the user id and the
/// verified name that the transport tells ([`Caller`](crate::Caller)), so that nobody reads
/// another's answer by guessing a key. Processes of one user are one caller; so are all callers of
/// whom the transport knows neither (over TCP without certificates), whose keys should be hard to
/// guess.
///
/// The memory is the server's own and ends with it. Choose the time longer than a caller may go on
/// trying.
///
/// ```
/// use std::time::Duration;
/// use tidings_core::IdempotencyWindow;
/// let long = IdempotencyWindow::default().keys(100_000).time(Duration::from_secs(3600));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyWindow {
    pub(crate) keys: usize,
    pub(crate) bytes: usize,
    pub(crate) time: Duration,
}

impl Default for IdempotencyWindow {
    /// 10,000 answers, 16 MiB of them, 5 minutes.
    fn default() -> Self {
        IdempotencyWindow {
            keys: 10_000,
            bytes: 16 * 1024 * 1024,
            time: Duration::from_secs(300),
        }
    }
}

impl IdempotencyWindow {
    /// At most `keys` answers; the oldest is forgotten for one more. With 0 none is kept: only what
    /// waits or runs is attached to.
    #[must_use]
    pub fn keys(self, keys: usize) -> Self {
        IdempotencyWindow { keys, ..self }
    }

    /// At most `bytes` of answers; the oldest are forgotten for more. The latest alone may exceed
    /// it: it is bounded by the largest message.
    #[must_use]
    pub fn bytes(self, bytes: usize) -> Self {
        IdempotencyWindow { bytes, ..self }
    }

    /// Each for `time` from when it was done.
    #[must_use]
    pub fn time(self, time: Duration) -> Self {
        IdempotencyWindow { time, ..self }
    }
}
