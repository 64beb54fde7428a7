//! Waiting for room: who found something full is woken when it may try again.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

/// Wakers of those who wait for some condition. A wake-up is a hint: whoever is woken looks again.
///
/// Register first, then look (again) at what is waited for: a change in between wakes the waker just registered.
#[derive(Default)]
pub struct Room {
    awaited: AtomicBool,
    waiters: Mutex<VecDeque<Waiter>>,
}

struct Waiter {
    waker: Waker,
    weight: usize,
}

impl Room {
    /// Nobody waits.
    pub fn new() -> Self {
        Room::default()
    }

    /// Wakes the waker of `cx` once there is room for `weight` bytes.
    pub fn register(&self, weight: usize, cx: &mut Context<'_>) {
        let mut waiters = self.lock();
        match waiters
            .iter_mut()
            .find(|known| known.waker.will_wake(cx.waker()))
        {
            // A task that waits for several things is woken for the least of them, and registers anew for the others.
            Some(known) => known.weight = known.weight.min(weight),
            None => waiters.push_back(Waiter {
                waker: cx.waker().clone(),
                weight,
            }),
        }
        self.awaited.store(true, Ordering::SeqCst);
    }

    /// Whether somebody waits.
    pub fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::SeqCst)
    }

    /// Wakes those for whose weight there is room, in the order in which they came: nobody is woken before one who
    /// waits for more room than there is yet, or a large message would wait for ever behind small ones.
    pub fn wake_where(&self, has_room: impl Fn(usize) -> bool) {
        if !self.is_awaited() {
            return;
        }
        let mut waiters = self.lock();
        let fitting = waiters
            .iter()
            .take_while(|waiter| has_room(waiter.weight))
            .count();
        let woken: Vec<Waiter> = waiters.drain(..fitting).collect();
        self.awaited.store(!waiters.is_empty(), Ordering::SeqCst);
        drop(waiters);
        // Outside the lock: a waker may run anything.
        woken.into_iter().for_each(|waiter| waiter.waker.wake());
    }

    /// Wakes everybody who waits.
    pub fn wake(&self) {
        self.wake_where(|_| true);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Waiter>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn wait(room: &Room, weight: usize) -> Arc<Woken> {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        room.register(weight, &mut Context::from_waker(&waker));
        woken
    }

    #[test]
    fn nobody_is_woken_before_there_is_room_for_him_and_for_those_before_him() {
        let room = Room::new();
        let waiters = [wait(&room, 5), wait(&room, 50), wait(&room, 5)];
        let woken = || -> Vec<usize> {
            waiters
                .iter()
                .map(|w| w.0.load(Ordering::Relaxed))
                .collect()
        };
        room.wake_where(|weight| weight <= 4);
        assert_eq!(woken(), [0, 0, 0]);
        room.wake_where(|weight| weight <= 49);
        assert_eq!(woken(), [1, 0, 0]);
        assert!(room.is_awaited());
        room.wake_where(|weight| weight <= 50);
        assert_eq!(woken(), [1, 1, 1]);
        assert!(!room.is_awaited());
    }
}
