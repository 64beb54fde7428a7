//! What a bus counts of what never came to its end.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::bus::Verb;
use crate::notice::Notice;

/// What a bus gave up since it was opened. From [`Bus::stats`](crate::Bus::stats).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BusStats {
    /// Replies that were dropped because nobody waited for them any more: of this bus's handlers, and of those that
    /// came over a connection (C-DL-5).
    pub late_replies: u64,
    /// Casts that had been accepted and did not leave: too late, or the connection was lost, or the bus was closed.
    pub unsent_casts: u64,
    /// Casts that lost their place in the queue to a connection to newer ones
    /// ([`WhenFull::DropOldest`](crate::WhenFull::DropOldest)).
    pub dropped_casts: u64,
    /// Requests and answers of peers that were refused or dropped because the memory of the bus was in use
    /// ([`BusBuilder::memory_budget`](crate::BusBuilder::memory_budget)).
    pub shed: u64,
}

/// Where it is counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    late_replies: AtomicU64,
    unsent_casts: AtomicU64,
    dropped_casts: AtomicU64,
    shed: AtomicU64,
    /// Of the unsent ones, those that the program's log does not have yet.
    untold: AtomicU64,
}

impl Tally {
    pub(crate) fn late_replies(&self, more: u64) {
        if more > 0 {
            self.late_replies.fetch_add(more, Ordering::Relaxed);
        }
    }

    pub(crate) fn shed(&self, more: u64) {
        if more > 0 {
            self.shed.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// A request that had been accepted did not leave: a call tells its caller so, a cast is counted.
    pub(crate) fn unsent(&self, verb: Verb) {
        if verb == Verb::Cast {
            self.unsent_cast();
        }
    }

    pub(crate) fn unsent_cast(&self) {
        self.unsent_casts.fetch_add(1, Ordering::Relaxed);
        self.untold.fetch_add(1, Ordering::Relaxed);
    }

    /// Has the program's log say what did not leave: their senders believe that it did (T23).
    pub(crate) fn tell_unsent(&self, address: &str) {
        match self.untold.swap(0, Ordering::Relaxed) {
            0 => {}
            n => Notice::CastsNotSent.tell(&address, &format!("{n} accepted casts did not leave")),
        }
    }

    pub(crate) fn dropped_cast(&self) {
        self.dropped_casts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> BusStats {
        BusStats {
            late_replies: self.late_replies.load(Ordering::Relaxed),
            unsent_casts: self.unsent_casts.load(Ordering::Relaxed),
            dropped_casts: self.dropped_casts.load(Ordering::Relaxed),
            shed: self.shed.load(Ordering::Relaxed),
        }
    }
}

impl std::ops::Add for BusStats {
    type Output = BusStats;

    fn add(self, other: BusStats) -> BusStats {
        BusStats {
            late_replies: self.late_replies + other.late_replies,
            unsent_casts: self.unsent_casts + other.unsent_casts,
            dropped_casts: self.dropped_casts + other.dropped_casts,
            shed: self.shed + other.shed,
        }
    }
}
