//! Waiting for what has no event.

use std::thread;
use std::time::{Duration, Instant};

/// How long a state may take to come about.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `state` holds: for counters, which can only be looked at.
///
/// # Panics
/// When it does not come about in 20 s; `what` says what was waited for.
pub fn eventually(what: &str, state: impl Fn() -> bool) {
    let begin = Instant::now();
    while !state() {
        assert!(begin.elapsed() < PATIENCE, "it never came: {what}");
        thread::sleep(Duration::from_micros(100));
    }
}
