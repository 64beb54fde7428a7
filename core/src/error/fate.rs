//! What is known about the handler of a request that failed (C-OC).

use std::fmt;

/// What is known about the handler when a request fails. It may be told weaker than the truth, never stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// No handler ran and none will: the message never left whole.
    NotSent,
    /// The peer had it, and promises that the handler did not start and will not.
    NotExecuted,
    /// The handler was started and ended; its value is not available.
    Executed,
    /// It was handed over and no answer came: it ran, or is running, or never ran.
    Unknown,
}

impl Fate {
    /// Whether sending the request again cannot run its handler twice.
    pub const fn is_safe_to_repeat(self) -> bool {
        matches!(self, Fate::NotSent | Fate::NotExecuted)
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fate::NotSent => "not sent",
            Fate::NotExecuted => "not executed",
            Fate::Executed => "executed",
            Fate::Unknown => "fate unknown",
        })
    }
}

/// Where a request stood when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Stage {
    /// Being made: names, options, encoding.
    Preparing,
    /// Waiting for a connection.
    Connecting,
    /// In a queue of this process.
    QueuedHere,
    /// Handed to the transport.
    Sent,
    /// Where it was to be given to a server: there was none, or none that could take it.
    Routing,
    /// At its server, before its handler.
    Accepted,
    /// Its handler had been started.
    Running,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Preparing => "while preparing it",
            Stage::Connecting => "while connecting",
            Stage::QueuedHere => "while queued here",
            Stage::Sent => "after it was sent",
            Stage::Routing => "on the way to a server",
            Stage::Accepted => "at the server, before its handler",
            Stage::Running => "while its handler ran",
        })
    }
}
