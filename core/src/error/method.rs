//! A method's own errors.

use std::any::Any;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec;
use crate::error::{CallError, CallErrorKind, Error, Fate, RemoteError, Stage};
use crate::payload::Payload;
use crate::promise::PromiseError;
use crate::reply::ApplicationFailure;

/// What a method's own error type must be: printable, and able to travel. Implemented for every such type.
pub trait ApplicationError:
    Serialize + DeserializeOwned + fmt::Display + fmt::Debug + Send + 'static
{
}

impl<T: Serialize + DeserializeOwned + fmt::Display + fmt::Debug + Send + 'static> ApplicationError
    for T
{
}

/// Why a method that has an error type of its own failed: with that error, or by the bus.
#[derive(Debug, Clone)]
pub enum MethodError<A> {
    /// The method ran and returned this error.
    Application(A),
    /// The bus could not bring back the method's result.
    Call(CallError),
}

impl<A> MethodError<A> {
    /// What is known about the handler; `Executed` for the application's own error.
    pub fn fate(&self) -> Fate {
        match self {
            MethodError::Application(_) => Fate::Executed,
            MethodError::Call(error) => error.fate(),
        }
    }

    /// Whether sending the request again cannot run its handler twice.
    pub fn is_retryable(&self) -> bool {
        match self {
            MethodError::Application(_) => false,
            MethodError::Call(error) => error.is_retryable(),
        }
    }

    /// The bus's failure, where that is what failed.
    pub fn call(&self) -> Option<&CallError> {
        match self {
            MethodError::Application(_) => None,
            MethodError::Call(error) => Some(error),
        }
    }

    /// The application's own error, where that is what failed.
    pub fn application(&self) -> Option<&A> {
        match self {
            MethodError::Application(error) => Some(error),
            MethodError::Call(_) => None,
        }
    }
}

impl<A: fmt::Display> fmt::Display for MethodError<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MethodError::Application(error) => error.fmt(f),
            MethodError::Call(error) => error.fmt(f),
        }
    }
}

impl<A: fmt::Display + fmt::Debug> std::error::Error for MethodError<A> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            MethodError::Application(_) => None,
            MethodError::Call(error) => std::error::Error::source(error),
        }
    }
}

impl<A> From<CallError> for MethodError<A> {
    fn from(error: CallError) -> Self {
        MethodError::Call(error)
    }
}

impl<A> From<PromiseError> for MethodError<A> {
    fn from(error: PromiseError) -> Self {
        MethodError::Call(error.into())
    }
}

impl<A: ApplicationError> From<MethodError<A>> for Error {
    fn from(error: MethodError<A>) -> Self {
        Error::Call(match error {
            MethodError::Call(error) => error,
            MethodError::Application(error) => {
                let details = codec::encode(&error, codec::DEFAULT_MAX_MESSAGE).unwrap_or_default();
                let remote = RemoteError::new(kind_of::<A>(), error.to_string(), details);
                CallError::new(
                    CallErrorKind::Remote(remote),
                    Fate::Executed,
                    Stage::Running,
                )
            }
        })
    }
}

/// The error side of a promise: [`CallError`] where the method has no error type of its own, else [`MethodError`].
pub trait ReplyError: From<CallError> + From<PromiseError> + Send + Sized + 'static {
    /// Makes the application's failure, whose `report` is the bus's view of it, this type.
    #[doc(hidden)]
    fn of_application(
        failure: ApplicationFailure,
        report: impl FnOnce(RemoteError) -> CallError,
    ) -> Self;

    /// The bus's failure, where that is what this is.
    #[doc(hidden)]
    fn as_call(&self) -> Option<&CallError>;
}

impl ReplyError for CallError {
    fn of_application(
        failure: ApplicationFailure,
        report: impl FnOnce(RemoteError) -> CallError,
    ) -> Self {
        report(failure.into_remote())
    }

    fn as_call(&self) -> Option<&CallError> {
        Some(self)
    }
}

impl<A: ApplicationError> ReplyError for MethodError<A> {
    fn of_application(
        failure: ApplicationFailure,
        report: impl FnOnce(RemoteError) -> CallError,
    ) -> Self {
        let ApplicationFailure {
            kind,
            message,
            error,
        } = failure;
        // Two types may encode alike: the kind decides whether this is the error that the caller named.
        if kind != kind_of::<A>() {
            return MethodError::Call(report(
                ApplicationFailure {
                    kind,
                    message,
                    error,
                }
                .into_remote(),
            ));
        }
        match error.peek_then_take::<A>() {
            Ok(error) => MethodError::Application(error),
            Err(error) => MethodError::Call(report(
                ApplicationFailure {
                    kind,
                    message,
                    error,
                }
                .into_remote(),
            )),
        }
    }

    fn as_call(&self) -> Option<&CallError> {
        self.call()
    }
}

/// The short name of a type, without its path: what a `RemoteError` calls its kind.
pub(crate) fn kind_of<A>() -> &'static str {
    let full = std::any::type_name::<A>();
    let generic = full.find('<').unwrap_or(full.len());
    let start = full[..generic].rfind("::").map_or(0, |at| at + 2);
    &full[start..]
}

/// The application's failure from a value of its error type.
pub(crate) fn failure_of<A: ApplicationError>(error: A) -> ApplicationFailure {
    let call = (&error as &dyn Any).downcast_ref::<CallError>();
    // Another service's own error goes on as what it is (C-OC-3).
    if let Some(remote) = call.and_then(CallError::remote) {
        return ApplicationFailure {
            kind: remote.kind.clone(),
            message: remote.message.clone(),
            error: Payload::Bytes(remote.details.clone()),
        };
    }
    ApplicationFailure {
        kind: kind_of::<A>().into(),
        message: error.to_string(),
        error: Payload::value(error),
    }
}

#[cfg(test)]
mod tests {
    use super::kind_of;

    #[test]
    fn a_kind_is_the_type_without_its_path() {
        assert_eq!(kind_of::<String>(), "String");
        assert_eq!(
            kind_of::<Vec<std::string::String>>(),
            "Vec<alloc::string::String>"
        );
        assert_eq!(kind_of::<u8>(), "u8");
    }
}
