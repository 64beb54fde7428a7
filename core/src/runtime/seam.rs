//! The two traits of the seam: [`Runtime`] and, for one descriptor, [`Readiness`].

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::pin::Pin;
#[cfg(unix)]
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// An owned future that may move between threads.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A descriptor that a [`Readiness`] shares with whoever reads and writes it.
#[cfg(unix)]
pub type Descriptor = Arc<dyn std::os::fd::AsFd + Send + Sync>;

/// What the bus asks of an asynchronous runtime.
///
/// It is a trait object and not a type parameter, so that a `Bus` is one type whatever polls it.
/// No method panics and none blocks. Methods may be called from any thread, inside the runtime
/// or outside; an implementation holds what it needs for that (tokio's handle, say).
///
/// A runtime may end while a bus still lives. From then on `spawn` and `spawn_blocking` drop what
/// they are given; whoever must know that a task will never run puts a drop guard into it.
pub trait Runtime: Send + Sync + Debug + 'static {
    /// The name for messages: `"tokio"`, `"smol"`, `"none"`.
    fn name(&self) -> &'static str;

    /// Polls `future` to its end, detached. The end of the runtime drops it.
    fn spawn(&self, future: BoxFuture<()>);

    /// Runs `job` on a thread where it may block for as long as it likes.
    ///
    /// Jobs may wait for one another, so a bound on such threads must be generous: it is the
    /// servers' limits that hold their number down.
    fn spawn_blocking(&self, job: Box<dyn FnOnce() + Send>);

    /// Completes when `duration` has passed, never earlier.
    ///
    /// By default it is served by the `tidings-timer` thread; a runtime with a timer of its own
    /// answers for itself and says so in [`has_timer`](Runtime::has_timer).
    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        crate::timer::sleep(duration)
    }

    /// Whether [`sleep`](Runtime::sleep) is the runtime's own, so that a task can drive the
    /// deadlines. Otherwise the `tidings-timer` thread does.
    fn has_timer(&self) -> bool {
        false
    }

    /// Whether what runs on this thread now runs in this runtime's context, so that a handler
    /// may be started right here. True where handlers need no context.
    fn is_current(&self) -> bool {
        true
    }

    /// Whether its tasks go on whatever the program's own threads do. Where somebody has to drive
    /// it, a thread that waits for one of its tasks may wait for itself.
    fn runs_by_itself(&self) -> bool {
        true
    }

    /// The monotonic time of this runtime, which a test may have paused.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// Whether [`register`](Runtime::register) works: a runtime without input and output serves
    /// the in-memory bus only.
    fn has_io(&self) -> bool {
        false
    }

    /// Watches a descriptor, which must be in non-blocking mode already.
    ///
    /// # Errors
    /// `Unsupported` on a runtime without input and output, else what the system said.
    #[cfg(unix)]
    fn register(&self, descriptor: Descriptor) -> io::Result<Box<dyn Readiness>> {
        let _ = descriptor;
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this runtime cannot watch sockets: use tokio or smol",
        ))
    }
}

/// The readiness of one registered descriptor.
///
/// One task uses it. Each direction remembers the last waker given for it. Dropping it ends the
/// watch, and only then lets go of the descriptor.
pub trait Readiness: Send {
    /// Runs `op`, one non-blocking attempt, when the descriptor is ready for it.
    ///
    /// A read waits for readiness first (an attempt that mostly finds nothing is a wasted system
    /// call), a write is attempted first, and room for it is watched for only where there is none: the
    /// kernel tells of room for each request that the peer reads. `op` is called again after `WouldBlock` and
    /// `Interrupted`; any other outcome is returned as it is.
    ///
    /// `room` is how much `op` could move. A read of less took all there was, so that the next one
    /// may wait for readiness without an attempt that finds nothing.
    fn poll_io(
        &mut self,
        cx: &mut Context<'_>,
        interest: Interest,
        room: usize,
        op: &mut dyn FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>>;
}

/// The direction of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something can be read, or accepted.
    Read,
    /// Something can be written, or a connection is made.
    Write,
}

