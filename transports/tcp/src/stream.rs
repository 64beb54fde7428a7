//! What a connection's bytes pass through: TCP, and TLS over it where that is wanted.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd};

use tidings_core::Caller;
use tidings_core::link::Socket;
use tidings_core::runtime::Interest;

use crate::socket::TcpSocket;
#[cfg(feature = "tls")]
use crate::tls::TlsSocket;

/// A connection, encrypted or not.
pub(crate) enum Stream {
    Plain(TcpSocket),
    #[cfg(feature = "tls")]
    Tls(Box<TlsSocket>),
}

impl Stream {
    /// What is below.
    pub(crate) fn tcp(&self) -> &TcpSocket {
        match self {
            Stream::Plain(tcp) => tcp,
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.tcp(),
        }
    }

    fn socket(&self) -> &dyn Socket {
        match self {
            Stream::Plain(tcp) => tcp,
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => &**tls,
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp().as_fd()
    }
}

impl Socket for Stream {
    fn establish(&self) -> io::Result<Option<Interest>> {
        self.socket().establish()
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket().read(buffer)
    }

    fn read_vectored(&self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.socket().read_vectored(slices)
    }

    fn holds_input(&self) -> bool {
        self.socket().holds_input()
    }

    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket().write(slices)
    }

    fn holds_output(&self) -> bool {
        self.socket().holds_output()
    }

    fn flush(&self) -> io::Result<()> {
        self.socket().flush()
    }

    fn peer(&self) -> io::Result<Caller> {
        self.socket().peer()
    }
}
