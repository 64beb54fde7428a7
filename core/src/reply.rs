//! What comes back from a request.

use serde::de::DeserializeOwned;

use crate::codec::{self, Budget, CodecId, EncodeError};
use crate::error::{CallError, CallErrorKind, Fate, RemoteError, ReplyError, Stage};
use crate::payload::Payload;

/// The outcome of one request.
#[derive(Debug)]
pub enum Reply {
    /// The method's value.
    Value(Payload),
    /// The method's own error. Boxed, so that replies are small to move.
    Application(Box<ApplicationFailure>),
    /// The bus's failure.
    Failed(CallError),
}

impl Reply {
    /// The same reply as bytes; its value is in `codec`, that of the request. One that cannot be encoded, or takes more than `limit` bytes, becomes that failure
    /// (C-OC-1): the handler has run.
    #[must_use]
    pub fn encoded(self, limit: usize, codec: CodecId) -> Reply {
        match self {
            Reply::Value(payload) => Reply::of_encoded(payload.encode(limit, codec)),
            Reply::Application(failure) => {
                let ApplicationFailure {
                    kind,
                    message,
                    error,
                } = *failure;
                match error.encode(limit, CodecId::POSTCARD) {
                    Ok(error) => Reply::Application(Box::new(ApplicationFailure {
                        kind,
                        message,
                        error,
                    })),
                    Err(error) => Reply::of_encoded(Err(error)),
                }
            }
            failed @ Reply::Failed(_) => failed,
        }
    }

    /// The value that a handler has encoded, or could not.
    pub(crate) fn of_encoded(payload: Result<Payload, EncodeError>) -> Reply {
        let kind = match payload {
            Ok(payload) => return Reply::Value(payload),
            Err(EncodeError::TooLarge { at_least, limit }) => CallErrorKind::ReplyTooLarge {
                size: at_least,
                limit,
            },
            Err(other) => CallErrorKind::ReplyEncode(other.to_string()),
        };
        Reply::Failed(CallError::new(kind, Fate::Executed, Stage::Running))
    }
}

/// A method's own error on its way to the caller.
#[derive(Debug)]
pub struct ApplicationFailure {
    /// The short name of its type.
    pub kind: String,
    /// What it displays as.
    pub message: String,
    /// The error itself.
    pub error: Payload,
}

impl ApplicationFailure {
    /// The failure for a caller that does not know its type.
    pub fn into_remote(self) -> RemoteError {
        let details = self
            .error
            .into_bytes(codec::DEFAULT_MAX_MESSAGE, CodecId::POSTCARD)
            .unwrap_or_default();
        RemoteError::new(self.kind, self.message, details)
    }
}

/// Reads a reply as what the caller asked for; `report` makes a failure of this request.
pub(crate) fn read<T, E>(
    reply: Reply,
    report: &dyn Fn(CallErrorKind, Fate, Stage) -> CallError,
) -> Result<T, E>
where
    T: DeserializeOwned + 'static,
    E: ReplyError,
{
    match reply {
        Reply::Value(payload) => payload.take(&Budget::default()).map_err(|reason| {
            let kind = CallErrorKind::BadReply {
                expected: std::any::type_name::<T>(),
                reason: reason.to_string(),
            };
            report(kind, Fate::Executed, Stage::Running).into()
        }),
        Reply::Application(failure) => Err(E::of_application(*failure, |remote| {
            report(
                CallErrorKind::Remote(remote),
                Fate::Executed,
                Stage::Running,
            )
        })),
        Reply::Failed(error) => Err(error.into()),
    }
}
