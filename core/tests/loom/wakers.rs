//! A completer against a promise that was polled.

use crate::explore::{Drops, Watched, channel, explore};
use loom::thread;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tidings_core::promise::PromiseError;

#[test]
fn complete_against_a_polled_promise_that_is_dropped() {
    explore(
        ["ready at the poll", "woken", "let go unwoken", "given back"],
        |roles| {
            let (completer, mut promise) = channel();
            let (drops, watched) = (Drops::default(), Watched::new());
            let (value, waker) = (drops.value(), watched.waker());
            let (sent, ready) = roles.run(
                move || completer.complete(value).map_err(drop),
                move || {
                    let polled = Pin::new(&mut promise).poll(&mut Context::from_waker(&waker));
                    matches!(polled, Poll::Ready(Ok(_)))
                },
            );
            assert_eq!(drops.count(), 1);
            assert!(watched.is_let_go());
            match (sent, ready, watched.wakes()) {
                (Ok(()), true, 0) => "ready at the poll",
                (Ok(()), false, 1) => "woken",
                (Ok(()), false, 0) => "let go unwoken",
                (Err(()), false, 0) => "given back",
                _ => "impossible",
            }
        },
    );
}

#[test]
fn break_against_a_polled_promise_that_is_dropped() {
    explore(["broken at the poll", "woken", "unwoken"], |roles| {
        let (completer, mut promise) = channel();
        let watched = Watched::new();
        let waker = watched.waker();
        let ((), ready) = roles.run(
            move || drop(completer),
            move || {
                let polled = Pin::new(&mut promise).poll(&mut Context::from_waker(&waker));
                matches!(polled, Poll::Ready(Err(PromiseError::Broken)))
            },
        );
        assert!(watched.is_let_go());
        match (ready, watched.wakes()) {
            (true, 0) => "broken at the poll",
            (false, 1) => "woken",
            (false, 0) => "unwoken",
            _ => "impossible",
        }
    });
}

#[test]
fn a_dropped_promise_lets_go_of_its_waker_before_the_completer_ends() {
    explore(["let go"], |_| {
        let (completer, mut promise) = channel();
        let watched = Watched::new();
        let waker = watched.waker();
        thread::spawn(move || {
            assert!(
                Pin::new(&mut promise)
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
            );
        })
        .join()
        .unwrap();
        assert!(watched.is_let_go());
        assert!(completer.is_cancelled());
        "let go"
    });
}

#[test]
fn complete_against_a_waker_that_is_replaced() {
    explore(
        [
            "ready at once",
            "ready when replaced",
            "the second is woken",
        ],
        |roles| {
            let (completer, mut promise) = channel();
            let (drops, first, second) = (Drops::default(), Watched::new(), Watched::new());
            let (value, wakers) = (drops.value(), [first.waker(), second.waker()]);
            let ((), (polls, promise)) = roles.run(
                move || completer.complete(value).unwrap(),
                move || {
                    let polls = wakers.map(|waker| {
                        Pin::new(&mut promise)
                            .poll(&mut Context::from_waker(&waker))
                            .map(Result::ok)
                    });
                    (
                        polls.map(|poll| matches!(poll, Poll::Ready(Some(_)))),
                        promise,
                    )
                },
            );
            drop(promise);
            assert_eq!(drops.count(), 1);
            assert!(first.is_let_go() && second.is_let_go());
            match (polls, first.wakes(), second.wakes()) {
                ([true, false], 0, 0) => "ready at once",
                ([false, true], 0 | 1, 0) => "ready when replaced",
                ([false, false], 0, 1) => "the second is woken",
                _ => "lost or doubled",
            }
        },
    );
}

#[test]
fn complete_against_the_same_waker_polled_again() {
    explore(
        ["ready at once", "ready at the second poll", "woken"],
        |roles| {
            let (completer, mut promise) = channel();
            let (drops, watched) = (Drops::default(), Watched::new());
            let (value, waker) = (drops.value(), watched.waker());
            let ((), (polls, promise)) = roles.run(
                move || completer.complete(value).unwrap(),
                move || {
                    let mut poll = || {
                        let polled = Pin::new(&mut promise).poll(&mut Context::from_waker(&waker));
                        matches!(polled, Poll::Ready(Ok(_)))
                    };
                    ([poll(), poll()], promise)
                },
            );
            drop(promise);
            assert_eq!(drops.count(), 1);
            assert!(watched.is_let_go());
            match (polls, watched.wakes()) {
                ([true, false], 0) => "ready at once",
                ([false, true], 0 | 1) => "ready at the second poll",
                ([false, false], 1) => "woken",
                _ => "lost or doubled",
            }
        },
    );
}

#[test]
fn complete_against_a_promise_that_moves_between_threads() {
    explore(["ready on the first", "ready on the second"], |_| {
        let (completer, mut promise) = channel();
        let (drops, watched) = (Drops::default(), Watched::new());
        let (value, waker) = (drops.value(), watched.waker());
        let completing = thread::spawn(move || completer.complete(value).unwrap());
        let first = thread::spawn(move || {
            let polled = Pin::new(&mut promise).poll(&mut Context::from_waker(&waker));
            (polled.is_ready(), promise)
        });
        let (ready, promise) = first.join().unwrap();
        let second = thread::spawn(move || promise.wait().map(drop));
        let outcome = second.join().unwrap();
        completing.join().unwrap();
        assert_eq!(drops.count(), 1);
        assert!(watched.is_let_go());
        match (ready, outcome) {
            (true, Err(PromiseError::Taken)) => "ready on the first",
            (false, Ok(())) => "ready on the second",
            _ => "lost or doubled",
        }
    });
}
