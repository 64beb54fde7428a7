//! The server that a thread's last request went to, which its next one mostly is for as well.
//!
//! Found again without a lock or a search, as long as no server of any router has come or gone in its exchanges since.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use super::Destination;
use crate::bus::{Head, Reach};
use crate::name::{Exchange, Topic};

/// The state of a router's servers: a number that no other state of any router has.
pub(super) struct Stamp(AtomicU64);

impl Stamp {
    fn fresh() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// The servers are no longer the same. To be told before the lock on them ends.
    pub(super) fn change(&self) {
        self.0.store(Stamp::fresh(), Ordering::Release);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

impl Default for Stamp {
    fn default() -> Self {
        Stamp(AtomicU64::new(Stamp::fresh()))
    }
}

/// The only server on a topic, at the time of a stamp.
struct Nearby {
    stamp: u64,
    exchange: Exchange,
    topic: Topic,
    /// Not kept alive by threads that have used it.
    server: Weak<dyn Destination>,
}

thread_local! {
    static NEARBY: RefCell<Option<Nearby>> = const { RefCell::new(None) };
}

/// Whether the only server of a topic is that for a request like `head`, whatever it offers.
fn is_for_any(head: &Head) -> bool {
    head.server.is_none() && head.reach == Reach::One && !head.wait_for_server
}

/// The server for `head`, if the last request of this thread went there.
#[inline]
pub(super) fn recall(stamp: &Stamp, head: &Head) -> Option<Arc<dyn Destination>> {
    let look = |nearby: &RefCell<Option<Nearby>>| {
        let nearby = nearby.borrow();
        let known = nearby.as_ref().filter(|known| {
            known.stamp == stamp.now()
                && is_for_any(head)
                && (&known.topic, &known.exchange) == (&head.topic, &head.exchange)
        });
        known?.server.upgrade()
    };
    NEARBY.try_with(look).ok().flatten()
}

/// Has this thread remember `server`, the only one on the topic of `head`, under the lock on the servers.
///
/// Not where the topic came by a connection: a hub has requests for all topics in turn.
pub(super) fn remember(stamp: &Stamp, head: &Head, server: &Arc<dyn Destination>) {
    if !(is_for_any(head) && head.topic.is_static()) {
        return;
    }
    let nearby = Nearby {
        stamp: stamp.now(),
        exchange: head.exchange.clone(),
        topic: head.topic.clone(),
        server: Arc::downgrade(server),
    };
    let before = NEARBY.try_with(|known| known.replace(Some(nearby)));
    drop(before);
}
