//! A serde deserializer of postcard's format, in which depth and memory are counted, and kinds are noted.
//!
//! What a peer says of lengths is believed only as far as its bytes go: nothing is allocated for more. Only what nests is
//! counted beside that: a scalar sits in a place already paid for, and the strings of a message are no longer than the
//! message.
//!
//! Errors are one byte: one with the text that a type gives with its refusal was measured at two to five times the cost
//! of decoding.

use std::any::type_name;
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::slice::Iter;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::kinds::{Kind, Note};
use super::watch::{Breach, Watch, map_hint, seq_hint};
use crate::bulk;

/// Why bytes were not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// The type's `Deserialize` implementation refused a value, or the budget is spent.
    Refused,
    /// There are fewer than the value needs.
    End,
    Number,
    Bool,
    Char,
    Text,
    Option,
    /// The type asks for the name of what comes.
    Name,
}

impl Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unread::Refused => {
                "its Deserialize implementation refused a value (an unknown enum variant, a zero or a \
                 text that is not allowed there)"
            }
            Unread::End => "they end before the value does",
            Unread::Number => "a number is larger than its type",
            Unread::Bool => "a bool is neither 0 nor 1",
            Unread::Char => "a char is none",
            Unread::Text => "a text is not UTF-8",
            Unread::Option => "an option is neither 0 nor 1",
            Unread::Name => "its type asks for the name of a field, which postcard does not write",
        })
    }
}

impl std::error::Error for Unread {}

impl Error for Unread {
    fn custom<T: Display>(_text: T) -> Self {
        Unread::Refused
    }
}

/// What is being read.
pub(super) struct Reader<'de> {
    /// What has not been read yet.
    input: Iter<'de, u8>,
    watch: Watch,
}

impl<'de> Reader<'de> {
    pub(super) fn new(input: &'de [u8], watch: Watch) -> Self {
        let input = input.iter();
        Reader { input, watch }
    }

    /// The place of the whole value, of `slot` bytes; what is asked for there is told to `note`.
    pub(super) fn root<N: Note>(&mut self, slot: usize, note: N) -> Place<'_, 'de, N> {
        Place {
            depth: self.watch.depth(),
            slot,
            note,
            reader: self,
        }
    }

    /// What was not read, and what was counted.
    pub(super) fn finish(self) -> (&'de [u8], Watch) {
        (self.input.as_slice(), self.watch)
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, Unread> {
        self.input.next().copied().ok_or(Unread::End)
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'de [u8], Unread> {
        let input = self.input.as_slice();
        let (taken, rest) = input.split_at_checked(length).ok_or(Unread::End)?;
        self.input = rest.iter();
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unread> {
        let input = self.input.as_slice();
        let (taken, rest) = input.split_first_chunk().ok_or(Unread::End)?;
        self.input = rest.iter();
        Ok(*taken)
    }

    /// A number of as many bits.
    #[inline]
    fn varint<const BITS: u32>(&mut self) -> Result<u64, Unread> {
        match self.byte()? {
            byte @ 0..0x80 => Ok(byte.into()),
            first => self.longer_varint::<BITS>(first),
        }
    }

    fn longer_varint<const BITS: u32>(&mut self, first: u8) -> Result<u64, Unread> {
        let mut number = u64::from(first & 0x7f);
        let mut shift = 7;
        loop {
            let byte = self.byte()?;
            if BITS - shift < 7 && byte >> (BITS - shift) > 0 {
                return Err(Unread::Number); // It goes on, or is too large.
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
            shift += 7;
        }
    }

    fn long_varint(&mut self) -> Result<u128, Unread> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            if u128::BITS - shift < 7 && byte >> (u128::BITS - shift) > 0 {
                return Err(Unread::Number);
            }
            number |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
            shift += 7;
        }
    }

    #[inline]
    fn length(&mut self) -> Result<usize, Unread> {
        self.varint::<{ usize::BITS }>()
            .map(|length| length as usize)
    }

    #[inline]
    fn counted(&mut self) -> Result<&'de [u8], Unread> {
        let length = self.length()?;
        self.take(length)
    }

