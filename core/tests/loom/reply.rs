//! A request's reply against whatever withdraws the request. The record of a request in flight
//! gives its outcome through a sender that is taken once out of a mutex.

use crate::explore::explore;
use loom::sync::{Arc, Mutex};
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tidings_core::promise::cell::{self, Sender};
use tidings_core::promise::seam::{CallError, Cancel, CancelCause, Reply};
use tidings_core::promise::{Promise, PromiseError};

const CANCELLED: Reply = Reply(0);

struct Record {
    outcome: Mutex<Option<Sender<Reply>>>,
    dropped: AtomicUsize,
    asked: AtomicUsize,
}

impl Record {
    fn register() -> (StdArc<Record>, Promise<u32>) {
        let (sender, receiver) = cell::channel();
        let record = StdArc::new(Record {
            outcome: Mutex::new(Some(sender)),
            dropped: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
        });
        let hook: StdArc<dyn Cancel> = record.clone();
        (
            record,
            Promise::of_reply(receiver, |reply, _| Ok(reply.0), hook),
        )
    }

    /// None when the outcome was given by somebody else.
    fn resolve(&self, reply: Reply) -> Option<Result<(), Reply>> {
        let sender = self.outcome.lock().unwrap().take();
        sender.map(|sender| sender.send(reply))
    }

    fn cancels(&self) -> (usize, usize) {
        (
            self.dropped.load(Ordering::Relaxed),
            self.asked.load(Ordering::Relaxed),
        )
    }
}

impl Cancel for Record {
    fn cancel(&self, by: CancelCause) {
        match by {
            CancelCause::Dropped => self.dropped.fetch_add(1, Ordering::Relaxed),
            // The models have no clock: nothing is ever late in them.
            CancelCause::Asked | CancelCause::Late => self.asked.fetch_add(1, Ordering::Relaxed),
        };
        self.resolve(CANCELLED);
    }
}

#[test]
fn reply_against_cancel_of_one_request() {
    explore(
        ["replied", "replied while cancelling", "cancelled"],
        |roles| {
            let (record, mut promise) = Record::register();
            let replying = StdArc::clone(&record);
            let (sent, outcome) = roles.run(
                move || replying.resolve(Reply(7)),
                move || {
                    promise.cancel();
                    promise.wait()
                },
            );
            match (sent, outcome, record.cancels()) {
                (Some(Ok(())), Ok(7), (0, 0)) => "replied",
                (Some(Ok(())), Ok(7), (0, 1)) => "replied while cancelling",
                (None, Ok(0), (0, 1)) => "cancelled",
                _ => "lost or doubled",
            }
        },
    );
}

#[test]
fn reply_against_drop_of_its_promise() {
    explore(
        ["replied", "too late for the promise", "withdrawn"],
        |roles| {
            let (record, promise) = Record::register();
            let replying = StdArc::clone(&record);
            let (sent, ()) = roles.run(move || replying.resolve(Reply(7)), || drop(promise));
            match (sent, record.cancels()) {
                (Some(Ok(())), (0, 0)) => "replied",
                (Some(Err(Reply(7))), (1, 0)) => "too late for the promise",
                (None, (1, 0)) => "withdrawn",
                _ => "lost or doubled",
            }
        },
    );
}

#[test]
fn reply_against_detach_of_its_promise() {
    explore(["replied", "nobody listened"], |roles| {
        let (record, promise) = Record::register();
        let replying = StdArc::clone(&record);
        let (sent, ()) = roles.run(move || replying.resolve(Reply(7)), || promise.detach());
        match (sent, record.cancels()) {
            (Some(Ok(())), (0, 0)) => "replied",
            (Some(Err(Reply(7))), (0, 0)) => "nobody listened",
            _ => "lost or cancelled",
        }
    });
}

#[test]
fn close_all_against_reply() {
    explore(["replied", "closed"], |roles| {
        let (record, promise) = Record::register();
        let (other, unanswered) = Record::register();
        let table = Arc::new(Mutex::new(vec![StdArc::clone(&record), other]));
        let (sent, ()) = roles.run(
            move || record.resolve(Reply(7)),
            move || {
                let closed = std::mem::take(&mut *table.lock().unwrap());
                for record in closed {
                    drop(record.outcome.lock().unwrap().take());
                }
            },
        );
        assert_eq!(unanswered.wait(), Err(CallError(PromiseError::Broken)));
        match (sent, promise.wait()) {
            (Some(Ok(())), Ok(7)) => "replied",
            (None, Err(CallError(PromiseError::Broken))) => "closed",
            _ => "lost or doubled",
        }
    });
}
