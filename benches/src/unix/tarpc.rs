//! tarpc over a Unix socket, with its bincode.

use std::future::ready;
use std::path::Path;

use futures_util::StreamExt;
use tarpc::client::Config;
use tarpc::context::{self, Context};
use tarpc::serde_transport::unix;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;

use super::{BLOCK, Block, Place, Role, serving};
use crate::harness::Case;
use crate::process;
use crate::runtimes::Driver;

#[tarpc::service]
pub(crate) trait Echo {
    async fn echo(block: Block) -> Block;
}

#[derive(Clone)]
struct Echoing;

impl Echo for Echoing {
    async fn echo(self, _: Context, block: Block) -> Block {
        block
    }
}

pub(super) fn serve(path: &Path) {
    Driver::tokio().block_on(async {
        let listening = unix::listen(path, Bincode::default).await;
        let mut connections = listening.expect("the directory is new");
        process::announce();
        while let Some(Ok(connection)) = connections.next().await {
            let handled = BaseChannel::with_defaults(connection)
                .execute(Echoing.serve())
                .for_each(|handler| {
                    tokio::spawn(handler);
                    ready(())
                });
            tokio::spawn(handled);
        }
    });
}

/// `tasks` tasks that call, one call after another in each.
pub(super) fn calls(place: &Place, name: &str, tasks: u64) -> Case {
    let path = place.socket("tarpc");
    let server = serving(Role::Tarpc, &path);
    let driver = Driver::tokio();
    let client = driver.block_on(async {
        let connection = unix::connect(&path, Bincode::default).await;
        let mut limits = Config::default();
        limits.max_in_flight_requests = 2048;
        limits.pending_request_buffer = 2048;
        EchoClient::new(limits, connection.expect(SERVED)).spawn()
    });
    let run = move |operations| {
        driver.block_on(async {
            if tasks == 1 {
                return call(&client, operations).await;
            }
            let calling: Vec<_> = (0..tasks)
                .map(|_| {
                    let client = client.clone();
                    tokio::spawn(async move { call(&client, operations / tasks).await })
                })
                .collect();
            for task in calling {
                task.await.expect("no call fails");
            }
        });
    };
    Case::new(name, run)
        .in_grains_of(tasks)
        .with_servers([server])
}

async fn call(client: &EchoClient, calls: u64) {
    for _ in 0..calls {
        client.echo(context::current(), BLOCK).await.expect(SERVED);
    }
}

const SERVED: &str = "the server is there";
