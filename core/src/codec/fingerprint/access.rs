//! What a [`Tracer`] gives a type piece by piece: elements, fields, entries, variants.

use serde::de::{
    DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
    value::StrDeserializer,
};

use super::graph::{Graph, Id, Parts, Payload};
use super::trace::Refused;
use super::tracer::Tracer;

/// The elements of a sequence or tuple, or the fields of a struct in order.
pub(super) struct Row<'t> {
    pub(super) tracer: Tracer<'t>,
    pub(super) left: std::ops::Range<Id>,
    pub(super) named: bool,
}

impl<'de> SeqAccess<'de> for Row<'_> {
    type Error = Refused;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        let Some(place) = self.left.next() else {
            return Ok(None);
        };
        let filled = self.tracer.at(place).fill(seed);
        if filled.is_err() && self.named {
            self.tracer.trace.borrow_mut().refused_in(place);
        }
        filled.map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// The fields of a struct by name, in an order of ours.
pub(super) struct Fields<'t> {
    pub(super) tracer: Tracer<'t>,
    pub(super) fields: std::vec::IntoIter<(&'static str, Id)>,
    pub(super) value: Option<Id>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Refused;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        let Some((name, place)) = self.fields.next() else {
            return Ok(None);
        };
        self.value = Some(place);
        let name: StrDeserializer<'_, Refused> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refused> {
        let place = self.value.take().ok_or(Refused)?;
        let filled = self.tracer.at(place).fill(seed);
        if filled.is_err() {
            self.tracer.trace.borrow_mut().refused_in(place);
        }
        filled
    }
}

/// The one entry of a map, or none.
pub(super) struct Entry<'t> {
    pub(super) tracer: Tracer<'t>,
    pub(super) key: Option<Id>,
    pub(super) value: Id,
}

impl<'de> MapAccess<'de> for Entry<'_> {
    type Error = Refused;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        self.key
            .take()
            .map(|key| self.tracer.at(key).fill(seed))
            .transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refused> {
        self.tracer.at(self.value).fill(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(usize::from(self.key.is_some()))
    }
}

/// The chosen variant of an enum.
pub(super) struct Variation<'t> {
    pub(super) tracer: Tracer<'t>,
    pub(super) chosen: usize,
}

impl Variation<'_> {
    fn parts(
        &self,
        names: Option<&'static [&'static str]>,
        count: usize,
    ) -> Result<Parts, Refused> {
        let mut trace = self.tracer.trace.borrow_mut();
        trace.step(count)?;
        let parts = |graph: &mut Graph| Payload::Parts(graph.parts(names, count));
        match trace.payload(self.tracer.place, self.chosen, parts) {
            Payload::Parts(parts) => Ok(parts),
            _ => Err(Refused),
        }
    }
}

impl<'de, 't> EnumAccess<'de> for Variation<'t> {
    type Error = Refused;
    type Variant = Self;

    /// By number, as postcard does.
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Refused> {
        let index = u32::try_from(self.chosen).map_err(|_| Refused)?;
        let tag = seed.deserialize(index.into_deserializer())?;
        Ok((tag, self))
    }
}

impl<'de> VariantAccess<'de> for Variation<'_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        let mut trace = self.tracer.trace.borrow_mut();
        trace.payload(self.tracer.place, self.chosen, |_| Payload::Unit);
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Refused> {
        let payload =
            self.tracer
                .trace
                .borrow_mut()
                .payload(self.tracer.place, self.chosen, |graph| {
                    Payload::Newtype(graph.place())
                });
        match payload {
            Payload::Newtype(place) => self.tracer.at(place).fill(seed),
            _ => Err(Refused),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        let parts = self.parts(None, len)?;
        self.tracer.visit_parts(parts, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let parts = self.parts(Some(fields), fields.len())?;
        self.tracer.visit_parts(parts, visitor)
    }
}
