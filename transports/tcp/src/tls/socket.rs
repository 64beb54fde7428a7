//! A connection under TLS.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::ServerConfig;
use tidings_core::Caller;
use tidings_core::link::Socket;
use tidings_core::runtime::Interest;

use super::records::{Records, Room};
use super::{Client, PROTOCOL, identity, words};
use crate::socket::TcpSocket;

/// A TCP connection, and the records on it.
pub(crate) struct TlsSocket {
    tcp: TcpSocket,
    // One task uses it, and never two of its methods at a time: nobody waits for this lock.
    state: Mutex<State>,
    holds_input: AtomicBool,
    holds_output: AtomicBool,
}

struct State {
    records: Records,
    /// The last read took all that there was room for.
    may_have_more: bool,
    /// What comes behind the plain bytes that can be read: the end, or what broke the connection.
    end: Option<io::Result<()>>,
}

impl TlsSocket {
    /// The member's end.
    pub(crate) fn connect(tcp: TcpSocket, client: &Client, place: usize) -> io::Result<TlsSocket> {
        let name = client.names.get(place).cloned();
        let name = name.ok_or(io::ErrorKind::NotFound)?;
        Ok(TlsSocket::over(
            tcp,
            Records::client(client.config.clone(), name)?,
        ))
    }

    /// The hub's end.
    pub(crate) fn accept(tcp: TcpSocket, config: Arc<ServerConfig>) -> io::Result<TlsSocket> {
        Ok(TlsSocket::over(tcp, Records::server(config)?))
    }

    fn over(tcp: TcpSocket, records: Records) -> TlsSocket {
        TlsSocket {
            tcp,
            state: Mutex::new(State {
                records,
                may_have_more: false,
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
        let holds_input = state.records.has_opened() || state.may_have_more || state.end.is_some();
        self.holds_input.store(holds_input, Ordering::Relaxed);
        let holds_output = state.records.has_outgoing();
        self.holds_output.store(holds_output, Ordering::Relaxed);
        outcome
    }
}

impl State {
    /// Writes the records that there are.
    fn flush(&mut self, tcp: &TcpSocket) -> io::Result<()> {
        while self.records.has_outgoing() {
            match tcp.write(&[IoSlice::new(self.records.outgoing())]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.records.sent(written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads from the kernel once, and opens what is whole; `false` at the end of the stream.
    fn fill(&mut self, tcp: &TcpSocket, room: &mut Room<'_, '_>) -> io::Result<bool> {
        loop {
            self.may_have_more = false;
            match self.records.receive(room, |buffer| tcp.read(buffer)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    if error.kind() != io::ErrorKind::WouldBlock {
                        // The peer is told why, if that can be written at once.
                        let _ = self.flush(tcp);
                    }
                    return Err(error);
                }
                Ok((received, may_have_more)) => {
                    self.may_have_more = may_have_more;
                    return Ok(received > 0 && !self.records.is_closed());
                }
            }
        }
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
            if !self.records.state().is_handshaking() {
                return match self.records.state().alpn_protocol() {
                    Some(PROTOCOL) => Ok(None),
                    _ => Err(words::another_protocol()),
                };
            }
            match self.fill(tcp, &mut Room::new(&mut [])) {
                Ok(true) => {}
                Ok(false) => return Err(words::closed_early()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Some(Interest::Read));
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn read(&mut self, tcp: &TcpSocket, mut room: Room<'_, '_>) -> io::Result<usize> {
        self.records.take(&mut room);
        // What was there goes first, so that what has no room is never more than came at once.
        while room.filled() == 0 && self.end.is_none() {
            match self.fill(tcp, &mut room) {
                Ok(true) => {}
                Ok(false) => self.end = Some(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                Err(error) => self.end = Some(Err(error)),
            }
        }
        match (room.filled(), self.end.take()) {
            (0, Some(end)) => end.map(|()| 0),
            (filled, end) => {
                self.end = end;
                Ok(filled)
            }
        }
    }

    fn write(&mut self, tcp: &TcpSocket, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.records.state().is_handshaking() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        // Nothing is taken before what was taken earlier has left: so little is held, and a peer
        // that does not read is noticed.
        self.flush(tcp)?;
        let taken = self.records.seal(slices)?;
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
        self.read_vectored(&mut [IoSliceMut::new(buffer)])
    }

    fn read_vectored(&self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.with(|state| state.read(&self.tcp, Room::new(slices)))
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
        let certificates = state
            .records
            .state()
            .peer_certificates()
            .unwrap_or_default();
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
        state.records.close();
        let _ = state.flush(&self.tcp);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::super::records::{RECEIVED, tests::ends};
    use super::*;
    use crate::timing::Timing;

    /// A connection over loopback, on which the handshake has ended.
    fn pair() -> [TlsSocket; 2] {
        let (client, hub) = ends();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp = TcpSocket::connect(listener.local_addr().unwrap(), Timing::default()).unwrap();
        let (far, peer) = listener.accept().unwrap();
        far.set_nonblocking(true).unwrap();
        let far = TcpSocket::accepted(far.into(), peer);
        let pair = [
            TlsSocket::connect(tcp, &client, 0).unwrap(),
            TlsSocket::accept(far, hub).unwrap(),
        ];
        while pair.each_ref().map(|end| end.establish().unwrap()) != [None, None] {
            thread::yield_now();
        }
        pair
    }

    #[test]
    fn who_reads_little_at_a_time_has_no_more_kept_than_comes_at_once() {
        const ALL: usize = 2 << 20;
        let [near, far] = pair();
        let (mut written, mut read) = (0, 0);
        let mut buffer = [0; 1000];
        while read < ALL {
            let rest = vec![7; (ALL - written).min(64 * 1024)];
            match near.write(&[IoSlice::new(&rest)]) {
                Ok(count) => written += count,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
            match far.read(&mut buffer) {
                Ok(count) => read += count,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
            assert!(far.lock().records.opened() <= RECEIVED, "after {read}");
        }
        assert_eq!((read, far.holds_input()), (ALL, false));
    }
}
