//! What a queue does that is full.

/// What happens to a request that finds a queue full.
///
/// Each queue has the policy of whom it belongs to: a server's queue that of the server
/// ([`ServerBuilder::when_full`](crate::ServerBuilder::when_full)), a connection's queue that of the handle that sends
/// ([`Bus::with_when_full`](crate::Bus::with_when_full)). What each means for `cast`, `call` and `invoke` on every transport
/// stands in one table, in `docs/overload.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum WhenFull {
    /// It fails at once: a call as `Busy` or `QueueFull`, a cast as `QueueFull` where the queue is in its sender's
    /// sight. Nothing is lost unnoticed.
    #[default]
    Reject,
    /// It waits for room, within its deadline, in a line of its sender's that is bounded as well.
    Block,
    /// It takes the place of the oldest request that waits. This makes a *lossy* queue, for what is out of date as soon
    /// as there is something newer: positions, samples. Calls that lose their place are told `Busy`, lost casts are
    /// counted.
    DropOldest,
}
