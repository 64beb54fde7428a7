//! What a message carries: a value that is moved, or bytes.
//!
//! In memory the caller's value itself reaches the handler. It is encoded only when somebody asks for bytes (a socket,
//! strict mode) or for another type than it has (an untyped side meeting a typed one): the two sides then meet in the
//! encoding, exactly as they would over a socket.

use std::any::Any;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{self, Budget, DecodeError, EncodeError};
use crate::server::handler::drop_quietly;

/// A value in transit.
pub enum Payload {
    /// The value itself.
    Value(Box<dyn Value>),
    /// The value, encoded by postcard.
    Bytes(Vec<u8>),
}

impl Payload {
    /// Carries `value` itself.
    pub fn value<T: Serialize + Send + 'static>(value: T) -> Self {
        Payload::Value(Box::new(Kept(Some(value))))
    }

    /// Turns it into bytes of at most `limit`, for a transport that cannot move values.
    ///
    /// # Errors
    /// [`EncodeError`] when the value cannot be encoded or is larger than `limit`.
    pub fn into_bytes(self, limit: usize) -> Result<Vec<u8>, EncodeError> {
        match self {
            Payload::Value(value) => value.encode(limit),
            Payload::Bytes(bytes) if bytes.len() > limit => Err(EncodeError::TooLarge {
                at_least: bytes.len(),
                limit,
            }),
            Payload::Bytes(bytes) => Ok(bytes),
        }
    }

    /// Takes the value as a `T`: moved when it is one, else through the encoding.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are not a `T` or exceed `budget`.
    pub fn take<T: DeserializeOwned + 'static>(self, budget: &Budget) -> Result<T, DecodeError> {
        let bytes = match self {
            Payload::Bytes(bytes) => bytes,
            Payload::Value(value) if value.as_any().is::<Kept<T>>() => {
                // The check above makes this the value, and it is taken once: nothing else can come of it.
                let kept = value.into_any().downcast::<Kept<T>>().ok();
                return kept
                    .and_then(|mut kept| kept.0.take())
                    .ok_or_else(|| DecodeError::Malformed("a value changed its type".into()));
            }
            Payload::Value(value) => value
                .encode(codec::DEFAULT_MAX_MESSAGE)
                .map_err(|e| DecodeError::Malformed(e.to_string()))?,
        };
        codec::decode(&bytes, budget)
    }

    /// As [`take`](Self::take), but gives the payload back when it is not a `T`.
    pub(crate) fn peek_then_take<T: DeserializeOwned + 'static>(self) -> Result<T, Payload> {
        match self {
            Payload::Bytes(bytes) => codec::decode(&bytes, &Budget::default())
                .map_err(|_: DecodeError| Payload::Bytes(bytes)),
            Payload::Value(value) if value.as_any().is::<Kept<T>>() => Payload::Value(value)
                .take(&Budget::default())
                .map_err(|_| Payload::Bytes(Vec::new())),
            Payload::Value(value) => match value.encode(codec::DEFAULT_MAX_MESSAGE) {
                Ok(bytes) => Payload::Bytes(bytes).peek_then_take(),
                Err(_) => Err(Payload::Value(value)),
            },
        }
    }

    /// What it counts against limits in bytes: its length when encoded, a nominal size when it is a value.
    pub fn weight(&self) -> usize {
        match self {
            Payload::Bytes(bytes) => bytes.len(),
            Payload::Value(value) => value.size(),
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the content: payloads may hold secrets (S12).
        match self {
            Payload::Value(_) => f.write_str("Payload::Value(..)"),
            Payload::Bytes(bytes) => write!(f, "Payload::Bytes({})", bytes.len()),
        }
    }
}

/// A value of some type that can be encoded if it must be. Made by [`Payload::value`].
pub trait Value: Send {
    /// The value, to look at its type.
    fn as_any(&self) -> &dyn Any;
    /// The value, to take it out.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
    /// The value as bytes of at most `limit`.
    ///
    /// # Errors
    /// [`EncodeError`] when it cannot be encoded or is larger.
    fn encode(&self, limit: usize) -> Result<Vec<u8>, EncodeError>;
    /// Its size in memory, without what it points to.
    fn size(&self) -> usize;
}

/// A value on its way. Whoever gives it up on the way (a queue, a timer, a server's task) must not be harmed by a panic
/// in its `Drop`, so that panic ends here.
struct Kept<T>(Option<T>);

impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            drop_quietly(value);
        }
    }
}

impl<T: Serialize + Send + 'static> Value for Kept<T> {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
    fn encode(&self, limit: usize) -> Result<Vec<u8>, EncodeError> {
        match &self.0 {
            Some(value) => codec::encode(value, limit),
            None => Err(EncodeError::Failed("it was taken already".into())),
        }
    }
    fn size(&self) -> usize {
        size_of::<T>()
    }
}