    #[inline]
    fn text(&mut self) -> Result<&'de str, Unread> {
        std::str::from_utf8(self.counted()?).map_err(|_| Unread::Text)
    }

    fn char(&mut self) -> Result<char, Unread> {
        let length = self.length()?;
        if length > 4 {
            return Err(Unread::Char);
        }
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| Unread::Char)?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(char), None) => Ok(char),
            _ => Err(Unread::Char),
        }
    }
}

/// Where in the value the reader stands, and the memory already paid for there.
pub(super) struct Place<'r, 'de, N> {
    reader: &'r mut Reader<'de>,
    /// Levels that may still open below.
    depth: u16,
    /// Bytes of the place that the value goes into. A value that is larger is behind a pointer.
    slot: usize,
    note: N,
}

impl<'de, N: Note> Place<'_, 'de, N> {
    /// The same level, in a place of `slot` bytes.
    #[inline]
    fn part(&mut self, slot: usize) -> Place<'_, 'de, N> {
        Place {
            reader: self.reader,
            depth: self.depth,
            slot,
            note: self.note,
        }
    }

    /// One level down, for a value of `size` bytes: what exceeds the place is charged.
    #[inline]
    fn enter(&mut self, size: usize) -> Result<(), Unread> {
        let watch = &mut self.reader.watch;
        let Some(depth) = self.depth.checked_sub(1) else {
            return Err(watch.refuse(Breach::Depth));
        };
        self.depth = depth;
        if size > self.slot {
            watch.charge(size - self.slot)?;
        }
        Ok(())
    }

    /// The type wants to be told what comes.
    fn untyped(self) -> Unread {
        self.reader.watch.refuse(Breach::Untyped)
    }
}

macro_rules! scalars {
    ($($method:ident is $kind:ident: $visit:ident($reader:ident => $read:expr);)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
            self.note.note(Kind::$kind);
            let $reader = self.reader;
            visitor.$visit($read)
        }
    )*};
}

impl<'de, N: Note> Deserializer<'de> for Place<'_, 'de, N> {
    type Error = Unread;

