//! Several promises, several waiters.

use crate::explore::{Drops, channel, explore, explore_bounded};
use loom::thread;
use tidings_core::promise::{Promise, PromiseError, PromiseSet, race};

#[test]
fn two_completers_against_one_waiter_for_both() {
    explore_bounded(Some(2), ["a first", "b first"], |roles| {
        let (a, promise_a) = Promise::<u32, PromiseError>::channel();
        let (b, promise_b) = Promise::<u32, PromiseError>::channel();
        let mut set = PromiseSet::from_iter([("a first", promise_a), ("b first", promise_b)]);
        let waiting = thread::spawn(move || {
            let first = set.next().wait().unwrap().expect("two are to come");
            let second = set.next().wait().unwrap().expect("one is to come");
            assert!(set.next().wait().unwrap().is_none());
            assert_eq!((first.1, second.1), (Ok(1), Ok(1)));
            assert_ne!(first.0, second.0);
            first.0
        });
        roles.run(
            move || a.complete(1).unwrap(),
            move || b.complete(1).unwrap(),
        );
        waiting.join().unwrap()
    });
}

#[test]
fn two_completers_against_a_race() {
    explore_bounded(
        Some(2),
        [
            "a won",
            "b won",
            "a won, b was given back",
            "b won, a was given back",
        ],
        |roles| {
            let (a, promise_a) = Promise::<&str, PromiseError>::channel();
            let (b, promise_b) = Promise::<&str, PromiseError>::channel();
            let waiting = thread::spawn(move || race([promise_a, promise_b]).wait().unwrap());
            let sent = roles.run(move || a.complete("a"), move || b.complete("b"));
            match (waiting.join().unwrap(), sent) {
                ("a", (Ok(()), Ok(()))) => "a won",
                ("b", (Ok(()), Ok(()))) => "b won",
                ("a", (Ok(()), Err("b"))) => "a won, b was given back",
                ("b", (Err("a"), Ok(()))) => "b won, a was given back",
                _ => "lost or doubled",
            }
        },
    );
}

#[test]
fn complete_against_two_clones_of_a_shared_promise() {
    explore_bounded(Some(2), ["both"], |roles| {
        let (completer, promise) = Promise::<u32, PromiseError>::channel();
        let shared = promise.shared();
        let clone = shared.clone();
        let completing = thread::spawn(move || completer.complete(1).unwrap());
        let outcomes = roles.run(move || shared.wait(), move || clone.wait());
        completing.join().unwrap();
        assert_eq!(outcomes, (Ok(1), Ok(1)));
        "both"
    });
}

#[test]
fn complete_against_drop_of_the_last_clone_of_a_shared_promise() {
    explore(["given back", "dropped with the promise"], |roles| {
        let (completer, promise) = channel();
        let drops = Drops::default();
        let value = drops.value();
        let shared = promise.map(|_| ()).shared();
        let (sent, ()) = roles.run(
            move || completer.complete(value).map_err(drop),
            || drop(shared),
        );
        assert_eq!(drops.count(), 1);
        if sent.is_ok() {
            "dropped with the promise"
        } else {
            "given back"
        }
    });
}
