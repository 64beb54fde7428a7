//! How deep a thread is in handlers that it started itself.

use std::cell::Cell;

/// The most handlers that one thread starts inside each other; deeper ones go through the queue.
const DEPTH_LIMIT: u8 = 8;

thread_local! {
    static DEPTH: Cell<u8> = const { Cell::new(0) };
}

/// Whether this thread may start one more inside those that it is in.
#[inline]
pub(super) fn may_enter() -> bool {
    DEPTH.get() < DEPTH_LIMIT
}

/// Starts one inside them.
#[inline]
pub(super) fn enter<R>(run: impl FnOnce() -> R) -> R {
    DEPTH.with(|depth| depth.set(depth.get() + 1));
    let _deeper = Deeper;
    run()
}

/// This thread is in one more, until this is dropped.
struct Deeper;

impl Drop for Deeper {
    /// Even if a logger has panicked.
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get() - 1));
    }
}
