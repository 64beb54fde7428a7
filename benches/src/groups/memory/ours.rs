//! tidings over `mem:`.

use std::hint::black_box;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tidings::{Bus, Promise, Server};

use super::service::{EchoClient, EchoServer, Echoing, Message};
use crate::harness::Case;
use crate::loads;
use crate::runtimes::Driver;

/// A bus, and a server and a client on it.
pub(super) struct Ours<M> {
    driver: Option<Driver>,
    shared: Rc<Shared>,
    messages: PhantomData<M>,
}

struct Shared {
    bus: Bus,
    _server: Server,
    client: EchoClient,
    noted: Arc<AtomicU64>,
}

impl<M: Message> Ours<M> {
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
        let echoing = Echoing::default();
        let noted = echoing.noted.clone();
        let server = bus.serve(EchoServer::new(echoing));
        Ours {
            driver,
            shared: Rc::new(Shared {
                client: EchoClient::new(&bus),
                _server: server.expect("the topic is free"),
                bus,
                noted,
            }),
            messages: PhantomData,
        }
    }

    pub(super) fn waits(&self, name: &str) -> Case {
        let shared = self.shared.clone();
        Case::new(name, move |operations| {
            for _ in 0..operations {
                black_box(M::echo(&shared.client).wait().expect(SERVED));
            }
        })
    }

    pub(super) fn waits_on_async(&self, name: &str) -> Case {
        let shared = self.shared.clone();
        Case::new(name, move |operations| {
            for _ in 0..operations {
                black_box(M::echo_async(&shared.client).wait().expect(SERVED));
            }
        })
    }

    pub(super) fn waits_untyped(&self, name: &str) -> Case {
        let shared = self.shared.clone();
        Case::new(name, move |operations| {
            for _ in 0..operations {
                let call = shared.bus.call::<M>(M::METHOD, &M::make());
                black_box(call.wait().expect(SERVED));
            }
        })
    }

    pub(super) fn awaits(&self, name: &str) -> Case {
        self.on_driver(name, async |shared, operations| {
            for _ in 0..operations {
                black_box(M::echo(&shared.client).await.expect(SERVED));
            }
        })
    }

    pub(super) fn awaits_untyped(&self, name: &str) -> Case {
        self.on_driver(name, async |shared, operations| {
            for _ in 0..operations {
                let call = shared.bus.call::<M>(M::METHOD, &M::make());
                black_box(call.await.expect(SERVED));
            }
        })
    }

    /// As many promises at a time, awaited in their order.
    pub(super) fn invokes(&self, name: &str, in_flight: u64) -> Case {
        let run = async move |shared: &Shared, operations| {
            let mut promises: Vec<Promise<M>> = Vec::with_capacity(in_flight as usize);
            for _ in 0..operations / in_flight {
                promises.extend((0..in_flight).map(|_| M::echo(&shared.client).invoke()));
                for promise in promises.drain(..) {
                    black_box(promise.await.expect(SERVED));
                }
            }
        };
        self.on_driver(name, run).in_grains_of(in_flight)
    }

    pub(super) fn invokes_and_waits(&self, name: &str, in_flight: u64) -> Case {
        let shared = self.shared.clone();
        let run = move |operations| {
            let mut promises: Vec<Promise<M>> = Vec::with_capacity(in_flight as usize);
            for _ in 0..operations / in_flight {
                promises.extend((0..in_flight).map(|_| M::echo(&shared.client).invoke()));
                for promise in promises.drain(..) {
                    black_box(promise.wait().expect(SERVED));
                }
            }
        };
        Case::new(name, run).in_grains_of(in_flight)
    }

    pub(super) fn calls_in_tasks(&self, name: &str, tasks: u64) -> Case {
        let client = self.shared.client.clone();
        let call = move || {
            let call = M::echo(&client).call();
            async move {
                black_box(call.await.expect(SERVED));
            }
        };
        loads::calls(name, self.driver(), tasks, call)
    }

    pub(super) fn casts(&self, name: &str) -> Case {
        let shared = self.shared.clone();
        loads::casts(name, self.driver(), shared.noted.clone(), move |_| {
            M::note(&shared.client).cast().expect(SERVED);
        })
    }

    pub(super) fn casts_untyped(&self, name: &str) -> Case {
        let shared = self.shared.clone();
        loads::casts(name, self.driver(), shared.noted.clone(), move |_| {
            shared.bus.cast(M::NOTE, &M::make()).expect(SERVED);
        })
    }

    fn driver(&self) -> Driver {
        self.driver.clone().expect("it was made with a runtime")
    }

    fn on_driver(&self, name: &str, run: impl AsyncFn(&Shared, u64) + 'static) -> Case {
        let (shared, driver) = (self.shared.clone(), self.driver());
        Case::new(name, move |operations| {
            driver.block_on(run(&shared, operations));
        })
    }
}

const SERVED: &str = "the server is there and has room";
