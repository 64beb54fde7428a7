//! A serde serializer that writes postcard's format, and notes the kinds of what it writes.
//!
//! The format: numbers of 16 bits and more as varints, signed ones in zigzag; floats as their bits, little-endian; texts,
//! bytes, sequences and maps behind their length; options behind a 0 or a 1; variants behind their number; of structs and
//! tuples their parts alone.

use std::any::type_name;
use std::fmt::{self, Display, Write as _};
use std::slice::Iter;
use std::sync::Arc;

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::kinds::{Kind, Note};
use super::octets;
use super::one_byte::OneByte;
use crate::bytes::{self, Body, Bytes, Pieces};
use crate::{buffers, bulk};

/// Why a value was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unwritten {
    /// Its `Serialize` implementation refused it; the text that it gives is dropped.
    Refused,
    /// The limit was passed.
    Full,
    /// It has a sequence or map that does not tell its length beforehand.
    UnknownLength,
    /// Its `Display` implementation, by which it is written, failed.
    Display,
}

impl Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unwritten::Refused => "its Serialize implementation refused it",
            Unwritten::Full => "it exceeds the limit",
            Unwritten::UnknownLength => {
                "a sequence or map in it does not tell its length beforehand, which postcard needs \
                 (`serde(flatten)` is a map of unknown length)"
            }
            Unwritten::Display => "the Display implementation, as which it is written, failed",
        })
    }
}

impl std::error::Error for Unwritten {}

impl Error for Unwritten {
    fn custom<T: Display>(_text: T) -> Self {
        Unwritten::Refused
    }
}

type Written = Result<(), Unwritten>;

/// The room at first: most values need no more.
const FIRST: usize = 128;

/// What has been written, which ends at a limit.
pub(super) struct Writer<N> {
    bytes: Vec<u8>,
    /// Looked at when the buffer has to grow, and at the end.
    limit: usize,
    /// Bytes asked for when the limit was passed.
    overflow: Option<usize>,
    /// How much of what is offered is not copied: that of so many places.
    most_apart: usize,
    apart: Option<Box<Apart>>,
    note: N,
}

/// What was offered and not copied.
#[derive(Default)]
struct Apart {
    /// Each at its place among what was.
    list: Vec<(usize, Bytes)>,
    length: usize,
}

impl<N: Note> Writer<N> {
    /// One of at most `limit` bytes; what is written is told to `note`. What is offered is left apart, in at most so many
    /// places.
    #[inline]
    pub(super) fn new(limit: usize, note: N, most_apart: usize) -> Self {
        Writer {
            bytes: buffers::take(FIRST),
            limit,
            overflow: None,
            most_apart,
            apart: None,
            note,
        }
    }

    /// What was written, or as far as it went beyond the limit.
    #[inline]
    pub(super) fn finish(self) -> Result<Body, usize> {
        match (self.overflow, self.apart) {
            (Some(asked), _) => Err(asked),
            (None, Some(apart)) => (*apart).joined(self.bytes, self.limit),
            (None, None) if self.bytes.len() > self.limit => Err(self.bytes.len()),
            (None, None) => Ok(Body::Own(self.bytes)),
        }
    }

    #[inline]
    fn push(&mut self, byte: u8) -> Written {
        if self.bytes.len() == self.bytes.capacity() {
            self.grow(1)?;
        }
        self.bytes.push(byte);
        Ok(())
    }

    #[inline]
    pub(super) fn extend(&mut self, more: &[u8]) -> Written {
        self.make_room(more.len())?;
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    #[inline]
    fn make_room(&mut self, more: usize) -> Written {
        if more > self.bytes.capacity() - self.bytes.len() {
            self.grow(more)?;
        }
        Ok(())
    }

    #[inline(never)]
    fn grow(&mut self, more: usize) -> Written {
        let asked = self.bytes.len().saturating_add(more);
        self.check(asked)?;
        match buffers::take_used(asked) {
            Some(mut larger) => {
                larger.clear();
                bulk::append(&mut larger, &self.bytes);
                buffers::give(std::mem::replace(&mut self.bytes, larger));
            }
            None => self.bytes.reserve(more),
        }
        Ok(())
    }

    /// Writes a part of a value.
    #[inline]
    fn part<T: Serialize + ?Sized>(&mut self, part: &T) -> Written {
        match octets::in_one(part, self.note, |bytes| self.extend(bytes)) {
            Some(written) => written,
            None => part.serialize(self),
        }
    }

    #[inline]
    fn varint(&mut self, mut number: u64) -> Written {
        while number >= 0x80 {
            self.push(number as u8 | 0x80)?;
            number >>= 7;
        }
        self.push(number as u8)
    }

    fn long_varint(&mut self, mut number: u128) -> Written {
        while number >= 0x80 {
            self.push(number as u8 | 0x80)?;
            number >>= 7;
        }
        self.push(number as u8)
    }

    #[inline]
    fn length(&mut self, length: usize) -> Written {
        self.varint(length as u64)
    }

    #[inline]
    fn counted(&mut self, bytes: &[u8]) -> Written {
        match bytes.len() {
            length @ 0..0x80 => {
                self.push(length as u8)?;
                self.extend(bytes)
            }
            _ => self.counted_far(bytes),
        }
    }

    /// More of them than most texts have.
    #[inline(never)]
    fn counted_far(&mut self, bytes: &[u8]) -> Written {
        self.length(bytes.len())?;
        if bytes.len() >= bytes::LEAST && self.leave_apart(bytes)? {
            return Ok(());
        }
        self.make_room(bytes.len())?;
        bulk::append(&mut self.bytes, bytes);
        Ok(())
    }
}

impl<N> Writer<N> {
    /// Whether `bytes` are offered, and not copied then.
    fn leave_apart(&mut self, bytes: &[u8]) -> Result<bool, Unwritten> {
        let places = self.apart.as_ref().map_or(0, |apart| apart.list.len());
        if places >= self.most_apart {
            return Ok(false);
        }
        let Some(own) = bytes::offered(bytes) else {
            return Ok(false);
        };
        self.check(self.bytes.len().saturating_add(bytes.len()))?;
        let apart = self.apart.get_or_insert_default();
        apart.list.push((self.bytes.len(), own));
        apart.length = apart.length.saturating_add(bytes.len());
        Ok(true)
    }

