//! A running server, in the hands of who started it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use crate::WaitExt;
use crate::bus::{Bus, Phase};
use crate::error::ServeError;
use crate::server::core::ServerCore;
use crate::server::drain::{self, DrainReport};
use crate::server::drops::Drops;
use crate::server::life::Duty;
use crate::server::retiring::Retiring;
use crate::server::stats::ServerStats;
use crate::transport::Transport;

/// A server, in the hands of who started it. It keeps its bus open.
///
/// It may be stopped and started again, drained and closed, each of them twice, from several threads and in any order
/// (C-LC-1). Dropped, it is stopped as by [`stop`](Self::stop).
#[must_use = "dropped, the server stops"]
pub struct Server {
    core: Arc<ServerCore>,
    /// Whether the transport knows it; behind the server's own duty for a moment, while somebody sees to that.
    bound: Mutex<bool>,
    bus: Bus,
}

impl Server {
    pub(crate) fn bind(bus: Bus, core: Arc<ServerCore>) -> Result<Self, ServeError> {
        // Made first: if binding fails, dropping it ends the server's task.
        let bound = Mutex::new(false);
        let server = Server { core, bound, bus };
        server.bus.core().enroll(&server.core);
        server.settle(&mut server.bound())?;
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
        self.core.queue.copies_missed()
    }

    /// What became of its requests.
    pub fn stats(&self) -> ServerStats {
        self.core.stats.read()
    }

    /// What it turned away, dropped, or did for nobody.
    pub fn drops(&self) -> Drops {
        self.core.drops.read()
    }

    /// Takes requests again after it was stopped or drained, under the same name. Does nothing when it does already.
    /// Handlers that still run from before count against its limit.
    ///
    /// # Errors
    /// [`ServeError`]: it was closed, or its bus was, or somebody has its name. It is stopped then.
    pub fn start(&self) -> Result<(), ServeError> {
        if self.bus.core().phase() != Phase::Open {
            self.core.close();
        }
        self.core.begin_again()?;
        let settled = self.settle(&mut self.bound());
        self.unbind(); // Where somebody stopped it who found this at work.
        settled
    }

    /// Takes no more requests, and refuses those that wait: their fate is `NotExecuted`. Handlers that run go on, and
    /// their replies are sent; they may still call others and be called back by them, at servers that are not stopped.
    /// Idempotent.
    pub fn stop(&self) {
        self.core.refuse_queued(None, Duty::Stopped);
        self.unbind();
    }

    /// Takes no more requests, finishes what it has, and stops; at `deadline` at the latest. Idempotent.
    ///
    /// What is on its way to it has been accepted: over sockets, the hub is asked to send nothing more, and the server takes
    /// what comes until the hub says that this was all. So no cast is lost by it.
    ///
    /// What waits then is refused (`NotExecuted`). What runs then is cancelled: an async handler is dropped at its next
    /// await, a blocking one sees that it is cancelled; their callers learn that the server stops (`Unknown`). The report
    /// has all of that. A server that is [started](Self::start) again meanwhile goes on.
    pub async fn drain(&self, deadline: Duration) -> DrainReport {
        // Until the lock is free again in which the transport might be done with it at once.
        let retiring = Retiring::new(&self.core);
        let draining = self.core.drain();
        self.withdraw(|transport| transport.retire(Retiring::new(&self.core)));
        drop(retiring);
        drain::finish(&[draining], deadline).await
    }

    /// As [`drain`](Self::drain), blocking; no runtime is needed.
    ///
    /// # Panics
    /// Where blocking would stop a runtime's worker thread and this can be told: there, await [`drain`](Self::drain).
    pub fn drain_wait(&self, deadline: Duration) -> DrainReport {
        Box::pin(self.drain(deadline)).wait()
    }

    /// Stops for good: as [`stop`](Self::stop), and what runs is cancelled, as at the end of a [`drain`](Self::drain).
    /// It cannot be started again. Idempotent.
    pub fn close(&self) {
        self.core.close();
        self.core.at_work.cut();
        self.unbind();
    }

    /// Has the transport know of the server, or not, as that takes requests or not.
    fn settle(&self, bound: &mut bool) -> Result<(), ServeError> {
        let transport = self.bus.core().transport();
        loop {
            let (serving, epoch) = (self.core.life.is_serving(), self.core.life.epoch());
            if serving == *bound {
                return Ok(());
            }
            if serving {
                transport.bind(self.core.clone()).inspect_err(|_| {
                    self.core.refuse_queued(Some(epoch), Duty::Stopped);
                })?;
            } else {
                transport.unbind(&self.core);
            }
            *bound = serving;
        }
    }

    /// Has the transport send no more requests, if the server takes none.
    fn unbind(&self) {
        self.withdraw(|transport| transport.unbind(&self.core));
    }

    /// Has the transport told by `tell` to send no more requests, if the server takes none. Waits for nobody: whoever is at
    /// it just now, a start that waits for its hub, say, looks again when that is done.
    fn withdraw(&self, tell: impl Fn(&dyn Transport)) {
        loop {
            let mut bound = match self.bound.try_lock() {
                Ok(bound) => bound,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            if *bound && !self.core.life.is_serving() {
                tell(self.bus.core().transport());
                *bound = false;
            }
            let was_bound = *bound;
            drop(bound);
            if !was_bound || self.core.life.is_serving() {
                return;
            }
        }
    }

    fn bound(&self) -> MutexGuard<'_, bool> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
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
