//! tidings over a socket.

use std::collections::VecDeque;
use std::rc::Rc;

use serde::de::DeserializeOwned;
use tidings::{Bus, Promise, Request};

use super::roles;
use super::service::EchoClient;
use crate::harness::{Case, Laps};
use crate::loads;
use crate::place::{Address, Place};
use crate::process::Server;
use crate::runtimes::{Driver, yield_now};
use crate::setting::{BLOCK, Blob, Size, Wire};

/// Opens the bus at `address` as its hub.
pub(in crate::groups) fn listen(address: &Address, driver: &Driver, options: &str) -> Bus {
    open(&format!("{}{options}", address.listening()), driver)
}

/// Connects to the hub at `address`.
pub(in crate::groups) fn connect(address: &Address, driver: &Driver, options: &str) -> Bus {
    open(&format!("{}{options}", address.connecting()), driver)
}

fn open(address: &str, driver: &Driver) -> Bus {
    let bus = Bus::builder().runtime(driver.runtime()).open(address);
    bus.unwrap_or_else(|error| panic!("{error}"))
}

/// Connects to the hub at `address`, has its server answer once, and leaves.
pub(in crate::groups) fn first_reply(address: &Address, driver: &Driver) {
    let client = EchoClient::new(&connect(address, driver, ""));
    driver.block_on(async { client.block(BLOCK).await.expect(SERVED) });
}

/// A client, and the processes that it needs.
pub(super) struct Ours {
    driver: Driver,
    client: EchoClient,
    servers: Vec<Rc<Server>>,
}

impl Ours {
    /// The hub is the one that serves.
    pub(super) fn direct(place: &Place, wire: Wire, driver: Driver) -> Self {
        let role = match driver {
            Driver::Tokio(_) | Driver::Beside(_) => roles::TOKIO,
            Driver::Smol => roles::SMOL,
        };
        let (address, server) = place.serve(wire, role);
        Self::connected(&address, driver, vec![server])
    }

    /// Three processes: this one, the hub, and one that serves.
    pub(super) fn through_a_hub(place: &Place, wire: Wire) -> Self {
        let (address, hub) = place.serve(wire, roles::HUB);
        let member = Rc::new(Server::start(roles::MEMBER, &address));
        Self::connected(&address, Driver::tokio(), vec![hub, member])
    }

    /// The connection is served by a thread beside the one that waits.
    pub(super) fn beside(place: &Place, wire: Wire) -> Self {
        let address = place.address(wire, "beside");
        let server = Rc::new(Server::start(roles::TOKIO, &address));
        Self::connected(&address, Driver::tokio_beside(), vec![server])
    }

    fn connected(address: &Address, driver: Driver, servers: Vec<Rc<Server>>) -> Self {
        let client = EchoClient::new(&connect(address, &driver, ""));
        // Shakes hands now: who is silent until its turn comes is taken for gone.
        driver.block_on(noted(&client));
        Ours {
            driver,
            client,
            servers,
        }
    }

    pub(super) fn awaits(&self, name: &str, size: Size) -> Case {
        match size {
            Size::Blob(bytes) => {
                self.awaits_each(name, move |client| client.bytes(Blob::of(bytes).0.into()))
            }
            Size::Block | Size::Number => self.awaits_each(name, |client| client.block(BLOCK)),
        }
    }

    /// As [`awaits`](Self::awaits), with bytes that are copied into each message and out of it.
    pub(super) fn awaits_copies(&self, name: &str, bytes: usize) -> Case {
        self.awaits_each(name, move |client| client.blob(Blob::of(bytes)))
    }

    pub(super) fn waits(&self, name: &str, size: Size) -> Case {
        match size {
            Size::Blob(bytes) => {
                self.waits_each(name, move |client| client.bytes(Blob::of(bytes).0.into()))
            }
            Size::Block | Size::Number => self.waits_each(name, |client| client.block(BLOCK)),
        }
    }

