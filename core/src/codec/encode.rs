//! One pass from a value into a capped buffer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;

use super::kinds::{Note, Silent, Sum};
use super::write::{Unwritten, Writer};
use super::{CodecId, EncodeError};
use crate::bytes::Body;

/// In so many places what is shared is left where it is: each takes a look and a slice of its own as it is sent.
const MOST_APART: usize = 32;

/// Encodes `value` in at most `limit` bytes.
///
/// The value is walked once, and no buffer is sized from what it claims (FAULTS D12): a `Serialize`
/// that never ends is stopped at the limit. The unwinding of a panic in it stops here.
///
/// # Errors
/// [`EncodeError::TooLarge`] past `limit`; [`EncodeError::Failed`] where the value refuses to be
/// encoded, or needs a self-describing format (`serde(flatten)`, a sequence of unknown length);
/// [`EncodeError::Panicked`].
pub fn encode<T: Serialize + ?Sized>(value: &T, limit: usize) -> Result<Vec<u8>, EncodeError> {
    let write = |writer: &mut Writer<_>| value.serialize(writer);
    walk(limit, Silent, 0, write).map(Body::into_vec)
}

/// [`encode`], followed by a checksum over the kinds of what was written, for whoever reads it without having compared
/// types: [`decode_checked`](super::decode_checked).
///
/// # Errors
/// As [`encode`]. The checksum's four bytes count.
pub fn encode_checked<T: Serialize + ?Sized>(
    value: &T,
    limit: usize,
) -> Result<Vec<u8>, EncodeError> {
    checked(value, limit, 0).map(Body::into_vec)
}

/// Encodes `value` in `codec`; [`Bytes`](crate::Bytes) in it are not copied.
///
/// # Errors
/// As [`encode`].
pub(crate) fn encode_in<T: Serialize + ?Sized>(
    codec: CodecId,
    value: &T,
    limit: usize,
) -> Result<Body, EncodeError> {
    match codec {
        CodecId::CHECKED => checked(value, limit, MOST_APART),
        _ => walk(limit, Silent, MOST_APART, |writer| value.serialize(writer)),
    }
}

fn checked<T: Serialize + ?Sized>(
    value: &T,
    limit: usize,
    most_apart: usize,
) -> Result<Body, EncodeError> {
    let sum = Sum::new();
    walk(limit, &sum, most_apart, |writer| {
        value.serialize(&mut *writer)?;
        writer.extend(&sum.finish())
    })
}

fn walk<N: Note>(
    limit: usize,
    note: N,
    most_apart: usize,
    write: impl FnOnce(&mut Writer<N>) -> Result<(), Unwritten>,
) -> Result<Body, EncodeError> {
    let mut writer = Writer::new(limit, note, most_apart);
    let walked = catch_unwind(AssertUnwindSafe(|| write(&mut writer)));
    // The overflow first: an implementation that swallows the error must not pass for a success.
    let body = writer
        .finish()
        .map_err(|at_least| EncodeError::TooLarge { at_least, limit })?;
    match walked {
        Ok(Ok(())) => Ok(body),
        Ok(Err(why)) => Err(EncodeError::Failed(why.to_string())),
        Err(_panic) => Err(EncodeError::Panicked),
    }
}
