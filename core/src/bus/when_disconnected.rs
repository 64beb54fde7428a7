//! What becomes of requests while there is no connection.

use std::time::{Duration, Instant};

/// What becomes of a request while its bus is [disconnected](crate::connection::State::Disconnected):
/// chosen for a bus ([`BusBuilder::when_disconnected`](crate::BusBuilder::when_disconnected)) or for
/// one request ([`Request::when_disconnected`](crate::Request::when_disconnected)).
///
/// A request that waits is in the bounded queue to the connection: a full one is told as `QueueFull`,
/// a deadline that passes there as `DeadlineExceeded`; its fate is `NotSent` either way. One that does not wait, or not
/// any longer, fails as `NotConnected`, with the reason and the fate `NotSent`.
///
/// What the connection had taken already when it was lost fails then, whatever it says here: `NotSent` if it had not
/// left, else `Unknown`.
///
/// In memory, and at the hub, there is no such while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenDisconnected {
    /// It fails at once.
    FailFast,
    /// It waits for the connection, within its deadline.
    Wait,
    /// It waits until the connection has been away for this long; one that is made later fails at once. So a hub that
    /// is replaced goes unnoticed, and of one that stays away every caller learns soon.
    WaitFor(Duration),
}

impl Default for WhenDisconnected {
    /// Waits until the connection has been away for half a second.
    fn default() -> Self {
        WhenDisconnected::WaitFor(Duration::from_millis(500))
    }
}

impl WhenDisconnected {
    /// When a request stops waiting for a connection that was lost at `since`; `None` is never.
    pub(crate) fn gives_up(self, since: Instant) -> Option<Instant> {
        match self {
            WhenDisconnected::FailFast => Some(since),
            WhenDisconnected::Wait => None,
            WhenDisconnected::WaitFor(time) => since.checked_add(time),
        }
    }
}
