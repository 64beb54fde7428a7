//! Draining a bus: its servers end what they have, what was sent is answered, then it is closed (C-LC-1, T22, T23).

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::bus::Bus;
use crate::bus::open::Phase;
use crate::server::{DrainReport, Retiring, ServerCore, finish};
use crate::timer;

/// How much longer than its time a drain may take to learn what did not leave.
const MARGIN: Duration = Duration::from_millis(200);

impl Bus {
    /// Ends the bus in good order, for all its handles, at `deadline` at the latest; then it is closed.
    ///
    /// * Its servers [drain](crate::Server::drain): they take no more requests, but what is on its way, and finish what
    ///   they have.
    /// * Handlers that run may go on to call others, and are answered. Other requests of this bus are refused from now on,
    ///   as `ShuttingDown`, not sent.
    /// * What had been sent is answered, and casts leave.
    /// * Then peers are told not to send more through it, if it is a hub; what comes nevertheless is refused as
    ///   `ShuttingDown`, not executed, so that it may be sent elsewhere.
    ///
    /// What is not done in time is given up, as by a [`Server::drain`](crate::Server::drain) and a
    /// [`close`](Self::close); the report has it. Idempotent; a second drain at the same time waits for the same things.
    ///
    /// A handler of this very bus that waits for it waits for itself, until the deadline.
    pub async fn drain(&self, deadline: Duration) -> DrainReport {
        let end = Instant::now().checked_add(deadline);
        let left = || {
            end.map_or(deadline, |end| {
                end.saturating_duration_since(Instant::now())
            })
        };
        let core = self.core();
        let before = self.stats().unsent_casts;
        core.enter(Phase::Draining);
        let servers = core.live_servers();
        // Until the transport holds no lock any more in which it might be done with them at once.
        let retiring: Vec<_> = servers.iter().map(Retiring::new).collect();
        let draining: Vec<_> = servers.iter().map(ServerCore::drain).collect();
        for server in &servers {
            core.transport().retire(Retiring::new(server));
        }
        drop(retiring);
        let mut report = finish(&draining, left()).await;
        let answered =
            poll_fn(
                |cx| match core.timers().poll_empty(cx) && core.waiting().is_empty(cx) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                },
            );
        let in_time = within(left(), async {
            answered.await;
            core.transport().leave().await;
        })
        .await;
        if in_time {
            self.close();
        } else {
            let cut = core.cut();
            within(MARGIN, cut).await;
        }
        let unsent = self.stats().unsent_casts.saturating_sub(before);
        report.undelivered += usize::try_from(unsent).unwrap_or(usize::MAX);
        report
    }

    /// As [`drain`](Self::drain), blocking; no runtime is needed.
    ///
    /// # Panics
    /// Where blocking would stop a runtime's worker thread and this can be told: there, await [`drain`](Self::drain).
    pub fn drain_wait(&self, deadline: Duration) -> DrainReport {
        crate::WaitExt::wait(Box::pin(self.drain(deadline)))
    }
}

/// Whether `work` is done in time.
async fn within(time: Duration, work: impl Future<Output = ()>) -> bool {
    // Not the runtime's own: that may have ended, or be driven by nobody just now.
    let mut sleep = timer::sleep(time);
    let mut work = pin!(work);
    poll_fn(|cx| {
        if work.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        sleep.as_mut().poll(cx).map(|()| false)
    })
    .await
}
