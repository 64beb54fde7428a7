//! remoc's remote traits.

use std::hint::black_box;
use std::sync::Arc;

use remoc::prelude::*;
use remoc::rtc::CallError;
use tidings_benches::harness::Case;
use tidings_benches::loads;
use tidings_benches::peer::Peer;
use tidings_benches::place::{Address, Place};
use tidings_benches::runtimes::Driver;
use tidings_benches::setting::{BLOCK, Blob, Block, Load, Setting, Size, Verb, Wire};
use tidings_benches::streams;

pub(crate) const PEER: Peer = Peer {
    name: "remoc",
    package: "remoc",
    cases: |setting, place| match setting {
        Setting::Socket(wire, load) if load.verb == Verb::Call => vec![calls(wire, load, place)],
        _ => Vec::new(),
    },
    serve,
};

#[rtc::remote]
pub(crate) trait Echo {
    async fn block(&self, block: Block) -> Result<Block, CallError>;
    async fn blob(&self, blob: Blob) -> Result<Blob, CallError>;
}

struct Echoing;

impl Echo for Echoing {
    async fn block(&self, block: Block) -> Result<Block, CallError> {
        Ok(block)
    }

    async fn blob(&self, blob: Blob) -> Result<Blob, CallError> {
        Ok(blob)
    }
}

fn calls(wire: Wire, load: Load, place: &Place) -> Case {
    let (address, server) = place.serve(wire, PEER.name);
    let driver = Driver::tokio();
    let client: EchoClient = driver.block_on(async {
        let (reading, writing) = tokio::io::split(streams::tokio::connect(&address).await);
        let connecting = remoc::Connect::io(remoc::Cfg::default(), reading, writing);
        connecting.consume().await.expect(SERVED)
    });
    let case = loads::calls("remoc, tokio", driver, load.in_flight, move || {
        let client = client.clone();
        async move {
            match load.size {
                Size::Blob(bytes) => {
                    black_box(client.blob(Blob::of(bytes)).await.expect(SERVED));
                }
                Size::Block | Size::Number => {
                    black_box(client.block(BLOCK).await.expect(SERVED));
                }
            }
        }
    });
    case.with_servers([server])
}

fn serve(address: &Address) {
    Driver::tokio().block_on(async {
        let (reading, writing) = tokio::io::split(streams::tokio::accept(address).await);
        let (server, client) = EchoServerShared::<_, remoc::codec::Default>::new(Arc::new(Echoing));
        let connecting = remoc::Connect::io(remoc::Cfg::default(), reading, writing);
        connecting.provide(client).await.expect(SERVED);
        let _ = server.serve().await;
    });
}

const SERVED: &str = "the other process is there";
