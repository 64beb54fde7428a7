//! The adapter to smol: its global executor, its reactor, its timers and its blocking pool.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::smol::Async;

use super::seam::uninterrupted;
use super::{BoxFuture, Descriptor, Interest, Readiness, Runtime};

/// smol's global executor, which runs by itself on the threads `smol-N` (one, unless the
/// environment variable `SMOL_THREADS` says otherwise).
pub fn global() -> Arc<dyn Runtime> {
    Arc::new(Smol)
}

#[derive(Debug)]
struct Smol;

impl Runtime for Smol {
    fn name(&self) -> &'static str {
        "smol"
    }

    fn spawn(&self, future: BoxFuture<()>) {
        ::smol::spawn(future).detach();
    }

    fn spawn_blocking(&self, job: Box<dyn FnOnce() + Send>) {
        ::smol::unblock(job).detach();
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        Box::pin(async move {
            ::smol::Timer::after(duration).await;
        })
    }

    fn has_timer(&self) -> bool {
        true
    }

    fn has_io(&self) -> bool {
        true
    }

    fn register(&self, descriptor: Descriptor) -> io::Result<Box<dyn Readiness>> {
        Ok(Box::new(Async::new_nonblocking(descriptor)?))
    }
}

impl Readiness for Async<Descriptor> {
    fn poll_io(
        &mut self,
        cx: &mut Context<'_>,
        interest: Interest,
        _room: usize,
        op: &mut dyn FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if interest == Interest::Write {
            match uninterrupted(op) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
        }
        loop {
            match interest {
                Interest::Read => ready!(self.poll_readable(cx))?,
                Interest::Write => ready!(self.poll_writable(cx))?,
            }
            match uninterrupted(op) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }
}
