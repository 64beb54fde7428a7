//! A server that takes requests, for the first time or again.

use std::sync::Arc;

use crate::error::ServeError;
use crate::server::core::{Parts, ServerCore};
use crate::server::driver;
use crate::server::life::{Duty, Epoch};

impl ServerCore {
    /// A server that takes requests from here on.
    pub(super) fn start(parts: Parts) -> Arc<Self> {
        let server = Arc::new(ServerCore::new(parts));
        driver::spawn(&server, Epoch::FIRST);
        server
    }

    /// Takes requests again after it was stopped; says whether it did not already.
    ///
    /// # Errors
    /// When it was closed.
    pub(super) fn begin_again(self: &Arc<Self>) -> Result<bool, ServeError> {
        let reopens = || {
            self.queue.reopen();
            self.at_work.begin_again();
        };
        let epoch = match self.life.begin_again(reopens) {
            Ok(epoch) => epoch,
            Err(Duty::Closed) => {
                return Err(ServeError::Closed {
                    topic: self.topic().to_string(),
                });
            }
            Err(_) => return Ok(false),
        };
        self.slots.doorbell.ring(); // The task of its last life leaves.
        self.slots.wake_idle(); // Who drained that waits no longer.
        driver::spawn(self, epoch);
        Ok(true)
    }
}
