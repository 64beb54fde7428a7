//! A server that takes nothing more, for now or for good.

use crate::error::{CallErrorKind, Fate, Stage};
use crate::server::core::ServerCore;
use crate::server::life::{Duty, Epoch};
use crate::server::queue::Waiting;

impl ServerCore {
    /// Refuses what is queued and lets what runs go on; returns how many were refused. Does nothing when the server was
    /// started again since `epoch`.
    pub(super) fn refuse_queued(&self, epoch: Option<Epoch>, to: Duty) -> usize {
        let Some(waiting) = self.life.stop(epoch, to, || self.queue.close()) else {
            return 0;
        };
        let refused = waiting.len();
        for Waiting { delivery, .. } in waiting {
            delivery.refuse(
                CallErrorKind::ShuttingDown,
                Fate::NotExecuted,
                Stage::Accepted,
            );
            self.slots.now_started();
        }
        self.queue.wake_all();
        self.slots.doorbell.ring();
        refused
    }

    /// The transport it was bound to is closed: it takes no more requests, and refuses those that wait.
    pub fn close(&self) {
        self.refuse_queued(None, Duty::Closed);
    }
}
