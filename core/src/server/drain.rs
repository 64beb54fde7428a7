//! The end of a server's work, within a time.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::server::core::ServerCore;
use crate::server::life::{Epoch, Standing};
use crate::timer;

/// What became of what a server, or a bus, had when it was drained (C-LC-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DrainReport {
    /// Requests that had been accepted and ended in time.
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

/// Waits until `servers`, which take no more requests, have nothing to do; at the deadline, ends what they have.
pub(crate) async fn finish(
    servers: &[(Arc<ServerCore>, Epoch)],
    deadline: Duration,
) -> DrainReport {
    let had: usize = servers.iter().map(|(server, _)| server.load()).sum();
    // Not the runtime's own: that may have ended, or be driven by nobody just now.
    let mut sleep = timer::sleep(deadline);
    poll_fn(|cx| {
        let mut idle = true;
        for (server, _) in servers {
            idle &= server.poll_idle(cx);
        }
        if idle {
            return Poll::Ready(());
        }
        sleep.as_mut().poll(cx)
    })
    .await;
    let mut report = DrainReport::default();
    for (server, epoch) in servers {
        report.undelivered += server.refuse_queued(Some(*epoch), Standing::Stopped);
        if server.epoch() == *epoch {
            report.cancelled += server.running();
            server.at_work.cut();
        }
    }
    report.finished = had.saturating_sub(report.cancelled + report.undelivered);
    report
}
