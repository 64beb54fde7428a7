//! What the guard counts while a value is decoded.

use super::unread::Unread;
use super::{Budget, DecodeError};

/// Most elements that a sequence is told to expect. A container may allocate for them before the
/// first is charged: serde's own up to 1 MiB, others whatever they are told. A hint is given only where
/// the message has as many bytes left.
const SEQ_HINT: usize = 256;

/// Most entries that a map is told to expect, of which there may be no byte. 28 is what a
/// hash table holds in 32 buckets: entries of 1 KiB stay under the 64 KiB of FAULTS D1.
const MAP_HINT: usize = 28;

/// The counters of one decoding.
pub(super) struct Watch {
    budget: Budget,
    /// Bytes of the budget that are left.
    bytes: usize,
    /// Elements that may still come in all sequences and maps together. An element that takes at
    /// least one byte on the wire is explained by the message's length; only those that take none
    /// eat into the allowance.
    elements: usize,
    /// Set at the first breach. The error that the reader sees is any error: only this one counts,
    /// even when the type's implementation swallows the other.
    breach: Option<Breach>,
}

/// Why decoding ends, whatever the type makes of it.
#[derive(Clone, Copy)]
pub(super) enum Breach {
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
            bytes,
            elements: message.saturating_add(budget.bytes / 1024),
            breach: None,
        })
    }

    /// Levels that may open.
    pub(super) fn depth(&self) -> u16 {
        self.budget.depth
    }

    /// What the breach of the budget is called, if there was one.
    pub(super) fn refusal(&self) -> Option<DecodeError> {
        self.breach.map(|breach| match breach {
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

    /// Takes `bytes` from the budget.
    #[inline]
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), Unread> {
        match self.bytes.checked_sub(bytes) {
            Some(rest) => self.bytes = rest,
            None => return Err(self.refuse(Breach::Bytes)),
        }
        Ok(())
    }

    /// Takes `elements` from those that may still come.
    #[inline]
    pub(super) fn count(&mut self, elements: usize) -> Result<(), Unread> {
        match self.elements.checked_sub(elements) {
            Some(rest) => self.elements = rest,
            None => return Err(self.refuse(Breach::Bytes)),
        }
        Ok(())
    }

    #[cold]
    pub(super) fn refuse(&mut self, breach: Breach) -> Unread {
        self.breach.get_or_insert(breach);
        Unread::Refused
    }
}

/// What a sequence of `left` elements may size itself by, whatever it trusts, where so many bytes are left.
pub(super) fn seq_hint(left: usize, bytes: usize) -> Option<usize> {
    (left <= bytes).then_some(left.min(SEQ_HINT))
}

/// What a map may size itself by, whatever it trusts.
pub(super) fn map_hint(left: usize) -> Option<usize> {
    Some(left.min(MAP_HINT))
}
