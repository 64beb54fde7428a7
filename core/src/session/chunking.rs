//! Large messages in parts (PR-CHUNK): taken apart and put together as their bytes come.

use super::code::CloseCode;
use super::config::FIRST_ALLOCATION;
use super::frame::{Kind, begin, end, grow};
use super::output::Output;
use super::wire::{Parsed, malformed, put_varint, violation};
use crate::bytes::Pieces;
use crate::{buffers, copy};

/// More than a part's kind and id.
const PART_HEAD: usize = 16;

/// Stages the part of `payload` that begins at `next`, as long as a frame can be; gives where the
/// part after it begins.
pub(super) fn part_frame(
    output: &mut Output,
    kind: Kind,
    wire_id: u64,
    payload: &Pieces,
    next: usize,
    max_frame: usize,
) -> usize {
    let length = max_frame
        .saturating_sub(PART_HEAD)
        .min(payload.len().saturating_sub(next));
    output.frames(|out| put_part_head(out, kind, wire_id, length));
    let behind = next.saturating_add(length);
    output.part(payload, next..behind);
    behind
}

/// Writes what stands before a part of so many bytes.
pub(super) fn put_part_head(out: &mut Vec<u8>, kind: Kind, wire_id: u64, length: usize) {
    let begun = begin(out, kind);
    put_varint(out, wire_id);
    end(out, begun, length);
}

/// What room consists of. (`Vec::resize` is a loop over single bytes wherever the compiler does not optimise.)
static ZEROS: [u8; 4096] = [0; 4096];

