//! Why a server could not be started.

use crate::error::CallError;
use crate::name::NameError;
use crate::version::VersionError;

/// Why a server could not be started. Nothing was registered.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A name is not one.
    #[error("server not started: {0}")]
    Name(#[from] NameError),
    /// A version is not one.
    #[error("server not started: {0}")]
    Version(#[from] VersionError),
    /// Two handlers were given for one method (and not "the last one wins").
    #[error("topic `{topic}` has two handlers for method `{method}`: register each method once")]
    AlreadyRegistered {
        /// The topic.
        topic: String,
        /// The method.
        method: String,
    },
    /// An endpoint has a method that an endpoint before it has as well, which serves all its versions in all its
    /// namespaces.
    #[error(
        "no request would reach `{method}` of version {version} on topic `{topic}`: an endpoint of version {before} that is given before it has it, too; give the older one first, or leave one out"
    )]
    NeverReached {
        /// The topic.
        topic: String,
        /// The method.
        method: String,
        /// The version that would never be called.
        version: String,
        /// The version that would be called instead.
        before: String,
    },
    /// The services of one server are for different topics.
    #[error(
        "a server on topic `{topic}` cannot serve topic `{other}` as well: start a server for each topic"
    )]
    OtherTopic {
        /// The topic of the first service.
        topic: String,
        /// The other one.
        other: String,
    },
    /// The server offers more namespaces and versions than its registration can name.
    #[error(
        "server on topic `{topic}` offers {count} namespaces and versions, more than {limit}: use several topics"
    )]
    TooManyEndpoints {
        /// The topic.
        topic: String,
        /// How many it offers; an alias counts as one more.
        count: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The server, or one of its endpoints, has no method at all.
    #[error(
        "server on topic `{topic}` has no methods, or an endpoint without any: add one with `.on(name, handler)` before `.start()`"
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
