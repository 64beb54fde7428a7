//! tarpc: in memory over its channel, on sockets with bincode.

use std::future::ready;
use std::hint::black_box;

use futures_util::StreamExt;
use tarpc::client::Config;
use tarpc::context::{self, Context};
use tarpc::serde_transport::{tcp, unix};
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tidings_benches::harness::Case;
use tidings_benches::loads;
use tidings_benches::peer::Peer;
use tidings_benches::place::{Address, Place};
use tidings_benches::process;
use tidings_benches::runtimes::Driver;
use tidings_benches::setting::{BLOCK, Blob, Block, Load, Setting, Size, Verb, Wire};

pub(crate) const PEER: Peer = Peer {
    name: "tarpc",
    package: "tarpc",
    cases: |setting, place| match setting {
        Setting::Memory(load) if load.verb == Verb::Call => vec![in_memory(load)],
        Setting::Socket(wire, load) if load.verb == Verb::Call => vec![over(wire, load, place)],
        _ => Vec::new(),
    },
    serve,
};

const NAME: &str = "tarpc, tokio";

#[tarpc::service]
trait Echo {
    async fn number(n: u64) -> u64;
    async fn block(block: Block) -> Block;
    async fn blob(blob: Blob) -> Blob;
}

#[derive(Clone)]
struct Echoing;

impl Echo for Echoing {
    async fn number(self, _: Context, n: u64) -> u64 {
        n * 2
    }

    async fn block(self, _: Context, block: Block) -> Block {
        block
    }

    async fn blob(self, _: Context, blob: Blob) -> Blob {
        blob
    }
}

fn limits() -> Config {
    let mut limits = Config::default();
    limits.max_in_flight_requests = 2048;
    limits.pending_request_buffer = 2048;
    limits
}

/// Handles the requests of a connection as they come, each in a task of its own. (Its bounds as a function's would take
/// more lines than this.)
macro_rules! handle {
    ($connection:expr) => {{
        let requests = BaseChannel::with_defaults($connection).execute(Echoing.serve());
        tokio::spawn(requests.for_each(|handler| {
            tokio::spawn(handler);
            ready(())
        }));
    }};
}

fn in_memory(load: Load) -> Case {
    let driver = Driver::tokio();
    let client = driver.block_on(async {
        let (near, far) = tarpc::transport::channel::bounded(crate::QUEUE);
        handle!(far);
        EchoClient::new(limits(), near).spawn()
    });
    calls(client, driver, load)
}

fn over(wire: Wire, load: Load, place: &Place) -> Case {
    let (address, server) = place.serve(wire, PEER.name);
    let driver = Driver::tokio();
    let client = driver.block_on(async {
        match &address {
            Address::Tls(..) => unreachable!("{}", crate::PLAIN),
            Address::Unix(path) => {
                let mut connection = unix::connect(path, Bincode::default);
                connection.config_mut().max_frame_length(usize::MAX);
                EchoClient::new(limits(), connection.await.expect(SERVED)).spawn()
            }
            Address::Tcp(port) => {
                let mut connection = tcp::connect(port, Bincode::default);
                connection.config_mut().max_frame_length(usize::MAX);
                let connection = connection.await.expect(SERVED);
                connection.get_ref().set_nodelay(true).expect(SERVED);
                EchoClient::new(limits(), connection).spawn()
            }
        }
    });
    calls(client, driver, load).with_servers([server])
}

fn calls(client: EchoClient, driver: Driver, load: Load) -> Case {
    loads::calls(NAME, driver, load.in_flight, move || {
        let client = client.clone();
        async move {
            let context = context::current();
            match load.size {
                Size::Number => {
                    black_box(client.number(context, black_box(7)).await.expect(SERVED));
                }
                Size::Block => {
                    black_box(client.block(context, BLOCK).await.expect(SERVED));
                }
                Size::Blob(bytes) => {
                    let blob = Blob::of(bytes);
                    black_box(client.blob(context, blob).await.expect(SERVED));
                }
            }
        }
    })
}

fn serve(address: &Address) {
    Driver::tokio().block_on(async {
        match address {
            Address::Tls(..) => unreachable!("{}", crate::PLAIN),
            Address::Unix(path) => {
                let mut connections = unix::listen(path, Bincode::default).await.expect(FREE);
                connections.config_mut().max_frame_length(usize::MAX);
                process::announce();
                while let Some(Ok(connection)) = connections.next().await {
                    handle!(connection);
                }
            }
            Address::Tcp(port) => {
                let mut connections = tcp::listen(port, Bincode::default).await.expect(FREE);
                connections.config_mut().max_frame_length(usize::MAX);
                process::announce();
                while let Some(Ok(connection)) = connections.next().await {
                    connection.get_ref().set_nodelay(true).expect(SERVED);
                    handle!(connection);
                }
            }
        }
    });
}

const SERVED: &str = "the server is there";
const FREE: &str = "the address is free";
