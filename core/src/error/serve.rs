//! Why a server could not be started.

use crate::error::CallError;
use crate::name::NameError;

/// Why a server could not be started. Nothing was registered.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A name is not one.
    #[error("server not started: {0}")]
    Name(#[from] NameError),
    /// Two handlers were given for one method (and not "the last one wins").
    #[error("topic `{topic}` has two handlers for method `{method}`: register each method once")]
    AlreadyRegistered {
        /// The topic.
        topic: String,
        /// The method.
        method: String,
    },
    /// The server has no method at all.
    #[error(
        "server on topic `{topic}` has no methods: add one with `.on(name, handler)` before `.start()`"
    )]
    NoMethods {
        /// The topic.
        topic: String,
    },
    /// A limit of zero would never run anything.
    #[error("{limit} of the server on `{topic}` is 0: nothing would ever run; use at least 1")]
    ZeroLimit {
        /// The topic.
        topic: String,
        /// Which limit.
        limit: &'static str,
    },
    /// Another server on the topic has the name.
    #[error(
        "topic `{topic}` has a server named `{server}` already: choose another name or leave it out"
    )]
    NameTaken {
        /// The topic.
        topic: String,
        /// The name.
        server: String,
    },
    /// The bus was closed, or the server itself.
    #[error("server on `{topic}` not started: it is closed, or its bus is")]
    Closed {
        /// The topic.
        topic: String,
    },
    /// The hub did not register the server.
    #[error("server on `{topic}` not registered: {reason}")]
    NotRegistered {
        /// The topic.
        topic: String,
        /// Why.
        reason: CallError,
    },
}
