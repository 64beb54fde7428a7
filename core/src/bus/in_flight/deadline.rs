//! The deadline of a request.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::record::InFlight;
use crate::error::CallErrorKind;
use crate::timer::{Expire, Expiry, Timers};

impl InFlight {
    /// The time left, `None` without a deadline, zero once it has passed.
    pub fn remaining(&self, now: Instant) -> Option<Duration> {
        self.head
            .deadline
            .map(|at| at.saturating_duration_since(now))
    }

    /// Has `timers` abandon the request at its deadline, unless it is decided already.
    #[inline]
    pub(crate) fn arm(self: &Arc<Self>, timers: &Arc<Timers>) {
        let at = self
            .head
            .deadline
            .unwrap_or_else(|| self.head.made_at + NO_DEADLINE);
        let target: Weak<dyn Expire> = Arc::downgrade(self) as _;
        let Ok(key) = timers.arm(at, target) else {
            return self.abandon(CallErrorKind::Closed);
        };
        let mut state = self.lock();
        if state.port.is_open() {
            state.timer = Some((timers.clone(), key));
            return;
        }
        drop(state);
        timers.disarm(key);
    }
}

impl Expire for InFlight {
    fn expire(&self, why: Expiry) {
        self.abandon(match why {
            Expiry::Due => CallErrorKind::DeadlineExceeded {
                timeout: self.head.timeout().unwrap_or(NO_DEADLINE),
            },
            Expiry::Abandoned => CallErrorKind::Closed,
        });
    }
}

/// How far away the deadline of a request without one is: it keeps its place in the table of what is outstanding.
const NO_DEADLINE: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
