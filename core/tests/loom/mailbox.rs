//! Producers against consumers of one mailbox.

use crate::explore::{Watched, explore, explore_bounded};
use loom::thread;
use std::task::{Context, Poll};
use tidings_core::mailbox::{Limits, Mailbox, PushError};

fn mailbox() -> Mailbox<u32> {
    Mailbox::new(Limits { items: 2, bytes: 8 })
}

#[test]
fn push_against_a_waiting_consumer() {
    explore(["popped"], |roles| {
        let mailbox = mailbox();
        let consumer = mailbox.clone();
        let (_, item) = roles.run(
            move || mailbox.try_push(1, 1).unwrap(),
            move || consumer.pop_wait(None),
        );
        assert_eq!(item, Some(1));
        "popped"
    });
}

#[test]
fn push_against_a_consumer_leaving() {
    explore_bounded(
        Some(2),
        ["left asleep", "left woken", "never slept"],
        |roles| {
            let mailbox = mailbox();
            let (producer, left) = (mailbox.clone(), mailbox.clone());
            let (leaver, stayer) = (Watched::new(), mailbox.clone());
            let waker = leaver.waker();
            let staying = thread::spawn(move || stayer.pop_wait(None));
            let (_, popped) = roles.run(
                move || producer.try_push(1, 1).unwrap(),
                move || {
                    let mut consumer = left.consumer();
                    let popped = match consumer.poll_pop(&mut Context::from_waker(&waker)) {
                        Poll::Ready(item) => item,
                        Poll::Pending => None,
                    };
                    drop(consumer);
                    // What it took is for the one who stays.
                    popped.map(|item| left.try_push(item, 1).unwrap()).is_some()
                },
            );
            assert_eq!(staying.join().unwrap(), Some(1));
            assert!(leaver.is_let_go());
            match (popped, leaver.wakes()) {
                (true, 0) => "never slept",
                (false, 1) => "left woken",
                (false, 0) => "left asleep",
                _ => "impossible",
            }
        },
    );
}

#[test]
fn two_consumers_and_one_item() {
    explore_bounded(Some(2), ["the one", "the other"], |roles| {
        let mailbox = mailbox();
        let (one, other) = (mailbox.clone(), mailbox.clone());
        let producing = thread::spawn(move || {
            mailbox.try_push(1, 1).unwrap();
            mailbox
        });
        let consuming = |mailbox: Mailbox<u32>| {
            move || {
                let item = mailbox.pop_wait(None);
                // The winner ends the other's wait.
                if item.is_some() {
                    assert!(mailbox.close().is_empty());
                }
                item
            }
        };
        let items = roles.run(consuming(one), consuming(other));
        producing.join().unwrap();
        match items {
            (Some(1), None) => "the one",
            (None, Some(1)) => "the other",
            _ => "lost or doubled",
        }
    });
}

#[test]
fn two_consumers_and_two_items() {
    explore_bounded(Some(2), ["in order", "crossed"], |roles| {
        let mailbox = mailbox();
        let (one, other) = (mailbox.clone(), mailbox.clone());
        let producing = thread::spawn(move || {
            mailbox.try_push(1, 1).unwrap();
            mailbox.try_push(2, 1).unwrap();
        });
        let items = roles.run(move || one.pop_wait(None), move || other.pop_wait(None));
        producing.join().unwrap();
        match items {
            (Some(1), Some(2)) => "in order",
            (Some(2), Some(1)) => "crossed",
            _ => "lost or doubled",
        }
    });
}

#[test]
fn close_against_push() {
    explore(["refused", "handed back by the close"], |roles| {
        let mailbox = mailbox();
        let closing = mailbox.clone();
        let (pushed, left) = roles.run(
            move || mailbox.try_push(1, 1).map(|_| ()),
            move || closing.close(),
        );
        match (pushed, left.as_slice()) {
            (Err(PushError::Closed(1)), []) => "refused",
            (Ok(()), [1]) => "handed back by the close",
            _ => "lost or doubled",
        }
    });
}

#[test]
fn close_against_a_waiting_consumer() {
    explore(["ended"], |roles| {
        let mailbox = mailbox();
        let closing = mailbox.clone();
        let (item, left) = roles.run(move || mailbox.pop_wait(None), move || closing.close());
        assert_eq!((item, left), (None, vec![]));
        "ended"
    });
}

#[test]
fn remove_against_pop() {
    explore(["removed", "popped"], |roles| {
        let mailbox = mailbox();
        let ticket = mailbox.try_push(1, 8).unwrap();
        let (removing, popping) = (mailbox.clone(), mailbox.clone());
        let taken = roles.run(move || removing.remove(ticket), move || popping.try_pop());
        assert_eq!((mailbox.len(), mailbox.bytes()), (0, 0));
        assert!(mailbox.try_push(2, 8).is_ok(), "its room is free");
        assert!(
            mailbox.remove(ticket).is_none(),
            "a ticket is never valid again"
        );
        match taken {
            (Some(1), None) => "removed",
            (None, Some(1)) => "popped",
            _ => "lost or doubled",
        }
    });
}
