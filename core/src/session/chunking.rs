//! Large messages in parts (PR-CHUNK): taken apart and put together as their bytes come.

use std::sync::Arc;

use super::code::CloseCode;
use super::config::FIRST_ALLOCATION;
use super::frame::{Kind, begin, end, grow};
use super::output::Output;
use super::wire::{Parsed, malformed, put_varint, violation};

/// More than a part's kind and id.
const PART_HEAD: usize = 16;

/// Stages the part of `payload` that begins at `next`, as long as a frame can be; gives where the
/// part after it begins.
pub(super) fn part_frame(
    output: &mut Output,
    kind: Kind,
    wire_id: u64,
    payload: &Arc<Vec<u8>>,
    next: usize,
    max_frame: usize,
) -> usize {
    let length = max_frame
        .saturating_sub(PART_HEAD)
        .min(payload.len().saturating_sub(next));
    output.frames(|out| {
        let begun = begin(out, kind);
        put_varint(out, wire_id);
        end(out, begun, length);
    });
    let behind = next.saturating_add(length);
    output.part(payload, next..behind);
    behind
}

/// A message of which parts have come.
#[derive(Debug)]
pub(super) struct Assembly {
    bytes: Vec<u8>,
    total: usize,
    came: usize,
    kept: bool,
}

impl Assembly {
    /// From the first part. What is not `kept` is counted and thrown away.
    pub(super) fn begin(total: usize, limit: usize, first: &[u8], kept: bool) -> Parsed<Self> {
        if total > limit {
            return violation(
                CloseCode::MessageTooLarge,
                "a message exceeds the limit of Hello",
            );
        }
        let mut assembly = Self {
            bytes: Vec::new(),
            total,
            came: 0,
            kept,
        };
        if kept {
            grow(&mut assembly.bytes, total.min(FIRST_ALLOCATION))?;
        }
        // One part would have been a frame of the other kind: one encoding each (PR-CHUNK-2).
        if assembly.push(first)? {
            malformed("a message in one part")
        } else {
            Ok(assembly)
        }
    }

    /// Takes the next part; says whether it was the last.
    pub(super) fn push(&mut self, part: &[u8]) -> Parsed<bool> {
        if part.is_empty() {
            return malformed("an empty part");
        }
        self.came = self.came.saturating_add(part.len());
        if self.came > self.total {
            return malformed("a message longer than it said");
        }
        if self.kept {
            grow(&mut self.bytes, part.len())?;
            self.bytes.extend_from_slice(part);
        }
        Ok(self.came == self.total)
    }

    /// Throws away what came and what will come.
    pub(super) fn discard(&mut self) {
        self.kept = false;
        self.bytes = Vec::new();
    }

    /// Whether the bytes are kept.
    pub(super) fn is_kept(&self) -> bool {
        self.kept
    }

    /// Bytes held.
    pub(super) fn buffered(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_the_whole_and_no_more() {
        let mut assembly = Assembly::begin(5, 5, b"ab", true).unwrap();
        assert_eq!(assembly.push(b"cd"), Ok(false));
        assert!(assembly.push(b"").is_err());
        assert_eq!(assembly.push(b"e"), Ok(true));
        assert!(assembly.push(b"f").is_err());
        assert_eq!(assembly.into_bytes(), b"abcde");
    }

    #[test]
    fn a_total_allocates_nothing_ahead() {
        let huge = usize::MAX;
        assert!(Assembly::begin(huge, huge - 1, b"a", true).is_err());
        let assembly = Assembly::begin(huge, huge, b"a", true).unwrap();
        assert!(assembly.bytes.capacity() <= FIRST_ALLOCATION);
        assert!(
            Assembly::begin(1, 5, b"a", true).is_err(),
            "one part is a frame of its own"
        );
    }
}
