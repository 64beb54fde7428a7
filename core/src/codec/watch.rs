//! What the guard counts while a value is decoded.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Display};

use super::{Budget, DecodeError};

/// Most elements that a container is told to expect. Serde's own containers trust a hint up to
/// 1 MiB; others trust it altogether.
const HINT_CAP: usize = 64;

/// The counters of one decoding.
pub(super) struct Watch {
    budget: Budget,
    /// Bytes of the budget that are left.
    bytes: Cell<usize>,
    /// Elements that may still come in all sequences and maps together. An element that takes at
    /// least one byte on the wire is explained by the message's length; only those that take none
    /// eat into the allowance.
    elements: Cell<usize>,
    /// Set once, at the first breach of the budget.
    refusal: RefCell<Option<DecodeError>>,
    /// The text of an error on its way through a layer whose error type keeps no text.
    passing: RefCell<Option<Fault>>,
}

impl Watch {
    /// The message's own length is charged at once: it pays for all strings and byte arrays, since
    /// each byte of the message ends in at most one of them.
    pub(super) fn new(message: usize, budget: &Budget) -> Result<Self, DecodeError> {
        let bytes = budget
            .bytes
            .checked_sub(message)
            .ok_or(DecodeError::Budget {
                limit: budget.bytes,
            })?;
        Ok(Self {
            budget: *budget,
            bytes: Cell::new(bytes),
            elements: Cell::new(message.saturating_add(budget.bytes / 1024)),
            refusal: RefCell::new(None),
            passing: RefCell::new(None),
        })
    }

    /// The place of the whole value, of `slot` bytes.
    pub(super) fn root(&self, slot: usize) -> Place<'_> {
        Place {
            watch: self,
            depth: self.budget.depth,
            slot,
        }
    }

    pub(super) fn refusal(&self) -> Option<DecodeError> {
        self.refusal.borrow().clone()
    }

    #[cold]
    fn refuse(&self, refusal: DecodeError) -> Fault {
        let fault = Fault::new(&refusal);
        self.refusal.borrow_mut().get_or_insert(refusal);
        fault
    }
}

/// Where in the value the reader stands, and the memory already paid for there.
#[derive(Clone, Copy)]
pub(super) struct Place<'w> {
    watch: &'w Watch,
    /// Levels that may still open below.
    depth: u16,
    /// Bytes of the place that the value goes into. A value that is larger is behind a pointer.
    slot: usize,
}

impl Place<'_> {
    /// The same level, in a place of `slot` bytes.
    pub(super) fn sized(self, slot: usize) -> Self {
        Self { slot, ..self }
    }

    /// One level down, for a value of `size` bytes: what exceeds the place is charged.
    #[inline]
    pub(super) fn enter(self, size: usize) -> Result<Self, Fault> {
        let Some(depth) = self.depth.checked_sub(1) else {
            let limit = self.watch.budget.depth;
            return Err(self.watch.refuse(DecodeError::TooDeep { limit }));
        };
        if size > self.slot {
            self.charge(size - self.slot)?;
        }
        Ok(Self { depth, ..self })
    }

    #[inline]
    pub(super) fn charge(self, bytes: usize) -> Result<(), Fault> {
        self.spend(&self.watch.bytes, bytes)
    }

    #[inline]
    pub(super) fn count(self, elements: usize) -> Result<(), Fault> {
        self.spend(&self.watch.elements, elements)
    }

    #[inline]
    fn spend(self, left: &Cell<usize>, amount: usize) -> Result<(), Fault> {
        let Some(rest) = left.get().checked_sub(amount) else {
            let limit = self.watch.budget.bytes;
            return Err(self.watch.refuse(DecodeError::Budget { limit }));
        };
        left.set(rest);
        Ok(())
    }

    /// A hint that a container may size itself by, whatever it trusts.
    pub(super) fn hint(self, announced: Option<usize>) -> Option<usize> {
        announced.map(|elements| elements.min(HINT_CAP))
    }

    /// `fault` as the error of the layer below, which may keep no text.
    #[cold]
    pub(super) fn lower<E: serde::de::Error>(self, fault: Fault) -> E {
        let error = E::custom(&fault);
        *self.watch.passing.borrow_mut() = Some(fault);
        error
    }

    /// The fault that `error` of the layer below stands for.
    #[cold]
    pub(super) fn raise<E: Display>(self, error: E) -> Fault {
        let passing = self.watch.passing.borrow_mut().take();
        passing.unwrap_or_else(|| Fault::new(&error))
    }
}

/// The error of a guarded deserializer: a text, one pointer wide so that results stay small.
#[derive(Debug)]
pub(super) struct Fault(Box<Text>);

#[derive(Debug)]
struct Text(String);

impl Fault {
    #[cold]
    pub(super) fn new(text: &dyn Display) -> Self {
        Self(Box::new(Text(text.to_string())))
    }

    pub(super) fn into_text(self) -> String {
        self.0.0
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.0)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: Display>(text: T) -> Self {
        Self::new(&text)
    }
}
