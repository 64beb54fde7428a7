//! One completer against one promise.

use crate::explore::{Drops, Witness, channel, explore};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tidings_core::promise::{Promise, PromiseError, WaitExt};

#[test]
fn complete_against_wait() {
    explore(["completed first", "waited first"], |roles| {
        let (completer, promise) = channel();
        let (drops, completed) = (Drops::default(), Witness::default());
        let (value, mark) = (drops.value(), completed.clone());
        let ((), outcome) = roles.run(
            move || {
                completer.complete(value).unwrap();
                mark.mark();
            },
            move || {
                let outcome = if completed.is_marked() {
                    "completed first"
                } else {
                    "waited first"
                };
                promise.wait().unwrap();
                outcome
            },
        );
        assert_eq!(drops.count(), 1);
        outcome
    });
}

#[test]
fn complete_against_a_plain_future_that_is_waited_on() {
    explore(["completed first", "waited first"], |roles| {
        let (completer, promise) = channel();
        let (drops, completed) = (Drops::default(), Witness::default());
        let (value, mark) = (drops.value(), completed.clone());
        let ((), outcome) = roles.run(
            move || {
                completer.complete(value).unwrap();
                mark.mark();
            },
            move || {
                let outcome = if completed.is_marked() {
                    "completed first"
                } else {
                    "waited first"
                };
                WaitExt::wait(async move { promise.await.map(drop) }).unwrap();
                outcome
            },
        );
        assert_eq!(drops.count(), 1);
        outcome
    });
}

#[test]
fn complete_against_try_take() {
    explore(
        ["taken", "given back", "dropped with the promise"],
        |roles| {
            let (completer, mut promise) = channel();
            let drops = Drops::default();
            let value = drops.value();
            let (sent, taken) = roles.run(
                move || completer.complete(value).map_err(drop),
                move || {
                    promise
                        .try_take()
                        .map(|outcome| drop(outcome.unwrap()))
                        .is_some()
                },
            );
            assert_eq!(drops.count(), 1);
            match (sent, taken) {
                (Ok(()), true) => "taken",
                (Ok(()), false) => "dropped with the promise",
                (Err(()), false) => "given back",
                (Err(()), true) => "both",
            }
        },
    );
}

#[test]
fn is_ready_is_sticky_and_means_that_the_value_is_there() {
    explore(
        ["never", "at the second look", "at the first look"],
        |roles| {
            let (completer, mut promise) = channel();
            let drops = Drops::default();
            let value = drops.value();
            let (_, outcome) = roles.run(
                move || completer.complete(value).map_err(drop),
                move || {
                    let looks = (promise.is_ready(), promise.is_ready());
                    if looks.1 {
                        promise.try_take().expect("it was ready").unwrap();
                    }
                    match looks {
                        (false, false) => "never",
                        (false, true) => "at the second look",
                        (true, true) => "at the first look",
                        (true, false) => "not sticky",
                    }
                },
            );
            assert_eq!(drops.count(), 1);
            outcome
        },
    );
}

#[test]
fn what_was_done_before_completing_is_seen_once_the_promise_is_ready() {
    explore(["ready", "not yet"], |roles| {
        // Touched without a lock: loom fails the model unless `is_ready` orders the two.
        let done = Arc::new(UnsafeCell::new(0));
        let seen = Arc::clone(&done);
        let (completer, promise) = channel();
        let value = Drops::default().value();
        let (_, outcome) = roles.run(
            move || {
                done.with_mut(|_| ());
                completer.complete(value).map_err(drop)
            },
            move || {
                if !promise.is_ready() {
                    return "not yet";
                }
                seen.with(|_| ());
                "ready"
            },
        );
        outcome
    });
}

#[test]
fn complete_against_drop() {
    explore(["given back", "dropped with the promise"], |roles| {
        let (completer, promise) = channel();
        let drops = Drops::default();
        let value = drops.value();
        let (sent, ()) = roles.run(
            move || completer.complete(value).map_err(drop),
            || drop(promise),
        );
        assert_eq!(drops.count(), 1);
        if sent.is_ok() {
            "dropped with the promise"
        } else {
            "given back"
        }
    });
}

#[test]
fn complete_a_zero_sized_value_against_drop() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    #[derive(Debug)]
    struct Nothing;
    impl Drop for Nothing {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::Relaxed);
        }
    }
    explore(["given back", "dropped with the promise"], |roles| {
        DROPS.store(0, Ordering::Relaxed);
        let (completer, promise) = Promise::<Nothing, PromiseError>::channel();
        let (sent, ()) = roles.run(
            move || completer.complete(Nothing).map_err(drop),
            || drop(promise),
        );
        assert_eq!(DROPS.load(Ordering::Relaxed), 1);
        if sent.is_ok() {
            "dropped with the promise"
        } else {
            "given back"
        }
    });
}

