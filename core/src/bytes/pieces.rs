//! An encoded message that lies in several places.

use std::ops::Range;
use std::sync::Arc;

use super::Bytes;
use crate::bulk;

/// An encoded message, of one request or shared with others: what goes to many is in memory once.
#[derive(Clone)]
pub enum Body {
    /// Of this request alone, and in one place.
    Own(Vec<u8>),
    /// Of others as well, or in several places.
    Shared(Arc<Pieces>),
}

impl Body {
    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Own(bytes) => bytes.len(),
            Self::Shared(pieces) => pieces.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it in one place: copied, unless it is in one and nobody else's.
    #[inline]
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(pieces) => match Arc::try_unwrap(pieces) {
                Ok(pieces) => pieces.into_whole(),
                Err(shared) => shared.whole(),
            }
            .into_vec(),
        }
    }

    pub(crate) fn into_shared(self) -> Arc<Pieces> {
        match self {
            Self::Own(bytes) => Arc::new(bytes.into()),
            Self::Shared(pieces) => pieces,
        }
    }
}

/// By what they are, wherever they lie.
impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Own(these), Self::Own(those)) => these == those,
            (Self::Own(own), Self::Shared(pieces)) | (Self::Shared(pieces), Self::Own(own)) => {
                pieces.whole() == *own
            }
            (Self::Shared(these), Self::Shared(those)) => these == those,
        }
    }
}

impl Eq for Body {}

impl Default for Body {
    fn default() -> Self {
        Self::Own(Vec::new())
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Own(bytes)
    }
}

/// Bytes that are one message, one piece behind the other.
#[derive(Clone)]
pub struct Pieces {
    list: Vec<Bytes>,
    length: usize,
}

impl From<Vec<u8>> for Pieces {
    fn from(bytes: Vec<u8>) -> Self {
        Pieces {
            length: bytes.len(),
            list: vec![Bytes::of_buffer(bytes)],
        }
    }
}

/// By what they are, wherever they lie.
impl PartialEq for Pieces {
    fn eq(&self, other: &Self) -> bool {
        self.length == other.length && self.whole() == other.whole()
    }
}

impl Eq for Pieces {}

impl Pieces {
    /// `bytes`, with each of the `others` at its place among them; they are in their order.
    pub(crate) fn of(bytes: Vec<u8>, others: Vec<(usize, Bytes)>) -> Self {
        let bytes = Bytes::of_buffer(bytes);
        let (mut list, mut at) = (Vec::with_capacity(2 * others.len() + 1), 0);
        for (place, other) in others {
            list.extend(bytes.share(at..place));
            list.push(other);
            at = place;
        }
        list.extend(bytes.share(at..bytes.len()));
        list.retain(|piece| !piece.is_empty());
        let length = list.iter().map(|piece| piece.len()).sum();
        Pieces { list, length }
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// All of them in one place: copied where they are in several.
    pub(crate) fn whole(&self) -> Bytes {
        match self.list.as_slice() {
            [one] => one.clone(),
            several => {
                let mut whole = Vec::with_capacity(self.length);
                several
                    .iter()
                    .for_each(|piece| bulk::append(&mut whole, piece));
                whole.into()
            }
        }
    }

    /// The same of these alone.
    fn into_whole(mut self) -> Bytes {
        match (self.list.pop(), self.list.is_empty()) {
            (Some(only), true) => only,
            (last, _) => {
                self.list.extend(last);
                self.whole()
            }
        }
    }

    /// The pieces of `range`, in their order, none of them empty.
    pub(crate) fn within(&self, range: Range<usize>) -> impl Iterator<Item = Bytes> {
        let mut begin = 0;
        self.list.iter().filter_map(move |piece| {
            let end = begin + piece.len();
            let here = range.start.max(begin)..range.end.min(end);
            let own = (here.start < here.end).then(|| here.start - begin..here.end - begin);
            begin = end;
            piece.share(own?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces() -> Pieces {
        let others = vec![
            (2, Bytes::from(vec![7; 3])),
            (2, vec![8].into()),
            (4, vec![9].into()),
        ];
        Pieces::of(vec![1, 2, 3, 4], others)
    }

    #[test]
    fn each_lies_at_its_place() {
        let whole = [1, 2, 7, 7, 7, 8, 3, 4, 9];
        assert_eq!(pieces().len(), 9);
        assert_eq!(pieces().whole(), whole[..]);
        for begin in 0..=9 {
            for end in begin..=9 {
                let within: Vec<Bytes> = pieces().within(begin..end).collect();
                assert_eq!(within.concat(), whole[begin..end]);
                assert!(within.iter().all(|piece| !piece.is_empty()));
            }
        }
    }

    #[test]
    fn bodies_are_equal_by_what_they_are() {
        let whole = vec![1, 2, 7, 7, 7, 8, 3, 4, 9];
        let (own, shared) = (Body::from(whole.clone()), Body::Shared(Arc::new(pieces())));
        let other = Body::Shared(Body::from(whole).into_shared());
        assert_eq!(own, shared);
        assert_eq!(shared, own);
        assert_eq!(shared, other);
        assert_ne!(Body::from(vec![1]), shared);
        assert_ne!(Body::default(), shared);
    }

    #[test]
    fn what_is_in_one_place_is_not_copied() {
        let bytes = vec![1, 2, 3];
        let place = bytes.as_ptr();
        let own = Body::from(bytes).into_shared();
        assert_eq!(Body::Shared(own.clone()).len(), 3);
        let copied = Body::Shared(own.clone()).into_vec();
        assert!(copied == [1, 2, 3] && copied.as_ptr() != place);
        assert_eq!(own.whole().as_ptr(), place);
        let moved = Body::Shared(own).into_vec();
        assert!(moved == [1, 2, 3] && moved.as_ptr() == place);
        let several = Body::Shared(Arc::new(pieces())).into_vec();
        assert_eq!(several, [1, 2, 7, 7, 7, 8, 3, 4, 9]);
        assert!(Pieces::of(Vec::new(), Vec::new()).is_empty());
    }
}
