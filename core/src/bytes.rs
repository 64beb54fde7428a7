//! Bytes that are shared rather than copied.
//!
//! A value is encoded by copying it into a message, and decoded by copying it out of one. For some bytes that is as good
//! as anything else; for a megabyte of them the two copies, at each end, take as long as the system takes to carry them.
//! [`Bytes`] in an argument or a reply are left where they are: the message that is sent refers to them, and those that
//! come are the part of the message that holds them.
//!
//! In reading order: this file, the type; `serde`, how it is written and read; `lease`, how the codec learns of it;
//! `pieces`, a message that lies in several places.

mod lease;
mod pieces;
mod serde;

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Bound, Deref, Range, RangeBounds};
use std::sync::Arc;

use crate::{buffers, bulk};

#[cfg(test)]
pub(crate) use lease::offering;
pub(crate) use lease::{lending, offered};
pub use pieces::{Body, Pieces};

/// The least that is shared, in bytes: to copy fewer takes no longer than to keep count of them.
pub(crate) const LEAST: usize = 16 * 1024;
/// How many times as much memory may be kept by what a message refers to, or by what refers to a message.
const MOST_KEPT: usize = 4;

/// Bytes that several may hold, and that are not changed any more: cloned and cut without being copied, where they are at
/// least 16 KiB.
///
/// As an argument, a reply, or a part of one, they are on the wire what a `Vec<u8>` is, so that one side may use one and
/// the other the other; neither [fingerprints](crate::codec::fingerprint) nor bytes tell them apart. Those of at least
/// 16 KiB are not copied on their way through a socket: the message that is sent refers to them until it is written, and
/// what is received refers to the message that came. In memory, the value itself is moved, as always.
///
/// Copied they are where they are one of more than 32 in a message; where they are less than a quarter of what they would
/// keep in memory, which is the message that came, or the vector that they were cut from; and where the bus keeps a message
/// for later: with an idempotency key, with retries, and in errors. What is received is thus held with at most four times
/// as much memory; what is [cut](Bytes::slice) from it is the program's own business.
///
/// No other codec knows of this: written by `serde_json`, say, they are a sequence of bytes.
///
/// ```
/// use tidings_core::Bytes;
///
/// let whole = Bytes::from(vec![7; 100_000]);
/// let half = whole.slice(..50_000).expect("it is as long");
/// drop(whole);
/// assert_eq!(half.len(), 50_000);
/// assert_eq!(half.into_vec(), [7; 50_000]);
/// ```
#[derive(Clone)]
pub struct Bytes(Held);

#[derive(Clone)]
enum Held {
    /// So few that they are copied instead.
    Few(Vec<u8>),
    /// Some of those that others may hold as well.
    Many(Arc<Whole>, Range<usize>),
}

struct Whole {
    bytes: Vec<u8>,
    /// The last of those who hold it gives it back to the bus, which uses it again. What was never the bus's is not: it
    /// would fill the place of what is.
    is_buffer: bool,
}

impl Whole {
    /// Whether so many of these bytes are enough to keep all of them.
    fn is_worth(&self, count: usize) -> bool {
        count >= LEAST && count >= self.bytes.capacity() / MOST_KEPT
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if self.is_buffer {
            buffers::give(std::mem::take(&mut self.bytes));
        }
    }
}

impl Bytes {
    /// None at all.
    #[must_use]
    pub fn new() -> Self {
        Bytes::from(Vec::new())
    }

    /// Those in `range`; `None` where it reaches beyond them. Fewer than 16 KiB are copied; more are shared, and keep all
    /// in memory that they were cut from.
    #[must_use]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Option<Bytes> {
        let begin = match range.start_bound() {
            Bound::Included(&begin) => begin,
            Bound::Excluded(&before) => before.checked_add(1)?,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.checked_add(1)?,
            Bound::Excluded(&end) => end,
            Bound::Unbounded => self.len(),
        };
        let few = self.get(begin..end)?;
        match few.len() {
            0..LEAST => Some(few.to_vec().into()),
            _ => self.share(begin..end),
        }
    }

    /// Those in `range`, however few, shared where they can be.
    fn share(&self, wanted: Range<usize>) -> Option<Bytes> {
        match &self.0 {
            Held::Few(bytes) => bytes.get(wanted).map(|few| few.to_vec().into()),
            Held::Many(whole, range) if wanted.start <= wanted.end && wanted.end <= self.len() => {
                let range = range.start + wanted.start..range.start + wanted.end;
                Some(Bytes(Held::Many(whole.clone(), range)))
            }
            Held::Many(..) => None,
        }
    }

    /// Whether they are enough to be shared, and most of what they keep in memory.
    fn is_worth_sharing(&self) -> bool {
        match &self.0 {
            Held::Few(_) => false,
            Held::Many(whole, range) => whole.is_worth(range.len()),
        }
    }

    /// The same as a vector: moved where nobody else holds any of them and none was cut off before, else copied.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        let (whole, range) = match self.0 {
            Held::Few(bytes) => return bytes,
            Held::Many(whole, range) => (whole, range),
        };
        let copied = |whole: &Whole| bulk::copy_of(whole.part(&range));
        if range.start > 0 {
            return copied(&whole);
        }
        match Arc::try_unwrap(whole) {
            Ok(mut whole) => {
                let mut bytes = std::mem::take(&mut whole.bytes);
                bytes.truncate(range.end);
                bytes
            }
            Err(whole) => copied(&whole),
        }
    }

    /// Of a buffer of the bus's.
    pub(crate) fn of_buffer(bytes: Vec<u8>) -> Self {
        Bytes::held(bytes, true)
    }

    fn held(bytes: Vec<u8>, is_buffer: bool) -> Self {
        let range = 0..bytes.len();
        let whole = Arc::new(Whole { bytes, is_buffer });
        Bytes(Held::Many(whole, range))
    }

    fn copy_of(bytes: &[u8]) -> Self {
        bulk::copy_of(bytes).into()
    }

    /// `bytes`, if they are some of these, and not too few to keep all in memory.
    fn own(&self, bytes: &[u8]) -> Option<Bytes> {
        let Held::Many(whole, _) = &self.0 else {
            return None;
        };
        let begin = bytes.as_ptr().addr().checked_sub(self.as_ptr().addr())?;
        let end = begin.checked_add(bytes.len())?;
        let enough = whole.is_worth(bytes.len());
        enough.then(|| self.share(begin..end))?
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Bytes::new()
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Held::Few(bytes) => bytes,
            Held::Many(whole, range) => whole.part(range),
        }
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Borrow<[u8]> for Bytes {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        match bytes.len() {
            0..LEAST => Bytes(Held::Few(bytes)),
            _ => Bytes::held(bytes, false),
        }
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

/// Copied.
impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Bytes::copy_of(bytes)
    }
}

