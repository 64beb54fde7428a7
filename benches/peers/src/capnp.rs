//! capnp-rpc, two-party. `echo_capnp.rs` is what its compiler makes of `echo.capnp`.

use std::hint::black_box;

use capnp_rpc::{RpcSystem, rpc_twoparty_capnp::Side, twoparty};
use futures_util::AsyncReadExt;
use futures_util::io::{BufReader, BufWriter};
use tidings_benches::harness::{Case, Laps};
use tidings_benches::peer::Peer;
use tidings_benches::place::{Address, Place};
use tidings_benches::setting::{Load, Setting, Verb, Wire};
use tidings_benches::streams;
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio_util::compat::TokioAsyncReadCompatExt;

use crate::echo_capnp::echo;

pub(crate) const PEER: Peer = Peer {
    name: "capnp",
    package: "capnp-rpc",
    cases: |setting, place| match setting {
        Setting::Socket(wire, load) if load.verb == Verb::Call => vec![calls(wire, load, place)],
        _ => Vec::new(),
    },
    serve,
};

/// As many promises at a time, awaited in their order; they cannot leave their thread.
fn calls(wire: Wire, load: Load, place: &Place) -> Case {
    let (address, server) = place.serve(wire, PEER.name);
    let runtime = Builder::new_current_thread().enable_all().build();
    let (runtime, local) = (runtime.expect("tokio can be started"), LocalSet::new());
    let client: echo::Client = local.block_on(&runtime, async {
        let network = network(streams::tokio::connect(&address).await, Side::Client);
        let mut system = RpcSystem::new(network, None);
        let client = system.bootstrap(Side::Server);
        tokio::task::spawn_local(system);
        client
    });
    let message = vec![0x5a; load.size.bytes()];
    let run = move |operations, laps: &Laps| {
        local.block_on(&runtime, async {
            let mut replies = Vec::with_capacity(load.in_flight as usize);
            for _ in 0..operations / load.in_flight {
                for _ in 0..load.in_flight {
                    let lap = laps.start();
                    let mut request = client.echo_request();
                    request.get().set_body(&message);
                    replies.push((request.send().promise, lap));
                }
                for (reply, lap) in replies.drain(..) {
                    let reply = reply.await.expect(SERVED);
                    black_box(
                        reply
                            .get()
                            .and_then(|reply| reply.get_body())
                            .expect(SERVED),
                    );
                    laps.end(lap);
                }
            }
        });
    };
    Case::with_laps("capnp-rpc, tokio", run)
        .in_grains_of(load.in_flight)
        .with_servers([server])
}

fn network(
    stream: Box<dyn streams::tokio::Stream>,
    side: Side,
) -> Box<twoparty::VatNetwork<impl futures_util::AsyncRead + Unpin + 'static>> {
    let (reading, writing) = stream.compat().split();
    Box::new(twoparty::VatNetwork::new(
        BufReader::new(reading),
        BufWriter::new(writing),
        side,
        Default::default(),
    ))
}

struct Echoing;

impl echo::Server for Echoing {
    async fn echo(
        self: capnp::capability::Rc<Self>,
        request: echo::EchoParams,
        mut reply: echo::EchoResults,
    ) -> Result<(), capnp::Error> {
        reply.get().set_body(request.get()?.get_body()?);
        Ok(())
    }
}

fn serve(address: &Address) {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("tokio can be started");
    LocalSet::new().block_on(&runtime, async {
        let network = network(streams::tokio::accept(address).await, Side::Server);
        let client: echo::Client = capnp_rpc::new_client(Echoing);
        let _ = RpcSystem::new(network, Some(client.client)).await;
    });
}

const SERVED: &str = "the server is there";
