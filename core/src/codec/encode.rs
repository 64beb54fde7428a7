//! One pass from a value into a capped buffer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use postcard::ser_flavors::Flavor;
use serde::Serialize;

use super::EncodeError;
use super::kinds::{Noting, Sum};
use crate::buffers;

/// Bytes for a small message at once, rather than in four steps.
const FIRST: usize = 64;

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
    walk(limit, |serializer| value.serialize(serializer))
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
    walk(limit, |serializer| {
        let sum = Sum::new();
        value.serialize(Noting::new(&mut *serializer, &sum))?;
        serializer.output.try_extend(&sum.finish())
    })
}

fn walk(
    limit: usize,
    write: impl FnOnce(&mut postcard::Serializer<Capped>) -> postcard::Result<()>,
) -> Result<Vec<u8>, EncodeError> {
    let mut serializer = postcard::Serializer {
        output: Capped::new(limit),
    };
    let walked = catch_unwind(AssertUnwindSafe(|| write(&mut serializer)));
    let Capped {
        bytes, overflow, ..
    } = serializer.output;
    // The overflow first: an implementation that swallows the error must not pass for a success.
    if let Some(at_least) = overflow {
        return Err(EncodeError::TooLarge { at_least, limit });
    }
    match walked {
        Ok(Ok(())) => Ok(bytes),
        Ok(Err(error)) => Err(EncodeError::Failed(reason(&error))),
        Err(_panic) => Err(EncodeError::Panicked),
    }
}

/// postcard drops the text that a `Serialize` implementation gives with its refusal.
fn reason(error: &postcard::Error) -> String {
    match error {
        postcard::Error::SerdeSerCustom => "its Serialize implementation refused it".to_owned(),
        postcard::Error::SerializeSeqLengthUnknown => {
            "a sequence or map in it does not tell its length beforehand, which postcard needs \
             (`serde(flatten)` is a map of unknown length)"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// A growing buffer that ends at a limit.
struct Capped {
    bytes: Vec<u8>,
    /// Bytes that may still come; none after an overflow.
    room: usize,
    /// Bytes asked for when the limit was passed.
    overflow: Option<usize>,
}

impl Capped {
    fn new(limit: usize) -> Self {
        Self {
            bytes: buffers::take(limit.min(FIRST)),
            room: limit,
            overflow: None,
        }
    }

    #[inline]
    fn take(&mut self, more: usize) -> postcard::Result<()> {
        let Some(room) = self.room.checked_sub(more) else {
            return Err(self.overflow(more));
        };
        self.room = room;
        Ok(())
    }

    #[cold]
    fn overflow(&mut self, more: usize) -> postcard::Error {
        let asked = self.bytes.len().saturating_add(more);
        self.overflow.get_or_insert(asked);
        self.room = 0;
        postcard::Error::SerializeBufferFull
    }
}

impl Flavor for Capped {
    type Output = Vec<u8>;

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.take(1)?;
        self.bytes.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, more: &[u8]) -> postcard::Result<()> {
        self.take(more.len())?;
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.bytes)
    }
}
