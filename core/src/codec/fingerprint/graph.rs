//! What has been seen of a type: a graph of kinds, cyclic where the type is recursive.

use std::collections::HashMap;

/// A node of a [`Graph`].
pub(super) type Id = usize;

/// The graph. Node 0 is the type itself.
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    /// Each composite type has one node, however often it occurs.
    types: HashMap<Type, Id>,
}

/// One place in a type, or one composite type.
pub(super) struct Node {
    pub(super) kind: Kind,
    /// The last pass that looked inside this composite, or 0.
    pub(super) entered: u32,
    /// Which made-up value a scalar is given.
    pub(super) attempt: usize,
    /// A struct's field whose values are all refused: it is given last, so that the others are seen.
    pub(super) refuses: bool,
    /// More may be seen in it.
    pub(super) pending: bool,
}

/// What a place holds.
pub(super) enum Kind {
    /// Not reached yet.
    Unknown,
    Scalar(Scalar),
    /// A composite type, at its own node.
    Type(Id),
    Option(Id),
    Seq(Id),
    Map(Id, Id),
    Parts(Parts),
    Enum(Choice),
}

/// A value of one part, or of none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Scalar {
    Unit = 1,
    Bool,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Str,
    Bytes,
    /// The type asks the bytes what they are.
    Any,
}

/// Several values in a row, named (a struct) or not (a tuple, an array).
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) names: Option<&'static [&'static str]>,
    pub(super) first: Id,
    pub(super) count: usize,
}

/// An enum.
pub(super) struct Choice {
    pub(super) variants: Vec<Variant>,
    /// The variant that was complete first. Following these ends, in whatever recursion: all enums
    /// in it were complete before.
    pub(super) exit: Option<usize>,
}

/// One variant of an enum.
pub(super) struct Variant {
    pub(super) name: &'static str,
    /// How often it was chosen.
    pub(super) chosen: u32,
    pub(super) payload: Payload,
}

/// What a variant carries.
#[derive(Clone)]
pub(super) enum Payload {
    Unknown,
    Unit,
    Newtype(Id),
    Parts(Parts),
}

/// What tells one composite type from another. The name of its visitor carries the type's name with
/// its generics; it decides only what is looked at twice, and is no part of the fingerprint.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Type {
    pub(super) visitor: &'static str,
    pub(super) shape: Shape,
}

/// How a composite type was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    Option,
    Seq,
    Map,
    Tuple(usize),
    Struct(&'static [&'static str]),
    Enum(&'static [&'static str]),
}

impl Graph {
    pub(super) fn new() -> Self {
        let mut graph = Self {
            nodes: Vec::new(),
            types: HashMap::new(),
        };
        graph.place();
        graph
    }

    /// The node of a composite type that occurs at `place`, with places for its parts, and whether
    /// it is new.
    pub(super) fn composite(&mut self, place: Id, of: Type) -> (Id, bool) {
        if let Some(&known) = self.types.get(&of) {
            let new = self.fill(place, Kind::Type(known));
            return (known, new);
        }
        let node = self.place();
        let kind = match of.shape {
            Shape::Option => Kind::Option(self.place()),
            Shape::Seq => Kind::Seq(self.place()),
            Shape::Map => Kind::Map(self.place(), self.place()),
            Shape::Tuple(count) => Kind::Parts(self.parts(None, count)),
            Shape::Struct(names) => Kind::Parts(self.parts(Some(names), names.len())),
            Shape::Enum(names) => Kind::Enum(Choice::new(names)),
        };
        self.nodes[node].kind = kind;
        self.types.insert(of, node);
        self.fill(place, Kind::Type(node));
        (node, true)
    }

    /// Notes what `place` holds, if that is not known. What was noted first stays: a type that asks
    /// for another kind the next time has no one shape.
    pub(super) fn fill(&mut self, place: Id, kind: Kind) -> bool {
        let unknown = matches!(self.nodes[place].kind, Kind::Unknown);
        if unknown {
            self.nodes[place].kind = kind;
        }
        unknown
    }

    /// A new place.
    pub(super) fn place(&mut self) -> Id {
        let kind = Kind::Unknown;
        self.nodes.push(Node {
            kind,
            entered: 0,
            attempt: 0,
            refuses: false,
            pending: true,
        });
        self.nodes.len() - 1
    }

    /// New places for `count` parts.
    pub(super) fn parts(&mut self, names: Option<&'static [&'static str]>, count: usize) -> Parts {
        let first = self.nodes.len();
        for _ in 0..count {
            self.place();
        }
        Parts {
            names,
            first,
            count,
        }
    }

    /// Works out for each node whether more may be seen in it.
    pub(super) fn update_pending(&mut self) {
        for node in &mut self.nodes {
            node.pending = match &node.kind {
                Kind::Unknown => true,
                Kind::Enum(choice) => choice.variants.iter().any(|variant| variant.chosen == 0),
                _ => false,
            };
        }
        // Parts have higher ids than their type, so backwards most is settled in one round.
        let mut changed = true;
        while changed {
            changed = false;
            for id in (0..self.nodes.len()).rev() {
                if !self.nodes[id].pending && self.children(id).any(|c| self.nodes[c].pending) {
                    self.nodes[id].pending = true;
                    changed = true;
                }
            }
        }
    }

    /// Makes bytes the sequence of `u8` that they are on the wire.
    pub(super) fn spell_out_bytes(&mut self) {
        for place in 0..self.nodes.len() {
            if matches!(self.nodes[place].kind, Kind::Scalar(Scalar::Bytes)) {
                let (sequence, element) = (self.place(), self.place());
                self.nodes[element].kind = Kind::Scalar(Scalar::U8);
                self.nodes[sequence].kind = Kind::Seq(element);
                self.nodes[place].kind = Kind::Type(sequence);
            }
        }
    }

    /// The nodes that `id` leads to.
    pub(super) fn children(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        let (single, parts, variants) = match &self.nodes[id].kind {
            Kind::Unknown | Kind::Scalar(_) => ([None, None], None, None),
            Kind::Type(one) | Kind::Option(one) | Kind::Seq(one) => {
                ([Some(*one), None], None, None)
            }
            Kind::Map(key, value) => ([Some(*key), Some(*value)], None, None),
            Kind::Parts(parts) => ([None, None], Some(parts.ids()), None),
            Kind::Enum(choice) => ([None, None], None, Some(&choice.variants)),
        };
        let payloads = variants
            .into_iter()
            .flatten()
            .flat_map(|variant| variant.payload.ids());
        single
            .into_iter()
            .flatten()
            .chain(parts.into_iter().flatten())
            .chain(payloads)
    }
}

impl Parts {
    pub(super) fn ids(&self) -> std::ops::Range<Id> {
        self.first..self.first + self.count
    }
}

impl Payload {
    pub(super) fn ids(&self) -> std::ops::Range<Id> {
        match self {
            Self::Unknown | Self::Unit => 0..0,
            Self::Newtype(place) => *place..*place + 1,
            Self::Parts(parts) => parts.ids(),
        }
    }
}

impl Choice {
    fn new(names: &'static [&'static str]) -> Self {
        let payload = Payload::Unknown;
        let variant = |&name| Variant {
            name,
            chosen: 0,
            payload: payload.clone(),
        };
        Self {
            variants: names.iter().map(variant).collect(),
            exit: None,
        }
    }
}
