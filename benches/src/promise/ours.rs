//! Our promise.

use std::hint::black_box;

use tidings::{Promise, PromiseError};

use super::{OURS, polled_around, waker};
use crate::harness::Case;

pub(super) fn taken() -> Case {
    Case::new(OURS, |operations| {
        for n in 0..operations {
            let (completer, mut promise) = Promise::<u64, PromiseError>::channel();
            completer.complete(black_box(n)).expect("somebody listens");
            black_box(promise.try_take());
        }
    })
}

pub(super) fn awaited() -> Case {
    let waker = waker();
    Case::new(OURS, move |operations| {
        for n in 0..operations {
            let (completer, promise) = Promise::<u64, PromiseError>::channel();
            let complete = || completer.complete(black_box(n)).expect("somebody listens");
            black_box(polled_around(&waker, promise, complete)).expect("it was completed");
        }
    })
}
