//! One pass from a value into a capped buffer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use postcard::ser_flavors::Flavor;
use serde::Serialize;

use super::EncodeError;
use super::kinds::{Noting, Sum};
use crate::buffers;

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
    let mut output = serializer.output;
    // What a value that panicked has left is of no use to anybody.
    let flushed = output.flush();
    let Capped {
        bytes, overflow, ..
    } = output;
    // The overflow first: an implementation that swallows the error must not pass for a success.
    if let Some(at_least) = overflow {
        return Err(EncodeError::TooLarge { at_least, limit });
    }
    match walked.map(|written| written.and(flushed)) {
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

/// Bytes that are gathered before they go to the buffer: most values are written byte by byte.
const CHUNK: usize = 128;

/// A growing buffer that ends at a limit.
struct Capped {
    bytes: Vec<u8>,
    /// What is behind `bytes`: its first `gathered` bytes.
    chunk: [u8; CHUNK],
    gathered: usize,
    /// Bytes that may still come; none after an overflow.
    room: usize,
    /// Bytes asked for when the limit was passed.
    overflow: Option<usize>,
}

impl Capped {
    fn new(limit: usize) -> Self {
        Self {
            bytes: buffers::take(limit.min(CHUNK)),
            chunk: [0; CHUNK],
            gathered: 0,
            room: limit,
            overflow: None,
        }
    }

    /// Counts `more` bytes.
    fn make_room(&mut self, more: usize) -> postcard::Result<()> {
        let Some(room) = self.room.checked_sub(more) else {
            return Err(self.overflow(more));
        };
        self.room = room;
        Ok(())
    }

    /// Moves what was gathered behind the rest.
    fn flush(&mut self) -> postcard::Result<()> {
        let gathered = std::mem::take(&mut self.gathered);
        self.make_room(gathered)?;
        let gathered = self.chunk.get(..gathered).unwrap_or_default();
        self.bytes.extend_from_slice(gathered);
        Ok(())
    }

    #[inline(never)]
    fn flush_and_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.flush()?;
        self.try_push(byte)
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
        match self.chunk.get_mut(self.gathered) {
            Some(place) => {
                *place = byte;
                self.gathered += 1;
                Ok(())
            }
            None => self.flush_and_push(byte),
        }
    }

    #[inline]
    fn try_extend(&mut self, more: &[u8]) -> postcard::Result<()> {
        let end = self.gathered + more.len();
        match self.chunk.get_mut(self.gathered..end) {
            Some(place) => {
                place.copy_from_slice(more);
                self.gathered = end;
                Ok(())
            }
            None => {
                self.flush()?;
                self.make_room(more.len())?;
                self.bytes.extend_from_slice(more);
                Ok(())
            }
        }
    }

    fn finalize(mut self) -> postcard::Result<Vec<u8>> {
        self.flush()?;
        Ok(self.bytes)
    }
}
