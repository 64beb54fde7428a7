//! A method's own error, where its type is not known.

use crate::error::printable::printable;

/// An error of the application that arrived without its type: the caller did not name one, or the two sides have
/// different ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", printable(kind), printable(message))]
#[non_exhaustive]
pub struct RemoteError {
    /// The short name of the error's type at the server, for example `DivError`.
    pub kind: String,
    /// What it displays as, as the server said it: shown by this error with what a terminal would obey escaped.
    pub message: String,
    /// The error itself, encoded, for whoever knows its type.
    pub details: Vec<u8>,
}

impl RemoteError {
    /// An error as it came from a server.
    pub fn new(kind: impl Into<String>, message: impl Into<String>, details: Vec<u8>) -> Self {
        RemoteError {
            kind: kind.into(),
            message: message.into(),
            details,
        }
    }
}