    /// Whether there may be so many in the buffer, beside those that are not.
    fn check(&mut self, in_buffer: usize) -> Written {
        let apart = self.apart.as_ref().map_or(0, |apart| apart.length);
        let asked = in_buffer.saturating_add(apart);
        if asked > self.limit {
            self.overflow.get_or_insert(asked);
            return Err(Unwritten::Full);
        }
        Ok(())
    }
}

impl Apart {
    #[cold]
    fn joined(self, bytes: Vec<u8>, limit: usize) -> Result<Body, usize> {
        let length = bytes.len().saturating_add(self.length);
        if length > limit {
            return Err(length);
        }
        Ok(Body::Shared(Arc::new(Pieces::of(bytes, self.list))))
    }
}

macro_rules! numbers {
    ($($method:ident($type:ty) is $kind:ident, $number:ident => $encoded:expr;)*) => {$(
        #[inline]
        fn $method(self, $number: $type) -> Written {
            self.note.note(Kind::$kind);
            self.varint($encoded)
        }
    )*};
}

impl<'w, N: Note> Serializer for &'w mut Writer<N> {
    type Ok = ();
    type Error = Unwritten;
    type SerializeSeq = Elements<'w, N>;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Elements<'w, N>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    numbers! {
        serialize_u16(u16) is Unsigned, n => n.into();
        serialize_u32(u32) is Unsigned, n => n.into();
        serialize_u64(u64) is Unsigned, n => n;
        serialize_i16(i16) is Signed, n => zigzag(n.into());
        serialize_i32(i32) is Signed, n => zigzag(n.into());
        serialize_i64(i64) is Signed, n => zigzag(n);
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Written {
        self.note.note(Kind::Bool);
        self.push(value.into())
    }

    #[inline]
    fn serialize_u8(self, value: u8) -> Written {
        self.note.note(Kind::U8);
        self.push(value)
    }

    #[inline]
    fn serialize_i8(self, value: i8) -> Written {
        self.note.note(Kind::I8);
        self.push(value as u8)
    }

    fn serialize_u128(self, value: u128) -> Written {
        self.note.note(Kind::Unsigned);
        self.long_varint(value)
    }

    fn serialize_i128(self, value: i128) -> Written {
        self.note.note(Kind::Signed);
        self.long_varint(((value << 1) ^ (value >> 127)) as u128)
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Written {
        self.note.note(Kind::F32);
        self.extend(&value.to_bits().to_le_bytes())
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Written {
        self.note.note(Kind::F64);
        self.extend(&value.to_bits().to_le_bytes())
    }

    #[inline]
    fn serialize_char(self, value: char) -> Written {
        self.note.note(Kind::Char);
        self.counted(value.encode_utf8(&mut [0; 4]).as_bytes())
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Written {
        self.note.note(Kind::Text);
        self.counted(value.as_bytes())
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Written {
        self.note.bytes(value.len());
        self.counted(value)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Written {
        self.note.note(Kind::Text);
        let at = self.bytes.len();
        self.push(0)?; // Enough for the length of most.
        let written = write!(Text(self), "{value}");
        if self.overflow.is_some() {
            return Err(Unwritten::Full);
        }
        written.map_err(|_| Unwritten::Display)?;
        let length = self.bytes.len() - at - 1;
        if let (0..0x80, Some(byte)) = (length, self.bytes.get_mut(at)) {
            *byte = length as u8;
            return Ok(());
        }
        let text = self.bytes.split_off(at + 1);
        self.bytes.truncate(at);
        self.counted(&text)
    }

    #[inline]
    fn serialize_unit(self) -> Written {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _name: &'static str) -> Written {
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Written {
        self.note.note(Kind::Option);
        self.push(0)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        self.note.note(Kind::Option);
        self.push(1)?;
        self.part(value)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Written {
        self.part(value)
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
    ) -> Written {
        self.note.note(Kind::Enum);
        self.varint(index.into())
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        value: &T,
    ) -> Written {
        self.note.note(Kind::Enum);
        self.varint(index.into())?;
        self.part(value)
    }

    #[inline]
    fn serialize_seq(self, length: Option<usize>) -> Result<Elements<'w, N>, Unwritten> {
        self.note.note(Kind::Collection);
        self.length(length.ok_or(Unwritten::UnknownLength)?)?;
        Ok(Elements {
            writer: self,
            run: N::Run::default(),
        })
    }

    #[inline]
    fn serialize_map(self, length: Option<usize>) -> Result<Elements<'w, N>, Unwritten> {
        self.serialize_seq(length)
    }

    /// serde's slices and vectors come by here. Those of bytes are copied in one: a mebibyte of them would be a million
    /// calls.
    #[inline]
    fn collect_seq<I>(self, elements: I) -> Written
    where
        I: IntoIterator,
        I::Item: Serialize,
    {
        let mut elements = elements.into_iter();
        let length = match elements.size_hint() {
            (length, Some(most)) if length == most => Some(length),
            _ => None,
        };
        if let (true, Some(length)) = (is_slice_of_bytes::<I::IntoIter>(), length) {
            self.note.bytes(length);
            self.length(length)?;
            if length > self.bytes.capacity() - self.bytes.len() {
                self.grow(length)?;
            }
            let byte = |element: I::Item| element.serialize(OneByte).unwrap_or_default();
            self.bytes.extend(elements.map(byte));
            return Ok(());
        }
        let mut seq = self.serialize_seq(length)?;
        elements.try_for_each(|element| seq.serialize_element(&element))?;
        SerializeSeq::end(seq)
    }

    #[inline]
    fn serialize_tuple(self, _length: usize) -> Result<Self, Unwritten> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Self, Unwritten> {
        Ok(self)
    }

    #[inline]
    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Self, Unwritten> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self, Unwritten> {
        self.note.note(Kind::Enum);
        self.varint(index.into())?;
        Ok(self)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self, Unwritten> {
        self.serialize_tuple_variant(name, index, variant, length)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }
}

#[inline]
fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

/// Whether `I` is what iterates over a slice of bytes: no other type has its name. The compiler knows the answer.
#[inline(always)]
fn is_slice_of_bytes<I>() -> bool {
    type_name::<I>() == type_name::<Iter<'_, u8>>()
}

macro_rules! parts {
    ($($trait:ident.$method:ident($($key:ident: $type:ty)?);)*) => {$(
        impl<N: Note> $trait for &mut Writer<N> {
            type Ok = ();
            type Error = Unwritten;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, $($key: $type,)? part: &T) -> Written {
                self.part(part)
            }

            #[inline]
            fn end(self) -> Written {
                Ok(())
            }
        }
    )*};
}

parts! {
    SerializeTuple.serialize_element();
    SerializeTupleStruct.serialize_field();
    SerializeTupleVariant.serialize_field();
    SerializeStruct.serialize_field(_key: &'static str);
    SerializeStructVariant.serialize_field(_key: &'static str);
}

/// The elements of a collection; of a map, its entries.
pub(super) struct Elements<'w, N: Note> {
    writer: &'w mut Writer<N>,
    run: N::Run,
}

impl<N: Note> SerializeSeq for Elements<'_, N> {
    type Ok = ();
    type Error = Unwritten;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, element: &T) -> Written {
        let note = self.writer.note;
        note.begin(&mut self.run);
        self.writer.part(element)?;
        note.end(&mut self.run);
        Ok(())
    }

    #[inline]
    fn end(self) -> Written {
        Ok(())
    }
}

impl<N: Note> SerializeMap for Elements<'_, N> {
    type Ok = ();
    type Error = Unwritten;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.writer.note.begin(&mut self.run);
        self.writer.part(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.writer.part(value)?;
        self.writer.note.end(&mut self.run);
        Ok(())
    }

    #[inline]
    fn end(self) -> Written {
        Ok(())
    }
}

/// What a value displays as, on its way to the writer.
struct Text<'w, N>(&'w mut Writer<N>);

impl<N: Note> fmt::Write for Text<'_, N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::super::kinds::Silent;
    use super::*;

    #[test]
    fn nothing_is_written_of_what_a_used_buffer_held() {
        let _keeping = buffers::Keeping::new();
        let value: Vec<u64> = (0..60_000).collect();
        // Another test may have them all released meanwhile.
        let used = (0..1000).find_map(|_| {
            (14..18).for_each(|bits| buffers::give(vec![0xee; 3 << bits]));
            let mut writer = Writer::new(usize::MAX, Silent, 0);
            let _written = value.serialize(&mut writer);
            let bytes = writer.finish().map_or_else(|_| Vec::new(), Body::into_vec);
            (bytes.capacity() == 3 << 16).then_some(bytes)
        });
        assert!(used == postcard::to_stdvec(&value).ok());
    }
}
