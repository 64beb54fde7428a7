//! One descriptor's readiness, as tokio sees it.
//!
//! It is watched for bytes to read always, for room to write only where there was none. The kernel tells of room whenever
//! the peer has read some of what was written: of a connection that is watched for both, each request would wake its sender
//! twice, the first time for nothing.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::tokio::io::Interest as Watched;
use ::tokio::io::unix::AsyncFd;
use ::tokio::runtime::Handle;

use crate::runtime::seam::uninterrupted;
use crate::runtime::{BoxFuture, Descriptor, Interest, Readiness};

/// So many writes that found room at once, and there is no need to watch for it any more.
const FREE: u32 = 32;

/// When to try again where room cannot be watched for: others go on meanwhile, and may give descriptors back.
const PAUSE: Duration = Duration::from_millis(10);

pub(super) struct Watch {
    runtime: Handle,
    bytes: AsyncFd<Shared>,
    room: Room,
}

/// Whether room to write is watched for.
enum Room {
    NotWatched,
    /// As a descriptor can be watched only once, by another one of the same socket. So many writes did not need it.
    Watched(AsyncFd<OwnedFd>, u32),
    /// There was none to be had, most likely.
    NoDescriptor(BoxFuture<()>),
}

struct Shared(Descriptor);

impl AsRawFd for Shared {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Watch {
    /// Must be called in the context of `runtime`. Panics where that cannot watch anything.
    pub(super) fn new(descriptor: Descriptor, runtime: Handle) -> io::Result<Watch> {
        Ok(Watch {
            bytes: watch(Shared(descriptor), Watched::READABLE)?,
            room: Room::NotWatched,
            runtime,
        })
    }

    fn poll_read(
        &self,
        cx: &mut Context<'_>,
        room: usize,
        op: &mut dyn FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.bytes.poll_read_ready(cx))?;
            if let Ok(outcome) = ready.try_io(|_| uninterrupted(op)) {
                // The end of the stream stays ready: it is not cleared by this.
                let drained = |moved: &usize| (1..room).contains(moved);
                if outcome.as_ref().is_ok_and(drained) {
                    ready.clear_ready();
                }
                return Poll::Ready(outcome);
            }
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        op: &mut dyn FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        match uninterrupted(op) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            outcome => {
                self.found_room();
                return Poll::Ready(outcome);
            }
        }
        loop {
            match &mut self.room {
                Room::NotWatched => self.room = self.watch_for_room(),
                Room::NoDescriptor(pause) => {
                    ready!(pause.as_mut().poll(cx));
                    self.room = Room::NotWatched;
                }
                Room::Watched(watch, free) => {
                    *free = 0;
                    let mut ready = ready!(watch.poll_write_ready(cx))?;
                    if let Ok(outcome) = ready.try_io(|_| uninterrupted(op)) {
                        return Poll::Ready(outcome);
                    }
                }
            }
        }
    }

    fn watch_for_room(&self) -> Room {
        let _context = self.runtime.enter();
        let another = self.bytes.get_ref().0.as_fd().try_clone_to_owned();
        match another.and_then(|another| watch(another, Watched::WRITABLE)) {
            Ok(watch) => Room::Watched(watch, 0),
            // Whoever writes says for how long that may go on.
            Err(_) => Room::NoDescriptor(crate::timer::sleep(PAUSE)),
        }
    }

    fn found_room(&mut self) {
        if let Room::Watched(_, free) = &mut self.room {
            *free += 1;
            if *free == FREE {
                self.room = Room::NotWatched;
            }
        }
    }
}

impl Readiness for Watch {
    fn poll_io(
        &mut self,
        cx: &mut Context<'_>,
        interest: Interest,
        room: usize,
        op: &mut dyn FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        match interest {
            Interest::Read => self.poll_read(cx, room, op),
            Interest::Write => self.poll_write(cx, op),
        }
    }
}

fn watch<T: AsRawFd>(descriptor: T, interest: Watched) -> io::Result<AsyncFd<T>> {
    #[allow(
        deprecated,
        reason = "its successor is an unsafe fn, for owners that close the descriptor while it is watched; those here \
                  hold it to the end"
    )]
    AsyncFd::with_interest(descriptor, interest)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;

    use super::*;

    fn pair() -> (Arc<UnixStream>, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        (Arc::new(near), far)
    }

    fn in_tokio(test: impl Future<Output = ()>) {
        let mut tokio = ::tokio::runtime::Builder::new_current_thread();
        tokio.enable_io().build().unwrap().block_on(test);
    }

    async fn write(watch: &mut Watch, mut socket: &UnixStream) -> usize {
        let op = &mut || socket.write(&[7; 4096]);
        poll_fn(|cx| watch.poll_write(cx, op)).await.unwrap()
    }

    /// Writes until there is no room; how much that was.
    async fn fill(watch: &mut Watch, mut socket: &UnixStream) -> usize {
        let (mut filled, op) = (0, &mut || socket.write(&[7; 4096]));
        poll_fn(|cx| match watch.poll_write(cx, op) {
            Poll::Ready(written) => {
                filled += written.unwrap();
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Ready(()),
        })
        .await;
        filled
    }

    #[test]
    fn room_is_watched_for_from_where_there_was_none_until_there_mostly_is() {
        in_tokio(async {
            let (near, mut far) = pair();
            let mut watch = Watch::new(near.clone(), Handle::current()).unwrap();
            write(&mut watch, &near).await;
            assert!(matches!(watch.room, Room::NotWatched));
            let filled = 4096 + fill(&mut watch, &near).await;
            assert!(matches!(watch.room, Room::Watched(..)));
            far.read_exact(&mut vec![0; filled]).unwrap();
            for _ in 0..FREE {
                assert!(matches!(watch.room, Room::Watched(..)));
                assert_eq!(write(&mut watch, &near).await, 4096);
                far.read_exact(&mut [0; 4096]).unwrap();
            }
            assert!(matches!(watch.room, Room::NotWatched));
        });
    }

    #[test]
    fn where_it_cannot_be_watched_for_room_is_looked_for_again() {
        in_tokio(async {
            let (near, mut far) = pair();
            let mut watch = Watch::new(near.clone(), Handle::current()).unwrap();
            let filled = fill(&mut watch, &near).await;
            watch.room = Room::NoDescriptor(crate::timer::sleep(PAUSE));
            let emptied = std::thread::spawn(move || {
                far.read_exact(&mut vec![0; filled]).unwrap();
                far
            });
            assert_eq!(write(&mut watch, &near).await, 4096);
            emptied.join().unwrap();
        });
    }
}
