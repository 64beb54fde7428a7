//! A request's reply against whatever withdraws the request. The record of a request in flight has its outcome, under
//! its lock.

use crate::explore::explore;
use loom::sync::{Arc, Mutex};
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use tidings_core::promise::outcome::{self, Outcome};
use tidings_core::promise::seam::{Asked, CancelCause, Reply};
use tidings_core::promise::{Promise, PromiseError};

const CANCELLED: Reply = Reply(0);
const CLOSED: Reply = Reply(1);

struct Record {
    outcome: Mutex<Outcome<Reply>>,
    dropped: AtomicUsize,
    asked: AtomicUsize,
}

impl Record {
    fn register() -> (StdArc<Record>, Promise<u32>) {
        let record = StdArc::new(Record {
            outcome: Mutex::new(Outcome::default()),
            dropped: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
        });
        let promise = Promise::of_reply(|reply, _| Ok(reply.0), record.clone());
        (record, promise)
    }

    /// The reply comes back when the outcome was decided by somebody else.
    fn resolve(&self, reply: Reply) -> Result<(), Reply> {
        let decided = self.outcome.lock().unwrap().decide(reply);
        if let Some(waiter) = decided? {
            waiter.wake();
        }
        Ok(())
    }

    fn cancels(&self) -> (usize, usize) {
        (
            self.dropped.load(Ordering::Relaxed),
            self.asked.load(Ordering::Relaxed),
        )
    }
}

impl Asked for Record {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<Reply, PromiseError>> {
        outcome::poll(cx.waker(), |waker, clone| {
            self.outcome.lock().unwrap().look(waker, clone)
        })
    }

    fn try_take(&self) -> Option<Result<Reply, PromiseError>> {
        self.outcome.lock().unwrap().try_take()
    }

    fn is_ready(&self) -> bool {
        self.outcome.lock().unwrap().is_decided()
    }

    fn withdraw(&self) -> Option<Waker> {
        self.outcome.lock().unwrap().withdraw()
    }

    fn cancel(&self, by: CancelCause) {
        match by {
            CancelCause::Dropped => self.dropped.fetch_add(1, Ordering::Relaxed),
            // The models have no clock: nothing is ever late in them.
            CancelCause::Asked | CancelCause::Late => self.asked.fetch_add(1, Ordering::Relaxed),
        };
        let _ = self.resolve(CANCELLED);
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
                (Ok(()), Ok(7), (0, 0)) => "replied",
                (Ok(()), Ok(7), (0, 1)) => "replied while cancelling",
                (Err(Reply(7)), Ok(0), (0, 1)) => "cancelled",
                _ => "lost or doubled",
            }
        },
    );
}

#[test]
fn reply_against_drop_of_its_promise() {
    explore(
        ["replied", "replied while it was withdrawn", "withdrawn"],
        |roles| {
            let (record, promise) = Record::register();
            let replying = StdArc::clone(&record);
            let (sent, ()) = roles.run(move || replying.resolve(Reply(7)), || drop(promise));
            match (sent, record.cancels()) {
                (Ok(()), (0, 0)) => "replied",
                (Ok(()), (1, 0)) => "replied while it was withdrawn",
                (Err(Reply(7)), (1, 0)) => "withdrawn",
                _ => "lost or doubled",
            }
        },
    );
}

#[test]
fn reply_against_detach_of_its_promise() {
    explore(["replied"], |roles| {
        let (record, promise) = Record::register();
        let replying = StdArc::clone(&record);
        let (sent, ()) = roles.run(move || replying.resolve(Reply(7)), || promise.detach());
        match (sent, record.cancels()) {
            (Ok(()), (0, 0)) => "replied",
            _ => "lost or cancelled",
        }
    });
}

/// The reply comes while the promise is polled: its waker is woken, or it has the reply.
#[test]
fn reply_against_wait_for_it() {
    explore(["replied"], |roles| {
        let (record, promise) = Record::register();
        let (sent, outcome) = roles.run(move || record.resolve(Reply(7)), || promise.wait());
        match (sent, outcome) {
            (Ok(()), Ok(7)) => "replied",
            _ => "lost",
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
                    let _ = record.resolve(CLOSED);
                }
            },
        );
        assert_eq!(unanswered.wait(), Ok(1));
        match (sent, promise.wait()) {
            (Ok(()), Ok(7)) => "replied",
            (Err(Reply(7)), Ok(1)) => "closed",
            _ => "lost or doubled",
        }
    });
}
