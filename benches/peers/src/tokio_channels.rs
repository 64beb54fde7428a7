//! tokio's channels, as programs without a bus use them: a queue of requests, each with a one-shot channel for its reply.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;
use tidings_benches::harness::Case;
use tidings_benches::loads::cells::{joins, polled_around, waker};
use tidings_benches::loads::{casts, windows};
use tidings_benches::peer::Peer;
use tidings_benches::runtimes::Driver;
use tidings_benches::setting::{Blob, Setting, Size, Use, Verb};
use tokio::sync::{mpsc, oneshot};

use crate::QUEUE;

pub(crate) const PEER: Peer = Peer {
    name: "tokio",
    package: "tokio",
    cases: |setting, _| match setting {
        Setting::Promise(Use::Taken) => vec![taken()],
        Setting::Promise(Use::Awaited) => vec![awaited()],
        Setting::Promise(Use::Joined(number)) => vec![joined(number)],
        Setting::Memory(load) => match (load.verb, load.size) {
            (Verb::Call, Size::Blob(bytes)) => {
                vec![calls(load.in_flight, move || Blob::of(black_box(bytes)))]
            }
            (Verb::Call, _) => vec![calls(load.in_flight, || black_box(7_u64))],
            (Verb::Cast, Size::Blob(bytes)) => {
                vec![one_way(move || Blob::of(black_box(bytes)))]
            }
            (Verb::Cast, _) => vec![one_way(|| black_box(7_u64))],
        },
        Setting::Socket(..) => Vec::new(),
    },
    serve: crate::serves_nobody,
};

const ONESHOT: &str = "tokio's oneshot";

fn taken() -> Case {
    Case::new(ONESHOT, |operations| {
        for n in 0..operations {
            let (sender, mut receiver) = oneshot::channel::<u64>();
            sender.send(black_box(n)).expect("somebody listens");
            black_box(receiver.try_recv()).expect("it was sent");
        }
    })
}

fn awaited() -> Case {
    let waker = waker();
    Case::new(ONESHOT, move |operations| {
        for n in 0..operations {
            let (sender, receiver) = oneshot::channel::<u64>();
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
        "tokio's oneshot, `join_all`",
        number,
        oneshot::channel::<u64>,
        complete,
        |receivers| join_all(receivers),
    )
}

fn calls<M: Send + 'static>(in_flight: u64, make: impl Fn() -> M + 'static) -> Case {
    let driver = Driver::tokio();
    let (requests, mut queue) = mpsc::channel::<(M, oneshot::Sender<M>)>(QUEUE);
    driver.spawn(async move {
        while let Some((message, reply)) = queue.recv().await {
            let _ = reply.send(message);
        }
    });
    let send = async move || {
        let (sender, reply) = oneshot::channel();
        requests.send((make(), sender)).await.expect(SERVED);
        reply
    };
    windows("tokio mpsc + oneshot, tokio", driver, in_flight, send)
}

fn one_way<M: Send + 'static>(make: impl Fn() -> M + 'static) -> Case {
    let driver = Driver::tokio();
    let (sender, mut receiver) = mpsc::channel::<M>(QUEUE);
    let arrived = Arc::new(AtomicU64::new(0));
    let noted = arrived.clone();
    driver.spawn(async move {
        while let Some(message) = receiver.recv().await {
            black_box(message);
            noted.fetch_add(1, Ordering::Release);
        }
    });
    casts("tokio mpsc, tokio", driver, arrived, move |_| {
        sender.try_send(make()).ok().expect(SERVED);
    })
}

const SERVED: &str = "the server is there and has room";
