//! Connecting to the hub.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tidings_core::blocking::block_where_certain;
use tidings_core::link::{Dial, advice_on_scarcity};
use tidings_core::{Address, OpenError};

use crate::options::Options;
use crate::places::{Host, Place};
use crate::security::ClientSecurity;
use crate::socket::TcpSocket;
use crate::stream::Stream;
use crate::timing::Timing;

/// Addresses that are tried in one round.
const CANDIDATES: usize = 32;
/// How long one of them may take while the bus is opened.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same for all of them on a thread that has tasks to run: enough for this host and its
/// neighbours.
const GLANCE: Duration = Duration::from_millis(100);

/// Connects to the hub at one of several places.
pub(crate) struct Dialer {
    places: Vec<Place>,
    security: ClientSecurity,
    timing: Timing,
    round: Mutex<Round>,
}

/// What the places stand for, as of the last look-up, and which of it is next.
#[derive(Default)]
struct Round {
    candidates: Vec<(SocketAddr, usize)>,
    next: usize,
}

impl Dialer {
    pub(crate) fn new(
        address: &Address,
        options: &Options,
        places: Vec<Place>,
        security: ClientSecurity,
    ) -> Result<Dialer, OpenError> {
        for place in &places {
            if place.port == 0 {
                return Err(address.refuse("port 0 is for `listen`: write the hub's port"));
            }
            if place.host == Host::Any {
                return Err(address.refuse("`*` is for `listen`: write the hub's host"));
            }
        }
        Ok(Dialer {
            places,
            security,
            timing: options.timing,
            round: Mutex::default(),
        })
    }

    /// The first connection, by the thread that opens the bus: it is to be told at once when
    /// nobody listens (T15). On a thread that must not be put to sleep it may come back with one
    /// that is still connecting.
    pub(crate) fn first(&self, address: &Address) -> Result<Stream, OpenError> {
        let not_connected = |advice: &str, source| OpenError::NotConnected {
            address: address.to_string(),
            advice: advice.into(),
            source: Arc::new(source),
        };
        let count = match self.look_up() {
            Ok(count) => count,
            Err(error) => return Err(not_connected("check its host", error)),
        };
        let connected = block_where_certain(|| self.connect(count, None));
        connected
            .unwrap_or_else(|| self.connect(count, Some(Instant::now() + GLANCE)))
            .map_err(|error| {
                let advice = advice_on_scarcity(&error);
                not_connected(advice.unwrap_or("start the process that serves it"), error)
            })
    }

    /// Tries each candidate; the one that is being tried at `until` is given back as it is.
    fn connect(&self, count: usize, until: Option<Instant>) -> io::Result<Stream> {
        let mut failures: Vec<io::Error> = Vec::new();
        for _ in 0..count {
            let deadline = until.unwrap_or_else(|| Instant::now() + PATIENCE);
            let attempt = self.dial().and_then(|stream| {
                let has_connected = wait_until(stream.tcp(), deadline)?;
                if has_connected || until.is_some() {
                    return Ok(stream);
                }
                let late = format!("{}: no answer within {PATIENCE:?}", stream.tcp().to());
                Err(io::Error::new(io::ErrorKind::TimedOut, late))
            });
            match attempt {
                Ok(stream) => return Ok(stream),
                Err(error) if advice_on_scarcity(&error).is_some() => return Err(error), // As for any other.
                Err(error) => failures.push(error),
            }
        }
        let kind = failures
            .last()
            .map_or(io::ErrorKind::NotFound, io::Error::kind);
        let texts: Vec<String> = failures.iter().map(ToString::to_string).collect();
        Err(io::Error::new(kind, texts.join("; ")))
    }

    fn round(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Blocks until the connect has ended, or until `deadline`: then it says that it has not.
fn wait_until(tcp: &TcpSocket, deadline: Instant) -> io::Result<bool> {
    while !tcp.has_connected()? {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let left = Timespec::try_from(left).unwrap_or_default();
        match poll(&mut [PollFd::new(tcp, PollFlags::OUT)], Some(&left)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(true)
}

impl Dial for Dialer {
    type Socket = Stream;

    /// A host whose name cannot be looked up just now does not keep from trying the others.
    fn look_up(&self) -> io::Result<usize> {
        let mut candidates = Vec::new();
        let mut failure = None;
        for (index, place) in self.places.iter().enumerate() {
            match place.look_up() {
                Ok(found) => candidates.extend(found.into_iter().map(|at| (at, index))),
                Err(error) => failure = Some(error),
            }
        }
        candidates.truncate(CANDIDATES);
        let count = candidates.len();
        match failure {
            Some(error) if count == 0 => Err(error),
            _ => {
                *self.round() = Round {
                    candidates,
                    next: 0,
                };
                Ok(count)
            }
        }
    }

    fn look_up_blocks(&self) -> bool {
        self.places.iter().any(Place::is_named)
    }

    fn dial(&self) -> io::Result<Stream> {
        let (at, place) = {
            let mut round = self.round();
            let next = round.candidates.get(round.next).copied();
            round.next += 1;
            next.ok_or(io::ErrorKind::NotFound)?
        };
        let tcp = TcpSocket::connect(at, self.timing)?;
        self.security.over(tcp, place)
    }
}
