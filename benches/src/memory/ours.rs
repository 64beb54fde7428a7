//! tidings over `mem:`.

use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidings::{Bus, Promise, Server};

use super::BATCH;
use crate::harness::Case;
use crate::runtimes::{Driver, yield_now};

#[tidings::service(version = "1.0")]
pub(crate) trait Doubler {
    fn double(&self, n: u64) -> u64;
    async fn double_async(&self, n: u64) -> u64;
    fn note(&self, n: u64);
}

#[derive(Default)]
struct Doubling {
    /// How many casts have arrived.
    noted: Arc<AtomicU64>,
}

impl Doubler for Doubling {
    fn double(&self, n: u64) -> u64 {
        n * 2
    }

    async fn double_async(&self, n: u64) -> u64 {
        n * 2
    }

    fn note(&self, n: u64) {
        black_box(n);
        self.noted.fetch_add(1, Ordering::Release);
    }
}

/// A bus, and a server and a client on it.
pub(super) struct Ours {
    driver: Option<Driver>,
    shared: Rc<Shared>,
}

struct Shared {
    bus: Bus,
    _server: Server,
    client: DoublerClient,
    noted: Arc<AtomicU64>,
}

impl Ours {
    /// Without an async runtime.
    pub(super) fn plain() -> Self {
        Self::new(None)
    }

    pub(super) fn on(driver: Driver) -> Self {
        Self::new(Some(driver))
    }

    fn new(driver: Option<Driver>) -> Self {
        let builder = Bus::builder();
        let builder = match &driver {
            Some(driver) => builder.runtime(driver.runtime()),
            None => builder,
        };
        let bus = builder.open("mem:").expect("memory can be opened");
        let doubling = Doubling::default();
        let noted = doubling.noted.clone();
        let server = bus.serve(DoublerServer::new(doubling));
        Ours {
            driver,
            shared: Rc::new(Shared {
                client: DoublerClient::new(&bus),
                _server: server.expect("the topic is free"),
                bus,
                noted,
            }),
        }
    }

    pub(super) fn waits(&self, name: &str) -> Case {
        let shared = self.shared.clone();
        Case::new(name, move |operations| {
            for n in 0..operations {
                black_box(shared.client.double(black_box(n)).wait()).expect(SERVED);
            }
        })
    }

    pub(super) fn waits_on_async(&self, name: &str) -> Case {
        let shared = self.shared.clone();
        Case::new(name, move |operations| {
            for n in 0..operations {
                black_box(shared.client.double_async(black_box(n)).wait()).expect(SERVED);
            }
        })
    }

    pub(super) fn waits_untyped(&self, name: &str) -> Case {
        let shared = self.shared.clone();
        Case::new(name, move |operations| {
            for n in 0..operations {
                let call = shared.bus.call::<u64>("doubler.double", &black_box(n));
                black_box(call.wait()).expect(SERVED);
            }
        })
    }

    pub(super) fn awaits(&self, name: &str) -> Case {
        self.on_driver(name, async |shared, operations| {
            for n in 0..operations {
                black_box(shared.client.double(black_box(n)).await).expect(SERVED);
            }
        })
    }

    pub(super) fn awaits_untyped(&self, name: &str) -> Case {
        self.on_driver(name, async |shared, operations| {
            for n in 0..operations {
                let call = shared.bus.call::<u64>("doubler.double", &black_box(n));
                black_box(call.await).expect(SERVED);
            }
        })
    }

    pub(super) fn invokes(&self, name: &str) -> Case {
        self.on_driver(name, async |shared, operations| {
            let mut promises = Vec::with_capacity(BATCH as usize);
            for _ in 0..operations / BATCH {
                promises.extend((0..BATCH).map(|n| shared.client.double(black_box(n)).invoke()));
                for promise in promises.drain(..) {
                    black_box(promise.await).expect(SERVED);
                }
            }
        })
        .in_grains_of(BATCH)
    }

    pub(super) fn invokes_untyped(&self, name: &str) -> Case {
        self.on_driver(name, async |shared, operations| {
            let mut promises: Vec<Promise<u64>> = Vec::with_capacity(BATCH as usize);
            for _ in 0..operations / BATCH {
                let invoke = |n| shared.bus.invoke("doubler.double", &black_box(n));
                promises.extend((0..BATCH).map(invoke));
                for promise in promises.drain(..) {
                    black_box(promise.await).expect(SERVED);
                }
            }
        })
        .in_grains_of(BATCH)
    }

    pub(super) fn invokes_and_waits(&self, name: &str) -> Case {
        let shared = self.shared.clone();
        let run = move |operations| {
            let mut promises = Vec::with_capacity(BATCH as usize);
            for _ in 0..operations / BATCH {
                promises.extend((0..BATCH).map(|n| shared.client.double(black_box(n)).invoke()));
                for promise in promises.drain(..) {
                    black_box(promise.wait()).expect(SERVED);
                }
            }
        };
        Case::new(name, run).in_grains_of(BATCH)
    }

    pub(super) fn casts(&self, name: &str) -> Case {
        self.on_driver(name, async |shared, operations| {
            for _ in 0..operations / BATCH {
                let awaited = shared.noted.load(Ordering::Acquire) + BATCH;
                for n in 0..BATCH {
                    shared.client.note(black_box(n)).cast().expect(SERVED);
                }
                shared.all_noted(awaited).await;
            }
        })
        .in_grains_of(BATCH)
    }

    pub(super) fn casts_untyped(&self, name: &str) -> Case {
        self.on_driver(name, async |shared, operations| {
            for _ in 0..operations / BATCH {
                let awaited = shared.noted.load(Ordering::Acquire) + BATCH;
                for n in 0..BATCH {
                    shared
                        .bus
                        .cast("doubler.note", &black_box(n))
                        .expect(SERVED);
                }
                shared.all_noted(awaited).await;
            }
        })
        .in_grains_of(BATCH)
    }

    fn on_driver(&self, name: &str, run: impl AsyncFn(&Shared, u64) + 'static) -> Case {
        let shared = self.shared.clone();
        let driver = self.driver.clone().expect("it was made with a runtime");
        Case::new(name, move |operations| {
            driver.block_on(run(&shared, operations));
        })
    }
}

impl Shared {
    async fn all_noted(&self, awaited: u64) {
        while self.noted.load(Ordering::Acquire) < awaited {
            yield_now().await;
        }
    }
}

const SERVED: &str = "the server is there and has room";
