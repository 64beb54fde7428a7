//! From the graph of a type to a number.

use super::graph::{Graph, Id, Kind, Parts, Payload};

/// The hash of what node 0 unfolds to, to twice the depth of the graph.
///
/// By rounds: in each, a node's hash is made of its kind, its names and the hashes that its parts
/// had in the round before. So two graphs that unfold alike have one hash, whether or not a type
/// that occurs twice is one type or two of one shape, and recursion needs no special case.
pub(super) fn of_graph(graph: &Graph) -> u64 {
    let mut hashes = vec![0_u64; graph.nodes.len()];
    for _ in 0..2 * (depth(graph) + 1) {
        let last = std::mem::take(&mut hashes);
        hashes = (0..graph.nodes.len())
            .map(|id| of_node(graph, id, &last))
            .collect();
    }
    hashes[resolve(graph, 0)]
}

/// The distance from node 0 to the node that is farthest from it.
fn depth(graph: &Graph) -> usize {
    let mut seen = vec![false; graph.nodes.len()];
    seen[0] = true;
    let mut level = vec![0];
    let mut depth = 0;
    loop {
        let below: Vec<Id> = level.iter().flat_map(|&id| graph.children(id)).collect();
        level = below
            .into_iter()
            .filter(|&id| !std::mem::replace(&mut seen[id], true))
            .collect();
        if level.is_empty() {
            return depth;
        }
        depth += 1;
    }
}

fn of_node(graph: &Graph, id: Id, last: &[u64]) -> u64 {
    let mut hash = Fnv::new();
    let of = |id| last[resolve(graph, id)];
    match &graph.nodes[id].kind {
        Kind::Unknown | Kind::Type(_) => hash.byte(0),
        Kind::Scalar(scalar) => hash.byte(*scalar as u8),
        Kind::Option(one) => {
            hash.byte(64);
            hash.number(of(*one));
        }
        Kind::Seq(one) => {
            hash.byte(65);
            hash.number(of(*one));
        }
        Kind::Map(key, value) => {
            hash.byte(66);
            hash.number(of(*key));
            hash.number(of(*value));
        }
        Kind::Parts(parts) => add_parts(&mut hash, parts, of),
        Kind::Enum(choice) => {
            hash.byte(69);
            hash.number(choice.variants.len() as u64);
            for variant in &choice.variants {
                hash.text(variant.name);
                match &variant.payload {
                    Payload::Unknown => hash.byte(70),
                    Payload::Unit => hash.byte(71),
                    Payload::Newtype(place) => {
                        hash.byte(72);
                        hash.number(of(*place));
                    }
                    Payload::Parts(parts) => add_parts(&mut hash, parts, of),
                }
            }
        }
    }
    hash.finish()
}

fn add_parts(hash: &mut Fnv, parts: &Parts, of: impl Fn(Id) -> u64) {
    hash.byte(if parts.names.is_some() { 67 } else { 68 });
    hash.number(parts.count as u64);
    for (index, id) in parts.ids().enumerate() {
        if let Some(name) = parts.names.and_then(|names| names.get(index)) {
            hash.text(name);
        }
        hash.number(of(id));
    }
}

/// A place that holds a composite counts as the composite.
fn resolve(graph: &Graph, id: Id) -> Id {
    match graph.nodes[id].kind {
        Kind::Type(composite) => composite,
        _ => id,
    }
}

/// FNV-1a, 64 bits: the same everywhere, unlike the standard library's hashers.
pub(super) struct Fnv(u64);

impl Fnv {
    pub(super) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }

    pub(super) fn number(&mut self, number: u64) {
        number
            .to_le_bytes()
            .into_iter()
            .for_each(|byte| self.byte(byte));
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        text.bytes().for_each(|byte| self.byte(byte));
    }

    pub(super) fn finish(&self) -> u64 {
        self.0
    }
}
