//! Why a bus could not be opened.

use std::io;
use std::sync::Arc;

use crate::name::NameError;

/// Why a bus could not be opened. No message was sent and none will be.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The address is not of the form that its scheme asks for.
    #[error("address `{address}` cannot be used: {reason}")]
    Address {
        /// The address, escaped.
        address: String,
        /// What is wrong, and what to write instead.
        reason: String,
    },
    /// No transport of this build has the address's scheme.
    #[error("no transport for scheme `{scheme}:` in `{address}`: {advice}")]
    UnknownScheme {
        /// The address, escaped.
        address: String,
        /// What stands before its colon.
        scheme: String,
        /// The feature to turn on, or the schemes that there are.
        advice: String,
    },
    /// A name in the address or the options is not one.
    #[error("bus not opened: {0}")]
    Name(#[from] NameError),
    /// The transport needs an async runtime and there is none.
    #[error(transparent)]
    NoRuntime(Arc<crate::runtime::NoRuntime>),
    /// Somebody alive serves the address already.
    #[error(
        "{address} is in use by a live process: connect to it instead, or choose another address"
    )]
    AddressInUse {
        /// The address.
        address: String,
    },
    /// The path of a socket is too long for the system.
    #[error(
        "socket path `{path}` of {length} bytes is too long: the system allows {limit}; use a shorter directory"
    )]
    PathTooLong {
        /// The path.
        path: String,
        /// Its length in bytes.
        length: usize,
        /// The system's limit in bytes.
        limit: usize,
    },
    /// The address could not be bound.
    #[error("cannot serve {address}: {advice} ({source})")]
    Bind {
        /// The address.
        address: String,
        /// What to do about it.
        advice: String,
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// The address could not be reached.
    #[error("cannot connect to {address}: {advice} ({source})")]
    NotConnected {
        /// The address.
        address: String,
        /// What to do about it.
        advice: String,
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// The transport, or this process's role there, does not allow what the options ask for.
    #[error("{what} cannot be used at {address}: {advice}")]
    Unsupported {
        /// The address.
        address: String,
        /// What was asked for.
        what: &'static str,
        /// What to do instead.
        advice: &'static str,
    },
    /// The peer at the address is refused, or refuses us.
    #[error("refused at {address}: {reason}")]
    Refused {
        /// The address.
        address: String,
        /// Why.
        reason: String,
    },
}

impl From<crate::runtime::NoRuntime> for OpenError {
    fn from(error: crate::runtime::NoRuntime) -> Self {
        OpenError::NoRuntime(Arc::new(error))
    }
}