    /// `in_flight` promises at a time, awaited in their order.
    pub(super) fn invokes(&self, name: &str, size: Size, in_flight: u64) -> Case {
        match size {
            Size::Blob(bytes) => self.invokes_each(name, in_flight, move |client| {
                client.bytes(Blob::of(bytes).0.into()).invoke()
            }),
            Size::Block | Size::Number => {
                self.invokes_each(name, in_flight, |client| client.block(BLOCK).invoke())
            }
        }
    }

    /// `tasks` tasks that call, one call after another in each.
    pub(super) fn calls_in_tasks(&self, name: &str, size: Size, tasks: u64) -> Case {
        let client = self.client.clone();
        let driver = self.driver.clone();
        let case = match size {
            Size::Blob(bytes) => loads::calls(name, driver, tasks, move || {
                let call = client.bytes(Blob::of(bytes).0.into()).call();
                async move {
                    call.await.expect(SERVED);
                }
            }),
            Size::Block | Size::Number => loads::calls(name, driver, tasks, move || {
                let call = client.block(BLOCK).call();
                async move {
                    call.await.expect(SERVED);
                }
            }),
        };
        case.with_servers(self.servers.clone())
    }

    /// Casts of blocks as fast as there is room, until all have arrived.
    pub(super) fn casts(&self, name: &str) -> Case {
        let case = loads::casts_over(name, self.driver.clone(), Casting(self.client.clone()));
        case.with_servers(self.servers.clone())
    }

    fn awaits_each<T: DeserializeOwned + Send + 'static>(
        &self,
        name: &str,
        request: impl Fn(&EchoClient) -> Request<T> + 'static,
    ) -> Case {
        let run = async move |client: &EchoClient, operations, laps: &Laps| {
            for _ in 0..operations {
                let lap = laps.start();
                request(client).await.expect(SERVED);
                laps.end(lap);
            }
        };
        self.case(name, run)
    }

    fn waits_each<T: DeserializeOwned + Send + 'static>(
        &self,
        name: &str,
        request: impl Fn(&EchoClient) -> Request<T> + 'static,
    ) -> Case {
        let client = self.client.clone();
        let run = move |operations, laps: &Laps| {
            for _ in 0..operations {
                let lap = laps.start();
                request(&client).wait().expect(SERVED);
                laps.end(lap);
            }
        };
        Case::with_laps(name, run).with_servers(self.servers.clone())
    }

    fn invokes_each<T: Send + 'static>(
        &self,
        name: &str,
        in_flight: u64,
        invoke: impl Fn(&EchoClient) -> Promise<T> + 'static,
    ) -> Case {
        let run = async move |client: &EchoClient, operations, laps: &Laps| {
            let mut promises = VecDeque::with_capacity(in_flight as usize);
            for sent in 0..operations {
                if sent >= in_flight {
                    let (promise, lap): (Promise<T>, _) =
                        promises.pop_front().expect("there are some in flight");
                    promise.await.expect(SERVED);
                    laps.end(lap);
                }
                let lap = laps.start();
                promises.push_back((invoke(client), lap));
            }
            for (promise, lap) in promises {
                promise.await.expect(SERVED);
                laps.end(lap);
            }
        };
        self.case(name, run).in_grains_of(in_flight)
    }

    fn case(&self, name: &str, run: impl AsyncFn(&EchoClient, u64, &Laps) + 'static) -> Case {
        let (driver, client) = (self.driver.clone(), self.client.clone());
        let run = move |operations, laps: &Laps| driver.block_on(run(&client, operations, laps));
        Case::with_laps(name, run).with_servers(self.servers.clone())
    }
}

struct Casting(EchoClient);

impl loads::OneWay for Casting {
    async fn send(&mut self) {
        if self.0.note(BLOCK).cast().is_err() {
            self.0.note(BLOCK).cast_when_room().await.expect(SERVED);
        }
    }

    async fn arrived(&mut self) -> u64 {
        noted(&self.0).await
    }
}

/// Asks how many notes have arrived, until the server is known and there is room for the question behind them.
async fn noted(client: &EchoClient) -> u64 {
    loop {
        match client.noted().await {
            Ok(noted) => return noted,
            Err(early) if early.is_retryable() => yield_now().await,
            Err(error) => panic!("{SERVED}: {error}"),
        }
    }
}

const SERVED: &str = "the server is there";
