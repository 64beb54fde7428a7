//! busrt: its RPC, with the server inside the broker's process, and the service level that is best for each load.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use busrt::broker::{Broker, ServerConfig};
use busrt::ipc::{Client, Config};
use busrt::rpc::{Rpc, RpcClient, RpcError, RpcEvent, RpcHandlers, RpcResult};
use busrt::{Frame, QoS, async_trait};
use tidings_benches::harness::Case;
use tidings_benches::loads;
use tidings_benches::peer::Peer;
use tidings_benches::place::{Address, Place};
use tidings_benches::process;
use tidings_benches::runtimes::Driver;
use tidings_benches::setting::{Load, Setting, Size, Verb, Wire};

pub(crate) const PEER: Peer = Peer {
    name: "busrt",
    package: "busrt",
    cases: |setting, place| match setting {
        Setting::Memory(load) if load.size == Size::Number => match load.verb {
            Verb::Call => vec![in_memory(load)],
            Verb::Cast => Vec::new(),
        },
        Setting::Socket(wire, load) => vec![over(wire, load, place)],
        _ => Vec::new(),
    },
    serve,
};

const NAME: &str = "busrt, tokio";
const SERVER: &str = "server";

#[derive(Default)]
struct Echo {
    noted: AtomicU64,
}

#[async_trait]
impl RpcHandlers for Echo {
    async fn handle_call(&self, event: RpcEvent) -> RpcResult {
        match event.parse_method()? {
            "echo" => Ok(Some(event.payload().to_vec())),
            "noted" => Ok(Some(
                self.noted.load(Ordering::Relaxed).to_le_bytes().to_vec(),
            )),
            _ => Err(RpcError::method(None)),
        }
    }

    async fn handle_notification(&self, event: RpcEvent) {
        black_box(event.payload());
        self.noted.fetch_add(1, Ordering::Relaxed);
    }

    async fn handle_frame(&self, _: Frame) {}
}

/// Unbuffered where one waits for each reply, else buffered.
fn level(in_flight: u64) -> QoS {
    if in_flight == 1 {
        QoS::Realtime
    } else {
        QoS::No
    }
}

fn in_memory(load: Load) -> Case {
    let driver = Driver::tokio();
    let (server, client) = driver.block_on(async {
        let broker = Broker::new();
        let server = broker.register_client(SERVER).await.expect(SERVED);
        let client = broker.register_client("client").await.expect(SERVED);
        (
            RpcClient::new(server, Echo::default()),
            RpcClient::new0(client),
        )
    });
    let kept = Arc::new(server);
    calls(client, driver, load, Some(kept))
}

/// busrt tells what an address is by its ending.
fn path_of(address: &Address) -> String {
    match address {
        Address::Tls(..) => unreachable!("{}", crate::PLAIN),
        Address::Unix(path) => format!("{}.sock", path.display()),
        Address::Tcp(port) => port.to_string(),
    }
}

fn over(wire: Wire, load: Load, place: &Place) -> Case {
    let (address, server) = place.serve(wire, PEER.name);
    let driver = Driver::tokio();
    let config = Config::new(&path_of(&address), "client").timeout(PATIENCE);
    let client =
        driver.block_on(async { RpcClient::new0(Client::connect(&config).await.expect(SERVED)) });
    let case = match load.verb {
        Verb::Call => calls(client, driver, load, None),
        Verb::Cast => {
            let message = vec![0x5a; load.size.bytes()];
            loads::casts_over(NAME, driver, Casting { client, message })
        }
    };
    case.with_servers([server])
}

fn calls(client: RpcClient, driver: Driver, load: Load, server: Option<Arc<RpcClient>>) -> Case {
    let client = Arc::new(client);
    let message: Arc<[u8]> = vec![0x5a; load.size.bytes()].into();
    loads::calls(NAME, driver, load.in_flight, move || {
        let (client, message, _server) = (client.clone(), message.clone(), server.clone());
        async move {
            let message = (&*message).into();
            let reply = client.call(SERVER, "echo", message, level(load.in_flight));
            black_box(reply.await.expect(SERVED));
        }
    })
}

struct Casting {
    client: RpcClient,
    message: Vec<u8>,
}

impl loads::OneWay for Casting {
    async fn send(&mut self) {
        let message = self.message.as_slice().into();
        let sent = self.client.notify(SERVER, message, QoS::No).await;
        sent.expect(SERVED);
    }

    async fn arrived(&mut self) -> u64 {
        let asked = self
            .client
            .call(SERVER, "noted", busrt::empty_payload!(), QoS::Realtime);
        let reply = asked.await.expect(SERVED);
        u64::from_le_bytes(reply.payload().try_into().expect("a number"))
    }
}

fn serve(address: &Address) {
    Driver::tokio().block_on(async {
        let mut broker = Broker::new();
        let path = path_of(address);
        let config = ServerConfig::default().timeout(PATIENCE);
        let started = match address {
            Address::Tls(..) => unreachable!("{}", crate::PLAIN),
            Address::Unix(_) => broker.spawn_unix_server(&path, config).await,
            Address::Tcp(_) => broker.spawn_tcp_server(&path, config).await,
        };
        started.expect("the address is free");
        let server = broker.register_client(SERVER).await.expect(SERVED);
        let _server = RpcClient::new(server, Echo::default());
        process::announce();
        std::future::pending::<()>().await;
    });
}

const SERVED: &str = "the server is there";
/// While the other cases of a table have their turn, nobody drives this client, which would have to ping each second.
const PATIENCE: Duration = Duration::from_secs(3600);
