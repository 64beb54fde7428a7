//! Connecting: one round over the places where the hub may be.

use std::fmt::Write;
use std::io;
use std::sync::Arc;

use super::Shared;
use crate::link::driver::LINGER;
use crate::link::establish::Establishing;
use crate::link::socket::{Dial, Socket};
use crate::runtime::Readiness;
use crate::{Promise, PromiseError};

/// A socket that the runtime watches.
pub(super) struct Begun {
    pub(super) socket: Arc<dyn Socket>,
    pub(super) readiness: Box<dyn Readiness>,
}

/// Has the runtime watch `socket`.
pub(super) fn begin<S: Socket>(shared: &Shared, socket: S) -> io::Result<Begun> {
    let socket = Arc::new(socket);
    let readiness = shared.runtime.register(socket.clone())?;
    Ok(Begun { socket, readiness })
}

/// Brings `begun` to where the session's bytes can travel.
pub(super) async fn establish(shared: &Shared, mut begun: Begun) -> io::Result<Begun> {
    let limit = shared.options.limits.handshake;
    let mut establishing = Establishing {
        socket: &*begun.socket,
        readiness: &mut *begun.readiness,
        runtime: &*shared.runtime,
        bell: &shared.outbox.bell,
    };
    // A connection of a bus that was closed meanwhile is used still: what was accepted is to leave.
    let patience = || {
        if shared.is_closed() {
            limit.min(LINGER)
        } else {
            limit
        }
    };
    establishing.run(patience).await?;
    Ok(begun)
}

/// Tries each place once, without pauses.
pub(super) async fn round<D: Dial>(shared: &Shared, dial: &Arc<D>) -> io::Result<Begun> {
    let places = look_up(shared, dial).await?;
    let mut failed = Failed::default();
    for _ in 0..places {
        let attempt = match dial.dial().and_then(|socket| begin(shared, socket)) {
            Ok(begun) => establish(shared, begun).await,
            Err(error) => Err(error),
        };
        match attempt {
            Ok(begun) => return Ok(begun),
            Err(error) => failed.add(error),
        }
    }
    Err(failed.into())
}

async fn look_up<D: Dial>(shared: &Shared, dial: &Arc<D>) -> io::Result<usize> {
    if !dial.look_up_blocks() {
        return dial.look_up();
    }
    let (completer, looked_up) = Promise::<_, PromiseError>::channel();
    let dial = dial.clone();
    shared.runtime.spawn_blocking(Box::new(move || {
        let _nobody_waits_any_more = completer.complete(dial.look_up());
    }));
    // Broken where the runtime has ended.
    looked_up
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Why none of the places would do.
#[derive(Default)]
struct Failed {
    last: Option<io::ErrorKind>,
    text: String,
}

/// What is told at most.
const TEXT: usize = 1024;

impl Failed {
    fn add(&mut self, error: io::Error) {
        let separator = if self.last.is_some() { "; " } else { "" };
        self.last = Some(error.kind());
        if self.text.len() < TEXT {
            let _ = write!(self.text, "{separator}{error}");
        }
    }
}

impl From<Failed> for io::Error {
    fn from(failed: Failed) -> Self {
        let kind = failed.last.unwrap_or(io::ErrorKind::NotConnected);
        io::Error::new(kind, failed.text)
    }
}
