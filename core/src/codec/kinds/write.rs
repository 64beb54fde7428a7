//! A serde serializer that notes the kinds of what it writes.

use std::fmt::Display;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::{Kind, Run, Sum};

/// `inner`, noted.
pub(in crate::codec) struct Noting<'s, S> {
    inner: S,
    sum: &'s Sum,
}

impl<'s, S> Noting<'s, S> {
    pub(in crate::codec) fn new(inner: S, sum: &'s Sum) -> Self {
        Noting { inner, sum }
    }
}

macro_rules! scalars {
    ($($method:ident($type:ty) is $kind:ident;)*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.sum.note(Kind::$kind);
            self.inner.$method(value)
        }
    )*};
}

impl<'s, S: Serializer> Serializer for Noting<'s, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Elements<'s, S::SerializeSeq>;
    type SerializeTuple = Parts<'s, S::SerializeTuple>;
    type SerializeTupleStruct = Parts<'s, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Parts<'s, S::SerializeTupleVariant>;
    type SerializeMap = Elements<'s, S::SerializeMap>;
    type SerializeStruct = Parts<'s, S::SerializeStruct>;
    type SerializeStructVariant = Parts<'s, S::SerializeStructVariant>;

    scalars! {
        serialize_bool(bool) is Bool;
        serialize_i8(i8) is I8;
        serialize_i16(i16) is Signed;
        serialize_i32(i32) is Signed;
        serialize_i64(i64) is Signed;
        serialize_i128(i128) is Signed;
        serialize_u8(u8) is U8;
        serialize_u16(u16) is Unsigned;
        serialize_u32(u32) is Unsigned;
        serialize_u64(u64) is Unsigned;
        serialize_u128(u128) is Unsigned;
        serialize_f32(f32) is F32;
        serialize_f64(f64) is F64;
        serialize_char(char) is Char;
        serialize_str(&str) is Text;
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<S::Ok, S::Error> {
        self.sum.bytes(bytes);
        self.inner.serialize_bytes(bytes)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.sum.note(Kind::Text);
        self.inner.collect_str(value)
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_struct(name)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.sum.note(Kind::Option);
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.sum.note(Kind::Option);
        self.inner.serialize_some(&self.sum.through(value))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = self.sum.through(value);
        self.inner.serialize_newtype_struct(name, &value)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.sum.note(Kind::Enum);
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.sum.note(Kind::Enum);
        let value = self.sum.through(value);
        self.inner
            .serialize_newtype_variant(name, index, variant, &value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.sum.note(Kind::Collection);
        Ok(Elements::new(self.inner.serialize_seq(len)?, self.sum))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.sum.note(Kind::Collection);
        Ok(Elements::new(self.inner.serialize_map(len)?, self.sum))
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        Ok(Parts::new(self.inner.serialize_tuple(len)?, self.sum))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let parts = self.inner.serialize_tuple_struct(name, len)?;
        Ok(Parts::new(parts, self.sum))
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        let parts = self.inner.serialize_struct(name, len)?;
        Ok(Parts::new(parts, self.sum))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.sum.note(Kind::Enum);
        let parts = self
            .inner
            .serialize_tuple_variant(name, index, variant, len)?;
        Ok(Parts::new(parts, self.sum))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.sum.note(Kind::Enum);
        let parts = self
            .inner
            .serialize_struct_variant(name, index, variant, len)?;
        Ok(Parts::new(parts, self.sum))
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

impl Sum {
    fn through<'a, T: ?Sized>(&'a self, value: &'a T) -> Through<'a, T> {
        Through { value, sum: self }
    }
}

/// A value that is written through a noting serializer.
struct Through<'a, T: ?Sized> {
    value: &'a T,
    sum: &'a Sum,
}

impl<T: Serialize + ?Sized> Serialize for Through<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Noting::new(serializer, self.sum))
    }
}

/// The parts of a tuple, a struct or a variant, one after the other.
pub(in crate::codec) struct Parts<'s, P> {
    inner: P,
    sum: &'s Sum,
}

impl<'s, P> Parts<'s, P> {
    fn new(inner: P, sum: &'s Sum) -> Self {
        Parts { inner, sum }
    }
}

macro_rules! parts {
    ($($trait:ident.$method:ident($($key:ident: $type:ty)?);)*) => {$(
        impl<P: $trait> $trait for Parts<'_, P> {
            type Ok = P::Ok;
            type Error = P::Error;

            #[inline]
            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($key: $type,)?
                value: &T,
            ) -> Result<(), P::Error> {
                self.inner.$method($($key,)? &self.sum.through(value))
            }

            fn end(self) -> Result<P::Ok, P::Error> {
                self.inner.end()
            }
        }
    )*};
}

parts! {
    SerializeTuple.serialize_element();
    SerializeTupleStruct.serialize_field();
    SerializeTupleVariant.serialize_field();
    SerializeStruct.serialize_field(key: &'static str);
    SerializeStructVariant.serialize_field(key: &'static str);
}

/// The elements of a collection; of a map, its entries.
pub(in crate::codec) struct Elements<'s, P> {
    inner: P,
    sum: &'s Sum,
    run: Run,
}

impl<'s, P> Elements<'s, P> {
    fn new(inner: P, sum: &'s Sum) -> Self {
        Elements {
            inner,
            sum,
            run: Run::default(),
        }
    }
}

impl<P: SerializeSeq> SerializeSeq for Elements<'_, P> {
    type Ok = P::Ok;
    type Error = P::Error;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), P::Error> {
        self.sum.begin(&mut self.run);
        self.inner.serialize_element(&self.sum.through(value))?;
        self.sum.end(&mut self.run);
        Ok(())
    }

    fn end(self) -> Result<P::Ok, P::Error> {
        self.inner.end()
    }
}

impl<P: SerializeMap> SerializeMap for Elements<'_, P> {
    type Ok = P::Ok;
    type Error = P::Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), P::Error> {
        self.sum.begin(&mut self.run);
        self.inner.serialize_key(&self.sum.through(key))
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), P::Error> {
        self.inner.serialize_value(&self.sum.through(value))?;
        self.sum.end(&mut self.run);
        Ok(())
    }

    fn end(self) -> Result<P::Ok, P::Error> {
        self.inner.end()
    }
}