#[test]
fn complete_against_a_timeout() {
    explore(
        ["in time", "given back", "dropped with the promise"],
        |roles| {
            let (completer, mut promise) = channel();
            let drops = Drops::default();
            let value = drops.value();
            let (sent, in_time) = roles.run(
                move || completer.complete(value).map_err(drop),
                move || {
                    promise
                        .wait_timeout(Duration::from_secs(1))
                        .map(Result::unwrap)
                        .is_some()
                },
            );
            assert_eq!(drops.count(), 1);
            match (sent, in_time) {
                (Ok(()), true) => "in time",
                (Ok(()), false) => "dropped with the promise",
                (Err(()), false) => "given back",
                (Err(()), true) => "both",
            }
        },
    );
}

#[test]
fn complete_against_a_timeout_then_a_wait() {
    explore(["in time", "after the timeout"], |roles| {
        let (completer, mut promise) = channel();
        let drops = Drops::default();
        let value = drops.value();
        let ((), outcome) = roles.run(
            move || completer.complete(value).unwrap(),
            move || match promise.wait_timeout(Duration::from_secs(1)) {
                Some(outcome) => {
                    outcome.unwrap();
                    assert_eq!(promise.wait().err(), Some(PromiseError::Taken));
                    "in time"
                }
                None => {
                    promise.wait().unwrap();
                    "after the timeout"
                }
            },
        );
        assert_eq!(drops.count(), 1);
        outcome
    });
}

#[test]
fn break_against_wait() {
    explore(["broken first", "waited first"], |roles| {
        let (completer, promise) = channel();
        let broken = Witness::default();
        let mark = broken.clone();
        let ((), outcome) = roles.run(
            move || {
                drop(completer);
                mark.mark();
            },
            move || {
                let outcome = if broken.is_marked() {
                    "broken first"
                } else {
                    "waited first"
                };
                assert_eq!(promise.wait().err(), Some(PromiseError::Broken));
                outcome
            },
        );
        outcome
    });
}

#[test]
fn is_cancelled_is_sticky_against_drop() {
    explore(
        ["never", "at the second look", "at the first look"],
        |roles| {
            let (completer, promise) = channel();
            let (outcome, ()) = roles.run(
                move || match (completer.is_cancelled(), completer.is_cancelled()) {
                    (false, false) => "never",
                    (false, true) => "at the second look",
                    (true, true) => "at the first look",
                    (true, false) => "not sticky",
                },
                || drop(promise),
            );
            outcome
        },
    );
}

#[test]
fn cancel_against_complete() {
    explore(["kept", "cancelled"], |roles| {
        let (completer, mut promise) = channel();
        let drops = Drops::default();
        let value = drops.value();
        let (sent, outcome) = roles.run(
            move || completer.complete(value).map_err(drop),
            move || {
                promise.cancel();
                promise.wait().map(drop)
            },
        );
        assert_eq!(drops.count(), 1);
        match (sent, outcome) {
            (Ok(()), Ok(())) => "kept",
            (Err(()), Err(PromiseError::Cancelled)) => "cancelled",
            _ => "both or neither",
        }
    });
}

#[test]
fn detach_against_complete() {
    explore(["given back", "dropped with the promise"], |roles| {
        let (completer, promise) = channel();
        let drops = Drops::default();
        let value = drops.value();
        let (sent, ()) = roles.run(
            move || {
                assert!(!completer.is_cancelled());
                completer.complete(value).map_err(drop)
            },
            || promise.detach(),
        );
        assert_eq!(drops.count(), 1);
        if sent.is_ok() {
            "dropped with the promise"
        } else {
            "given back"
        }
    });
}

#[test]
fn detach_against_break() {
    explore(["detached first", "broken first"], |roles| {
        let (completer, promise) = channel();
        let detached = Witness::default();
        let mark = detached.clone();
        let (outcome, ()) = roles.run(
            move || {
                assert!(!completer.is_cancelled());
                let outcome = if detached.is_marked() {
                    "detached first"
                } else {
                    "broken first"
                };
                drop(completer);
                outcome
            },
            move || {
                promise.detach();
                mark.mark();
            },
        );
        outcome
    });
}

#[test]
fn on_ready_against_complete() {
    explore(
        ["on the completing thread", "on the registering thread"],
        |roles| {
            let (completer, promise) = channel();
            let drops = Drops::default();
            let value = drops.value();
            let owner = Arc::new(loom::sync::Mutex::new(None));
            let called_on = Arc::clone(&owner);
            let (one, other) = roles.run(
                move || {
                    completer.complete(value).unwrap();
                    thread::current().id()
                },
                move || {
                    promise.on_ready(move |outcome| {
                        drop(outcome.unwrap());
                        let before = called_on.lock().unwrap().replace(thread::current().id());
                        assert_eq!(before, None, "called twice");
                    });
                    thread::current().id()
                },
            );
            assert_eq!(drops.count(), 1);
            let called_on = owner
                .lock()
                .unwrap()
                .take()
                .expect("the callback was called");
            match () {
                () if called_on == one => "on the completing thread",
                () if called_on == other => "on the registering thread",
                () => "elsewhere",
            }
        },
    );
}
