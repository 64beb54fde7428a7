//! A serde deserializer inside which depth and memory are counted, and kinds are noted.
//!
//! Only what nests is wrapped. Scalars and strings go straight to the deserializer below: a scalar
//! sits in a place already paid for, and the strings of a message are no longer than the message.
//!
//! Errors are those of the deserializer below, unchanged: an error type of our own, with the text
//! that a type gives with its refusal, was measured at two to five times the cost of decoding.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::kinds::{Kind, Note};
use super::watch::{Place, map_hint, seq_hint};

/// `inner`, counted.
pub(super) struct Guarded<'w, D, N> {
    inner: D,
    place: Place<'w, N>,
}

impl<'w, D, N> Guarded<'w, D, N> {
    pub(super) fn new(inner: D, place: Place<'w, N>) -> Self {
        Self { inner, place }
    }
}

macro_rules! scalars {
    ($($kind:ident: $($method:ident)*;)*) => {$($(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.place.note.note(Kind::$kind);
            self.inner.$method(visitor)
        }
    )*)*};
}

macro_rules! pass {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(visitor)
        }
    )*};
}

macro_rules! bytes {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            let note = self.place.note;
            self.inner.$method(Bytes { visitor, note })
        }
    )*};
}

macro_rules! nest {
    ($($method:ident($($arg:ident: $type:ty),*) in $wrapper:ident $(is $kind:ident)?;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            $(self.place.note.note(Kind::$kind);)?
            let inside = self.place.enter(size_of::<V::Value>())?;
            let visitor = $wrapper { visitor, place: inside };
            self.inner.$method($($arg,)* visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>, N: Note> Deserializer<'de> for Guarded<'_, D, N> {
    type Error = D::Error;

    scalars! {
        Bool: deserialize_bool;
        I8: deserialize_i8;
        U8: deserialize_u8;
        Signed: deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128;
        Unsigned: deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128;
        F32: deserialize_f32;
        F64: deserialize_f64;
        Char: deserialize_char;
        Text: deserialize_str deserialize_string;
    }

    bytes! { deserialize_bytes deserialize_byte_buf }

    pass! { deserialize_unit deserialize_identifier }

    nest! {
        deserialize_option() in Inline is Option;
        deserialize_newtype_struct(name: &'static str) in Inline;
        deserialize_tuple(len: usize) in Inline;
        deserialize_tuple_struct(name: &'static str, len: usize) in Inline;
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) in Inline;
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) in Inline is Enum;
        deserialize_seq() in Collection is Collection;
        deserialize_map() in Collection is Collection;
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, D::Error> {
        Err(self.place.untyped())
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, D::Error> {
        Err(self.place.untyped())
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// The visitor of a string of bytes.
struct Bytes<V, N> {
    visitor: V,
    note: N,
}

impl<'de, V: Visitor<'de>, N: Note> Visitor<'de> for Bytes<V, N> {
    type Value = V::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.visitor.expecting(f)
    }

    #[inline]
    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<V::Value, E> {
        self.note.bytes(bytes);
        self.visitor.visit_bytes(bytes)
    }

    #[inline]
    fn visit_borrowed_bytes<E: serde::de::Error>(self, bytes: &'de [u8]) -> Result<V::Value, E> {
        self.note.bytes(bytes);
        self.visitor.visit_borrowed_bytes(bytes)
    }
}

/// The visitor of a value whose parts lie in its own place.
struct Inline<'w, V, N> {
    visitor: V,
    place: Place<'w, N>,
}

impl<'de, V: Visitor<'de>, N: Note> Visitor<'de> for Inline<'_, V, N> {
    type Value = V::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.visitor.expecting(f)
    }

    #[inline]
    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let guarded = Guarded::new(inner, self.place);
        self.visitor.visit_some(guarded)
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let guarded = Guarded::new(inner, self.place);
        self.visitor.visit_newtype_struct(guarded)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let parts = Parts {
            inner,
            place: self.place,
        };
        self.visitor.visit_seq(parts)
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let parts = Parts {
            inner,
            place: self.place,
        };
        self.visitor.visit_enum(parts)
    }
}

/// Access to the parts of a value that lie in its own place: their memory is paid for.
struct Parts<'w, A, N> {
    inner: A,
    place: Place<'w, N>,
}

impl<'de, A: SeqAccess<'de>, N: Note> SeqAccess<'de> for Parts<'_, A, N> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let seed = Seeded {
            seed,
            place: self.place.sized(size_of::<S::Value>()),
        };
        self.inner.next_element_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        seq_hint(self.inner.size_hint())
    }
}

