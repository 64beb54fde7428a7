//! The `oneshot` crate, as a cell alone.

use std::hint::black_box;

use futures_util::future::join_all;
use tidings_benches::harness::Case;
use tidings_benches::loads::cells::{joins, polled_around, waker};
use tidings_benches::peer::Peer;
use tidings_benches::setting::{Setting, Use};

pub(crate) const PEER: Peer = Peer {
    name: "oneshot",
    package: "oneshot",
    cases: |setting, _| match setting {
        Setting::Promise(Use::Taken) => vec![taken()],
        Setting::Promise(Use::Awaited) => vec![awaited()],
        Setting::Promise(Use::Joined(number)) => vec![joined(number)],
        _ => Vec::new(),
    },
    serve: crate::serves_nobody,
};

const NAME: &str = "the `oneshot` crate";

fn taken() -> Case {
    Case::new(NAME, |operations| {
        for n in 0..operations {
            let (sender, receiver) = oneshot::channel::<u64>();
            sender.send(black_box(n)).expect("somebody listens");
            black_box(receiver.try_recv()).expect("it was sent");
        }
    })
}

fn awaited() -> Case {
    let waker = waker();
    Case::new(NAME, move |operations| {
        for n in 0..operations {
            let (sender, receiver) = oneshot::async_channel::<u64>();
            let complete = || sender.send(black_box(n)).expect("somebody listens");
            black_box(polled_around(&waker, receiver, complete)).expect("it was sent");
        }
    })
}

fn joined(number: u64) -> Case {
    let complete = |sender: oneshot::Sender<u64>| {
        sender.send(black_box(1)).expect("somebody listens");
    };
    joins(
        "the `oneshot` crate, `join_all`",
        number,
        oneshot::async_channel::<u64>,
        complete,
        |receivers| join_all(receivers),
    )
}
