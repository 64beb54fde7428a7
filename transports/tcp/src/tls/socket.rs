//! A connection under TLS.

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::{ClientConnection, Connection, ServerConfig, ServerConnection};
use tidings_core::Caller;
use tidings_core::link::Socket;
use tidings_core::runtime::Interest;

use super::{Client, PROTOCOL, identity, words};
use crate::socket::TcpSocket;

/// A TCP connection, and what rustls keeps of it: records that are not whole yet, plain bytes that
/// nobody has read, records that the kernel has no room for. Each is bounded by rustls, to some
/// 64 KiB.
pub(crate) struct TlsSocket {
    tcp: TcpSocket,
    // One task uses it, and never two of its methods at a time: nobody waits for this lock.
    state: Mutex<State>,
    holds_input: AtomicBool,
    holds_output: AtomicBool,
}

struct State {
    connection: Connection,
    /// Plain bytes that can be read.
    unread: usize,
    /// What comes behind them: the end, or what broke the connection.
    end: Option<io::Result<()>>,
}

impl TlsSocket {
    /// The member's end.
    pub(crate) fn connect(tcp: TcpSocket, client: &Client, place: usize) -> io::Result<TlsSocket> {
        let name = client.names.get(place).cloned();
        let name = name.ok_or(io::ErrorKind::NotFound)?;
        let connection = ClientConnection::new(client.config.clone(), name);
        Ok(TlsSocket::over(
            tcp,
            connection.map_err(io::Error::other)?.into(),
        ))
    }

    /// The hub's end.
    pub(crate) fn accept(tcp: TcpSocket, config: Arc<ServerConfig>) -> io::Result<TlsSocket> {
        let connection = ServerConnection::new(config);
        Ok(TlsSocket::over(
            tcp,
            connection.map_err(io::Error::other)?.into(),
        ))
    }

    fn over(tcp: TcpSocket, connection: Connection) -> TlsSocket {
        TlsSocket {
            tcp,
            state: Mutex::new(State {
                connection,
                unread: 0,
                end: None,
            }),
            holds_input: AtomicBool::new(false),
            holds_output: AtomicBool::new(false),
        }
    }

    /// What is below.
    pub(crate) fn tcp(&self) -> &TcpSocket {
        &self.tcp
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `work`, and notes what is held after it.
    fn with<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let outcome = work(&mut state);
        let holds_input = state.unread > 0 || state.end.is_some();
        self.holds_input.store(holds_input, Ordering::Relaxed);
        let holds_output = state.connection.wants_write();
        self.holds_output.store(holds_output, Ordering::Relaxed);
        outcome
    }
}

impl State {
    /// Writes the records that there are.
    fn flush(&mut self, tcp: &TcpSocket) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut &*tcp) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads from the kernel once, and decrypts what is whole; `false` at the end of the stream.
    fn fill(&mut self, tcp: &TcpSocket) -> io::Result<bool> {
        let read = loop {
            match self.connection.read_tls(&mut &*tcp) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        match self.connection.process_new_packets() {
            Ok(now) => self.unread = now.plaintext_bytes_to_read(),
            Err(error) => {
                // The peer is told why, if that can be written at once.
                let _ = self.flush(tcp);
                return Err(words::told(error));
            }
        }
        Ok(read > 0)
    }

    /// Plain bytes that were decrypted before.
    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let read = self.connection.reader().read(buffer).unwrap_or(0);
        self.unread = self.unread.saturating_sub(read);
        read
    }

    fn establish(&mut self, tcp: &TcpSocket) -> io::Result<Option<Interest>> {
        loop {
            match self.flush(tcp) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Some(Interest::Write));
                }
                Err(error) => return Err(error),
            }
            if !self.connection.is_handshaking() {
                return match self.connection.alpn_protocol() {
                    Some(PROTOCOL) => Ok(None),
                    _ => Err(words::another_protocol()),
                };
            }
            match self.fill(tcp) {
                Ok(true) => {}
                Ok(false) => return Err(words::closed_early()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Some(Interest::Read));
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn read(&mut self, tcp: &TcpSocket, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        loop {
            while self.unread > 0 {
                let Some(room @ [_, ..]) = buffer.get_mut(filled..) else {
                    return Ok(filled);
                };
                match self.take(room) {
                    0 => self.unread = 0,
                    read => filled += read,
                }
            }
            if self.end.is_none() && filled < buffer.len() {
                match self.fill(tcp) {
                    Ok(true) => continue,
                    Ok(false) => self.end = Some(Ok(())),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return if filled > 0 { Ok(filled) } else { Err(error) };
                    }
                    Err(error) => self.end = Some(Err(error)),
                }
            }
            return match (filled, self.end.take()) {
                (0, Some(end)) => end.map(|()| 0),
                (filled, end) => {
                    self.end = end;
                    Ok(filled)
                }
            };
        }
    }

    fn write(&mut self, tcp: &TcpSocket, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.connection.is_handshaking() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        // Nothing is taken before what was taken earlier has left: so little is held, and a peer
        // that does not read is noticed.
        self.flush(tcp)?;
        let taken = self.connection.writer().write_vectored(slices)?;
        match self.flush(tcp) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }
}

impl AsFd for TlsSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }
}

impl Socket for TlsSocket {
    fn establish(&self) -> io::Result<Option<Interest>> {
        if let Some(needs) = self.tcp.establish()? {
            return Ok(Some(needs));
        }
        let to = self.tcp.to();
        let outcome = self.with(|state| state.establish(&self.tcp));
        outcome.map_err(|error| io::Error::new(error.kind(), format!("{to}: {error}")))
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.with(|state| state.read(&self.tcp, buffer))
    }

    fn holds_input(&self) -> bool {
        self.holds_input.load(Ordering::Relaxed)
    }

    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.with(|state| state.write(&self.tcp, slices))
    }

    fn holds_output(&self) -> bool {
        self.holds_output.load(Ordering::Relaxed)
    }

    fn flush(&self) -> io::Result<()> {
        self.with(|state| state.flush(&self.tcp))
    }

    /// By the certificate that the handshake has verified; where none was asked for, there is none.
    fn peer(&self) -> io::Result<Caller> {
        let caller = self.tcp.peer()?;
        let state = self.lock();
        let certificates = state.connection.peer_certificates().unwrap_or_default();
        let name = certificates.first().and_then(identity::name_in);
        Ok(match name {
            Some(name) => caller.with_name(name),
            None => caller,
        })
    }
}

impl Drop for TlsSocket {
    /// The end is told within TLS as well, if that can be written at once. Nobody relies on it: the
    /// session has its own word for it (PR-CLOSE).
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        state.connection.send_close_notify();
        let _ = state.flush(&self.tcp);
    }
}
