//! A serde deserializer inside which depth and memory are counted.
//!
//! Only what nests is wrapped. Scalars and strings go straight to the deserializer below: a scalar
//! sits in a place already paid for, and the strings of a message are no longer than the message.
//!
//! Errors are those of the deserializer below, unchanged: an error type of our own, with the text
//! that a type gives with its refusal, was measured at two to five times the cost of decoding.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::watch::{Place, map_hint, seq_hint};

/// `inner`, counted.
pub(super) struct Guarded<'w, D> {
    inner: D,
    place: Place<'w>,
}

impl<'w, D> Guarded<'w, D> {
    pub(super) fn new(inner: D, place: Place<'w>) -> Self {
        Self { inner, place }
    }
}

macro_rules! pass {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(visitor)
        }
    )*};
}

macro_rules! nest {
    ($($method:ident($($arg:ident: $type:ty),*) in $wrapper:ident;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            let inside = self.place.enter(size_of::<V::Value>())?;
            let visitor = $wrapper { visitor, place: inside };
            self.inner.$method($($arg,)* visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Guarded<'_, D> {
    type Error = D::Error;

    pass! {
        deserialize_bool deserialize_char deserialize_f32 deserialize_f64
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
        deserialize_unit deserialize_identifier
    }

    nest! {
        deserialize_option() in Inline;
        deserialize_newtype_struct(name: &'static str) in Inline;
        deserialize_tuple(len: usize) in Inline;
        deserialize_tuple_struct(name: &'static str, len: usize) in Inline;
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) in Inline;
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) in Inline;
        deserialize_seq() in Collection;
        deserialize_map() in Collection;
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

/// The visitor of a value whose parts lie in its own place.
struct Inline<'w, V> {
    visitor: V,
    place: Place<'w>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Inline<'_, V> {
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
struct Parts<'w, A> {
    inner: A,
    place: Place<'w>,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Parts<'_, A> {
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

impl<'de, 'w, A: EnumAccess<'de>> EnumAccess<'de> for Parts<'w, A> {
    type Error = A::Error;
    type Variant = Parts<'w, A::Variant>;

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

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Parts<'_, A> {
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
struct Collection<'w, V> {
    visitor: V,
    place: Place<'w>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Collection<'_, V> {
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
            length,
            values: length,
        };
        self.visitor.visit_map(elements)
    }
}

/// Access to the elements of a collection, each charged before it is read.
struct Elements<'w, A> {
    inner: A,
    place: Place<'w>,
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

impl<A> Elements<'_, A> {
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

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, A> {
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
        self.inner.next_element_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        seq_hint(self.inner.size_hint())
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Elements<'_, A> {
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
        self.inner.next_key_seed(seed)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.charge_values(size_of::<S::Value>())?;
        let seed = Seeded {
            seed,
            place: self.place.sized(size_of::<S::Value>()),
        };
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        map_hint(self.inner.size_hint())
    }
}

/// A seed that reads through the guard.
struct Seeded<'w, S> {
    seed: S,
    place: Place<'w>,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Seeded<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        let guarded = Guarded::new(inner, self.place);
        self.seed.deserialize(guarded)
    }
}
