//! A server that is to be sent nothing more, and takes what is on its way to it (C-LC-1).

use std::sync::Arc;

use crate::server::core::ServerCore;

/// A server to which something may be on its way, until this is dropped. Then it refuses what comes, and is drained when
/// it has done what it has.
pub struct Retiring(Arc<ServerCore>);

impl Retiring {
    pub(crate) fn new(server: &Arc<ServerCore>) -> Retiring {
        server.life.retires();
        Retiring(server.clone())
    }

    /// Which server.
    pub fn server(&self) -> &Arc<ServerCore> {
        &self.0
    }
}

impl Drop for Retiring {
    fn drop(&mut self) {
        if self.0.life.has_retired() {
            self.0.slots.wake_idle();
        }
    }
}
