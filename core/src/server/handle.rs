//! A running server, in the hands of who started it.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::WaitExt;
use crate::bus::Bus;
use crate::error::ServeError;
use crate::server::core::ServerCore;
use crate::server::stats::ServerStats;
use crate::timer;

/// A running server. It keeps its bus open.
///
/// Dropped, it is stopped as by [`stop`](Self::stop).
#[must_use = "dropped, the server stops"]
pub struct Server {
    core: Arc<ServerCore>,
    bus: Bus,
}

/// What became of a server's requests when it was drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrainReport {
    /// Whether everything that had been accepted ended in time.
    pub complete: bool,
    /// Requests that were still queued at the end, and were refused: they did not run.
    pub undelivered: usize,
    /// Handlers that were still running at the end.
    pub running: usize,
}

impl Server {
    pub(crate) fn bind(bus: Bus, core: Arc<ServerCore>) -> Result<Self, ServeError> {
        // Made first: if binding fails, dropping it ends the server's task.
        let server = Server { core, bus };
        server.bus.core().transport().bind(server.core.clone())?;
        Ok(server)
    }

    /// Its topic.
    pub fn topic(&self) -> &str {
        self.core.topic()
    }

    /// Its name on the topic.
    pub fn name(&self) -> &str {
        self.core.name()
    }

    /// Requests that it has and has not ended: those that wait and those that run.
    pub fn load(&self) -> usize {
        self.core.load()
    }

    /// Copies of fanout casts that it missed since it started, because its queue was full for more than 100 ms, or the
    /// connection to this process was.
    pub fn missed(&self) -> u64 {
        self.core.copies_missed()
    }

    /// What became of its requests.
    pub fn stats(&self) -> ServerStats {
        self.core.stats.read()
    }

    /// Takes no more requests, and refuses those that wait: their fate is `NotExecuted`. Handlers that run go on, and
    /// their replies are sent. Idempotent.
    pub fn stop(&self) {
        self.unbind();
        self.core.refuse_queued();
    }

    /// Takes no more requests, finishes what it has, and stops; at `deadline` at the latest. Idempotent.
    ///
    /// What could not be finished in time is in the report.
    pub async fn drain(&self, deadline: Duration) -> DrainReport {
        self.unbind();
        self.core.stop_accepting();
        // Not the runtime's own: that may have ended, or be driven by nobody just now.
        let mut sleep = timer::sleep(deadline);
        let complete = poll_fn(|cx| {
            if self.core.poll_idle(cx) {
                return Poll::Ready(true);
            }
            sleep.as_mut().poll(cx).map(|()| false)
        })
        .await;
        let running = self.core.running();
        DrainReport {
            complete,
            undelivered: self.core.refuse_queued(),
            running,
        }
    }

    /// As [`drain`](Self::drain), blocking; no runtime is needed.
    ///
    /// # Panics
    /// Where blocking would stop a runtime's worker thread and this can be told: there, await [`drain`](Self::drain).
    pub fn drain_wait(&self, deadline: Duration) -> DrainReport {
        Box::pin(self.drain(deadline)).wait()
    }

    fn unbind(&self) {
        self.bus.core().transport().unbind(&self.core);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("topic", &self.topic())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
