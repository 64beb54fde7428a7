//! Waiting for room: who found something full is woken when it may try again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Waker};

/// Wakers of those who wait for some condition. A wake-up is a hint: whoever is woken looks again.
///
/// Register first, then look (again) at what is waited for: a change in between wakes the waker just registered.
#[derive(Default)]
pub struct Room {
    awaited: AtomicBool,
    waiters: Mutex<Vec<Waker>>,
}

impl Room {
    /// Nobody waits.
    pub fn new() -> Self {
        Room::default()
    }

    /// Wakes the waker of `cx` at the next [`wake`](Self::wake).
    pub fn register(&self, cx: &mut Context<'_>) {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiters.iter().any(|known| known.will_wake(cx.waker())) {
            waiters.push(cx.waker().clone());
        }
        self.awaited.store(true, Ordering::SeqCst);
    }

    /// Whether somebody waits.
    pub fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::SeqCst)
    }

    /// Wakes everybody who waits.
    pub fn wake(&self) {
        if !self.is_awaited() {
            return;
        }
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        self.awaited.store(false, Ordering::SeqCst);
        let woken = std::mem::take(&mut *waiters);
        drop(waiters);
        // Outside the lock: a waker may run anything.
        woken.into_iter().for_each(Waker::wake);
    }
}
