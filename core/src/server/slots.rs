//! The places for handlers that run at the same time: who takes one, and who hears of one that is free again.

use std::task::Context;

use crate::bus::Room;
use crate::doorbell::Doorbell;
use crate::server::load::{Count, Load};

/// A server's slots for running handlers, and the requests that wait for one.
pub(super) struct Slots {
    /// How many there are.
    limit: usize,
    load: Load,
    /// That of the server's task, which starts what is queued.
    pub(super) doorbell: Doorbell,
    /// Who waits for the server to have nothing to do.
    idle: Room,
}

impl Slots {
    pub(super) fn new(limit: usize) -> Slots {
        Slots {
            limit,
            load: Load::default(),
            doorbell: Doorbell::new(),
            idle: Room::new(),
        }
    }

    /// Requests that wait for a slot and those that have one.
    pub(super) fn load(&self) -> usize {
        self.load.len()
    }

    /// Handlers that run.
    pub(super) fn running(&self) -> usize {
        self.load.now().running()
    }

    /// A request comes into the queue.
    #[inline]
    pub(super) fn one_waits(&self) {
        self.load.comes();
    }

    /// Takes a slot for a handler of the queue, if there is one to be started.
    pub(super) fn claim(&self) -> bool {
        let something_waits = |load: Count| load.unstarted() > 0;
        self.load.claim(self.limit, something_waits)
    }

    /// Takes a slot for a handler that is not of the queue, when nothing would be overtaken.
    #[inline]
    pub(super) fn claim_unqueued(&self) -> Option<Claimed<'_>> {
        let nothing_waits = |load: Count| load.unstarted() == 0;
        self.load
            .claim(self.limit, nothing_waits)
            .then(|| Claimed(self))
    }

    /// A handler has ended (C-DL-4), or a slot was not needed after all.
    #[inline]
    pub(super) fn release(&self) {
        let left = self.load.release();
        // Either the server's task has seen the free slot, or this sees the request that it found no slot for.
        if left.unstarted() > 0 {
            self.doorbell.ring();
        }
        self.check_idle(left);
    }

    /// How many requests of the queue are on the way to their first wait: the server's task starts one at a time.
    pub(super) fn is_starting(&self, requests: usize) {
        self.load.is_starting(requests);
    }

    /// A request of the queue has been started, or will not be.
    pub(super) fn now_started(&self) {
        self.check_idle(self.load.started());
    }

    /// The handler of a request of the queue has ended before its first wait. Who started it looks for more by itself.
    pub(super) fn started_and_ended(&self) {
        self.load.is_starting(0);
        self.check_idle(self.load.started_and_ended());
    }

    /// Waits until nothing is queued or running.
    pub(super) fn poll_idle(&self, cx: &mut Context<'_>) -> bool {
        self.idle.register(0, cx);
        self.load.now().is_idle()
    }

    /// Has those look again who wait for that.
    pub(super) fn wake_idle(&self) {
        self.idle.wake();
    }

    /// In one order with the flag of those who wait: either they see that it is idle, or whoever made it so sees them.
    fn check_idle(&self, left: Count) {
        if left.is_idle() && self.idle.is_awaited() {
            self.idle.wake();
        }
    }
}

/// A slot without anybody in it, free again when this is dropped: even if a logger has panicked.
pub(super) struct Claimed<'a>(&'a Slots);

impl Claimed<'_> {
    /// Somebody is in it, who will free it.
    pub(super) fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}
