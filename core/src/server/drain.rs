//! The end of a server's work, within a time.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::server::core::ServerCore;
use crate::server::life::{Duty, Epoch};
use crate::timer;

/// What became of what a server, or a bus, had when it was drained (C-LC-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DrainReport {
    /// Handlers that ended in time.
    pub finished: usize,
    /// Handlers that still ran at the end, and were told to stop.
    pub cancelled: usize,
    /// Messages that were still queued at the end: requests to the server, which were refused (`NotExecuted`), and of a
    /// bus also casts that did not leave.
    pub undelivered: usize,
}

impl DrainReport {
    /// Whether everything ended in time.
    pub fn is_complete(&self) -> bool {
        self.cancelled == 0 && self.undelivered == 0
    }
}

impl ServerCore {
    /// Takes no new requests but those that are on their way to it; what is queued and what runs goes on.
    pub(crate) fn drain(self: &Arc<Self>) -> Draining {
        Draining {
            server: self.clone(),
            epoch: self.life.drain(),
            ran: self.stats.ran(),
        }
    }
}

/// A server that takes no more requests than those that are on their way to it.
pub(crate) struct Draining {
    server: Arc<ServerCore>,
    /// Which of its lives ends.
    epoch: Epoch,
    /// Handlers that had ended by themselves before.
    ran: usize,
}

impl Draining {
    /// Whether it has nothing more to do, or was started again.
    fn poll(&self, cx: &mut Context<'_>) -> bool {
        let idle = |cx: &mut Context<'_>| self.server.slots.poll_idle(cx);
        // Looked at again once nothing more is taken: what was on its way may just have come.
        let done = idle(cx) && self.server.life.shuts(self.epoch) && idle(cx);
        done || self.server.life.epoch() != self.epoch
    }

    /// Ends what it still has.
    fn end(&self, report: &mut DrainReport) {
        let Draining { server, epoch, ran } = self;
        report.finished += server.stats.ran().saturating_sub(*ran);
        report.undelivered += server.refuse_queued(Some(*epoch), Duty::Stopped);
        if server.life.epoch() == *epoch {
            report.cancelled += server.slots.running();
            server.at_work.cut();
        }
    }
}

/// Waits until servers that take no more requests have nothing to do; at the deadline, ends what they have.
pub(crate) async fn finish(draining: &[Draining], deadline: Duration) -> DrainReport {
    // Not the runtime's own: that may have ended, or be driven by nobody just now.
    let mut sleep = timer::sleep(deadline);
    poll_fn(|cx| {
        // Each of them, so that each wakes this.
        let busy = draining.iter().filter(|server| !server.poll(cx)).count();
        if busy == 0 {
            return Poll::Ready(());
        }
        sleep.as_mut().poll(cx)
    })
    .await;
    let mut report = DrainReport::default();
    for server in draining {
        server.end(&mut report);
    }
    report
}
