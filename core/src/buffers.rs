//! Small buffers that are used again: each message is encoded into one, copied to a connection's output, read into
//! another, and decoded from it, all within microseconds and mostly on the same thread.

use std::cell::RefCell;

/// Buffers that one thread keeps.
const MOST: usize = 32;

/// The largest buffer that is kept, in bytes: about what else a message takes that waits in a queue.
const LARGEST: usize = 2048;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer, with room for `at_least` bytes where none is kept.
pub(crate) fn take(at_least: usize) -> Vec<u8> {
    // A thread that ends has none any more.
    let spare = SPARE.try_with(|spare| spare.borrow_mut().pop());
    match spare {
        Ok(Some(buffer)) => buffer,
        _ => Vec::with_capacity(at_least),
    }
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
    let _ended = SPARE.try_with(|spare| {
        let mut spare = spare.borrow_mut();
        if spare.len() < MOST {
            spare.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_small_ones_are_kept() {
        give(Vec::with_capacity(LARGEST + 1));
        assert_eq!(take(10).capacity(), 10);
        let many: Vec<_> = (0..2 * MOST).map(|_| copy_of(&[7; 100])).collect();
        many.into_iter().for_each(give);
        SPARE.with_borrow(|spare| assert_eq!(spare.len(), MOST));
        let again = take(1);
        assert!(again.is_empty() && again.capacity() >= 100);
    }
}
