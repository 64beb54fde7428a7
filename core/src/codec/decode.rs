//! Bytes of a peer to a value, within a budget.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::DeserializeOwned;

use super::kinds::{Note, Silent, Sum};
use super::read::Reader;
use super::unread::Unread;
use super::watch::Watch;
use super::{CodecId, DecodeError};
use crate::buffers;
use crate::bytes::{self, Bytes};

/// What decoding one message may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Memory of the decoded value, in bytes: eight times the largest message (16 MiB) by default.
    ///
    /// Counted are the encoded bytes themselves (they stand for every string in the value), each
    /// element of a sequence, set or map by its size in memory, and what is larger than the place
    /// it is put in (what a `Box` points to). Not counted is the slack of the containers: a vector
    /// or table that grows by doubling may hold up to four times its elements for a moment, and an
    /// allocator rounds small blocks up.
    ///
    /// Elements that take no bytes on the wire (`()`) are limited by number: to one for each
    /// kibibyte of this budget, beyond those that the message's length explains.
    pub bytes: usize,
    /// Levels of nesting, 64 by default. Each struct, tuple, enum, sequence, map, `Option` and
    /// newtype counts one, the outermost included.
    pub depth: u16,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            bytes: 8 * 16 * 1024 * 1024,
            depth: 64,
        }
    }
}

/// Decodes a `T` from exactly `bytes`.
///
/// A frame limit is not a memory limit: a few bytes may stand for megabytes of values, or for a
/// nesting that overflows the stack. `budget` bounds both, before anything is allocated.
///
/// # Errors
/// [`DecodeError::Budget`] and [`DecodeError::TooDeep`] past the budget;
/// [`DecodeError::TrailingBytes`] when the value ends before the bytes do;
/// [`DecodeError::Malformed`] when they are not a `T`; [`DecodeError::Panicked`].
pub fn decode<T: DeserializeOwned>(bytes: &[u8], budget: &Budget) -> Result<T, DecodeError> {
    let mut place = None;
    let read = read(bytes, budget, Silent, &mut place);
    match (read, place) {
        (Ok(()), Some(value)) => Ok(value),
        (Err(Fault::Decode(error)), _) => Err(error),
        (Err(Fault::Unread(why)), _) => Err(DecodeError::Malformed(why.to_string())),
        (Ok(()), None) => unreachable!("what was read is in its place"),
    }
}

/// Decodes a `T` from what [`encode_checked`](super::encode_checked) wrote, provided that it was given values of the same
/// kinds: what would be read as something else is an error.
///
/// # Errors
/// [`DecodeError::Kinds`] where a value of another type was sent; else as [`decode`].
pub fn decode_checked<T: DeserializeOwned>(
    bytes: &[u8],
    budget: &Budget,
) -> Result<T, DecodeError> {
    let differ = || DecodeError::Kinds {
        expected: std::any::type_name::<T>(),
    };
    let Some((bytes, sent)) = bytes.split_last_chunk::<4>() else {
        return Err(DecodeError::Malformed("its checksum is missing".to_owned()));
    };
    let sum = Sum::new();
    let mut place = None;
    match (read(bytes, budget, &sum, &mut place), place) {
        (Ok(()), Some(value)) if sum.finish() == *sent => Ok(value),
        (Ok(()), _) => Err(differ()),
        // Well encoded, as another type: that is why the bytes do not fit.
        (Err(Fault::Decode(DecodeError::TrailingBytes { .. })), _) => Err(differ()),
        (Err(Fault::Unread(Unread::Refused)), _) => {
            Err(DecodeError::Malformed(Unread::Refused.to_string()))
        }
        (Err(Fault::Unread(_)), _) => Err(differ()),
        (Err(Fault::Decode(error)), _) => Err(error),
    }
}

/// Decodes a `T` from bytes in `codec` that nobody else needs; [`Bytes`] in it may be parts of them.
///
/// # Errors
/// As [`decode`] and [`decode_checked`].
pub(crate) fn decode_owned<T: DeserializeOwned>(
    codec: CodecId,
    bytes: Vec<u8>,
    budget: &Budget,
) -> Result<T, DecodeError> {
    if bytes.len() >= bytes::LEAST {
        return decode_shared(codec, &Bytes::of_buffer(bytes), budget);
    }
    let decoded = decode_in(codec, &bytes, budget);
    buffers::give(bytes);
    decoded
}

/// The same of bytes that others have as well.
///
/// # Errors
/// As [`decode_owned`].
pub(crate) fn decode_shared<T: DeserializeOwned>(
    codec: CodecId,
    bytes: &Bytes,
    budget: &Budget,
) -> Result<T, DecodeError> {
    bytes::lending(bytes, || decode_in(codec, bytes, budget))
}

#[inline]
fn decode_in<T: DeserializeOwned>(
    codec: CodecId,
    bytes: &[u8],
    budget: &Budget,
) -> Result<T, DecodeError> {
    match codec {
        CodecId::CHECKED => decode_checked(bytes, budget),
        _ => decode(bytes, budget),
    }
}

enum Fault {
    Decode(DecodeError),
    Unread(Unread),
}

/// Reads a value into its `place`: what is moved less often is there sooner.
#[inline]
fn read<T: DeserializeOwned, N: Note>(
    bytes: &[u8],
    budget: &Budget,
    note: N,
    place: &mut Option<T>,
) -> Result<(), Fault> {
    let watch = Watch::new(bytes.len(), budget).map_err(Fault::Decode)?;
    let mut reader = Reader::new(bytes, watch);
    let root = reader.root(size_of::<T>(), note);
    let walk = || T::deserialize(root).map(|value| *place = Some(value));
    let walked = catch_unwind(AssertUnwindSafe(walk));
    let (rest, watch) = reader.finish();
    // The refusal first: an implementation that swallows the error must not pass for a success.
    if let Some(refusal) = watch.refusal() {
        return Err(Fault::Decode(refusal));
    }
    match (walked, rest.len()) {
        (Ok(Ok(())), 0) => Ok(()),
        (Ok(Ok(())), count) => Err(Fault::Decode(DecodeError::TrailingBytes { count })),
        (Ok(Err(why)), _) => Err(Fault::Unread(why)),
        (Err(_panic), _) => Err(Fault::Decode(DecodeError::Panicked)),
    }
}
