//! Serving an address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{Shutdown, SocketFlags, sockopt};
use tidings_core::link::{Listener, advice_on_scarcity};
use tidings_core::transport::OpenOptions;
use tidings_core::{Address, Caller, OpenError};

use crate::local;
use crate::options::Options;
use crate::places::{Host, Place};
use crate::security::ServerSecurity;
use crate::socket::{TcpSocket, stream_socket};
use crate::stream::Stream;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// The hub's listening socket.
pub(crate) struct TcpListener {
    socket: OwnedFd,
    bound: SocketAddr,
    security: ServerSecurity,
}

impl TcpListener {
    /// Binds the one place of `address`.
    pub(crate) fn bind(
        address: &Address,
        options: &Options,
        given: &OpenOptions,
        security: ServerSecurity,
    ) -> Result<TcpListener, OpenError> {
        let places = Place::all_of(address)?;
        let [place] = places.as_slice() else {
            return Err(address.refuse("one address is served at a time; write one `host:port`"));
        };
        let cannot = |error| cannot_serve(address, error);
        let candidates = place.look_up().map_err(cannot)?;
        // S15, S16. All of them before any is served: what the name stands for is not known before.
        let is_open = candidates.iter().any(|at| !at.ip().is_loopback());
        if is_open && security.is_none() && !options.allow_plaintext {
            return Err(address.refuse(
                "other hosts can reach it and it is not encrypted: add \
                 `tls&cert=FILE&key=FILE`, or `allow_plaintext` if everybody in that network may \
                 read and send, or serve `127.0.0.1`",
            ));
        }
        // S9. On this host, whoever can connect is the host's own affair.
        let knows = security.asks_for_certificates() || given.tokens.are_given();
        let decides = knows || given.policy.is_set();
        if is_open && !decides && !options.allow_anyone {
            return Err(address.refuse(
                "everybody who can reach it could serve and call: ask for certificates by \
                 `tls` and `client_ca=FILE`, or give the bus `.accept_tokens(..)` or a policy by \
                 `.authorise(..)`; or add `allow_anyone`, if everybody in that network may, or \
                 serve `127.0.0.1`",
            ));
        }
        if decides && options.allow_anyone {
            return Err(address.refuse(
                "there are certificates, tokens or a policy to say who may: leave `allow_anyone` \
                 out",
            ));
        }
        let mut outcome = Err(io::ErrorKind::NotFound.into());
        for candidate in candidates {
            outcome = listen(place, candidate, options);
            if outcome.is_ok() {
                break;
            }
        }
        let (socket, bound) = outcome.map_err(cannot)?;
        Ok(TcpListener {
            socket,
            bound,
            security,
        })
    }

    /// The address that others may write: with the port that the system chose, where it did.
    pub(crate) fn reachable(&self) -> String {
        format!("tcp:{}", self.bound)
    }
}

fn listen(
    place: &Place,
    mut at: SocketAddr,
    options: &Options,
) -> io::Result<(OwnedFd, SocketAddr)> {
    let is_any = place.host == Host::Any;
    let socket = match stream_socket(at) {
        // A host without IPv6.
        Err(Errno::AFNOSUPPORT) if is_any => {
            at.set_ip(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            stream_socket(at)?
        }
        socket => socket?,
    };
    if at.is_ipv6() {
        // `*` is both families; what is written as an IPv6 address is that one alone.
        sockopt::set_ipv6_v6only(&socket, !is_any)?;
    }
    // Connections of the last hub may still be ending (C-LC-4); a live listener keeps the address
    // to itself all the same (T17).
    sockopt::set_socket_reuseaddr(&socket, true)?;
    // Whatever is accepted inherits them.
    options.timing.apply(&socket)?;
    local::bound(&socket, at)?;
    rustix::net::bind(&socket, &at)?;
    rustix::net::listen(&socket, BACKLOG)?;
    let bound = SocketAddr::try_from(rustix::net::getsockname(&socket)?)?;
    Ok((socket, bound))
}

fn cannot_serve(address: &Address, source: io::Error) -> OpenError {
    let advice = match source.kind() {
        io::ErrorKind::AddrInUse => {
            return OpenError::AddressInUse {
                address: address.to_string(),
            };
        }
        io::ErrorKind::AddrNotAvailable => "this host has no such address",
        io::ErrorKind::PermissionDenied => {
            "the port needs a right that this process has not: take one above 1023"
        }
        _ => advice_on_scarcity(&source).unwrap_or("check its host and port"),
    };
    OpenError::Bind {
        address: address.to_string(),
        advice: advice.into(),
        source: Arc::new(source),
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Listener for TcpListener {
    type Socket = Stream;

    fn accept(&self) -> io::Result<Stream> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (socket, peer) = rustix::net::acceptfrom_with(&self.socket, flags)?;
        let peer = peer.ok_or(Errno::CONNABORTED)?;
        self.security
            .over(TcpSocket::accepted(socket, SocketAddr::try_from(peer)?))
    }

    fn close(&self) {
        // It listens no more from here on, though the descriptor may live on: another may bind.
        let _ = rustix::net::shutdown(&self.socket, Shutdown::Both);
    }

    /// Who may connect is the certificates' affair, and the tokens'.
    fn admits(&self, _peer: &Caller) -> bool {
        true
    }
}
