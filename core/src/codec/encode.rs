//! One pass from a value into a capped buffer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;

use super::EncodeError;
use super::kinds::{Note, Silent, Sum};
use super::write::{Unwritten, Writer};

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
    walk(limit, Silent, |writer| value.serialize(writer))
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
    let sum = Sum::new();
    walk(limit, &sum, |writer| {
        value.serialize(&mut *writer)?;
        writer.extend(&sum.finish())
    })
}

fn walk<N: Note>(
    limit: usize,
    note: N,
    write: impl FnOnce(&mut Writer<N>) -> Result<(), Unwritten>,
) -> Result<Vec<u8>, EncodeError> {
    let mut writer = Writer::new(limit, note);
    let walked = catch_unwind(AssertUnwindSafe(|| write(&mut writer)));
    // The overflow first: an implementation that swallows the error must not pass for a success.
    let bytes = writer
        .finish()
        .map_err(|at_least| EncodeError::TooLarge { at_least, limit })?;
    match walked {
        Ok(Ok(())) => Ok(bytes),
        Ok(Err(why)) => Err(EncodeError::Failed(why.to_string())),
        Err(_panic) => Err(EncodeError::Panicked),
    }
}
