//! What can go wrong, one type per family of operations.
//!
//! * [`OpenError`]: opening a bus.
//! * [`ServeError`]: starting a server.
//! * [`CallError`]: a request, whatever its verb; it says its [`Fate`], its [`Stage`], and whether it is worth another try.
//! * [`MethodError`]: the same beside a method's own error type, which arrives as itself.
//! * [`RemoteError`]: a method's own error where its type is not known here.
//! * [`Error`]: any of them, for `main` and for `?`.

mod call;
mod fate;
mod method;
mod nearest;
mod open;
#[cfg(test)]
mod page;
mod printable;
mod remote;
mod serve;
mod told;
#[cfg(test)]
mod travel;
mod wire;

pub use call::{CallError, CallErrorKind};
pub use fate::{Fate, Stage};
pub(crate) use method::failure_of;
pub use method::{ApplicationError, MethodError, ReplyError};
pub(crate) use nearest::nearest;
pub use open::OpenError;
pub use remote::RemoteError;
pub use serve::ServeError;
pub use wire::WireFailure;

use std::fmt;

use crate::authorise::PatternError;
use crate::token::TokenError;

/// Any failure of the bus: what `main` returns.
///
/// Its `Debug` is its text, which is what a `main` that returns it prints; `{:#?}` shows its parts.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A bus could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A server could not be started.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A request failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A text is no pattern of a rule.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// There is no such token.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return fmt::Display::fmt(self, f);
        }
        let (name, parts): (&str, &dyn fmt::Debug) = match self {
            Error::Open(error) => ("Open", error),
            Error::Serve(error) => ("Serve", error),
            Error::Call(error) => ("Call", error),
            Error::Pattern(error) => ("Pattern", error),
            Error::Token(error) => ("Token", error),
        };
        f.debug_tuple(name).field(parts).finish()
    }
}

/// A result of the bus.
pub type Result<T, E = Error> = std::result::Result<T, E>;
