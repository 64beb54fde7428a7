//! Time: what is due when, and how often something may happen.

use std::time::{Duration, Instant};

use super::config::Limits;

/// What time brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Hello did not come in time (P9).
    Handshake,
    /// A frame was begun and not finished in time (P2).
    Frame,
    /// Nothing could be written for too long (P24).
    WriteStall,
    /// Nothing was heard for too long (T5).
    Dead,
    /// It is quiet: ask whether the peer is there.
    Ping,
}

/// The times that matter.
#[derive(Debug)]
pub(super) struct Liveness {
    started: Instant,
    heard: Instant,
    pinged: Option<Instant>,
    within_frame: Option<Instant>,
    stalled: Option<Instant>,
}

impl Liveness {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            started: now,
            heard: now,
            pinged: None,
            within_frame: None,
            stalled: None,
        }
    }

    /// Bytes came.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.pinged = None;
    }

    /// Whether the stream stands within a frame, and whether a frame was completed just now: each
    /// frame has its own time.
    pub(super) fn frame(&mut self, within: bool, completed: bool, now: Instant) {
        if completed || !within {
            self.within_frame = None;
        }
        if within {
            self.within_frame.get_or_insert(now);
        }
    }

    pub(super) fn pinged(&mut self, now: Instant) {
        self.pinged = Some(now);
    }

    /// There are bytes to write, or not.
    pub(super) fn output(&mut self, waiting: bool, now: Instant) {
        if waiting {
            self.stalled.get_or_insert(now);
        } else {
            self.stalled = None;
        }
    }

    /// Bytes were written, and there are more, or not.
    pub(super) fn wrote(&mut self, waiting: bool, now: Instant) {
        self.stalled = waiting.then_some(now);
    }

    /// What comes next, and when. A time too far for the clock never comes.
    pub(super) fn next(&self, open: bool, limits: &Limits) -> Option<(Instant, Due)> {
        let mut next = None;
        if open {
            // The peer has its time from the ping that was sent, not from one that was due: this
            // process may have been stopped meanwhile.
            match limits.dead_after.checked_sub(limits.ping_interval) {
                Some(patience) => earlier(&mut next, self.pinged, patience, Due::Dead),
                None => earlier(&mut next, Some(self.heard), limits.dead_after, Due::Dead),
            }
            if self.pinged.is_none() {
                earlier(&mut next, Some(self.heard), limits.ping_interval, Due::Ping);
            }
        } else {
            earlier(
                &mut next,
                Some(self.started),
                limits.handshake,
                Due::Handshake,
            );
        }
        earlier(
            &mut next,
            self.within_frame,
            limits.frame_completion,
            Due::Frame,
        );
        earlier(&mut next, self.stalled, limits.write_stall, Due::WriteStall);
        next
    }
}

/// Makes `due` the next, `by` after `since`, where it comes before what was to come.
fn earlier(next: &mut Option<(Instant, Due)>, since: Option<Instant>, by: Duration, due: Due) {
    let Some(at) = since.and_then(|since| since.checked_add(by)) else {
        return;
    };
    if next.is_none_or(|(known, _)| at < known) {
        *next = Some((at, due));
    }
}

/// At most so many a second, and a second's worth at once.
#[derive(Debug)]
pub(super) struct Rate {
    each: Duration,
    /// When all that happened would have happened at an even pace.
    even: Instant,
}

impl Rate {
    pub(super) fn new(per_second: u32, now: Instant) -> Self {
        let each = Duration::from_secs(1)
            .checked_div(per_second)
            .unwrap_or(Duration::MAX);
        Self { each, even: now }
    }

    /// Counts one; `false` when it is one too many.
    #[must_use]
    pub(super) fn count(&mut self, now: Instant) -> bool {
        let Some(even) = self.even.max(now).checked_add(self.each) else {
            return false;
        };
        self.even = even;
        even.saturating_duration_since(now) <= Duration::from_secs(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_allows_a_second_at_once_and_its_pace_for_ever() {
        let start = Instant::now();
        let mut rate = Rate::new(100, start);
        assert_eq!((0..150).filter(|_| rate.count(start)).count(), 100);
        let mut rate = Rate::new(100, start);
        let paced = (0..1000).all(|i| rate.count(start + Duration::from_millis(10 * i)));
        assert!(paced);
        assert!(!Rate::new(0, start).count(start));
    }

    #[test]
    fn the_earliest_time_comes_first() {
        let (start, limits) = (Instant::now(), Limits::default());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut liveness = Liveness::new(start);
        assert_eq!(liveness.next(false, &limits), Some((at(5), Due::Handshake)));
        assert_eq!(liveness.next(true, &limits), Some((at(15), Due::Ping)));
        liveness.pinged(at(15));
        assert_eq!(liveness.next(true, &limits), Some((at(30), Due::Dead)));
        liveness.output(true, at(1));
        assert_eq!(
            liveness.next(true, &limits),
            Some((at(11), Due::WriteStall))
        );
        liveness.wrote(true, at(3));
        assert_eq!(
            liveness.next(true, &limits),
            Some((at(13), Due::WriteStall))
        );
        liveness.wrote(false, at(4));
        liveness.heard(at(20));
        liveness.frame(true, false, at(2));
        liveness.frame(true, false, at(4));
        assert_eq!(liveness.next(true, &limits), Some((at(32), Due::Frame)));
        liveness.frame(true, true, at(21));
        assert_eq!(liveness.next(true, &limits), Some((at(35), Due::Ping)));
    }
}