impl<'de, 'w, A: EnumAccess<'de>, N: Note> EnumAccess<'de> for Parts<'w, A, N> {
    type Error = A::Error;
    type Variant = Parts<'w, A::Variant, N>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let place = self.place;
        let (tag, inner) = self.inner.variant_seed(seed)?;
        Ok((tag, Parts { inner, place }))
    }
}

impl<'de, A: VariantAccess<'de>, N: Note> VariantAccess<'de> for Parts<'_, A, N> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let seed = Seeded {
            seed,
            place: self.place.sized(size_of::<S::Value>()),
        };
        self.inner.newtype_variant_seed(seed)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = Inline {
            visitor,
            place: self.place,
        };
        self.inner.tuple_variant(len, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = Inline {
            visitor,
            place: self.place,
        };
        self.inner.struct_variant(fields, visitor)
    }
}

/// The visitor of a sequence, set or map: as many elements as the bytes say.
struct Collection<'w, V, N> {
    visitor: V,
    place: Place<'w, N>,
}

impl<'de, V: Visitor<'de>, N: Note> Visitor<'de> for Collection<'_, V, N> {
    type Value = V::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.visitor.expecting(f)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let length = Length::new(inner.size_hint());
        let elements = Elements {
            inner,
            place: self.place,
            run: N::Run::default(),
            length,
            values: length,
        };
        self.visitor.visit_seq(elements)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let length = Length::new(inner.size_hint());
        let elements = Elements {
            inner,
            place: self.place,
            run: N::Run::default(),
            length,
            values: length,
        };
        self.visitor.visit_map(elements)
    }
}

/// Access to the elements of a collection, each charged before it is read.
struct Elements<'w, A, N: Note> {
    inner: A,
    place: Place<'w, N>,
    run: N::Run,
    /// What is charged for elements (of a map: keys).
    length: Length,
    /// What is charged for the values of a map.
    values: Length,
}

/// How many elements are charged when one is read.
#[derive(Clone, Copy)]
enum Length {
    /// All of this many at the first one, so that the rest cost nothing.
    Announced(usize),
    /// They have been charged.
    Charged,
    /// One at a time: the number is unknown, or more than the message has bytes.
    Open,
}

impl Length {
    fn new(announced: Option<usize>) -> Self {
        announced.map_or(Self::Open, Self::Announced)
    }

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

impl<A, N: Note> Elements<'_, A, N> {
    #[inline]
    fn charge_elements<E: serde::de::Error>(&mut self, size: usize) -> Result<(), E> {
        let due = self.length.due();
        if due > 0 {
            self.place.count(due)?;
            self.place.charge(due.saturating_mul(size.max(1)))?;
        }
        Ok(())
    }

    #[inline]
    fn charge_values<E: serde::de::Error>(&mut self, size: usize) -> Result<(), E> {
        match self.values.due() {
            0 => Ok(()),
            due => self.place.charge(due.saturating_mul(size)),
        }
    }
}

impl<'de, A: SeqAccess<'de>, N: Note> SeqAccess<'de> for Elements<'_, A, N> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.charge_elements(size_of::<S::Value>())?;
        let seed = Seeded {
            seed,
            place: self.place.sized(size_of::<S::Value>()),
        };
        let note = self.place.note;
        note.begin(&mut self.run);
        let element = self.inner.next_element_seed(seed)?;
        match element {
            Some(_) => note.end(&mut self.run),
            None => note.none(&mut self.run),
        }
        Ok(element)
    }

    fn size_hint(&self) -> Option<usize> {
        seq_hint(self.inner.size_hint())
    }
}

impl<'de, A: MapAccess<'de>, N: Note> MapAccess<'de> for Elements<'_, A, N> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.charge_elements(size_of::<S::Value>())?;
        let seed = Seeded {
            seed,
            place: self.place.sized(size_of::<S::Value>()),
        };
        let note = self.place.note;
        note.begin(&mut self.run);
        let key = self.inner.next_key_seed(seed)?;
        if key.is_none() {
            note.none(&mut self.run);
        }
        Ok(key)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.charge_values(size_of::<S::Value>())?;
        let seed = Seeded {
            seed,
            place: self.place.sized(size_of::<S::Value>()),
        };
        let value = self.inner.next_value_seed(seed)?;
        // An entry is its key and its value.
        self.place.note.end(&mut self.run);
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        map_hint(self.inner.size_hint())
    }
}

/// A seed that reads through the guard.
struct Seeded<'w, S, N> {
    seed: S,
    place: Place<'w, N>,
}

impl<'de, S: DeserializeSeed<'de>, N: Note> DeserializeSeed<'de> for Seeded<'_, S, N> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        let guarded = Guarded::new(inner, self.place);
        self.seed.deserialize(guarded)
    }
}