/// A message of which parts have come.
#[derive(Debug)]
pub(super) struct Assembly {
    /// What has come, and behind it room for more: zeros, or what the buffer held before.
    bytes: Vec<u8>,
    total: usize,
    came: usize,
    kept: bool,
    /// Where `bytes` were there before, until they are filled.
    lent: Option<buffers::Lent>,
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
            lent: None,
        };
        assembly.expect(first.len())?;
        if kept {
            match buffers::lend(total) {
                Some((used, lent)) => (assembly.bytes, assembly.lent) = (used, Some(lent)),
                None => grow(&mut assembly.bytes, total.min(FIRST_ALLOCATION))?,
            }
        }
        // One part would have been a frame of the other kind: one encoding each (PR-CHUNK-2).
        if assembly.push(first)? {
            malformed("a message in one part")
        } else {
            Ok(assembly)
        }
    }

    /// A part begins, of so many bytes.
    pub(super) fn expect(&self, bytes: usize) -> Parsed<()> {
        if bytes == 0 {
            return malformed("an empty part");
        }
        if bytes > self.missing() {
            return malformed("a message longer than it said");
        }
        Ok(())
    }

    /// Takes more of a part that was [expected](Self::expect); says whether the message is whole.
    pub(super) fn push(&mut self, more: &[u8]) -> Parsed<bool> {
        if self.kept {
            let room = self.bytes.get_mut(self.came..).unwrap_or_default();
            let (here, behind) = more.split_at(more.len().min(room.len()));
            copy::to_front(room, here);
            grow(&mut self.bytes, behind.len())?;
            copy::append(&mut self.bytes, behind);
        }
        Ok(self.advance(more.len()))
    }

    /// Room for what comes next, of at most `most` bytes: no more than has come already or was there before, and none for
    /// what is thrown away (FAULTS rule 7).
    pub(super) fn room(&mut self, most: usize) -> &mut [u8] {
        let there = self.bytes.len().saturating_sub(self.came);
        let room = self.missing().min(self.came.max(there)).min(most);
        let end = self.came.saturating_add(room);
        let more = end.saturating_sub(self.bytes.len());
        if self.kept && more > 0 {
            if grow(&mut self.bytes, more).is_err() {
                return &mut [];
            }
            while let Some(more @ 1..) = end.checked_sub(self.bytes.len()) {
                let zeros = ZEROS.get(..more).unwrap_or(&ZEROS);
                self.bytes.extend_from_slice(zeros);
            }
        }
        self.bytes.get_mut(self.came..end).unwrap_or_default()
    }

    /// What lies in the [room](Self::room) that was given last, and behind it.
    pub(super) fn behind(&self) -> &[u8] {
        self.bytes.get(self.came..).unwrap_or_default()
    }

    /// So many bytes have come into the [room](Self::room); says whether the message is whole.
    pub(super) fn advance(&mut self, bytes: usize) -> bool {
        self.came = self.came.saturating_add(bytes);
        self.came == self.total
    }

    /// Bytes that have not come.
    pub(super) fn missing(&self) -> usize {
        self.total.saturating_sub(self.came)
    }

    /// Throws away what came and what will come.
    pub(super) fn discard(&mut self) {
        self.kept = false;
        self.lent = None;
        buffers::give(std::mem::take(&mut self.bytes));
    }

    /// Whether the bytes are kept.
    pub(super) fn is_kept(&self) -> bool {
        self.kept
    }

    /// Bytes held.
    pub(super) fn buffered(&self) -> usize {
        if self.kept { self.came } else { 0 }
    }

    /// What has come.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.truncate(self.came);
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
        assert!(assembly.expect(0).is_err() && assembly.expect(2).is_err());
        assert_eq!(assembly.expect(1), Ok(()));
        assert_eq!(assembly.push(b"e"), Ok(true));
        assert!(assembly.expect(1).is_err());
        assert_eq!(assembly.into_bytes(), b"abcde");
    }

    #[test]
    fn the_room_is_no_more_than_has_come() {
        let mut assembly = Assembly::begin(10, 10, b"ab", true).unwrap();
        assert_eq!(assembly.room(100).len(), 2);
        assembly.room(100).copy_from_slice(b"cd");
        assert!(!assembly.advance(2));
        assert_eq!(assembly.room(3).len(), 3);
        assert_eq!(assembly.room(100).len(), 4);
        // What comes elsewhere lies where it was to come.
        assert_eq!(assembly.push(b"efghi"), Ok(false));
        assert_eq!(assembly.room(100).len(), 1);
        assembly.room(100).copy_from_slice(b"j");
        assert!(assembly.advance(1));
        assert_eq!(assembly.into_bytes(), b"abcdefghij");
        let mut gone = Assembly::begin(10, 10, b"ab", false).unwrap();
        assert!(gone.room(100).is_empty());
    }

    /// Whatever a buffer held before, it is not seen, and what came by mistake is.
    #[test]
    fn of_a_used_buffer_only_what_came_is_seen() {
        let _keeping = buffers::Keeping::new();
        let total = 100_000;
        let message: Vec<u8> = (0..total).map(|n| n as u8 % 100).collect();
        let begin = || {
            buffers::give(vec![0xee; total + total / 2]);
            Assembly::begin(total, total, &message[..1000], true).unwrap()
        };
        // Another test may have them all released meanwhile.
        let used = || {
            (0..1000)
                .map(|_| begin())
                .find(|begun| begun.lent.is_some())
        };
        for most in [1, 999, 30_000, total] {
            let mut assembly = used().unwrap();
            assert_eq!(assembly.behind()[..100], [0xee; 100]);
            let mut at = 1000;
            while at < total {
                let room = assembly.room(most);
                let (came, other) = (room.len().div_ceil(2), room.len() / 2);
                room[..came].copy_from_slice(&message[at..at + came]);
                room[came..].fill(0xdd);
                assembly.advance(came);
                assert_eq!(assembly.behind()[..other], [0xdd].repeat(other));
                at += came;
                let more = &message[at..total.min(at + 777)];
                assembly.push(more).unwrap();
                at += more.len();
            }
            assert!(assembly.into_bytes() == message, "{most}");
        }
        let mut begun = used().unwrap();
        begun.discard();
        assert!(begun.lent.is_none() && begun.behind().is_empty());
        assert!(used().unwrap().into_bytes() == message[..1000]);
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