    scalars! {
        deserialize_u8 is U8: visit_u8(reader => reader.byte()?);
        deserialize_i8 is I8: visit_i8(reader => reader.byte()? as i8);
        deserialize_u16 is Unsigned: visit_u16(reader => reader.varint::<16>()? as u16);
        deserialize_u32 is Unsigned: visit_u32(reader => reader.varint::<32>()? as u32);
        deserialize_u64 is Unsigned: visit_u64(reader => reader.varint::<64>()?);
        deserialize_u128 is Unsigned: visit_u128(reader => reader.long_varint()?);
        deserialize_i16 is Signed: visit_i16(reader => signed(reader.varint::<16>()?) as i16);
        deserialize_i32 is Signed: visit_i32(reader => signed(reader.varint::<32>()?) as i32);
        deserialize_i64 is Signed: visit_i64(reader => signed(reader.varint::<64>()?));
        deserialize_i128 is Signed: visit_i128(reader => {
            let number = reader.long_varint()?;
            (number >> 1) as i128 ^ -((number & 1) as i128)
        });
        deserialize_f32 is F32: visit_f32(reader => {
            f32::from_bits(u32::from_le_bytes(reader.array()?))
        });
        deserialize_f64 is F64: visit_f64(reader => {
            f64::from_bits(u64::from_le_bytes(reader.array()?))
        });
        deserialize_bool is Bool: visit_bool(reader => match reader.byte()? {
            0 => false,
            1 => true,
            _ => return Err(Unread::Bool),
        });
        deserialize_char is Char: visit_char(reader => reader.char()?);
        deserialize_str is Text: visit_borrowed_str(reader => reader.text()?);
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.note.note(Kind::Text);
        let bytes = self.reader.counted()?;
        if bytes.len() > bulk::PART {
            return visitor.visit_string(bulk::text(bytes).map_err(|_| Unread::Text)?);
        }
        visitor.visit_str(std::str::from_utf8(bytes).map_err(|_| Unread::Text)?)
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        let bytes = self.reader.counted()?;
        self.note.bytes(bytes.len());
        visitor.visit_borrowed_bytes(bytes)
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        let bytes = self.reader.counted()?;
        self.note.bytes(bytes.len());
        if bytes.len() > bulk::PART {
            return visitor.visit_byte_buf(bulk::copy_of(bytes));
        }
        visitor.visit_bytes(bytes)
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unread> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Unread> {
        self.note.note(Kind::Option);
        self.enter(size_of::<V::Value>())?;
        match self.reader.byte()? {
            0 => visitor.visit_none(),
            1 => visitor.visit_some(self),
            _ => Err(Unread::Option),
        }
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unread> {
        self.enter(size_of::<V::Value>())?;
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        mut self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Unread> {
        self.enter(size_of::<V::Value>())?;
        let (place, left) = (self, length);
        visitor.visit_seq(Parts { place, left })
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Unread> {
        self.deserialize_tuple(length, visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unread> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unread> {
        self.note.note(Kind::Enum);
        self.enter(size_of::<V::Value>())?;
        visitor.visit_enum(self)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Unread> {
        self.note.note(Kind::Collection);
        self.enter(size_of::<V::Value>())?;
        let left = self.reader.length()?;
        let announced = (left <= self.reader.input.len()).then_some(left);
        let mut elements = Elements::new(self, left, announced);
        elements.is_vec_of_bytes = is::<V::Value, Vec<u8>>();
        visitor.visit_seq(elements)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Unread> {
        self.note.note(Kind::Collection);
        self.enter(size_of::<V::Value>())?;
        let left = self.reader.length()?;
        visitor.visit_map(Elements::new(self, left, Some(left)))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Unread> {
        Err(Unread::Name)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Unread> {
        Err(self.untyped())
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Unread> {
        Err(self.untyped())
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }
}

#[inline]
fn signed(zigzag: u64) -> i64 {
    (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64)
}

/// Whether two types have the same name: for types of the standard library, whether they are the same. The compiler knows
/// the answer.
#[inline(always)]
fn is<T, U>() -> bool {
    type_name::<T>() == type_name::<U>()
}

/// Access to the parts of a value that lie in its own place: their memory is paid for.
struct Parts<'r, 'de, N> {
    place: Place<'r, 'de, N>,
    left: usize,
}

impl<'de, N: Note> SeqAccess<'de> for Parts<'_, 'de, N> {
    type Error = Unread;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unread> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        seed.deserialize(self.place.part(size_of::<S::Value>()))
            .map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        seq_hint(self.left, self.place.reader.input.len())
    }
}

impl<'de, N: Note> EnumAccess<'de> for Place<'_, 'de, N> {
    type Error = Unread;
    type Variant = Self;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Unread> {
        let number = self.reader.varint::<32>()? as u32;
        let number: serde::de::value::U32Deserializer<Unread> = number.into_deserializer();
        Ok((seed.deserialize(number)?, self))
    }
}

impl<'de, N: Note> VariantAccess<'de> for Place<'_, 'de, N> {
    type Error = Unread;

    #[inline]
    fn unit_variant(self) -> Result<(), Unread> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        mut self,
        seed: S,
    ) -> Result<S::Value, Unread> {
        self.slot = size_of::<S::Value>();
        seed.deserialize(self)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Unread> {
        let (place, left) = (self, length);
        visitor.visit_seq(Parts { place, left })
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unread> {
        self.tuple_variant(fields.len(), visitor)
    }
}

/// Access to the elements of a collection, each charged before it is read.
struct Elements<'r, 'de, N: Note> {
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
    is_vec_of_bytes: bool,
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
    fn new(place: Place<'r, 'de, N>, left: usize, announced: Option<usize>) -> Self {
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