/// Calls `op` until it is not interrupted by a signal.
#[cfg(all(unix, any(feature = "tokio", feature = "smol")))]
pub(super) fn uninterrupted(op: &mut dyn FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match op() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

#[cfg(all(test, unix, any(feature = "tokio", feature = "smol")))]
mod tests {
    use std::future::poll_fn;
    use std::io::{ErrorKind, Read, Write};
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::channel;

    use super::*;

    const LONG: Duration = Duration::from_secs(10);
    /// More than the buffers of a socket hold, so that both directions have to wait.
    const BYTES: usize = 4 << 20;

    fn stream(runtime: &dyn Runtime, stream: UnixStream) -> (Arc<UnixStream>, Box<dyn Readiness>) {
        stream.set_nonblocking(true).unwrap();
        let stream = Arc::new(stream);
        let readiness = runtime.register(stream.clone()).unwrap();
        (stream, readiness)
    }

    fn both_directions_wait_and_the_end_is_seen(runtime: Arc<dyn Runtime>) {
        let (near, far) = UnixStream::pair().unwrap();
        let (near, mut near_ready) = stream(&*runtime, near);
        let (far, mut far_ready) = stream(&*runtime, far);
        runtime.spawn(Box::pin(async move {
            let mut left = BYTES;
            while left > 0 {
                let chunk = vec![7; left.min(64 << 10)];
                let write = &mut || (&*near).write(&chunk);
                left -= poll_fn(|cx| near_ready.poll_io(cx, Interest::Write, chunk.len(), write))
                    .await
                    .unwrap();
            }
        }));
        let (done, ended) = channel();
        runtime.spawn(Box::pin(async move {
            let (mut buffer, mut total) = (vec![0; 64 << 10], 0);
            loop {
                let read = &mut || (&*far).read(&mut buffer);
                match poll_fn(|cx| far_ready.poll_io(cx, Interest::Read, 64 << 10, read)).await {
                    Ok(0) => break,
                    Ok(n) => total += n,
                    Err(error) => panic!("{error}"),
                }
            }
            done.send(total).unwrap();
        }));
        assert_eq!(ended.recv_timeout(LONG).unwrap(), BYTES);
    }

    fn interruptions_and_false_alarms_are_invisible(runtime: Arc<dyn Runtime>) {
        let (near, far) = UnixStream::pair().unwrap();
        let (_near, mut ready) = stream(&*runtime, near);
        let (done, ended) = channel();
        runtime.spawn(Box::pin(async move {
            (&far).write_all(b"x").unwrap();
            let mut attempts = [ErrorKind::Interrupted, ErrorKind::Interrupted].into_iter();
            let op = &mut || attempts.next().map_or(Ok(1), |kind| Err(kind.into()));
            let outcome = poll_fn(|cx| ready.poll_io(cx, Interest::Read, 1, op)).await;
            let mut attempts = [ErrorKind::WouldBlock].into_iter();
            let op = &mut || attempts.next().map_or(Ok(2), |kind| Err(kind.into()));
            let written = poll_fn(|cx| ready.poll_io(cx, Interest::Write, 1, op)).await;
            done.send((outcome.unwrap(), written.unwrap())).unwrap();
        }));
        assert_eq!(ended.recv_timeout(LONG).unwrap(), (1, 2)); // T14
    }

    #[cfg(feature = "smol")]
    #[test]
    fn readiness_on_smol() {
        both_directions_wait_and_the_end_is_seen(crate::runtime::smol::global());
        interruptions_and_false_alarms_are_invisible(crate::runtime::smol::global());
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn readiness_on_tokio() {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let runtime = crate::runtime::tokio::handle(tokio.handle().clone());
        both_directions_wait_and_the_end_is_seen(runtime.clone());
        interruptions_and_false_alarms_are_invisible(runtime);
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn a_tokio_without_io_refuses_and_does_not_panic() {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let runtime = crate::runtime::tokio::handle(tokio.handle().clone());
        let (near, _far) = UnixStream::pair().unwrap();
        let refused = runtime.register(Arc::new(near)).err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
    }
}
