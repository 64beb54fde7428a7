//! Buffers that are used again: each message is encoded into one, copied to a connection's output, read into another, and
//! decoded from it, all within microseconds.
//!
//! The small ones mostly stay on the same thread, which keeps them. The large ones do not, and the process keeps a few: the
//! allocator gives blocks of that size back to the system, page by page, and each page that it gets anew costs as much as
//! to copy it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{codec, copy};

/// What one thread keeps, in bytes.
const KEPT: usize = 128 * 1024;

/// The largest buffer that a thread keeps, in bytes: about what else a message takes that waits in a queue.
const LARGEST: usize = 2048;

/// What the process keeps, in bytes, until nobody has used any of it for a while: two of the largest messages.
const KEPT_LARGE: usize = 2 * codec::DEFAULT_MAX_MESSAGE + 4096;

/// The least that is large.
const LARGE: usize = 32 * 1024;

static SPARE_LARGE: Mutex<Large> = Mutex::new(Large {
    buffers: VecDeque::new(),
    bytes: 0,
    lent: 0,
    uses: 0,
    keeping: 0,
});

thread_local! {
    static SPARE: RefCell<Spare> = const { RefCell::new(Spare::new()) };
}

struct Spare {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

impl Spare {
    const fn new() -> Spare {
        Spare {
            buffers: Vec::new(),
            bytes: 0,
        }
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let buffer = self.buffers.pop()?;
        self.bytes -= buffer.capacity();
        Some(buffer)
    }

    fn give(&mut self, buffer: Vec<u8>) {
        let bytes = self.bytes + buffer.capacity();
        if bytes <= KEPT {
            self.bytes = bytes;
            self.buffers.push(buffer);
        }
    }
}

struct Large {
    /// The latest one is the last.
    buffers: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Bytes of those that are [lent](lend).
    lent: usize,
    /// How often any was taken or given.
    uses: u64,
    /// How many [`Keeping`] there are.
    keeping: usize,
}

impl Large {
    fn take(&mut self, fits: RangeInclusive<usize>) -> Option<Vec<u8>> {
        let fitting = |buffer: &Vec<u8>| fits.contains(&buffer.capacity());
        let at = self.buffers.iter().rposition(fitting)?;
        let buffer = self.buffers.remove(at)?;
        self.bytes -= buffer.capacity();
        self.uses += 1;
        Some(buffer)
    }

    fn lend(&mut self, at_least: usize) -> Option<Vec<u8>> {
        let (fits, room) = (fitting(at_least), KEPT_LARGE.saturating_sub(self.lent));
        let buffer = self.take(*fits.start()..=room.min(*fits.end()))?;
        self.lent += buffer.capacity();
        Some(buffer)
    }

    /// Keeps `buffer`, and gives those back that there is no room for any more.
    fn give(&mut self, buffer: Vec<u8>) -> Vec<Vec<u8>> {
        if self.keeping == 0 {
            return vec![buffer];
        }
        let mut beyond = Vec::new();
        self.uses += 1;
        self.bytes += buffer.capacity();
        self.buffers.push_back(buffer);
        while self.bytes > KEPT_LARGE {
            let Some(oldest) = self.buffers.pop_front() else {
                break;
            };
            self.bytes -= oldest.capacity();
            beyond.push(oldest);
        }
        beyond
    }

    /// Gives all of them back, unless there was a use since those that were `seen`.
    fn release_unused(&mut self, seen: &mut u64) -> VecDeque<Vec<u8>> {
        if std::mem::replace(seen, self.uses) == self.uses {
            self.release()
        } else {
            VecDeque::new()
        }
    }

    fn release(&mut self) -> VecDeque<Vec<u8>> {
        self.bytes = 0;
        std::mem::take(&mut self.buffers)
    }
}

/// Of which size one for `at_least` bytes may be: not for many more, as it may be held for long.
fn fitting(at_least: usize) -> RangeInclusive<usize> {
    at_least..=at_least.saturating_mul(2)
}

fn large() -> MutexGuard<'static, Large> {
    SPARE_LARGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A buffer of at least `at_least` bytes that was used before and holds what it held then, if one is kept.
pub(crate) fn take_used(at_least: usize) -> Option<Vec<u8>> {
    if at_least < LARGE {
        return None;
    }
    large().take(fitting(at_least))
}

/// The same for bytes that a peer has said will come. As long as they are on their way, no more than what is kept at most
/// is lent to all: they need not come, and others would take new ones instead.
pub(crate) fn lend(at_least: usize) -> Option<(Vec<u8>, Lent)> {
    if at_least < LARGE {
        return None;
    }
    let buffer = large().lend(at_least)?;
    let lent = Lent(buffer.capacity());
    Some((buffer, lent))
}

/// That a buffer of so many bytes is lent; it is not any more when this is dropped.
#[derive(Debug)]
pub(crate) struct Lent(usize);

impl Drop for Lent {
    fn drop(&mut self) {
        large().lent -= self.0;
    }
}

/// What each connection has: as long as there is one, large buffers are kept. Without any, nobody would say when to give
/// them back.
#[derive(Debug)]
pub(crate) struct Keeping {
    /// The uses when this connection was quiet before.
    seen: u64,
}

impl Keeping {
    pub(crate) fn new() -> Keeping {
        let mut large = large();
        large.keeping += 1;
        Keeping { seen: large.uses }
    }

