//! Random scripts on a promise, against a small model of what must happen.
//!
//! After every step the outcome, the wake-ups, the clones of each waker and the values alive are
//! those of the model. A failure prints the seed; `TIDINGS_SEED` runs that one alone.
#![cfg(not(tidings_loom))]

mod random;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use random::Random;
use tidings_core::promise::{Completer, Promise, PromiseError};

const SCRIPTS: u64 = 20_000;
const STEPS: usize = 24;
const WAKERS: usize = 3;

#[test]
fn any_script_of_operations_does_what_the_model_says() {
    let only = std::env::var("TIDINGS_SEED")
        .ok()
        .map(|seed| seed.parse().expect("a number"));
    let mut taken = 0;
    for seed in only.map_or(1..=SCRIPTS, |seed: u64| seed..=seed) {
        let run = std::panic::catch_unwind(|| script(seed));
        taken += run.unwrap_or_else(|_| panic!("failed with TIDINGS_SEED={seed}"));
    }
    assert!(
        only.is_some() || taken > SCRIPTS / 5,
        "the scripts reach outcomes: {taken}"
    );
}

/// Runs one script; 1 if a value was taken in it.
fn script(seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let mut run = Run::new(random.below(2) == 1);
    for _ in 0..STEPS {
        let step = random.below(24);
        let waker = random.below(WAKERS);
        run.step(step, waker);
        run.check();
    }
    run.completer = None;
    run.promise = None;
    assert_eq!(run.alive.load(Ordering::Relaxed), 0, "values left");
    for waker in &run.wakers {
        assert_eq!(Arc::strong_count(waker), 1, "wakers left");
    }
    u64::from(run.model.value_taken)
}

/// What must be, in the simplest words.
#[derive(Default)]
struct Model {
    /// What the promise holds and has not handed out; Ok is a value.
    outcome: Option<Result<(), PromiseError>>,
    registered: Option<usize>,
    wakes: [usize; WAKERS],
    /// The promise cannot be told anything any more: handed out, cancelled, dropped or detached.
    deaf: bool,
    detached: bool,
    value_taken: bool,
}

impl Model {
    fn decide(&mut self, outcome: Result<(), PromiseError>) {
        self.outcome = Some(outcome);
        if let Some(waker) = self.registered.take() {
            self.wakes[waker] += 1;
        }
    }

    fn take(&mut self) -> Result<(), PromiseError> {
        self.deaf = true;
        let outcome = self
            .outcome
            .replace(Err(PromiseError::Taken))
            .expect("decided");
        self.value_taken |= outcome.is_ok();
        outcome
    }

    fn leave(&mut self) {
        self.outcome = None;
        self.registered = None;
        self.deaf = true;
    }
}

type Outcome = Result<Value, PromiseError>;

struct Run {
    completer: Option<Completer<Value, PromiseError>>,
    promise: Option<Promise<Value, PromiseError>>,
    wakers: [Arc<Counter>; WAKERS],
    alive: Arc<AtomicUsize>,
    model: Model,
}

impl Run {
    fn new(mapped: bool) -> Self {
        let (completer, promise) = Promise::channel();
        Run {
            completer: Some(completer),
            promise: Some(if mapped {
                promise.map(|value| value)
            } else {
                promise
            }),
            wakers: Default::default(),
            alive: Arc::default(),
            model: Model::default(),
        }
    }

    fn step(&mut self, step: usize, waker: usize) {
        match step {
            0..=8 => self.poll(waker),
            9..=10 => self.take(|promise| promise.try_take()),
            11..=12 => self.time_out(),
            13 => self.cancel(),
            14..=15 => self.complete(),
            16 => self.fail(),
            17 => self.drop_completer(),
            18 => self.drop_promise(),
            19 => self.detach(),
            _ => self.look(),
        }
    }

    fn poll(&mut self, index: usize) {
        let Some(promise) = &mut self.promise else {
            return;
        };
        let waker = Waker::from(Arc::clone(&self.wakers[index]));
        match Pin::new(promise).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => assert_eq!(outcome.map(drop), self.model.take()),
            Poll::Pending => {
                assert_eq!(self.model.outcome, None, "there was an outcome");
                self.model.registered = Some(index);
            }
        }
    }

    fn take(&mut self, take: impl FnOnce(&mut Promise<Value, PromiseError>) -> Option<Outcome>) {
        let Some(promise) = &mut self.promise else {
            return;
        };
        match take(promise) {
            Some(outcome) => assert_eq!(outcome.map(drop), self.model.take()),
            None => assert_eq!(self.model.outcome, None, "there was an outcome"),
        }
    }

    fn time_out(&mut self) {
        self.take(|promise| promise.wait_timeout(Duration::ZERO));
        // The waiting thread's waker took the place of any other, and was taken back.
        self.model.registered = None;
    }

    fn cancel(&mut self) {
        let Some(promise) = &mut self.promise else {
            return;
        };
        promise.cancel();
        if self.model.outcome.is_none() {
            self.model.decide(Err(PromiseError::Cancelled));
            self.model.deaf = true;
        }
    }

    fn complete(&mut self) {
        let Some(completer) = self.completer.take() else {
            return;
        };
        let sent = completer.complete(Value::new(&self.alive));
        assert_eq!(sent.is_err(), self.model.deaf);
        if sent.is_ok() {
            self.model.decide(Ok(()));
        }
    }

    fn fail(&mut self) {
        let Some(completer) = self.completer.take() else {
            return;
        };
        // Any error will do that the promise does not make itself in this script.
        let sent = completer.fail(PromiseError::WouldBlock);
        assert_eq!(sent.is_err(), self.model.deaf);
        if sent.is_ok() {
            self.model.decide(Err(PromiseError::WouldBlock));
        }
    }

    fn drop_completer(&mut self) {
        if self.completer.take().is_some() && !self.model.deaf {
            self.model.decide(Err(PromiseError::Broken));
        }
    }

    fn drop_promise(&mut self) {
        if self.promise.take().is_some() {
            self.model.leave();
        }
    }

    fn detach(&mut self) {
        let Some(promise) = self.promise.take() else {
            return;
        };
        promise.detach();
        self.model.detached |= !self.model.deaf;
        self.model.leave();
    }

    fn look(&mut self) {
        if let Some(promise) = &self.promise {
            assert_eq!(promise.is_ready(), self.model.outcome.is_some());
        }
        if let Some(completer) = &self.completer {
            assert_eq!(
                completer.is_cancelled(),
                self.model.deaf && !self.model.detached
            );
        }
    }

    fn check(&self) {
        for (index, waker) in self.wakers.iter().enumerate() {
            let held = usize::from(self.model.registered == Some(index));
            assert_eq!(
                Arc::strong_count(waker) - 1,
                held,
                "clones of waker {index}"
            );
            assert_eq!(
                waker.0.load(Ordering::Relaxed),
                self.model.wakes[index],
                "wake-ups"
            );
        }
        let held = usize::from(self.model.outcome == Some(Ok(())));
        assert_eq!(self.alive.load(Ordering::Relaxed), held, "values alive");
    }
}

/// Counts itself.
#[derive(Debug)]
struct Value(Arc<AtomicUsize>);

impl Value {
    fn new(alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Value(Arc::clone(alive))
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
