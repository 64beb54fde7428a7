//! What the models have in common.

use loom::thread;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use tidings_core::promise::{Completer, Promise, PromiseError};

/// Runs `model` in every interleaving, with the two roles started in either order, and asserts
/// that the outcomes it returned are exactly the `expected` ones.
pub fn explore<const N: usize>(
    expected: [&'static str; N],
    model: impl Fn(Roles) -> &'static str + Clone + Send + Sync + 'static,
) {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    for roles in [Roles { swapped: false }, Roles { swapped: true }] {
        let (seen, model) = (Arc::clone(&seen), model.clone());
        loom::model(move || {
            let outcome = model(roles);
            seen.lock().unwrap().insert(outcome);
        });
    }
    assert_eq!(
        *seen.lock().unwrap(),
        BTreeSet::from(expected),
        "outcomes seen, outcomes expected"
    );
}

/// Starts the two sides of a model.
#[derive(Clone, Copy)]
pub struct Roles {
    swapped: bool,
}

impl Roles {
    /// Runs both on threads of their own to their ends.
    pub fn run<A: 'static, B: 'static>(
        self,
        one: impl FnOnce() -> A + 'static,
        other: impl FnOnce() -> B + 'static,
    ) -> (A, B) {
        if self.swapped {
            let other = thread::spawn(other);
            let one = thread::spawn(one);
            let other = other.join().unwrap();
            (one.join().unwrap(), other)
        } else {
            let one = thread::spawn(one);
            let other = thread::spawn(other);
            (one.join().unwrap(), other.join().unwrap())
        }
    }
}

/// A value that knows how many of it were dropped.
#[derive(Clone, Debug)]
pub struct Counted {
    drops: Arc<AtomicUsize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts the drops of the one value of a model.
#[derive(Clone, Default)]
pub struct Drops(Arc<AtomicUsize>);

impl Drops {
    pub fn value(&self) -> Counted {
        Counted {
            drops: Arc::clone(&self.0),
        }
    }

    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

pub type Kept = Promise<Counted, PromiseError>;

pub fn channel() -> (Completer<Counted, PromiseError>, Kept) {
    Promise::channel()
}

/// Tells what the schedule was, unseen by loom and so without changing it.
#[derive(Clone, Default)]
pub struct Witness(Arc<AtomicBool>);

impl Witness {
    pub fn mark(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_marked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A waker that counts.
#[derive(Default)]
pub struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The counting waker's other end.
pub struct Watched {
    wakes: Arc<Wakes>,
}

impl Watched {
    pub fn new() -> Self {
        Watched {
            wakes: Arc::default(),
        }
    }

    pub fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.wakes))
    }

    pub fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }

    /// Whether every clone of the waker is gone.
    pub fn is_let_go(&self) -> bool {
        Arc::strong_count(&self.wakes) == 1
    }
}
