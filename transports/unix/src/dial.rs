//! Connecting to the hub.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use tidings_core::link::{Dial, Socket};

use crate::options::Uids;
use crate::place::Place;
use crate::socket::UnixSocket;

/// Connects to the hub at a place.
pub(crate) struct Dialer {
    place: Arc<Place>,
    uids: Uids,
}

impl Dialer {
    pub(crate) fn new(place: Arc<Place>, uids: Uids) -> Dialer {
        Dialer { place, uids }
    }
}

impl Dial for Dialer {
    type Socket = UnixSocket;

    fn dial(&self) -> io::Result<UnixSocket> {
        dial(&self.place, &self.uids)
    }
}

/// One attempt to connect. A hub of a user that is not spoken with is `PermissionDenied`: somebody
/// else may have been first to take the path (S6).
pub(crate) fn dial(place: &Place, uids: &Uids) -> io::Result<UnixSocket> {
    let descriptor = stream_socket()?;
    connect(&descriptor, &SocketAddrUnix::new(place.path())?)?;
    let socket = UnixSocket::new(descriptor);
    match socket.peer()?.uid {
        Some(uid) if uids.has(uid) => Ok(socket),
        uid => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "it is served by user {}, who is not spoken with; add `?uid=` for that user if \
                 that is meant",
                uid.map_or_else(|| "unknown".into(), |uid| uid.to_string())
            ),
        )),
    }
}

/// A stream socket that is connected to nothing.
pub(crate) fn stream_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        flags,
        None,
    )?)
}
