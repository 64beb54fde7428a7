//! What a server turned away, dropped, or did in vain.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::overload::Tally;

/// What a server did not do, or did for nobody, since it was started. From [`Server::drops`](crate::Server::drops).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Drops {
    /// Times that a request found the queue full and did not take somebody else's place. A cast that waits for room
    /// may count several times.
    pub turned_away: u64,
    /// Requests that lost their place to newer ones, by [`WhenFull::DropOldest`](crate::WhenFull::DropOldest).
    pub dropped: u64,
    /// Handlers that ended when nobody waited for their reply any more (C-DL-5).
    pub late: u64,
}

pub(crate) struct Counters {
    turned_away: AtomicU64,
    dropped: AtomicU64,
    late: AtomicU64,
    /// That of its bus.
    tally: Arc<Tally>,
}

impl Counters {
    pub(crate) fn new(tally: Arc<Tally>) -> Counters {
        Counters {
            turned_away: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            late: AtomicU64::new(0),
            tally,
        }
    }

    pub(crate) fn turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn late(&self) {
        self.late.fetch_add(1, Ordering::Relaxed);
        self.tally.late_replies(1);
    }

    pub(crate) fn read(&self) -> Drops {
        Drops {
            turned_away: self.turned_away.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            late: self.late.load(Ordering::Relaxed),
        }
    }
}
