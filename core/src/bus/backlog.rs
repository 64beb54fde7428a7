//! Who is too slow for a fanout: a queue that was full for a while and has not been half empty since.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a fanout cast waits for a queue that has filled up. Long enough for a server that is only a moment behind,
/// short enough for the others who wait with it (C-OV-2).
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);

/// How a queue stands to one more copy of a fanout cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is room.
    Free,
    /// It has filled up, not long ago: the cast waits until half of it is free.
    Full,
    /// It filled up long ago, and there is no room: the copy is missed.
    Behind,
}

/// Since when a queue that has filled up has not been half free.
///
/// Whoever is waited for is so until half is free, so that senders and server take turns and the server is not kept at
/// the brim until its time is over. A server that takes a message now and then does not make every other server as slow
/// as itself: its time is not given again for that.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// Spares the usual queue the lock.
    begun: AtomicBool,
    since: Mutex<Option<Instant>>,
}

impl Backlog {
    /// How a queue stands that has room for the copy, or not, and is half free, or not.
    pub(crate) fn standing(&self, has_room: bool, half_free: bool) -> Standing {
        if half_free {
            self.half_free();
        }
        if has_room && !self.has_begun() {
            return Standing::Free;
        }
        self.filled(has_room, Instant::now())
    }

    fn filled(&self, has_room: bool, now: Instant) -> Standing {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *since.get_or_insert(now);
        self.begun.store(true, Ordering::Relaxed);
        if now.saturating_duration_since(since) < PATIENCE {
            Standing::Full
        } else if has_room {
            Standing::Free
        } else {
            Standing::Behind
        }
    }

    /// Whether the queue filled up and [`half_free`](Self::half_free) has not been told since.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// Half of the queue is free.
    pub(crate) fn half_free(&self) {
        if self.has_begun() {
            *self.since.lock().unwrap_or_else(PoisonError::into_inner) = None;
            self.begun.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_is_waited_for_until_half_is_free_or_its_time_is_over() {
        let (backlog, start) = (Backlog::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(backlog.standing(true, true), Standing::Free);
        assert!(!backlog.has_begun());
        assert_eq!(backlog.filled(false, start), Standing::Full);
        assert!(backlog.has_begun());
        // A little room is not enough as long as it is waited for, and all there is afterwards.
        for has_room in [false, true] {
            assert_eq!(backlog.filled(has_room, at(99)), Standing::Full);
        }
        assert_eq!(backlog.filled(true, at(100)), Standing::Free);
        assert_eq!(backlog.filled(false, at(1000)), Standing::Behind);
        backlog.half_free();
        assert!(!backlog.has_begun());
        assert_eq!(backlog.standing(true, false), Standing::Free);
        assert_eq!(backlog.filled(false, at(2000)), Standing::Full);
        assert_eq!(backlog.standing(true, true), Standing::Free);
    }
}
