//! A request to every server on its topic.

use std::fmt;

use serde::de::DeserializeOwned;

use crate::bus::{CastWhenRoom, Gather, Request};
use crate::error::{CallError, ReplyError};

/// A request to every server that is on the topic at the moment of sending (C-AD-4): none that starts later, and nothing
/// crosses from one exchange into another. Made by [`Request::fanout`]; it has no `call`, which would have one reply:
///
/// ```compile_fail,E0599
/// # fn show(bus: &tidings_core::Bus) {
/// bus.request::<String>("greeter.hello", &"Ada").fanout().call();
/// # }
/// ```
///
/// Dropped without a verb, it was never sent.
#[must_use = "nothing is sent before a verb: `.cast()` or `.gather()`"]
pub struct FanoutRequest<T, E = CallError>(Request<T, E>);

impl<T, E> FanoutRequest<T, E> {
    pub(super) fn new(request: Request<T, E>) -> Self {
        FanoutRequest(request)
    }

    /// Sends every server a copy and wants no reply. Never blocks. Over sockets one message leaves this process, and is
    /// copied at the hub.
    ///
    /// It is taken by all servers together: while one of them has no room, it waits for it (on its way), or is refused
    /// (where this process sees the servers' queues). But a server whose queue has been full for 100 ms is not waited
    /// for: until half of its queue is free it misses what it has no room for, and counts that
    /// ([`Server::missed`](crate::Server::missed)). So a slow server holds the others up for a moment, a dead one not
    /// at all. Where every copy has to arrive, [`gather`](Self::gather) tells which did.
    ///
    /// # Errors
    /// As [`Request::cast`]; `QueueFull` then says that nobody got it. One server that takes it is enough for `Ok`.
    pub fn cast(self) -> Result<(), CallError> {
        self.0.cast()
    }

    /// As [`cast`](Self::cast), but waits for room: `.await` it, or [`wait`](CastWhenRoom::wait) on it. Dropped before it
    /// resolved, it was not sent.
    pub fn cast_when_room(self) -> CastWhenRoom {
        self.0.cast_when_room()
    }
}

impl<T, E> FanoutRequest<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: ReplyError,
{
    /// Calls every server and brings each one's answer. On its way when this returns, as by
    /// [`invoke`](Request::invoke); the request's deadline is one for all of it.
    ///
    /// ```
    /// # use tidings_core::Bus;
    /// # fn show(bus: &Bus) -> tidings_core::Result<()> {
    /// let everyone = bus.request::<String>("greeter.hello", &"Ada").fanout();
    /// for (server, result) in everyone.gather().wait()? {
    ///     match result {
    ///         Ok(text) => println!("{server}: {text}"),
    ///         Err(error) => println!("{server} failed: {error}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn gather(self) -> Gather<T, E> {
        Gather::start(self.0.draft)
    }
}

impl<T, E> fmt::Debug for FanoutRequest<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FanoutRequest").field(&self.0).finish()
    }
}
