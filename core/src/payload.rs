//! What a message carries: a value that is moved, or bytes.
//!
//! In memory the caller's value itself reaches the handler. It is encoded only when somebody asks for bytes (a socket,
//! strict mode) or for another type than it has (an untyped side meeting a typed one): the two sides then meet in the
//! encoding, exactly as they would over a socket.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bytes::{Body, Pieces};
use crate::codec::{self, Budget, CodecId, DecodeError, EncodeError};
use crate::server::handler::drop_quietly;

/// A value in transit.
pub enum Payload {
    /// The value itself.
    Value(Box<dyn Value>),
    /// The value, encoded by postcard ([`CodecId::POSTCARD`]).
    Bytes(Vec<u8>),
    /// The same with a checksum of kinds behind it ([`CodecId::CHECKED`]).
    Checked(Vec<u8>),
    /// Either, of a message that goes to several servers, or holds [`Bytes`](crate::Bytes).
    Shared(SharedBytes),
}

/// Encoded bytes that several messages carry, or that lie in several places: they are in memory once.
#[derive(Clone)]
pub struct SharedBytes {
    pieces: Arc<Pieces>,
    codec: CodecId,
}

impl SharedBytes {
    /// One message's payload.
    pub fn copy(&self) -> Payload {
        Payload::Shared(self.clone())
    }

    /// The bytes themselves.
    pub fn into_pieces(self) -> Arc<Pieces> {
        self.pieces
    }

    fn decode<T: DeserializeOwned>(&self, budget: &Budget) -> Result<T, DecodeError> {
        codec::decode_shared(self.codec, &self.pieces.whole(), budget)
    }
}

impl Payload {
    /// Carries `value` itself.
    pub fn value<T: Serialize + Send + 'static>(value: T) -> Self {
        if TypeId::of::<T>() == TypeId::of::<()>() {
            return Payload::Value(Box::new(Unit));
        }
        Payload::Value(Box::new(Kept(Some(value))))
    }

    /// What it carries; nothing is left.
    pub(crate) fn take_out(&mut self) -> Payload {
        std::mem::replace(self, Payload::Bytes(Vec::new()))
    }

    /// The bytes of `value`, in `codec`.
    pub(crate) fn bytes_of<T: Serialize + ?Sized>(
        value: &T,
        limit: usize,
        codec: CodecId,
    ) -> Result<Self, EncodeError> {
        Ok(Payload::of_body(
            codec::encode_in(codec, value, limit)?,
            codec,
        ))
    }

    /// Bytes that came in `codec`.
    pub fn encoded(bytes: Vec<u8>, codec: CodecId) -> Self {
        match codec {
            CodecId::CHECKED => Payload::Checked(bytes),
            _ => Payload::Bytes(bytes),
        }
    }

    /// The same, wherever they are.
    pub(crate) fn of_body(body: Body, codec: CodecId) -> Self {
        match body {
            Body::Own(bytes) => Payload::encoded(bytes, codec),
            Body::Shared(pieces) => Payload::Shared(SharedBytes { pieces, codec }),
        }
    }

    /// Its bytes, with what they are in; a value is encoded in `codec`.
    ///
    /// # Errors
    /// As [`into_bytes`](Self::into_bytes).
    pub fn encode(self, limit: usize, codec: CodecId) -> Result<Self, EncodeError> {
        // Mostly it was encoded where it was made, and is looked at again on its way.
        if self.is_encoded() && self.weight() <= limit {
            return Ok(self);
        }
        let codec = self.codec_or(codec);
        Ok(Payload::of_body(self.into_body(limit, codec)?, codec))
    }

    /// Its bytes, wherever they are, of which there are at most `limit`; a value is encoded in `codec`.
    ///
    /// # Errors
    /// As [`into_bytes`](Self::into_bytes).
    pub(crate) fn into_body(self, limit: usize, codec: CodecId) -> Result<Body, EncodeError> {
        let body = match self {
            Payload::Value(value) => return value.encode(limit, codec),
            Payload::Bytes(bytes) | Payload::Checked(bytes) => Body::Own(bytes),
            Payload::Shared(shared) => Body::Shared(shared.pieces),
        };
        if body.len() > limit {
            return Err(EncodeError::TooLarge {
                at_least: body.len(),
                limit,
            });
        }
        Ok(body)
    }

    fn is_encoded(&self) -> bool {
        !matches!(self, Payload::Value(_))
    }

    fn codec_or(&self, of_value: CodecId) -> CodecId {
        match self {
            Payload::Value(_) => of_value,
            encoded => encoded.codec(),
        }
    }

    /// What its bytes are in, or would be.
    pub fn codec(&self) -> CodecId {
        match self {
            Payload::Checked(_) => CodecId::CHECKED,
            Payload::Shared(shared) => shared.codec,
            Payload::Value(_) | Payload::Bytes(_) => CodecId::POSTCARD,
        }
    }

    /// Turns it into bytes of at most `limit`, for a transport that cannot move values. A value is encoded in `codec`;
    /// bytes stay as they are.
    ///
    /// # Errors
    /// [`EncodeError`] when the value cannot be encoded or is larger than `limit`.
    pub fn into_bytes(self, limit: usize, codec: CodecId) -> Result<Vec<u8>, EncodeError> {
        self.into_body(limit, codec).map(Body::into_vec)
    }

    /// Its bytes, for several messages. A value would be encoded in `codec`; what is for several was encoded before.
    pub(crate) fn share(self, codec: CodecId) -> SharedBytes {
        let codec = self.codec_or(codec);
        let body = self.into_body(usize::MAX, codec);
        SharedBytes {
            pieces: body.unwrap_or_default().into_shared(),
            codec,
        }
    }

    /// Takes the value as a `T`: moved when it is one, else through the encoding.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are not a `T` or exceed `budget`.
    pub fn take<T: DeserializeOwned + 'static>(self, budget: &Budget) -> Result<T, DecodeError> {
        let (bytes, codec) = match self {
            Payload::Bytes(bytes) => (bytes, CodecId::POSTCARD),
            Payload::Checked(bytes) => (bytes, CodecId::CHECKED),
            Payload::Shared(shared) => return shared.decode(budget),
            // Two types meet that nobody has compared, or two of one shape.
            Payload::Value(value) => match moved(value) {
                Ok(value) => return Ok(value),
                Err(other) => {
                    let body = other
                        .encode(codec::DEFAULT_MAX_MESSAGE, CodecId::CHECKED)
                        .map_err(|e| DecodeError::Malformed(e.to_string()))?;
                    return Payload::of_body(body, CodecId::CHECKED).take(budget);
                }
            },
        };
        codec::decode_owned(codec, bytes, budget)
    }

    /// As [`take`](Self::take), but gives the payload back when it is not a `T`.
    pub(crate) fn peek_then_take<T: DeserializeOwned + 'static>(self) -> Result<T, Payload> {
        match self {
            Payload::Bytes(bytes) => codec::decode(&bytes, &Budget::default())
                .map_err(|_: DecodeError| Payload::Bytes(bytes)),
            Payload::Checked(bytes) => codec::decode_checked(&bytes, &Budget::default())
                .map_err(|_: DecodeError| Payload::Checked(bytes)),
            Payload::Shared(shared) => shared
                .decode(&Budget::default())
                .map_err(|_: DecodeError| Payload::Shared(shared)),
            Payload::Value(value) => {
                let other = match moved(value) {
                    Ok(value) => return Ok(value),
                    Err(other) => other,
                };
                match other.encode(codec::DEFAULT_MAX_MESSAGE, CodecId::POSTCARD) {
                    Ok(body) => Payload::of_body(body, CodecId::POSTCARD).peek_then_take(),
                    Err(_) => Err(Payload::Value(other)),
                }
            }
        }
    }

    /// What it counts against limits in bytes: its length when encoded, a nominal size when it is a value.
    pub fn weight(&self) -> usize {
        match self {
            Payload::Bytes(bytes) | Payload::Checked(bytes) => bytes.len(),
            Payload::Shared(shared) => shared.pieces.len(),
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
            Payload::Checked(bytes) => write!(f, "Payload::Checked({})", bytes.len()),
            Payload::Shared(shared) => write!(f, "Payload::Shared({})", shared.pieces.len()),
        }
    }
}

