//! What the guard counts while a value is decoded.

use std::cell::Cell;

use serde::de::Error;

use super::kinds::Note;
use super::{Budget, DecodeError};

/// Most elements that a sequence is told to expect. A container may allocate for them before the
/// first is charged: serde's own up to 1 MiB, others whatever they are told. postcard gives a hint
/// only where the message has as many bytes left.
const SEQ_HINT: usize = 256;

/// Most entries that a map is told to expect, of which postcard may have seen no byte. 28 is what a
/// hash table holds in 32 buckets: entries of 1 KiB stay under the 64 KiB of FAULTS D1.
const MAP_HINT: usize = 28;

/// The counters of one decoding.
pub(super) struct Watch {
    budget: Budget,
    /// Bytes of the budget that are left.
    bytes: Cell<usize>,
    /// Elements that may still come in all sequences and maps together. An element that takes at
    /// least one byte on the wire is explained by the message's length; only those that take none
    /// eat into the allowance.
    elements: Cell<usize>,
    /// Set at the first breach. The error that the reader sees is any error: only this one counts,
    /// even when the type's implementation swallows the other.
    breach: Cell<Option<Breach>>,
}

/// Why decoding ends, whatever the type makes of it.
#[derive(Clone, Copy)]
enum Breach {
    Depth,
    Bytes,
    /// Not a bound, but the same: nothing that asks the bytes what they are is counted.
    Untyped,
}

impl Watch {
    /// The message's own length is charged at once: it pays for all strings and byte arrays, since
    /// each byte of the message ends in at most one of them.
    pub(super) fn new(message: usize, budget: &Budget) -> Result<Self, DecodeError> {
        let Some(bytes) = budget.bytes.checked_sub(message) else {
            return Err(DecodeError::Budget {
                limit: budget.bytes,
            });
        };
        Ok(Self {
            budget: *budget,
            bytes: Cell::new(bytes),
            elements: Cell::new(message.saturating_add(budget.bytes / 1024)),
            breach: Cell::new(None),
        })
    }

    /// The place of the whole value, of `slot` bytes; what is asked for there is told to `note`.
    pub(super) fn root<N: Note>(&self, slot: usize, note: N) -> Place<'_, N> {
        Place {
            watch: self,
            depth: self.budget.depth,
            slot,
            note,
        }
    }

    /// What the breach of the budget is called, if there was one.
    pub(super) fn refusal(&self) -> Option<DecodeError> {
        self.breach.get().map(|breach| match breach {
            Breach::Depth => DecodeError::TooDeep {
                limit: self.budget.depth,
            },
            Breach::Bytes => DecodeError::Budget {
                limit: self.budget.bytes,
            },
            Breach::Untyped => DecodeError::Malformed(
                "its type asks the bytes what they are (untagged or internally tagged enums, \
                 `flatten`, a value of any type), which postcard does not say"
                    .to_owned(),
            ),
        })
    }

    #[cold]
    fn refuse<E: Error>(&self, breach: Breach) -> E {
        if self.breach.get().is_none() {
            self.breach.set(Some(breach));
        }
        E::custom("decoding was ended")
    }
}

/// Where in the value the reader stands, and the memory already paid for there.
#[derive(Clone, Copy)]
pub(super) struct Place<'w, N> {
    watch: &'w Watch,
    /// Levels that may still open below.
    depth: u16,
    /// Bytes of the place that the value goes into. A value that is larger is behind a pointer.
    slot: usize,
    pub(super) note: N,
}

impl<N: Note> Place<'_, N> {
    /// The same level, in a place of `slot` bytes.
    #[inline]
    pub(super) fn sized(self, slot: usize) -> Self {
        Self { slot, ..self }
    }

    /// One level down, for a value of `size` bytes: what exceeds the place is charged.
    #[inline]
    pub(super) fn enter<E: Error>(self, size: usize) -> Result<Self, E> {
        let Some(depth) = self.depth.checked_sub(1) else {
            return Err(self.watch.refuse(Breach::Depth));
        };
        if size > self.slot {
            self.charge(size - self.slot)?;
        }
        Ok(Self { depth, ..self })
    }

    /// Takes `bytes` from the budget.
    #[inline]
    pub(super) fn charge<E: Error>(self, bytes: usize) -> Result<(), E> {
        self.spend(&self.watch.bytes, bytes)
    }

    /// Takes `elements` from those that may still come.
    #[inline]
    pub(super) fn count<E: Error>(self, elements: usize) -> Result<(), E> {
        self.spend(&self.watch.elements, elements)
    }

    #[inline]
    fn spend<E: Error>(self, left: &Cell<usize>, amount: usize) -> Result<(), E> {
        let Some(rest) = left.get().checked_sub(amount) else {
            return Err(self.watch.refuse(Breach::Bytes));
        };
        left.set(rest);
        Ok(())
    }

    /// The type wants to be told what comes.
    pub(super) fn untyped<E: Error>(self) -> E {
        self.watch.refuse(Breach::Untyped)
    }
}

/// What a sequence may size itself by, whatever it trusts.
pub(super) fn seq_hint(announced: Option<usize>) -> Option<usize> {
    announced.map(|elements| elements.min(SEQ_HINT))
}

/// What a map may size itself by, whatever it trusts.
pub(super) fn map_hint(announced: Option<usize>) -> Option<usize> {
    announced.map(|entries| entries.min(MAP_HINT))
}
