//! Connections at an [`Address`], whatever carries them.

use std::io::{Read, Write};
use std::net;
use std::os::unix::net as unix;

use crate::place::Address;
use crate::process;

const ALIVE: &str = "the other process is there";
const ENCRYPTED: &str = "what is raw does not encrypt";
const BINDS: &str = "the address is new";

/// A blocking connection.
pub trait Blocking: Read + Write {}
impl<S: Read + Write> Blocking for S {}

pub fn connect(address: &Address) -> Box<dyn Blocking> {
    match address {
        Address::Tls(..) => unreachable!("{ENCRYPTED}"),
        Address::Unix(path) => Box::new(unix::UnixStream::connect(path).expect(ALIVE)),
        Address::Tcp(port) => {
            let socket = net::TcpStream::connect(port).expect(ALIVE);
            socket.set_nodelay(true).expect(ALIVE);
            Box::new(socket)
        }
    }
}

/// Announces that it listens, and takes the first that connects.
pub fn accept(address: &Address) -> Box<dyn Blocking> {
    match address {
        Address::Tls(..) => unreachable!("{ENCRYPTED}"),
        Address::Unix(path) => {
            let listener = unix::UnixListener::bind(path).expect(BINDS);
            process::announce();
            Box::new(listener.accept().expect(ALIVE).0)
        }
        Address::Tcp(port) => {
            let listener = net::TcpListener::bind(port).expect(BINDS);
            process::announce();
            let (socket, _) = listener.accept().expect(ALIVE);
            socket.set_nodelay(true).expect(ALIVE);
            Box::new(socket)
        }
    }
}

/// On tokio.
pub mod tokio {
    use tokio::io::{AsyncRead, AsyncWrite};
    use tokio::net;

    use super::{ALIVE, Address, BINDS, ENCRYPTED, process};

    pub trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
    impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}

    pub async fn connect(address: &Address) -> Box<dyn Stream> {
        match address {
            Address::Tls(..) => unreachable!("{ENCRYPTED}"),
            Address::Unix(path) => Box::new(net::UnixStream::connect(path).await.expect(ALIVE)),
            Address::Tcp(port) => {
                let socket = net::TcpStream::connect(port).await.expect(ALIVE);
                socket.set_nodelay(true).expect(ALIVE);
                Box::new(socket)
            }
        }
    }

    /// Announces that it listens, and takes the first that connects.
    pub async fn accept(address: &Address) -> Box<dyn Stream> {
        match address {
            Address::Tls(..) => unreachable!("{ENCRYPTED}"),
            Address::Unix(path) => {
                let listener = net::UnixListener::bind(path).expect(BINDS);
                process::announce();
                Box::new(listener.accept().await.expect(ALIVE).0)
            }
            Address::Tcp(port) => {
                let listener = net::TcpListener::bind(port).await.expect(BINDS);
                process::announce();
                let (socket, _) = listener.accept().await.expect(ALIVE);
                socket.set_nodelay(true).expect(ALIVE);
                Box::new(socket)
            }
        }
    }
}

/// On smol.
pub mod smol {
    use smol::io::{AsyncRead, AsyncWrite};
    use smol::net;
    use smol::net::unix;

    use super::{ALIVE, Address, BINDS, ENCRYPTED, process};

    pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
    impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

    pub async fn connect(address: &Address) -> Box<dyn Stream> {
        match address {
            Address::Tls(..) => unreachable!("{ENCRYPTED}"),
            Address::Unix(path) => Box::new(unix::UnixStream::connect(path).await.expect(ALIVE)),
            Address::Tcp(port) => {
                let socket = net::TcpStream::connect(port).await.expect(ALIVE);
                socket.set_nodelay(true).expect(ALIVE);
                Box::new(socket)
            }
        }
    }

    /// Announces that it listens, and takes the first that connects.
    pub async fn accept(address: &Address) -> Box<dyn Stream> {
        match address {
            Address::Tls(..) => unreachable!("{ENCRYPTED}"),
            Address::Unix(path) => {
                let listener = unix::UnixListener::bind(path).expect(BINDS);
                process::announce();
                Box::new(listener.accept().await.expect(ALIVE).0)
            }
            Address::Tcp(port) => {
                let listener = net::TcpListener::bind(port).await.expect(BINDS);
                process::announce();
                let (socket, _) = listener.accept().await.expect(ALIVE);
                socket.set_nodelay(true).expect(ALIVE);
                Box::new(socket)
            }
        }
    }
}
