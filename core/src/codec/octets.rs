//! Arrays of bytes, as ids, digests and keys are: written and read in one.
//!
//! serde has an array written and read element by element, as a tuple of as many. Where all of them are bytes, and only
//! then, these steps are made of nothing that the compiler could not see through: it makes one copy of them.

use std::any::type_name;
use std::slice::{Iter, IterMut};

use serde::de::{DeserializeSeed, IntoDeserializer, SeqAccess};
use serde::ser::{Impossible, Serialize, SerializeTuple, Serializer};

use super::kinds::{Kind, Note};
use super::one_byte::OneByte;
use super::unread::Unread;
use super::write::Unwritten;

/// The longest array that serde knows how to write.
const LONGEST: usize = 32;

/// Whether `T` is an array of bytes: nothing else has such a name. The compiler knows the answer.
#[inline(always)]
fn is_array<T: ?Sized>() -> bool {
    matches!(
        type_name::<T>().as_bytes(),
        [b'[', b'u', b'8', b';', b' ', ..]
    )
}

/// Whether `V` is what serde reads an array of bytes with, so that nothing is asked for but bytes. Others may make one of
/// whatever they read.
#[inline(always)]
pub(super) fn is_arrays_visitor<V>() -> bool {
    const NOW: &str = "serde_core::de::impls::ArrayVisitor<[u8; ";
    const BEFORE: &str = "serde::de::impls::ArrayVisitor<[u8; ";
    let name = type_name::<V>();
    name.starts_with(NOW) || name.starts_with(BEFORE)
}

/// Has `write` write `value` as one, if it is an array of bytes and not too long.
#[inline(always)]
pub(super) fn in_one<T: Serialize + ?Sized, N: Note, R>(
    value: &T,
    note: N,
    write: impl FnOnce(&[u8]) -> R,
) -> Option<R> {
    if !is_array::<T>() || size_of_val(value) > LONGEST {
        return None;
    }
    let mut bytes = [0; LONGEST];
    let places = bytes.iter_mut();
    let left = value.serialize(Octets { places, note }).ok()?;
    let (written, _) = bytes.split_at_checked(LONGEST - left)?;
    Some(write(written))
}

/// The places for the bytes of an array. When they are written, it gives how many places are left.
struct Octets<'a, N> {
    places: IterMut<'a, u8>,
    note: N,
}

type Compound = Impossible<usize, Unwritten>;

macro_rules! refuse {
    ($($method:ident($($type:ty),*) -> $given:ty;)*) => {$(
        fn $method(self, $(_: $type),*) -> Result<$given, Unwritten> {
            Err(Unwritten::Refused)
        }
    )*};
}

impl<N: Note> Serializer for Octets<'_, N> {
    type Ok = usize;
    type Error = Unwritten;
    type SerializeSeq = Compound;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Compound;
    type SerializeTupleVariant = Compound;
    type SerializeMap = Compound;
    type SerializeStruct = Compound;
    type SerializeStructVariant = Compound;

    #[inline(always)]
    fn serialize_tuple(self, _length: usize) -> Result<Self, Unwritten> {
        Ok(self)
    }

    refuse! {
        serialize_bool(bool) -> usize;
        serialize_i8(i8) -> usize;
        serialize_i16(i16) -> usize;
        serialize_i32(i32) -> usize;
        serialize_i64(i64) -> usize;
        serialize_u8(u8) -> usize;
        serialize_u16(u16) -> usize;
        serialize_u32(u32) -> usize;
        serialize_u64(u64) -> usize;
        serialize_f32(f32) -> usize;
        serialize_f64(f64) -> usize;
        serialize_char(char) -> usize;
        serialize_str(&str) -> usize;
        serialize_bytes(&[u8]) -> usize;
        serialize_none() -> usize;
        serialize_unit() -> usize;
        serialize_unit_struct(&'static str) -> usize;
        serialize_unit_variant(&'static str, u32, &'static str) -> usize;
        serialize_seq(Option<usize>) -> Compound;
        serialize_tuple_struct(&'static str, usize) -> Compound;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Compound;
        serialize_map(Option<usize>) -> Compound;
        serialize_struct(&'static str, usize) -> Compound;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Compound;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _value: &T) -> Result<usize, Unwritten> {
        Err(Unwritten::Refused)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _value: &T,
    ) -> Result<usize, Unwritten> {
        Err(Unwritten::Refused)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<usize, Unwritten> {
        Err(Unwritten::Refused)
    }
}

impl<N: Note> SerializeTuple for Octets<'_, N> {
    type Ok = usize;
    type Error = Unwritten;

    #[inline(always)]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<(), Unwritten> {
        self.note.note(Kind::U8);
        if let Some(place) = self.places.next() {
            *place = element.serialize(OneByte).unwrap_or_default();
        }
        Ok(())
    }

    #[inline(always)]
    fn end(self) -> Result<usize, Unwritten> {
        Ok(self.places.len())
    }
}

/// Gives out the bytes of an array.
pub(super) struct GivenOut<'de, N> {
    pub(super) bytes: Iter<'de, u8>,
    pub(super) note: N,
}

impl<'de, N: Note> SeqAccess<'de> for GivenOut<'de, N> {
    type Error = Unread;

    #[inline(always)]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unread> {
        let Some(&byte) = self.bytes.next() else {
            return Ok(None);
        };
        self.note.note(Kind::U8);
        seed.deserialize(byte.into_deserializer()).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.bytes.len())
    }
}
