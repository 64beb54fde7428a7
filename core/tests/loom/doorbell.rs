//! Ringers against the one sleeper.

use crate::explore::{Witness, explore, explore_bounded};
use loom::cell::UnsafeCell;
use loom::sync::{Arc, Mutex};
use loom::thread;
use std::future::poll_fn;
use tidings_core::doorbell::Doorbell;
use tidings_core::promise::WaitExt;

/// A connection's outbox and the bell of its writer.
#[derive(Clone)]
struct Outbox {
    frames: Arc<Mutex<Vec<u32>>>,
    bell: Arc<Doorbell>,
}

impl Outbox {
    fn new() -> Self {
        Outbox {
            frames: Arc::new(Mutex::new(Vec::new())),
            bell: Arc::new(Doorbell::new()),
        }
    }

    fn enqueue(&self, frame: u32) {
        self.frames.lock().unwrap().push(frame);
        self.bell.ring();
    }

    /// The writer: ends when it has written `count` frames. Returns how often it was rung.
    fn write(&self, count: usize) -> usize {
        let mut written = 0;
        let mut rings = 0;
        while written < count {
            WaitExt::wait(poll_fn(|cx| self.bell.poll_rung(cx)));
            rings += 1;
            written += self.frames.lock().unwrap().drain(..).count();
        }
        rings
    }
}

#[test]
fn enqueue_against_the_writer_going_to_sleep() {
    explore(["enqueued first", "slept first"], |roles| {
        let outbox = Outbox::new();
        let (writer, enqueued) = (outbox.clone(), Witness::default());
        let mark = enqueued.clone();
        let ((), outcome) = roles.run(
            move || {
                outbox.enqueue(1);
                mark.mark();
            },
            move || {
                let outcome = if enqueued.is_marked() {
                    "enqueued first"
                } else {
                    "slept first"
                };
                writer.write(1);
                outcome
            },
        );
        outcome
    });
}

#[test]
fn two_ringers_against_the_writer_going_to_sleep() {
    explore_bounded(Some(2), ["one ring", "two rings"], |roles| {
        let outbox = Outbox::new();
        let (one, other) = (outbox.clone(), outbox.clone());
        let writing = thread::spawn(move || outbox.write(2));
        roles.run(move || one.enqueue(1), move || other.enqueue(2));
        match writing.join().unwrap() {
            1 => "one ring",
            2 => "two rings",
            // The second ring may find the frames of both gone already, and the bell rung.
            _ => "rung for nothing",
        }
    });
}

#[test]
fn ring_against_a_sleeper_that_reads_what_was_put_there() {
    explore(["seen"], |roles| {
        // Touched without a lock: loom fails the model unless the ring orders the two.
        let put = Arc::new(UnsafeCell::new(0));
        let (seen, bell) = (Arc::clone(&put), Arc::new(Doorbell::new()));
        let sleeper = Arc::clone(&bell);
        roles.run(
            move || {
                put.with_mut(|_| ());
                bell.ring();
            },
            move || {
                WaitExt::wait(poll_fn(|cx| sleeper.poll_rung(cx)));
                seen.with(|_| ());
            },
        );
        "seen"
    });
}
