//! Other one-shot cells.

use std::hint::black_box;

use super::{ONESHOT, TOKIO, polled_around, waker};
use crate::harness::Case;

pub(super) fn oneshot_taken() -> Case {
    Case::new(ONESHOT, |operations| {
        for n in 0..operations {
            let (sender, receiver) = oneshot::channel::<u64>();
            sender.send(black_box(n)).expect("somebody listens");
            black_box(receiver.try_recv()).expect("it was sent");
        }
    })
}

pub(super) fn tokio_taken() -> Case {
    Case::new(TOKIO, |operations| {
        for n in 0..operations {
            let (sender, mut receiver) = tokio::sync::oneshot::channel::<u64>();
            sender.send(black_box(n)).expect("somebody listens");
            black_box(receiver.try_recv()).expect("it was sent");
        }
    })
}

pub(super) fn oneshot_awaited() -> Case {
    let waker = waker();
    Case::new(ONESHOT, move |operations| {
        for n in 0..operations {
            let (sender, receiver) = oneshot::async_channel::<u64>();
            let complete = || sender.send(black_box(n)).expect("somebody listens");
            black_box(polled_around(&waker, receiver, complete)).expect("it was sent");
        }
    })
}

pub(super) fn tokio_awaited() -> Case {
    let waker = waker();
    Case::new(TOKIO, move |operations| {
        for n in 0..operations {
            let (sender, receiver) = tokio::sync::oneshot::channel::<u64>();
            let complete = || sender.send(black_box(n)).expect("somebody listens");
            black_box(polled_around(&waker, receiver, complete)).expect("it was sent");
        }
    })
}
