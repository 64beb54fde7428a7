//! Buffers that are used again: each message is encoded into one, copied to a connection's output, read into another, and
//! decoded from it, all within microseconds.
//!
//! The small ones mostly stay on the same thread, which keeps them. The large ones do not, and the process keeps a few: the
//! allocator gives blocks of that size back to the system, page by page, and each page that it gets anew costs as much as
//! to copy it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::codec;

/// What one thread keeps, in bytes.
const KEPT: usize = 128 * 1024;

/// The largest buffer that a thread keeps, in bytes: about what else a message takes that waits in a queue.
const LARGEST: usize = 2048;

/// What the process keeps, in bytes, until a connection is idle: two of the largest messages.
const KEPT_LARGE: usize = 2 * codec::DEFAULT_MAX_MESSAGE + 4096;

/// The least that is large.
const LARGE: usize = 32 * 1024;

static SPARE_LARGE: Mutex<Large> = Mutex::new(Large {
    buffers: VecDeque::new(),
    bytes: 0,
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

/// The latest one is the last.
struct Large {
    buffers: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Large {
    /// One for `at_least` bytes, and not for many more: it may be held for long.
    fn take(&mut self, at_least: usize) -> Option<Vec<u8>> {
        let fits = at_least..=at_least.saturating_mul(2);
        let fitting = |buffer: &Vec<u8>| fits.contains(&buffer.capacity());
        let at = self.buffers.iter().rposition(fitting)?;
        let buffer = self.buffers.remove(at)?;
        self.bytes -= buffer.capacity();
        Some(buffer)
    }

    /// Keeps `buffer`, and gives those back that there is no room for any more.
    fn give(&mut self, buffer: Vec<u8>) -> Vec<Vec<u8>> {
        let mut beyond = Vec::new();
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
}

fn large() -> MutexGuard<'static, Large> {
    SPARE_LARGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A buffer of at least `at_least` bytes that was used before and holds what it held then, if one is kept.
pub(crate) fn take_used(at_least: usize) -> Option<Vec<u8>> {
    if at_least < LARGE {
        return None;
    }
    large().take(at_least)
}

/// Gives the large buffers back to the system: a connection is idle, or has ended.
pub(crate) fn release() {
    let released = {
        let mut large = large();
        large.bytes = 0;
        std::mem::take(&mut large.buffers)
    };
    drop(released); // Not under the lock: that takes milliseconds.
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
    if bytes.len() > LARGEST {
        return bytes.to_vec();
    }
    let mut buffer = take(bytes.len());
    buffer.extend_from_slice(bytes);
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

    #[test]
    fn few_large_ones_are_kept_for_messages_of_about_their_size() {
        let mut large = Large {
            buffers: VecDeque::new(),
            bytes: 0,
        };
        const MIB: usize = 1 << 20;
        assert!(large.give(vec![7; 4 * MIB]).is_empty());
        assert!(large.take(4 * MIB + 1).is_none() && large.take(2 * MIB - 1).is_none());
        let used = large.take(2 * MIB).unwrap();
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
