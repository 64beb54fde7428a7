//! What is given out of a place whose elements lie elsewhere: of collections.

use std::any::type_name;
use std::marker::PhantomData;
use std::slice::Iter;

use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess};

use super::place::Place;
use crate::bulk;
use crate::codec::kinds::Note;
use crate::codec::unread::Unread;
use crate::codec::watch::{map_hint, seq_hint};

/// Access to the elements of a collection, each charged before it is read.
pub(super) struct Elements<'r, 'de, N: Note> {
    place: Place<'r, 'de, N>,
    run: N::Run,
    /// Elements that have not been read.
    left: usize,
    /// What is charged for elements (of a map: keys).
    charged: Length,
    /// What is charged for the values of a map.
    values: Length,
    /// The next elements, of a sequence of bytes: each is given out as it is. They count as left, and not as read, until
    /// [`settle`](Elements::settle).
    bytes: Iter<'de, u8>,
    /// How many they were at first.
    ahead: usize,
    pub(super) is_vec_of_bytes: bool,
}

/// How many elements are charged when one is read.
#[derive(Clone, Copy)]
enum Length {
    /// All of this many at the first one, so that the rest cost nothing.
    Announced(usize),
    /// They have been charged.
    Charged,
    /// One at a time: they are more than the message has bytes.
    Open,
}

impl Length {
    /// How many to charge now.
    #[inline]
    fn due(&mut self) -> usize {
        match *self {
            Self::Charged => 0,
            Self::Open => 1,
            Self::Announced(all) => {
                *self = Self::Charged;
                all
            }
        }
    }
}

impl<'r, 'de, N: Note> Elements<'r, 'de, N> {
    pub(super) fn new(place: Place<'r, 'de, N>, left: usize, announced: Option<usize>) -> Self {
        let length = announced.map_or(Length::Open, Length::Announced);
        Elements {
            place,
            run: N::Run::default(),
            left,
            charged: length,
            values: length,
            bytes: [].iter(),
            ahead: 0,
            is_vec_of_bytes: false,
        }
    }

    #[inline]
    fn charge_elements(&mut self, size: usize) -> Result<(), Unread> {
        let due = self.charged.due();
        if due > 0 {
            let watch = &mut self.place.reader.watch;
            let charged = watch.count(due);
            let charged = charged.and_then(|()| watch.charge(due.saturating_mul(size.max(1))));
            if charged.is_err() {
                self.left = 0; // For a visitor that goes on all the same: the length is the peer's.
                return charged;
            }
        }
        Ok(())
    }

    #[inline]
    fn charge_values(&mut self, size: usize) -> Result<(), Unread> {
        match self.values.due() {
            0 => Ok(()),
            due => self.place.reader.watch.charge(due.saturating_mul(size)),
        }
    }

    /// Takes those that are left for bytes, as many as are given out in one go: one of them was asked for as a byte.
    #[inline]
    fn look_ahead(&mut self) {
        let input = self.place.reader.input.as_slice();
        if self.left > input.len() {
            return;
        }
        let part = self.left.min(bulk::PART);
        if let Some(bytes) = input.get(..part) {
            self.bytes = bytes.iter();
            self.ahead = part;
        }
    }

    /// Counts those that were given out from `bytes`.
    #[inline]
    fn settle(&mut self) {
        let read = std::mem::take(&mut self.ahead).saturating_sub(self.bytes.len());
        self.bytes = [].iter();
        self.left = self.left.saturating_sub(read);
        let input = &mut self.place.reader.input;
        *input = input.as_slice().get(read..).unwrap_or_default().iter();
    }
}

impl<N: Note> Drop for Elements<'_, '_, N> {
    #[inline]
    fn drop(&mut self) {
        self.settle(); // A visitor need not have asked for all.
    }
}

impl<'de, N: Note> SeqAccess<'de> for Elements<'_, 'de, N> {
    type Error = Unread;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unread> {
        // What `next_element::<u8>` gives.
        let is_byte = is::<S, PhantomData<u8>>();
        if is_byte {
            if let Some(&byte) = self.bytes.next() {
                return seed.deserialize(byte.into_deserializer()).map(Some);
            }
        }
        self.settle();
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left; // Before it is read: a visitor may go on behind one that is refused.
        self.charge_elements(size_of::<S::Value>())?;
        let note = self.place.note;
        note.begin(&mut self.run);
        let element = seed.deserialize(self.place.part(size_of::<S::Value>()))?;
        note.end(&mut self.run);
        if is_byte {
            self.look_ahead();
        }
        Ok(Some(element))
    }

    fn size_hint(&self) -> Option<usize> {
        let given = self.ahead - self.bytes.len();
        let (left, input) = (self.left - given, self.place.reader.input.len() - given);
        if self.is_vec_of_bytes && left <= input {
            return Some(left);
        }
        seq_hint(left, input)
    }
}

impl<'de, N: Note> MapAccess<'de> for Elements<'_, 'de, N> {
    type Error = Unread;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unread> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        self.charge_elements(size_of::<S::Value>())?;
        self.place.note.begin(&mut self.run);
        seed.deserialize(self.place.part(size_of::<S::Value>()))
            .map(Some)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Unread> {
        self.charge_values(size_of::<S::Value>())?;
        let value = seed.deserialize(self.place.part(size_of::<S::Value>()))?;
        // An entry is its key and its value.
        self.place.note.end(&mut self.run);
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        map_hint(self.left)
    }
}

/// Whether two types have the same name: for types of the standard library, whether they are the same. The compiler knows
/// the answer.
#[inline(always)]
pub(super) fn is<T, U>() -> bool {
    type_name::<T>() == type_name::<U>()
}
