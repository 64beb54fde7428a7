//! The deserializer that a type is run against.

use std::any::type_name;
use std::cell::RefCell;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor, value::StrDeserializer,
};

use super::graph::{Id, Kind, Parts, Payload, Scalar, Shape, Type};
use super::trace::{Refused, Trace};
use super::values::{BYTES, CHARS, NUMBERS, TEXTS};

/// Nesting at which a pass ends.
const MAX_DEPTH: u16 = 96;

/// Gives a made-up value for one place, and notes what was asked for.
#[derive(Clone, Copy)]
pub(super) struct Tracer<'t> {
    trace: &'t RefCell<Trace>,
    place: Id,
    depth: u16,
}

impl<'t> Tracer<'t> {
    pub(super) fn root(trace: &'t RefCell<Trace>) -> Self {
        Self {
            trace,
            place: 0,
            depth: 0,
        }
    }

    fn at(self, place: Id) -> Self {
        Self { place, ..self }
    }

    fn scalar(self, scalar: Scalar) -> Result<usize, Refused> {
        self.trace.borrow_mut().scalar(self.place, scalar)
    }

    /// The composite here, one level down, and whether this pass sees it for the first time.
    fn composite<V>(self, shape: Shape) -> Result<(Self, bool), Refused> {
        let of = Type {
            visitor: type_name::<V>(),
            shape,
        };
        let (node, first) = self.trace.borrow_mut().composite(self.place, of)?;
        Ok((self.at(node).deeper()?, first))
    }

    fn deeper(self) -> Result<Self, Refused> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            Err(Refused)
        } else {
            Ok(Self { depth, ..self })
        }
    }

    fn fill<'de, S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Refused> {
        seed.deserialize(self)
    }

    fn visit_parts<'de, V: Visitor<'de>>(
        self,
        parts: Parts,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let refuses = |id: &Id| self.trace.borrow().graph.nodes[*id].refuses;
        let Some(names) = parts.names else {
            return visitor.visit_seq(Row {
                tracer: self,
                left: parts.ids(),
                named: false,
            });
        };
        if !parts.ids().any(|id| refuses(&id)) {
            return visitor.visit_seq(Row {
                tracer: self,
                left: parts.ids(),
                named: true,
            });
        }
        let (last, first): (Vec<_>, Vec<_>) = names
            .iter()
            .copied()
            .zip(parts.ids())
            .partition(|(_, id)| refuses(id));
        let fields = first
            .into_iter()
            .chain(last)
            .collect::<Vec<_>>()
            .into_iter();
        visitor.visit_map(Fields {
            tracer: self,
            fields,
            value: None,
        })
    }

    fn visit_composite_parts<'de, V: Visitor<'de>>(
        self,
        shape: Shape,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let (inside, _) = self.composite::<V>(shape)?;
        let parts = match &self.trace.borrow().graph.nodes[inside.place].kind {
            Kind::Parts(parts) => parts.clone(),
            _ => return Err(Refused),
        };
        inside.visit_parts(parts, visitor)
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $kind:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            let attempt = self.scalar(Scalar::$kind)?;
            visitor.$visit(NUMBERS[attempt].into())
        }
    )*};
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Refused;

    numbers! {
        deserialize_i16 visit_i16 I16;
        deserialize_i32 visit_i32 I32;
        deserialize_i64 visit_i64 I64;
        deserialize_i128 visit_i128 I128;
        deserialize_u8 visit_u8 U8;
        deserialize_u16 visit_u16 U16;
        deserialize_u32 visit_u32 U32;
        deserialize_u64 visit_u64 U64;
        deserialize_u128 visit_u128 U128;
        deserialize_f32 visit_f32 F32;
        deserialize_f64 visit_f64 F64;
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let attempt = self.scalar(Scalar::I8)?;
        visitor.visit_i8(NUMBERS[attempt] as i8)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let attempt = self.scalar(Scalar::Bool)?;
        visitor.visit_bool(attempt % 2 == 0)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let attempt = self.scalar(Scalar::Char)?;
        visitor.visit_char(CHARS[attempt])
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let attempt = self.scalar(Scalar::Str)?;
        visitor.visit_str(TEXTS[attempt])
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let attempt = self.scalar(Scalar::Bytes)?;
        visitor.visit_bytes(BYTES[attempt])
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.scalar(Scalar::Unit)?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.scalar(Scalar::Any)?;
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_any(visitor)
    }

    /// Only a type that is asked about names it was not asked for gets here: `flatten`.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.scalar(Scalar::Any)?;
        visitor.visit_str(TEXTS[0])
    }

    /// A newtype is what it wraps, as on the wire.
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.trace.borrow_mut().step(1)?;
        visitor.visit_newtype_struct(self.deeper()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let (inside, first) = self.composite::<V>(Shape::Option)?;
        let some = match inside.trace.borrow().graph.nodes[inside.place].kind {
            Kind::Option(some) => some,
            _ => return Err(Refused),
        };
        if first {
            visitor.visit_some(inside.at(some))
        } else {
            visitor.visit_none()
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let (inside, first) = self.composite::<V>(Shape::Seq)?;
        let element = match inside.trace.borrow().graph.nodes[inside.place].kind {
            Kind::Seq(element) => element,
            _ => return Err(Refused),
        };
        let left = if first { element..element + 1 } else { 0..0 };
        visitor.visit_seq(Row {
            tracer: inside,
            left,
            named: false,
        })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let (inside, first) = self.composite::<V>(Shape::Map)?;
        let entry = match inside.trace.borrow().graph.nodes[inside.place].kind {
            Kind::Map(key, value) => (key, value),
            _ => return Err(Refused),
        };
        visitor.visit_map(Entry {
            tracer: inside,
            key: first.then_some(entry.0),
            value: entry.1,
        })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.visit_composite_parts(Shape::Tuple(len), visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.visit_composite_parts(Shape::Tuple(len), visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.visit_composite_parts(Shape::Struct(fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let (tracer, first) = self.composite::<V>(Shape::Enum(variants))?;
        let chosen = tracer.trace.borrow_mut().choose(tracer.place, first)?;
        let value = visitor.visit_enum(Variation { tracer, chosen })?;
        tracer.trace.borrow_mut().completed(tracer.place, chosen);
        Ok(value)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The elements of a sequence or tuple, or the fields of a struct in order.
struct Row<'t> {
    tracer: Tracer<'t>,
    left: std::ops::Range<Id>,
    named: bool,
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
struct Fields<'t> {
    tracer: Tracer<'t>,
    fields: std::vec::IntoIter<(&'static str, Id)>,
    value: Option<Id>,
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
struct Entry<'t> {
    tracer: Tracer<'t>,
    key: Option<Id>,
    value: Id,
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
struct Variation<'t> {
    tracer: Tracer<'t>,
    chosen: usize,
}

impl Variation<'_> {
    fn parts(
        &self,
        names: Option<&'static [&'static str]>,
        count: usize,
    ) -> Result<Parts, Refused> {
        let mut trace = self.tracer.trace.borrow_mut();
        trace.step(count)?;
        let parts = |graph: &mut super::graph::Graph| Payload::Parts(graph.parts(names, count));
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
