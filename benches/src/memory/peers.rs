//! Channels, as programs without a bus use them: a queue of requests, each with a one-shot channel for its reply.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{BATCH, FLUME_PAIR, FLUME_SMOL, FLUME_THREADS, TOKIO_PAIR};
use crate::harness::Case;
use crate::runtimes::{Driver, yield_now};

/// As many as the queue of a server of ours holds.
const QUEUE: usize = 1024;

pub(super) fn called() -> Vec<Case> {
    vec![
        Tokio::start().case(TOKIO_PAIR, 1),
        Flume::start(Driver::tokio()).case(FLUME_PAIR, 1),
        flume_threads(1),
        Flume::start(Driver::Smol).case(FLUME_SMOL, 1),
    ]
}

pub(super) fn in_flight() -> Vec<Case> {
    vec![
        Tokio::start().case(TOKIO_PAIR, BATCH),
        Flume::start(Driver::tokio()).case(FLUME_PAIR, BATCH),
        flume_threads(BATCH),
        Flume::start(Driver::Smol).case(FLUME_SMOL, BATCH),
    ]
}

pub(super) fn one_way() -> Vec<Case> {
    vec![flume_one_way(), tokio_one_way()]
}

/// A tokio runtime on one thread, with a server task behind a bounded queue.
struct Tokio {
    driver: Driver,
    requests: tokio::sync::mpsc::Sender<(u64, tokio::sync::oneshot::Sender<u64>)>,
}

impl Tokio {
    fn start() -> Self {
        let driver = Driver::tokio();
        let (requests, mut queue) =
            tokio::sync::mpsc::channel::<(u64, tokio::sync::oneshot::Sender<u64>)>(QUEUE);
        driver.spawn(async move {
            while let Some((n, reply)) = queue.recv().await {
                let _ = reply.send(n * 2);
            }
        });
        Tokio { driver, requests }
    }

    fn case(self, name: &str, in_flight: u64) -> Case {
        let run = move |operations| {
            self.driver.block_on(async {
                let mut replies = Vec::with_capacity(in_flight as usize);
                for _ in 0..operations / in_flight {
                    for n in 0..in_flight {
                        let (sender, receiver) = tokio::sync::oneshot::channel();
                        let request = (black_box(n), sender);
                        self.requests.send(request).await.expect(SERVED);
                        replies.push(receiver);
                    }
                    for reply in replies.drain(..) {
                        black_box(reply.await).expect(SERVED);
                    }
                }
            });
        };
        Case::new(name, run).in_grains_of(in_flight)
    }
}

/// The same with flume and the `oneshot` crate.
struct Flume {
    driver: Driver,
    requests: flume::Sender<(u64, oneshot::Sender<u64>)>,
}

impl Flume {
    fn start(driver: Driver) -> Self {
        let (requests, queue) = flume::bounded(QUEUE);
        driver.spawn(Self::serve(queue));
        Flume { driver, requests }
    }

    async fn serve(queue: flume::Receiver<(u64, oneshot::Sender<u64>)>) {
        while let Ok((n, reply)) = queue.recv_async().await {
            let _ = reply.send(n * 2);
        }
    }

    fn case(self, name: &str, in_flight: u64) -> Case {
        let run = move |operations| {
            self.driver.block_on(async {
                let mut replies = Vec::with_capacity(in_flight as usize);
                for _ in 0..operations / in_flight {
                    for n in 0..in_flight {
                        let (sender, receiver) = oneshot::async_channel();
                        let request = (black_box(n), sender);
                        self.requests.send_async(request).await.expect(SERVED);
                        replies.push(receiver);
                    }
                    for reply in replies.drain(..) {
                        black_box(reply.await).expect(SERVED);
                    }
                }
            });
        };
        Case::new(name, run).in_grains_of(in_flight)
    }
}

/// The same between two threads, with no runtime.
fn flume_threads(in_flight: u64) -> Case {
    let (requests, queue) = flume::bounded::<(u64, oneshot::Sender<u64>)>(QUEUE);
    std::thread::spawn(move || {
        for (n, reply) in queue {
            let _ = reply.send(n * 2);
        }
    });
    let run = move |operations| {
        let mut replies = Vec::with_capacity(in_flight as usize);
        for _ in 0..operations / in_flight {
            for n in 0..in_flight {
                let (sender, receiver) = oneshot::channel();
                requests.send((black_box(n), sender)).expect(SERVED);
                replies.push(receiver);
            }
            for reply in replies.drain(..) {
                black_box(reply.recv()).expect(SERVED);
            }
        }
    };
    Case::new(FLUME_THREADS, run).in_grains_of(in_flight)
}

fn flume_one_way() -> Case {
    let (sender, receiver) = flume::bounded::<u64>(QUEUE);
    let taken = Arc::new(AtomicU64::new(0));
    let driver = Driver::tokio();
    let noted = taken.clone();
    driver.spawn(async move {
        while let Ok(n) = receiver.recv_async().await {
            black_box(n);
            noted.fetch_add(1, Ordering::Release);
        }
    });
    sends("flume, tokio", driver, taken, move |n| {
        sender.try_send(n).expect(SERVED);
    })
}

fn tokio_one_way() -> Case {
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<u64>(QUEUE);
    let taken = Arc::new(AtomicU64::new(0));
    let driver = Driver::tokio();
    let noted = taken.clone();
    driver.spawn(async move {
        while let Some(n) = receiver.recv().await {
            black_box(n);
            noted.fetch_add(1, Ordering::Release);
        }
    });
    sends("tokio mpsc, tokio", driver, taken, move |n| {
        sender.try_send(n).expect(SERVED);
    })
}

/// Sends a batch and lets the consumer have its turn, again and again.
fn sends(name: &str, driver: Driver, taken: Arc<AtomicU64>, send: impl Fn(u64) + 'static) -> Case {
    let run = move |operations| {
        driver.block_on(async {
            for _ in 0..operations / BATCH {
                let awaited = taken.load(Ordering::Acquire) + BATCH;
                (0..BATCH).for_each(|n| send(black_box(n)));
                while taken.load(Ordering::Acquire) < awaited {
                    yield_now().await;
                }
            }
        });
    };
    Case::new(name, run).in_grains_of(BATCH)
}

const SERVED: &str = "the server is there and has room";
