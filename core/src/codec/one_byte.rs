//! A serde serializer of one byte: what an element of a slice of bytes is. It compiles to nothing.

use serde::ser::{Impossible, Serialize, Serializer};

use super::write::Unwritten;

/// Gives the byte that it is given, and refuses all else.
pub(super) struct OneByte;

type Given = Result<u8, Unwritten>;
type Compound = Impossible<u8, Unwritten>;

macro_rules! refuse {
    ($($method:ident($($type:ty),*) -> $given:ty;)*) => {$(
        fn $method(self, $(_: $type),*) -> Result<$given, Unwritten> {
            Err(Unwritten::Refused)
        }
    )*};
}

impl Serializer for OneByte {
    type Ok = u8;
    type Error = Unwritten;
    type SerializeSeq = Compound;
    type SerializeTuple = Compound;
    type SerializeTupleStruct = Compound;
    type SerializeTupleVariant = Compound;
    type SerializeMap = Compound;
    type SerializeStruct = Compound;
    type SerializeStructVariant = Compound;

    #[inline(always)]
    fn serialize_u8(self, byte: u8) -> Given {
        Ok(byte)
    }

    refuse! {
        serialize_bool(bool) -> u8;
        serialize_i8(i8) -> u8;
        serialize_i16(i16) -> u8;
        serialize_i32(i32) -> u8;
        serialize_i64(i64) -> u8;
        serialize_u16(u16) -> u8;
        serialize_u32(u32) -> u8;
        serialize_u64(u64) -> u8;
        serialize_f32(f32) -> u8;
        serialize_f64(f64) -> u8;
        serialize_char(char) -> u8;
        serialize_str(&str) -> u8;
        serialize_bytes(&[u8]) -> u8;
        serialize_none() -> u8;
        serialize_unit() -> u8;
        serialize_unit_struct(&'static str) -> u8;
        serialize_unit_variant(&'static str, u32, &'static str) -> u8;
        serialize_seq(Option<usize>) -> Compound;
        serialize_map(Option<usize>) -> Compound;
        serialize_tuple(usize) -> Compound;
        serialize_tuple_struct(&'static str, usize) -> Compound;
        serialize_struct(&'static str, usize) -> Compound;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Compound;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Compound;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _value: &T) -> Given {
        Err(Unwritten::Refused)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _value: &T,
    ) -> Given {
        Err(Unwritten::Refused)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Given {
        Err(Unwritten::Refused)
    }
}