/// As [`Bytes::into_vec`].
impl From<Bytes> for Vec<u8> {
    fn from(bytes: Bytes) -> Self {
        bytes.into_vec()
    }
}

impl FromIterator<u8> for Bytes {
    fn from_iter<I: IntoIterator<Item = u8>>(bytes: I) -> Self {
        Vec::from_iter(bytes).into()
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Bytes {}

impl PartialEq<[u8]> for Bytes {
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}

impl PartialEq<&[u8]> for Bytes {
    fn eq(&self, other: &&[u8]) -> bool {
        **self == **other
    }
}

impl PartialEq<Vec<u8>> for Bytes {
    fn eq(&self, other: &Vec<u8>) -> bool {
        **self == **other
    }
}

impl PartialOrd for Bytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bytes {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl Hash for Bytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

/// How many they are, and not which: they may be many, and nobody else's business.
impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({})", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(count: usize) -> Vec<u8> {
        (0..count).map(|n| n as u8).collect()
    }

    #[test]
    fn what_is_cut_is_shared_and_no_more_than_there_is() {
        for (count, is_shared) in [(100, false), (LEAST, true)] {
            let whole = Bytes::from(counted(count));
            let part = whole.slice(10..=19).unwrap();
            assert_eq!(part, counted(20)[10..]);
            assert_ne!(part.as_ptr(), whole[10..].as_ptr(), "they are few");
            let all = whole.slice(..).unwrap();
            assert_eq!(all.as_ptr() == whole.as_ptr(), is_shared);
            let inner = part.slice(5..).unwrap();
            assert_eq!(inner, [15, 16, 17, 18, 19][..]);
            assert!(inner.slice(..=5).is_none() && inner.slice(6..).is_none());
            let behind = (Bound::Excluded(usize::MAX), Bound::Unbounded);
            assert!(
                part.slice(behind).is_none()
                    && part
                        .slice((Bound::Excluded(9), Bound::Excluded(9)))
                        .is_none()
            );
            assert!(inner.slice(5..).unwrap().is_empty());
            assert_eq!(format!("{inner:?}"), "Bytes(5)");
            assert!(Bytes::new().is_empty() && Bytes::default() < inner);
        }
    }

    #[test]
    fn a_vector_is_moved_out_where_nobody_else_holds_it() {
        let bytes = counted(LEAST + 1);
        let place = bytes.as_ptr();
        let bytes = Bytes::from(bytes).slice(..LEAST).unwrap();
        let other = bytes.clone();
        let copied = bytes.into_vec();
        assert!(copied == counted(LEAST) && copied.as_ptr() != place);
        let moved = other.into_vec();
        assert!(moved == counted(LEAST) && moved.as_ptr() == place);
        let behind = Bytes::from(counted(LEAST + 1)).slice(1..).unwrap();
        assert_eq!(Vec::from(behind), counted(LEAST + 1)[1..]);
        let few = vec![1, 2, 3];
        let place = few.as_ptr();
        let few = Bytes::from(few).into_vec();
        assert!(few == [1, 2, 3] && few.as_ptr() == place);
    }

    #[test]
    fn only_what_is_most_of_them_is_their_own() {
        let whole = Bytes::from(vec![0; 10 * LEAST]);
        let enough = &whole[7 * LEAST..];
        assert_eq!(whole.own(enough).unwrap().as_ptr(), enough.as_ptr());
        assert!(whole.own(&whole[..2 * LEAST]).is_none(), "too few");
        assert!(whole.own(&vec![0; 6 * LEAST]).is_none(), "others");
        let short = Bytes::from(vec![0; LEAST - 1]);
        assert!(short.own(&short).is_none(), "they are soon copied");
        let cut = whole.slice(..6 * LEAST).unwrap();
        assert!(cut.own(&whole[LEAST..8 * LEAST]).is_none(), "beyond");
    }
}
