//! Benchmarks of tidings beside what a user would pick instead: `benches/run` calls it.
//!
//! One file for each peer: its cases in the settings that it has something for, and what its process at the other end
//! of a socket serves. Each is used as its own documentation shows, with queues as long as those of tidings, on one
//! thread.

mod actix;
mod busrt;
mod capnp;
#[rustfmt::skip]
#[allow(warnings, clippy::all, reason = "it was generated")]
mod echo_capnp;
mod flume;
mod kameo;
mod oneshot;
mod ractor;
mod remoc;
mod tarpc;
mod tokio_channels;
mod tonic;
mod xtra;
mod zbus;
mod zeromq;

use std::process::ExitCode;

use tidings_benches::peer::Peer;

/// As many as the queue of a server of tidings holds, and a batch of promises takes.
const QUEUE: usize = 1024;

/// Peers are compared without encryption.
const PLAIN: &str = "no peer is measured with TLS";

fn main() -> ExitCode {
    tidings_benches::run(&PEERS, include_str!("../Cargo.lock"))
}

static PEERS: [Peer; 14] = [
    tokio_channels::PEER,
    flume::PEER,
    oneshot::PEER,
    actix::PEER,
    kameo::PEER,
    ractor::PEER,
    xtra::PEER,
    tarpc::PEER,
    busrt::PEER,
    zbus::PEER,
    capnp::PEER,
    zeromq::PEER,
    tonic::PEER,
    remoc::PEER,
];

/// For peers that live in one process.
fn serves_nobody(_: &tidings_benches::place::Address) {
    unreachable!("it has no case between processes");
}
