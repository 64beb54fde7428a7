//! What the models have in common.

use loom::thread;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use tidings_core::promise::{Completer, Promise, PromiseError};

/// Runs `model` in every interleaving, with the two roles started in either order, and asserts
/// that the outcomes it returned are exactly the `expected` ones.
pub(crate) fn explore<const N: usize>(
    expected: [&'static str; N],
    model: impl Fn(Roles) -> &'static str + Clone + Send + Sync + 'static,
) {
    explore_bounded(None, expected, model);
}

/// As [`explore`], in the interleavings of at most so many preemptions: for models of three
/// threads and more, the whole of which would take hours.
pub(crate) fn explore_bounded<const N: usize>(
    preemptions: Option<usize>,
    expected: [&'static str; N],
    model: impl Fn(Roles) -> &'static str + Clone + Send + Sync + 'static,
) {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    for roles in [Roles { swapped: false }, Roles { swapped: true }] {
        let (seen, model) = (Arc::clone(&seen), model.clone());
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = preemptions;
        builder.check(move || {
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
pub(crate) struct Roles {
    swapped: bool,
}

impl Roles {
    /// Runs both on threads of their own to their ends.
    pub(crate) fn run<A: 'static, B: 'static>(
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
pub(crate) struct Counted {
    drops: Arc<AtomicUsize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts the drops of the one value of a model.
#[derive(Clone, Default)]
pub(crate) struct Drops(Arc<AtomicUsize>);

impl Drops {
    pub(crate) fn value(&self) -> Counted {
        Counted {
            drops: Arc::clone(&self.0),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

pub(crate) type Kept = Promise<Counted, PromiseError>;

pub(crate) fn channel() -> (Completer<Counted, PromiseError>, Kept) {
    Promise::channel()
}

/// Tells what the schedule was, unseen by loom and so without changing it.
#[derive(Clone, Default)]
pub(crate) struct Witness(Arc<AtomicBool>);

impl Witness {
    pub(crate) fn mark(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_marked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A waker that counts.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The counting waker's other end.
pub(crate) struct Watched {
    wakes: Arc<Wakes>,
}

impl Watched {
    pub(crate) fn new() -> Self {
        Watched {
            wakes: Arc::default(),
        }
    }

    pub(crate) fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.wakes))
    }

    pub(crate) fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }

    /// Whether every clone of the waker is gone.
    pub(crate) fn is_let_go(&self) -> bool {
        Arc::strong_count(&self.wakes) == 1
    }
}