    /// The connection has been quiet. If nobody has used any since it was so before, the large buffers are given back to
    /// the system; others may be as busy as ever.
    pub(crate) fn quiet(&mut self) {
        let released = large().release_unused(&mut self.seen);
        drop(released); // Not under the lock: that takes milliseconds.
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        let released = {
            let mut large = large();
            large.keeping -= 1;
            (large.keeping == 0).then(|| large.release())
        };
        drop(released);
    }
}

/// An empty buffer, with room for `at_least` bytes where none is kept.
pub(crate) fn take(at_least: usize) -> Vec<u8> {
    // A thread that ends has none any more.
    let spare = SPARE.try_with(|spare| spare.borrow_mut().take());
    spare
        .ok()
        .flatten()
        .unwrap_or_else(|| Vec::with_capacity(at_least))
}

/// A copy of `bytes`.
pub(crate) fn copy_of(bytes: &[u8]) -> Vec<u8> {
    let mut buffer = match bytes.len() {
        0..=LARGEST => take(bytes.len()),
        _ => Vec::new(),
    };
    copy::append(&mut buffer, bytes);
    buffer
}

/// Gives a buffer back that nobody reads any more.
pub(crate) fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() >= LARGE {
        let beyond = large().give(buffer);
        drop(beyond);
        return;
    }
    if buffer.capacity() == 0 || buffer.capacity() > LARGEST {
        return;
    }
    buffer.clear();
    let _ended = SPARE.try_with(|spare| spare.borrow_mut().give(buffer));
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn empty() -> Large {
        Large {
            buffers: VecDeque::new(),
            bytes: 0,
            lent: 0,
            uses: 0,
            keeping: 1,
        }
    }

    #[test]
    fn few_large_ones_are_kept_for_messages_of_about_their_size() {
        let mut large = empty();
        assert!(large.give(vec![7; 4 * MIB]).is_empty());
        for other in [4 * MIB + 1, 2 * MIB - 1] {
            assert!(large.take(fitting(other)).is_none());
        }
        let used = large.take(fitting(2 * MIB)).unwrap();
        assert_eq!((used.len(), used[0], large.bytes), (4 * MIB, 7, 0));
        let beyond: usize = (1..=40)
            .map(|n| large.give(Vec::with_capacity(MIB + n)).len())
            .sum();
        assert_eq!((beyond, large.buffers.len()), (8, 32));
        assert!(large.bytes <= KEPT_LARGE);
        assert_eq!(large.buffers[0].capacity(), MIB + 9, "the oldest goes");
        let all = large.give(Vec::with_capacity(KEPT_LARGE + 1));
        assert_eq!((all.len(), large.bytes), (33, 0));
    }

    #[test]
    fn no_more_is_lent_than_is_kept() {
        let mut large = empty();
        let mut lent = Vec::new();
        for _ in 0..100 {
            large.give(Vec::with_capacity(4 * MIB));
            lent.extend(large.lend(3 * MIB));
        }
        assert_eq!((lent.len(), large.lent), (8, 32 * MIB));
        assert!(large.bytes > 0 && large.lend(3 * MIB).is_none());
        assert!(large.take(fitting(3 * MIB)).is_some(), "not lent");
        large.lent -= 4 * MIB;
        assert!(large.lend(4 * MIB).is_some());
    }

    #[test]
    fn nothing_large_is_kept_where_nobody_would_give_it_back() {
        let mut large = empty();
        large.give(Vec::with_capacity(MIB));
        large.keeping = 0;
        assert_eq!(large.release().len(), 1);
        assert_eq!(large.give(Vec::with_capacity(MIB)).len(), 1);
        assert!(large.bytes == 0 && large.take(fitting(MIB)).is_none());
    }

    #[test]
    fn what_nobody_has_used_between_two_quiet_moments_is_given_back() {
        let (mut large, mut first, mut second) = (empty(), 0, 0);
        large.give(Vec::with_capacity(MIB));
        assert!(large.release_unused(&mut first).is_empty());
        let used = large.take(fitting(MIB)).unwrap();
        large.give(used);
        assert!(large.release_unused(&mut second).is_empty());
        assert!(large.release_unused(&mut first).is_empty());
        assert_eq!(large.release_unused(&mut second).len(), 1);
        assert_eq!((large.bytes, large.buffers.len()), (0, 0));
    }

    #[test]
    fn what_is_lent_is_no_more_when_it_comes_back() {
        let _keeping = Keeping::new();
        let (buffer, lent) = loop {
            give(Vec::with_capacity(3 * MIB));
            // Another test may have them all released meanwhile.
            if let Some(found) = lend(3 * MIB) {
                break found;
            }
        };
        let before = large().lent;
        assert!(before >= buffer.capacity());
        drop(lent);
        assert!(large().lent <= before - buffer.capacity());
    }

    #[test]
    fn so_many_small_ones_are_kept() {
        give(Vec::with_capacity(LARGEST + 1));
        assert_eq!(take(10).capacity(), 10);
        let many: Vec<_> = (0..KEPT / 1000 + 10).map(|_| copy_of(&[7; 1000])).collect();
        many.into_iter().for_each(give);
        SPARE.with_borrow(|spare| {
            assert_eq!(spare.buffers.len(), KEPT / 1000);
            assert_eq!(spare.bytes, KEPT / 1000 * 1000);
        });
        let again = take(1);
        assert!(again.is_empty() && again.capacity() == 1000);
    }
}
