//! Where the primitives of std and of loom meet.
//!
//! The promise, the mailbox and the doorbell use no primitive but these, so the models in
//! `tests/loom` run the very code that ships. Three builds exist:
//!
//! * the ordinary one: thin, inlined names for std;
//! * `--cfg tidings_loom`: loom's primitives;
//! * `--cfg tidings_loom --cfg tidings_loom_rmw`: the same with every load a read-modify-write.
//!   loom may never run a spawned thread before its parent when its first access is a load;
//!   as a read-modify-write it is explored in both orders.

pub(crate) use imp::{
    AtomicU32, LeakCheck, Mutex, Thread, UnsafeCell, catch_unwind, park, park_until, this_thread,
    thread_local,
};
pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::Ordering;
pub(crate) use std::time::Instant;

/// What [`park_until`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parked {
    /// Woken, or for no reason at all.
    Woken,
    /// The deadline has passed.
    Elapsed,
}

#[cfg(not(tidings_loom))]
mod imp {
    use super::{Instant, Parked};
    use std::panic::AssertUnwindSafe;
    use std::sync::{MutexGuard, PoisonError};

    pub(crate) use std::sync::atomic::AtomicU32;
    pub(crate) use std::thread::{Thread, current as this_thread, park};
    pub(crate) use std::thread_local;

    /// A cell reached through closures, as loom has it.
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        #[inline]
        pub(crate) const fn new(value: T) -> Self {
            UnsafeCell(std::cell::UnsafeCell::new(value))
        }

        #[inline]
        pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
            read(self.0.get())
        }

        #[inline]
        pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
            write(self.0.get())
        }
    }

    /// A mutex without poison: nothing of a user's ever runs under one of ours.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) const fn new(value: T) -> Self {
            Mutex(std::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    /// Nothing here; under loom it reports an allocation that was never freed.
    pub(crate) struct LeakCheck;

    impl LeakCheck {
        #[inline]
        pub(crate) const fn new() -> Self {
            LeakCheck
        }
    }

    /// Parks the thread until it is unparked, the deadline passes, or for no reason at all.
    pub(crate) fn park_until(deadline: Instant) -> Parked {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Parked::Elapsed;
        }
        std::thread::park_timeout(left);
        Parked::Woken
    }

    /// Runs foreign code whose panic must not travel further.
    pub(crate) fn catch_unwind<R>(run: impl FnOnce() -> R) -> Option<R> {
        std::panic::catch_unwind(AssertUnwindSafe(run)).ok()
    }
}

#[cfg(tidings_loom)]
mod imp {
    use super::{Instant, Parked};
    use loom::sync::MutexGuard;

    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::thread::{Thread, current as this_thread, park};
    pub(crate) use loom::thread_local;

    #[cfg(not(tidings_loom_rmw))]
    pub(crate) use loom::sync::atomic::AtomicU32;

    /// loom's atomic, every load of which is a read-modify-write.
    #[cfg(tidings_loom_rmw)]
    #[derive(Debug)]
    pub(crate) struct AtomicU32(loom::sync::atomic::AtomicU32);

    #[cfg(tidings_loom_rmw)]
    impl AtomicU32 {
        pub(crate) fn new(value: u32) -> Self {
            AtomicU32(loom::sync::atomic::AtomicU32::new(value))
        }

        pub(crate) fn load(&self, order: super::Ordering) -> u32 {
            self.0.fetch_add(0, order)
        }
    }

    #[cfg(tidings_loom_rmw)]
    impl std::ops::Deref for AtomicU32 {
        type Target = loom::sync::atomic::AtomicU32;

        fn deref(&self) -> &Self::Target {
            &self.0
        }
    }

    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("a model does not go on after a panic")
        }
    }

    /// Makes loom report the allocation that holds it when it is never freed.
    pub(crate) struct LeakCheck {
        _track: loom::alloc::Track<()>,
    }

    impl LeakCheck {
        pub(crate) fn new() -> Self {
            LeakCheck {
                _track: loom::alloc::Track::new(()),
            }
        }
    }

    /// A model has no clock: every timeout is over at once.
    pub(crate) fn park_until(_: Instant) -> Parked {
        Parked::Elapsed
    }

    /// loom reports by panics, and a model must not swallow them.
    pub(crate) fn catch_unwind<R>(run: impl FnOnce() -> R) -> Option<R> {
        Some(run())
    }
}
