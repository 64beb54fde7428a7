//! A TCP connection.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, SocketFlags, SocketType, recv, send,
    sendmsg, socket_with, sockopt,
};
use tidings_core::Caller;
use tidings_core::link::Socket;
use tidings_core::runtime::Interest;

use crate::local;
use crate::timing::Timing;

/// A stream socket in non-blocking mode, connected or about to be.
#[derive(Debug)]
pub(crate) struct TcpSocket {
    socket: OwnedFd,
    peer: SocketAddr,
    is_connected: AtomicBool,
}

/// A stream socket of `peer`'s family that is connected to nothing.
pub(crate) fn stream_socket(peer: SocketAddr) -> rustix::io::Result<OwnedFd> {
    let family = match peer {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    socket_with(family, SocketType::STREAM, flags, None)
}

impl TcpSocket {
    /// Begins to connect, without waiting.
    pub(crate) fn connect(peer: SocketAddr, timing: Timing) -> io::Result<TcpSocket> {
        // What fails here is not about the peer.
        let socket = stream_socket(peer)?;
        let begin = || {
            timing.apply(&socket)?;
            local::bound(&socket, peer)?;
            match rustix::net::connect(&socket, &peer) {
                Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(()),
                // No port is left for this end of it: not what `WouldBlock` says elsewhere.
                Err(Errno::AGAIN) => Err(Errno::ADDRNOTAVAIL),
                Err(errno) => Err(errno),
            }
        };
        begin().map_err(|errno| told(peer, errno))?;
        Ok(TcpSocket {
            socket,
            peer,
            is_connected: AtomicBool::new(false),
        })
    }

    /// One that a listener has accepted.
    pub(crate) fn accepted(socket: OwnedFd, peer: SocketAddr) -> TcpSocket {
        TcpSocket {
            socket,
            peer,
            is_connected: AtomicBool::new(true),
        }
    }

    /// Whom it is connected to, or is about to be.
    pub(crate) fn to(&self) -> SocketAddr {
        self.peer
    }

    /// Whether the connect that was begun has ended well.
    pub(crate) fn has_connected(&self) -> io::Result<bool> {
        if self.is_connected.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let told = |errno| told(self.peer, errno);
        sockopt::socket_error(&self.socket)
            .and_then(|error| error)
            .map_err(told)?;
        match rustix::net::getpeername(&self.socket) {
            Ok(_) => {}
            Err(Errno::NOTCONN) => return Ok(false),
            Err(errno) => return Err(told(errno)),
        }
        // Where nobody listens on a port that the system gives out, it may give it to this very
        // end, which is then connected to itself.
        let near = rustix::net::getsockname(&self.socket).map_err(told)?;
        if SocketAddr::try_from(near) == Ok(self.peer) {
            return Err(told(Errno::CONNREFUSED));
        }
        self.is_connected.store(true, Ordering::Relaxed);
        Ok(true)
    }
}

fn told(peer: SocketAddr, errno: Errno) -> io::Error {
    let error = io::Error::from(errno);
    io::Error::new(error.kind(), format!("{peer}: {error}"))
}

impl AsFd for TcpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Socket for TcpSocket {
    fn establish(&self) -> io::Result<Option<Interest>> {
        Ok((!self.has_connected()?).then_some(Interest::Write))
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let (read, _) = recv(&self.socket, buffer, RecvFlags::empty())?;
        Ok(read)
    }

    fn read_vectored(&self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        Ok(rustix::io::readv(&self.socket, slices)?)
    }

    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        // Not a plain write: a peer that has gone must not raise SIGPIPE.
        if let [slice] = slices {
            return Ok(send(&self.socket, slice, SendFlags::NOSIGNAL)?);
        }
        let mut nothing = SendAncillaryBuffer::default();
        Ok(sendmsg(
            &self.socket,
            slices,
            &mut nothing,
            SendFlags::NOSIGNAL,
        )?)
    }

    /// Where it is says nothing of who it is.
    fn peer(&self) -> io::Result<Caller> {
        Ok(Caller::of_transport("tcp").with_address(self.peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the system does by chance is done here on purpose.
    #[test]
    fn an_end_that_is_connected_to_itself_is_connected_to_nobody() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let socket = stream_socket(any).unwrap();
        rustix::net::bind(&socket, &any).unwrap();
        let own = rustix::net::getsockname(&socket).unwrap();
        let peer = SocketAddr::try_from(own).unwrap();
        let _in_progress = rustix::net::connect(&socket, &peer);
        let tcp = TcpSocket {
            socket,
            peer,
            is_connected: AtomicBool::new(false),
        };
        let outcome = loop {
            match tcp.has_connected() {
                Ok(false) => std::thread::yield_now(),
                outcome => break outcome,
            }
        };
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(error.to_string().contains(&peer.to_string()), "{error}");
    }
}
