//! Who is the hub: the one place where that is decided, at any time and as often as needed.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tidings_core::OpenError;
use tidings_core::link::{self, Meet};

use crate::dial::dial;
use crate::listen::{Lock, UnixListener};
use crate::options::{Options, Wanted};
use crate::place::Place;
use crate::socket::UnixSocket;

/// What this process is at an address.
pub(crate) type Standing = link::Standing<UnixSocket, UnixListener>;

/// How long it may take until somebody who holds the lock can be connected to: they bind at once.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(2);

/// Decides the role at `place`, when it is opened.
pub(crate) fn decide(place: &Arc<Place>, options: &Options) -> Result<Standing, OpenError> {
    let started = Instant::now();
    loop {
        let error = match attempt(place, options)? {
            Step::Decided(standing) => return Ok(standing),
            Step::NotYet(error) => error,
        };
        if started.elapsed() > PATIENCE {
            let advice = "somebody holds its lock and does not accept connections";
            return Err(place.not_connected(advice, error));
        }
        thread::sleep(PAUSE);
    }
}

/// What one attempt has come to.
enum Step {
    Decided(Standing),
    /// Somebody is just about to serve it, or has too many in front of the door.
    NotYet(io::Error),
}

/// One attempt, which does not wait.
///
/// The lock tells who may serve; a connection tells who does. A socket that refuses connections
/// while the lock can be taken is stale, and is replaced (T18); one that accepts is never touched
/// (T17).
fn attempt(place: &Arc<Place>, options: &Options) -> Result<Step, OpenError> {
    let error = match (dial(place, &options.uids), options.role) {
        (Ok(_), Wanted::Hub) => return Err(place.in_use()),
        (Ok(socket), _) => return Ok(Step::Decided(Standing::Member(socket))),
        (Err(error), _) => error,
    };
    match error.kind() {
        io::ErrorKind::PermissionDenied if is_about_the_user(&error) => {
            return Err(place.refused(error.to_string()));
        }
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            if options.role == Wanted::Member {
                return Err(place.not_connected("start the process that serves it", error));
            }
            if let Some(listener) = take(place, options)? {
                return Ok(Step::Decided(Standing::Hub(listener)));
            }
            // Somebody has the lock and does not listen yet, or no longer.
        }
        io::ErrorKind::WouldBlock => {} // Too many are waiting to be accepted.
        _ => return Err(place.not_connected("check its permissions", error)),
    }
    Ok(Step::NotYet(error))
}

/// Comes back to an address whose hub has gone: the same is decided again.
pub(crate) struct Returner {
    place: Arc<Place>,
    options: Options,
}

impl Returner {
    pub(crate) fn new(place: Arc<Place>, options: Options) -> Returner {
        Returner { place, options }
    }
}

impl Meet for Returner {
    type Socket = UnixSocket;
    type Listener = UnixListener;

    fn meet(&self) -> io::Result<Standing> {
        match attempt(&self.place, &self.options) {
            Ok(Step::Decided(standing)) => Ok(standing),
            Ok(Step::NotYet(error)) => Err(error),
            Err(refused) => Err(io::Error::other(refused)),
        }
    }
}

/// Becomes the hub, if the lock can be had and the socket is still one that nobody serves.
fn take(place: &Arc<Place>, options: &Options) -> Result<Option<UnixListener>, OpenError> {
    let cannot = |error| place.cannot_serve("check its directory and path", error);
    let Some(lock) = Lock::take(place).map_err(cannot)? else {
        return Ok(None);
    };
    // Looked at again now that nobody else can take it: the probe may have been before another's
    // turn.
    match dial(place, &options.uids) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) => {}
        _ => return Ok(None),
    }
    place.socket_at(place.name()).map_err(cannot)?; // Not over a file that is no socket.
    UnixListener::bind(place, &options.uids, lock)
        .map(Some)
        .map_err(cannot)
}

/// Whether it is our own refusal of the hub's user, and not the file's mode.
fn is_about_the_user(error: &io::Error) -> bool {
    error.raw_os_error().is_none()
}
