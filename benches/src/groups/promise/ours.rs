//! Our promise.

use std::hint::black_box;

use tidings::promise::all;
use tidings::{Promise, PromiseError};

use super::OURS;
use crate::harness::Case;
use crate::loads::cells::{joins, polled_around, waker};
use crate::setting::Use;

pub(super) const ALL: &str = "tidings, `all`";
pub(super) const IN_ORDER: &str = "tidings, awaited in order";

pub(super) fn cases(of: Use) -> Vec<Case> {
    match of {
        Use::Taken => vec![taken(), ready()],
        Use::Awaited => vec![awaited()],
        Use::Joined(number) => vec![
            joins(ALL, number, channel, complete, |promises| async {
                all(promises).await.expect("all were completed")
            }),
            joins(
                IN_ORDER,
                number,
                channel,
                complete,
                async |promises: Vec<Promise<u64, PromiseError>>| {
                    let mut values = Vec::with_capacity(promises.len());
                    for promise in promises {
                        values.push(promise.await.expect("it was completed"));
                    }
                    values
                },
            ),
        ],
    }
}

type Completer = tidings::Completer<u64, PromiseError>;

fn channel() -> (Completer, Promise<u64, PromiseError>) {
    Promise::channel()
}

fn complete(completer: Completer) {
    completer.complete(black_box(1)).expect("somebody listens");
}

fn taken() -> Case {
    Case::new(OURS, |operations| {
        for n in 0..operations {
            let (completer, mut promise) = channel();
            completer.complete(black_box(n)).expect("somebody listens");
            black_box(promise.try_take());
        }
    })
}

fn ready() -> Case {
    Case::new("tidings, known from the start", |operations| {
        for n in 0..operations {
            let mut promise = Promise::<u64, PromiseError>::ready(black_box(n));
            black_box(promise.try_take());
        }
    })
}

fn awaited() -> Case {
    let waker = waker();
    Case::new(OURS, move |operations| {
        for n in 0..operations {
            let (completer, promise) = channel();
            let complete = || completer.complete(black_box(n)).expect("somebody listens");
            black_box(polled_around(&waker, promise, complete)).expect("it was completed");
        }
    })
}
