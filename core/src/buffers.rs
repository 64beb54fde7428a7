//! Small buffers that are used again: each message is encoded into one, copied to a connection's output, read into
//! another, and decoded from it, all within microseconds and mostly on the same thread.

use std::cell::RefCell;

/// What one thread keeps, in bytes.
const KEPT: usize = 128 * 1024;

/// The largest buffer that is kept, in bytes: about what else a message takes that waits in a queue.
const LARGEST: usize = 2048;

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
