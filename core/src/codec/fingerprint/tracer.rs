//! The deserializer that a type is run against.

use std::any::type_name;
use std::cell::RefCell;

use serde::de::{DeserializeSeed, Deserializer, Visitor};

use super::access::{Entry, Fields, Row, Variation};
use super::graph::{Id, Kind, Parts, Scalar, Shape, Type};
use super::trace::{Refused, Trace};
use super::values::{BYTES, CHARS, NUMBERS, TEXTS};

/// Nesting at which a pass ends.
const MAX_DEPTH: u16 = 96;

/// Gives a made-up value for one place, and notes what was asked for.
#[derive(Clone, Copy)]
pub(super) struct Tracer<'t> {
    pub(super) trace: &'t RefCell<Trace>,
    pub(super) place: Id,
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

    pub(super) fn at(self, place: Id) -> Self {
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

    pub(super) fn fill<'de, S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Refused> {
        seed.deserialize(self)
    }

    pub(super) fn visit_parts<'de, V: Visitor<'de>>(
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
