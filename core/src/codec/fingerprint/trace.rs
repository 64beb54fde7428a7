//! The passes over a type, and what one pass knows.

use std::cell::RefCell;
use std::fmt::{self, Display};
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::DeserializeOwned;

use super::graph::{Graph, Id, Kind, Payload, Scalar, Shape, Type};
use super::tracer::Tracer;
use super::values::ATTEMPTS;

/// Most values asked for in all passes together.
const MAX_STEPS: usize = 65_536;
/// Most passes.
const MAX_PASSES: u32 = 4096;
/// Passes that bring nothing new, in a row, before the rest is given up.
const MAX_IDLE: u32 = 16;

/// Looks at `T` until all of it has been seen, or as much as can be.
pub(super) fn explore<T: DeserializeOwned>() -> Graph {
    let trace = RefCell::new(Trace::new());
    let mut idle = 0;
    for pass in 1..=MAX_PASSES {
        trace.borrow_mut().begin(pass);
        let walked = catch_unwind(AssertUnwindSafe(|| {
            T::deserialize(Tracer::root(&trace)).is_ok()
        }));
        let mut trace = trace.borrow_mut();
        if !matches!(walked, Ok(true)) {
            trace.learn_from_refusal();
        }
        trace.graph.update_pending();
        idle = if trace.learned { 0 } else { idle + 1 };
        if !trace.graph.nodes[0].pending || trace.steps > MAX_STEPS || idle > MAX_IDLE {
            break;
        }
    }
    trace.into_inner().graph
}

/// What has been seen, and where the current pass stands.
pub(super) struct Trace {
    pub(super) graph: Graph,
    pass: u32,
    steps: usize,
    /// This pass saw something new.
    learned: bool,
    /// The scalar given last in this pass: the first suspect when a value is refused.
    last: Option<Id>,
    /// The fields of structs that the refusal went through, innermost first.
    refused: Vec<Id>,
}

impl Trace {
    fn new() -> Self {
        let refused = Vec::new();
        Self {
            graph: Graph::new(),
            pass: 0,
            steps: 0,
            learned: false,
            last: None,
            refused,
        }
    }

    fn begin(&mut self, pass: u32) {
        self.pass = pass;
        self.learned = false;
        self.last = None;
        self.refused.clear();
    }

    /// So many more values are asked for.
    pub(super) fn step(&mut self, values: usize) -> Result<(), Refused> {
        self.steps = self.steps.saturating_add(values);
        if self.steps > MAX_STEPS {
            Err(Refused)
        } else {
            Ok(())
        }
    }

    /// A scalar is asked for at `place`; which value to give.
    pub(super) fn scalar(&mut self, place: Id, scalar: Scalar) -> Result<usize, Refused> {
        self.step(1)?;
        self.learned |= self.graph.fill(place, Kind::Scalar(scalar));
        self.last = Some(place);
        Ok(self.graph.nodes[place].attempt)
    }

    /// A composite is asked for at `place`. Also whether this pass sees it for the first time: the
    /// second time it is kept as small as it can be, which ends every recursion.
    pub(super) fn composite(&mut self, place: Id, of: Type) -> Result<(Id, bool), Refused> {
        // Parts are counted before there are places for them: an array may be of any length.
        self.step(match of.shape {
            Shape::Tuple(count) => count.saturating_add(1),
            Shape::Struct(names) | Shape::Enum(names) => names.len() + 1,
            Shape::Option | Shape::Seq | Shape::Map => 1,
        })?;
        let (node, new) = self.graph.composite(place, of);
        self.learned |= new;
        let first = self.graph.nodes[node].entered != self.pass;
        self.graph.nodes[node].entered = self.pass;
        Ok((node, first))
    }

    /// The variant that the enum `node` is given.
    pub(super) fn choose(&mut self, node: Id, first: bool) -> Result<usize, Refused> {
        let Self { graph, learned, .. } = self;
        let Kind::Enum(choice) = &graph.nodes[node].kind else {
            return Err(Refused);
        };
        let untried = choice
            .variants
            .iter()
            .position(|variant| variant.chosen == 0);
        let pending = |payload: &Payload| payload.ids().any(|id| graph.nodes[id].pending);
        let unseen = || {
            let variants = choice.variants.iter().enumerate();
            let unseen = variants.filter(|(_, variant)| pending(&variant.payload));
            unseen
                .min_by_key(|(_, variant)| variant.chosen)
                .map(|(index, _)| index)
        };
        let chosen = if first {
            untried
                .or_else(unseen)
                .or(choice.exit)
                .or((!choice.variants.is_empty()).then_some(0))
        } else {
            choice.exit.or(untried)
        };
        let chosen = chosen.ok_or(Refused)?;
        *learned |= untried == Some(chosen);
        if let Kind::Enum(choice) = &mut graph.nodes[node].kind {
            choice.variants[chosen].chosen += 1;
        }
        Ok(chosen)
    }

    /// What the variant carries is asked for in some form; the form asked for first stays.
    pub(super) fn payload(
        &mut self,
        node: Id,
        variant: usize,
        make: impl FnOnce(&mut Graph) -> Payload,
    ) -> Payload {
        if let Kind::Enum(choice) = &self.graph.nodes[node].kind {
            if !matches!(choice.variants[variant].payload, Payload::Unknown) {
                return choice.variants[variant].payload.clone();
            }
        }
        let payload = make(&mut self.graph);
        if let Kind::Enum(choice) = &mut self.graph.nodes[node].kind {
            choice.variants[variant].payload = payload.clone();
            self.learned = true;
        }
        payload
    }

    /// The enum `node` took the variant.
    pub(super) fn completed(&mut self, node: Id, variant: usize) {
        if let Kind::Enum(choice) = &mut self.graph.nodes[node].kind {
            choice.exit.get_or_insert(variant);
        }
    }

    /// A value was refused in the field at `place`.
    pub(super) fn refused_in(&mut self, place: Id) {
        self.refused.push(place);
    }

    /// After a pass that failed: another value for the suspect, or, when all were tried, its field
    /// goes last.
    fn learn_from_refusal(&mut self) {
        if let Some(last) = self.last {
            let node = &mut self.graph.nodes[last];
            if node.attempt + 1 < ATTEMPTS {
                node.attempt += 1;
                self.learned = true;
                return;
            }
        }
        let nodes = &mut self.graph.nodes;
        if let Some(&place) = self.refused.iter().find(|&&place| !nodes[place].refuses) {
            nodes[place].refuses = true;
            self.learned = true;
        }
    }
}

/// The end of a pass: the type refused a value, or a bound was reached.
#[derive(Debug)]
pub(super) struct Refused;

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a made-up value was refused")
    }
}

impl std::error::Error for Refused {}

impl serde::de::Error for Refused {
    fn custom<T: Display>(_text: T) -> Self {
        Self
    }
}
