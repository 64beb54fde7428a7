//! tidings over `unix:`.

use std::collections::VecDeque;
use std::future::pending;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidings::{Bus, Promise};

use super::{BLOCK, Block, Place, Role, serving};
use crate::harness::Case;
use crate::process::{self, Server};
use crate::runtimes::{Driver, yield_now};

#[tidings::service(version = "1.0")]
pub(crate) trait Echo {
    fn echo(&self, block: Block) -> Block;
    fn note(&self, block: Block);
    /// How many notes have arrived.
    fn noted(&self) -> u64;
}

#[derive(Default)]
struct Echoing {
    noted: AtomicU64,
}

impl Echo for Echoing {
    fn echo(&self, block: Block) -> Block {
        block
    }

    fn note(&self, _block: Block) {
        self.noted.fetch_add(1, Ordering::Relaxed);
    }

    fn noted(&self) -> u64 {
        self.noted.load(Ordering::Relaxed)
    }
}

/// Serves at `path` on `driver`.
pub(super) fn serve(path: &Path, driver: &Driver, options: &str) {
    let bus = open(path, driver, options);
    let server = bus.serve(EchoServer::new(Echoing::default()));
    let _server = server.expect("the topic is free");
    process::announce();
    driver.block_on(pending::<()>());
}

/// Is the hub at `path`, between processes that call and processes that serve.
pub(super) fn connect_others(path: &Path) {
    let driver = Driver::tokio();
    let _bus = open(path, &driver, "?listen");
    process::announce();
    driver.block_on(pending::<()>());
}

fn open(path: &Path, driver: &Driver, options: &str) -> Bus {
    let address = format!("unix:{}{options}", path.display());
    let bus = Bus::builder().runtime(driver.runtime()).open(&address);
    bus.expect("the directory is new, and the hub there")
}

/// A client, and the processes that it needs.
pub(super) struct Ours {
    driver: Driver,
    client: EchoClient,
    servers: Vec<Rc<Server>>,
}

impl Ours {
    /// The hub is the one that serves.
    pub(super) fn direct(place: &Place, driver: Driver) -> Self {
        let role = match driver {
            Driver::Tokio(_) | Driver::Beside(_) => Role::Tokio,
            Driver::Smol => Role::Smol,
        };
        let path = place.socket(role.name());
        let servers = vec![serving(role, &path)];
        Self::connected(&path, driver, servers)
    }

    /// Three processes: this one, the hub, and one that serves.
    pub(super) fn through_a_hub(place: &Place) -> Self {
        let path = place.socket(Role::Hub.name());
        let servers = vec![serving(Role::Hub, &path), serving(Role::Member, &path)];
        Self::connected(&path, Driver::tokio(), servers)
    }

    /// The connection is served by a thread beside the one that waits.
    pub(super) fn beside(place: &Place) -> Self {
        let path = place.socket("beside");
        let servers = vec![serving(Role::Tokio, &path)];
        Self::connected(&path, Driver::tokio_beside(), servers)
    }

    fn connected(path: &Path, driver: Driver, servers: Vec<Rc<Server>>) -> Self {
        let client = EchoClient::new(&open(path, &driver, "?connect"));
        // Shakes hands now: who is silent until its turn comes is taken for gone.
        driver.block_on(noted(&client));
        Ours {
            driver,
            client,
            servers,
        }
    }

    pub(super) fn awaits(&self, name: &str) -> Case {
        self.case(name, async |client, operations| {
            for _ in 0..operations {
                client.echo(BLOCK).await.expect(SERVED);
            }
        })
    }

    pub(super) fn waits(&self, name: &str) -> Case {
        let client = self.client.clone();
        let run = move |operations| {
            for _ in 0..operations {
                client.echo(BLOCK).wait().expect(SERVED);
            }
        };
        Case::new(name, run).with_servers(self.servers.clone())
    }

    /// `in_flight` promises at a time, awaited in their order.
    pub(super) fn invokes(&self, name: &str, in_flight: u64) -> Case {
        let run = async move |client: &EchoClient, operations| {
            let mut promises: VecDeque<Promise<Block>> =
                VecDeque::with_capacity(in_flight as usize);
            for sent in 0..operations {
                if sent >= in_flight {
                    let first = promises.pop_front().expect("there are some in flight");
                    first.await.expect(SERVED);
                }
                promises.push_back(client.echo(BLOCK).invoke());
            }
            for promise in promises {
                promise.await.expect(SERVED);
            }
        };
        self.case(name, run).in_grains_of(in_flight)
    }

    /// `tasks` tasks that call, one call after another in each.
    pub(super) fn calls_in_tasks(&self, name: &str, tasks: u64) -> Case {
        let run = async move |client: &EchoClient, operations| {
            let tasks: Vec<_> = (0..tasks)
                .map(|_| {
                    let client = client.clone();
                    tokio::spawn(async move {
                        for _ in 0..operations / tasks {
                            client.echo(BLOCK).await.expect(SERVED);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("no call fails");
            }
        };
        self.case(name, run).in_grains_of(tasks)
    }

    /// Casts as fast as there is room, until all have arrived.
    pub(super) fn casts(&self, name: &str) -> Case {
        self.case(name, async |client, operations| {
            let before = client.noted().await.expect(SERVED);
            for _ in 0..operations {
                if client.note(BLOCK).cast().is_err() {
                    client.note(BLOCK).cast_when_room().await.expect(SERVED);
                }
            }
            let arrived = noted(client).await - before;
            assert_eq!(arrived, operations, "casts were lost");
        })
    }

    fn case(&self, name: &str, run: impl AsyncFn(&EchoClient, u64) + 'static) -> Case {
        let (driver, client) = (self.driver.clone(), self.client.clone());
        let run = move |operations| driver.block_on(run(&client, operations));
        Case::new(name, run).with_servers(self.servers.clone())
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
