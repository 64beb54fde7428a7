//! flume and the `oneshot` crate, as programs without a bus use them.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidings_benches::harness::Case;
use tidings_benches::loads::{casts, windows};
use tidings_benches::peer::Peer;
use tidings_benches::runtimes::Driver;
use tidings_benches::setting::{Blob, Setting, Size, Verb};

use crate::QUEUE;

pub(crate) const PEER: Peer = Peer {
    name: "flume",
    package: "flume",
    cases: |setting, _| match setting {
        Setting::Memory(load) => match (load.verb, load.size) {
            (Verb::Call, Size::Blob(bytes)) => {
                calls(load.in_flight, move || Blob::of(black_box(bytes)))
            }
            (Verb::Call, _) => calls(load.in_flight, || black_box(7_u64)),
            (Verb::Cast, Size::Blob(bytes)) => {
                vec![one_way(move || Blob::of(black_box(bytes)))]
            }
            (Verb::Cast, _) => vec![one_way(|| black_box(7_u64))],
        },
        _ => Vec::new(),
    },
    serve: crate::serves_nobody,
};

fn calls<M: Send + 'static>(
    in_flight: u64,
    make: impl Fn() -> M + Clone + Send + 'static,
) -> Vec<Case> {
    vec![
        on(
            "flume + oneshot, tokio",
            Driver::tokio(),
            in_flight,
            make.clone(),
        ),
        on(
            "flume + oneshot, smol",
            Driver::Smol,
            in_flight,
            make.clone(),
        ),
        threads(in_flight, make),
    ]
}

fn on<M: Send + 'static>(
    name: &str,
    driver: Driver,
    in_flight: u64,
    make: impl Fn() -> M + 'static,
) -> Case {
    let (requests, queue) = flume::bounded::<(M, oneshot::Sender<M>)>(QUEUE);
    driver.spawn(async move {
        while let Ok((message, reply)) = queue.recv_async().await {
            let _ = reply.send(message);
        }
    });
    let send = async move || {
        let (sender, reply) = oneshot::async_channel();
        requests.send_async((make(), sender)).await.expect(SERVED);
        reply
    };
    windows(name, driver, in_flight, send)
}

/// The same between two threads, with no runtime.
fn threads<M: Send + 'static>(in_flight: u64, make: impl Fn() -> M + 'static) -> Case {
    let (requests, queue) = flume::bounded::<(M, oneshot::Sender<M>)>(QUEUE);
    std::thread::spawn(move || {
        for (message, reply) in queue {
            let _ = reply.send(message);
        }
    });
    let run = move |operations| {
        let mut replies = Vec::with_capacity(in_flight as usize);
        for _ in 0..operations / in_flight {
            for _ in 0..in_flight {
                let (sender, receiver) = oneshot::channel();
                requests.send((make(), sender)).expect(SERVED);
                replies.push(receiver);
            }
            for reply in replies.drain(..) {
                black_box(reply.recv().expect(SERVED));
            }
        }
    };
    Case::new("flume + oneshot, two threads", run).in_grains_of(in_flight)
}

fn one_way<M: Send + 'static>(make: impl Fn() -> M + 'static) -> Case {
    let driver = Driver::tokio();
    let (sender, receiver) = flume::bounded::<M>(QUEUE);
    let arrived = Arc::new(AtomicU64::new(0));
    let noted = arrived.clone();
    driver.spawn(async move {
        while let Ok(message) = receiver.recv_async().await {
            black_box(message);
            noted.fetch_add(1, Ordering::Release);
        }
    });
    casts("flume, tokio", driver, arrived, move |_| {
        sender.try_send(make()).ok().expect(SERVED);
    })
}

const SERVED: &str = "the server is there and has room";