/// The value itself when it is a `T`, else what it was.
fn moved<T: 'static>(value: Box<dyn Value>) -> Result<T, Box<dyn Value>> {
    let mut place: Option<T> = None;
    value.move_to(&mut place)?;
    match place {
        Some(value) => Ok(value),
        None => unreachable!("a value that was moved is in its place"),
    }
}

/// A value of some type that can be encoded if it must be. Made by [`Payload::value`].
pub trait Value: Send {
    /// Moves the value to `place`, an `Option` of its type.
    ///
    /// # Errors
    /// Comes back when `place` is something else.
    fn move_to(self: Box<Self>, place: &mut dyn Any) -> Result<(), Box<dyn Value>>;
    /// The value as bytes of at most `limit`, in `codec`.
    ///
    /// # Errors
    /// [`EncodeError`] when it cannot be encoded or is larger.
    fn encode(&self, limit: usize, codec: CodecId) -> Result<Body, EncodeError>;
    /// The value, unless it was moved away.
    fn get(&self) -> Option<&dyn Any>;
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
    fn move_to(mut self: Box<Self>, place: &mut dyn Any) -> Result<(), Box<dyn Value>> {
        match place.downcast_mut::<Option<T>>() {
            Some(place) => {
                *place = self.0.take();
                Ok(())
            }
            None => Err(self),
        }
    }
    fn encode(&self, limit: usize, codec: CodecId) -> Result<Body, EncodeError> {
        match &self.0 {
            Some(value) => codec::encode_in(codec, value, limit),
            None => Err(EncodeError::Failed("it was taken already".into())),
        }
    }
    fn get(&self) -> Option<&dyn Any> {
        self.0.as_ref().map(|value| value as &dyn Any)
    }
    fn size(&self) -> usize {
        size_of::<T>()
    }
}

/// The value `()`, which most replies carry: it has no size, so its box is no allocation.
struct Unit;

impl Value for Unit {
    fn move_to(self: Box<Self>, place: &mut dyn Any) -> Result<(), Box<dyn Value>> {
        match place.downcast_mut::<Option<()>>() {
            Some(place) => {
                *place = Some(());
                Ok(())
            }
            None => Err(self),
        }
    }
    fn encode(&self, limit: usize, codec: CodecId) -> Result<Body, EncodeError> {
        codec::encode_in(codec, &(), limit)
    }
    fn get(&self) -> Option<&dyn Any> {
        Some(&())
    }
    fn size(&self) -> usize {
        0
    }
}
