//! What is given out of a place whose parts lie in it: of tuples, structs and variants.

use serde::de::{DeserializeSeed, EnumAccess, IntoDeserializer, SeqAccess, VariantAccess, Visitor};

use super::place::Place;
use crate::codec::kinds::Note;
use crate::codec::unread::Unread;
use crate::codec::watch::seq_hint;

/// Access to the parts of a value that lie in its own place: their memory is paid for.
pub(super) struct Parts<'r, 'de, N> {
    pub(super) place: Place<'r, 'de, N>,
    pub(super) left: usize,
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
