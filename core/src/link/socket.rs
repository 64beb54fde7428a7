//! What a byte transport supplies: sockets, and the two ways to get one.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsFd;

use crate::bus::Caller;
use crate::runtime::Interest;

/// A stream socket in non-blocking mode.
///
/// Each method is a single attempt; `WouldBlock` is waited for by whoever calls. One task uses a
/// socket. What it may have on top of the kernel's bytes (an encryption, say) is its own affair:
/// the session sees plain bytes.
pub trait Socket: AsFd + Send + Sync + 'static {
    /// Goes on with what comes before the session's first byte: the end of a connect that was
    /// begun, the handshake of an encryption. `None` when there is nothing left to do; else the
    /// direction in which an attempt just found the kernel not ready, where to go on. Called
    /// until it says `None`, and not after an error.
    ///
    /// # Errors
    /// Why it will never be established, in words for whoever tried to connect.
    fn establish(&self) -> io::Result<Option<Interest>> {
        Ok(None)
    }

    /// Reads what there is into `buffer`, until that is full or the kernel has no more, or the socket
    /// [holds more](Self::holds_input). 0 is the end of the stream.
    ///
    /// # Errors
    /// The system's, or that of what is on top.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// The same into `slices`, one after the other. What one of them fails with behind bytes that were read is left to the
    /// next call, which may find no more of it than that the stream has ended.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn read_vectored(&self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut total = 0;
        for slice in slices {
            match self.read(slice) {
                Ok(read) => {
                    total += read;
                    if read < slice.len() {
                        break;
                    }
                }
                Err(_) if total > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }

    /// Whether there may be bytes to [`read`](Self::read) that the kernel does not tell of, or has told of already.
    fn holds_input(&self) -> bool {
        false
    }

    /// Takes some of `slices`, in order to write them.
    ///
    /// # Errors
    /// The system's, or that of what is on top. `WouldBlock` only where the kernel said so.
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Whether it has taken bytes that the kernel has not: [`flush`](Self::flush) goes on with
    /// them.
    fn holds_output(&self) -> bool {
        false
    }

    /// Writes what it holds.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    /// Who is at the other end, as the kernel or the handshake tells it, never the peer itself
    /// (S10). Asked once the socket is established.
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

    /// Whether `peer` may connect. Asked before the first byte of its session is read (S2).
    fn admits(&self, peer: &Caller) -> bool;
}

/// Makes connections to one hub.
pub trait Dial: Send + Sync + 'static {
    /// What it makes.
    type Socket: Socket;

    /// Finds out where the hub may be: the number of places, at least 1. Called before the first
    /// [`dial`](Self::dial) of a round.
    ///
    /// # Errors
    /// Nothing is known of any place; the round is over.
    fn look_up(&self) -> io::Result<usize> {
        Ok(1)
    }

    /// Whether [`look_up`](Self::look_up) may block, so that it is called on a thread where that
    /// harms nobody.
    fn look_up_blocks(&self) -> bool {
        false
    }

    /// Begins to connect to the next place of the round, without waiting: what is left to do is
    /// the socket's [`establish`](Socket::establish). `WouldBlock` means that the hub has too many
    /// in front of its door: it is tried again soon.
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
