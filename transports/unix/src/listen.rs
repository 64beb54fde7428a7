//! Serving an address: the lock, the socket file, the listener.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{Shutdown, SocketAddrUnix, SocketFlags};
use tidings_core::Caller;
use tidings_core::link::Listener;

use crate::dial::stream_socket;
use crate::options::Uids;
use crate::place::Place;
use crate::socket::UnixSocket;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// The right to be the hub at a place: the lock of its lock file. The kernel gives it back when
/// the process ends, however that happens.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held for its lock")] OwnedFd);

impl Lock {
    /// Takes the lock; `None` when somebody else has it.
    pub(crate) fn take(place: &Place) -> io::Result<Option<Lock>> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = rustix::fs::openat(place.directory(), place.lock_name(), flags, mode)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock(file))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// The hub's listening socket, and its file. Dropping it gives the address up.
pub(crate) struct UnixListener {
    socket: OwnedFd,
    place: Arc<Place>,
    uids: Uids,
    /// Device and inode of the file that was made here: no other is ever removed.
    file: Option<(u64, u64)>,
    lock: Mutex<Option<Lock>>,
}

impl UnixListener {
    /// Binds under a name of its own and renames that over whatever stale file is there: nobody
    /// sees a moment without a socket (T18). To be called by whoever holds the lock.
    pub(crate) fn bind(place: &Arc<Place>, uids: &Uids, lock: Lock) -> io::Result<UnixListener> {
        let socket = stream_socket()?;
        // Before bind: the file has this mode from its first instant, whatever the umask (S4).
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        let temporary = place.temporary_name();
        let address = SocketAddrUnix::new(place.through_directory(&temporary))?;
        rustix::net::bind(&socket, &address)?;
        let listening = listen_as(place, uids, &socket, &temporary);
        if listening.is_err() {
            let _ = rustix::fs::unlinkat(place.directory(), &temporary, AtFlags::empty());
        }
        Ok(UnixListener {
            socket,
            place: place.clone(),
            uids: uids.clone(),
            file: listening?,
            lock: Mutex::new(Some(lock)),
        })
    }
}

fn listen_as(
    place: &Place,
    uids: &Uids,
    socket: &OwnedFd,
    temporary: &Path,
) -> io::Result<Option<(u64, u64)>> {
    rustix::net::listen(socket, BACKLOG)?;
    if uids.has_others() {
        // They must be able to connect; who they are is checked before their first byte is read.
        let all = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP | Mode::ROTH | Mode::WOTH;
        rustix::fs::chmodat(place.directory(), temporary, all, AtFlags::empty())?;
    }
    let file = place.socket_at(temporary)?;
    rustix::fs::renameat(
        place.directory(),
        temporary,
        place.directory(),
        place.name(),
    )?;
    Ok(file)
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Listener for UnixListener {
    type Socket = UnixSocket;

    fn accept(&self) -> io::Result<UnixSocket> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        Ok(UnixSocket::new(rustix::net::accept_with(
            &self.socket,
            flags,
        )?))
    }

    fn close(&self) {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = lock.take() else {
            return; // Given up already.
        };
        // Nobody replaces the file while the lock is held, so what is looked at is what is removed.
        let present = self.place.socket_at(self.place.name()).ok().flatten();
        if present.is_some() && present == self.file {
            let _ =
                rustix::fs::unlinkat(self.place.directory(), self.place.name(), AtFlags::empty());
        }
        // Whoever waits to be accepted is told now, not when the last descriptor goes.
        let _ = rustix::net::shutdown(&self.socket, Shutdown::Both);
        drop(held);
    }

    fn admits(&self, peer: &Caller) -> bool {
        peer.uid.is_some_and(|uid| self.uids.has(uid))
    }
}

impl Drop for UnixListener {
    fn drop(&mut self) {
        self.close();
    }
}
