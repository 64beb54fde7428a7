//! From a socket to a connection: what comes before the session's first byte.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use super::socket::Socket;
use crate::doorbell::Doorbell;
use crate::runtime::{BoxFuture, Interest, Readiness, Runtime};

/// What is at hand while a socket is being established.
pub(super) struct Establishing<'a> {
    pub(super) socket: &'a dyn Socket,
    pub(super) readiness: &'a mut dyn Readiness,
    pub(super) runtime: &'a dyn Runtime,
    /// Rings when [`until`](Self::run) may have something else to say.
    pub(super) bell: &'a Doorbell,
}

impl Establishing<'_> {
    /// Waits until the session's bytes can travel. `patience` says how much time there is from
    /// the beginning; it is asked again whenever the bell rings, and whether that time has passed
    /// is looked at with the latest answer.
    pub(super) async fn run(&mut self, patience: impl Fn() -> Duration) -> io::Result<()> {
        // Most sockets are at once, and need no clock.
        let Some(mut needs) = self.socket.establish()? else {
            return Ok(());
        };
        let began = self.runtime.now();
        let mut sleep: Option<(Duration, BoxFuture<()>)> = None;
        poll_fn(|cx| {
            loop {
                let rung = self.bell.poll_rung(cx).is_ready();
                let limit = patience();
                if sleep.as_ref().is_none_or(|(known, _)| *known != limit) {
                    let passed = self.runtime.now().saturating_duration_since(began);
                    let left = limit.saturating_sub(passed);
                    sleep = Some((limit, self.runtime.sleep(left)));
                }
                let is_over = sleep
                    .as_mut()
                    .is_some_and(|(_, sleep)| sleep.as_mut().poll(cx).is_ready());
                if is_over {
                    return Poll::Ready(Err(too_late(limit)));
                }
                match self.step(cx, needs) {
                    Poll::Ready(Ok(Some(next))) => needs = next,
                    Poll::Ready(Ok(None)) => return Poll::Ready(Ok(())),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending if rung => {}
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// One step, once the socket is ready in the direction that the last one asked for.
    fn step(
        &mut self,
        cx: &mut Context<'_>,
        needs: Interest,
    ) -> Poll<io::Result<Option<Interest>>> {
        let mut outcome = None;
        let op = &mut || match self.socket.establish() {
            Ok(Some(next)) if next == needs => Err(io::ErrorKind::WouldBlock.into()),
            other => {
                outcome = Some(other);
                Ok(1)
            }
        };
        match self.readiness.poll_io(cx, needs, 1, op) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(_)) => Poll::Ready(outcome.unwrap_or(Ok(Some(needs)))),
        }
    }
}

fn too_late(limit: Duration) -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("no answer within {limit:.1?}"),
    )
}
