//! What a byte transport supplies: sockets, and the two ways to get one.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;

use crate::bus::Caller;

/// A connected stream socket in non-blocking mode.
///
/// Reads and writes are single attempts; `WouldBlock` is waited for by whoever calls.
pub trait Socket: AsFd + Send + Sync + 'static {
    /// Reads what there is into `buffer`. 0 is the end of the stream.
    ///
    /// # Errors
    /// The system's.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes some of `slices`.
    ///
    /// # Errors
    /// The system's.
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Who is at the other end, as the kernel or the handshake below tells it, never the peer
    /// itself (S10).
    ///
    /// # Errors
    /// The system's.
    fn peer(&self) -> io::Result<Caller>;
}

/// A listening socket in non-blocking mode. Dropping it closes it.
pub trait Listener: AsFd + Send + Sync + 'static {
    /// What it accepts.
    type Socket: Socket;

    /// Takes the next connection.
    ///
    /// # Errors
    /// The system's; `WouldBlock` when there is none.
    fn accept(&self) -> io::Result<Self::Socket>;

    /// Gives the address up at once: nobody can connect from here on, and somebody else may take
    /// it. Idempotent.
    fn close(&self);

    /// Whether `peer` may connect. Asked before its first byte is read (S2).
    fn admits(&self, peer: &Caller) -> bool;
}

/// Makes connections to one hub.
pub trait Dial: Send + Sync + 'static {
    /// What it makes.
    type Socket: Socket;

    /// Tries to connect, without waiting. `WouldBlock` means that the hub has too many in front of
    /// its door: it is tried again soon.
    ///
    /// # Errors
    /// The system's.
    fn dial(&self) -> io::Result<Self::Socket>;
}

/// What somebody finds who comes to an address.
pub enum Standing<S, L> {
    /// Somebody serves it, and this is a connection to them.
    Member(S),
    /// Nobody did: now this process does.
    Hub(L),
}

/// An address that whoever comes may connect to or, where nobody serves it, serve.
pub trait Meet: Send + Sync + 'static {
    /// A connection to whoever serves it.
    type Socket: Socket;
    /// What serves it. Nobody else can have one at the same time, whatever happens: that is the one thing on which all
    /// depends.
    type Listener: Listener;

    /// One attempt, which does not wait. It is made again, soon and then less often.
    ///
    /// # Errors
    /// Why it can be neither connected to nor served at this moment; somebody may just be about to serve it.
    fn meet(&self) -> io::Result<Standing<Self::Socket, Self::Listener>>;
}
