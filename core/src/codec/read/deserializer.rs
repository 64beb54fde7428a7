//! What a type asks for, read at its place.

use serde::de::{Deserializer, Visitor};

use super::elements::{Elements, is};
use super::parts::Parts;
use super::place::Place;
use crate::bulk;
use crate::codec::kinds::{Kind, Note};
use crate::codec::octets::{self, GivenOut};
use crate::codec::unread::Unread;

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
        if octets::is_arrays_visitor::<V>() {
            let (bytes, note) = (self.reader.take(length)?.iter(), self.note);
            return visitor.visit_seq(GivenOut { bytes, note });
        }
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
