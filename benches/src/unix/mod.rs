//! Over a Unix socket, client and server in processes of their own: 64 bytes there and back.

mod cast;
mod ours;
mod raw;
mod role;
#[cfg(feature = "peers")]
mod tarpc;

use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::arguments::Arguments;
use crate::cores::Cores;
use crate::harness::Group;
use crate::process::Server;
use crate::runtimes::Driver;
use crate::target::Target;
use ours::Ours;
pub(crate) use role::{Role, serve};

pub(crate) fn run(arguments: &Arguments) {
    one_in_flight(arguments);
    in_flight(arguments, 64);
    in_flight(arguments, 1024);
    cast::run(arguments);
}

/// What is sent and comes back. In the encodings of all that is compared it takes 64 bytes, and no allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Block([u8; 32], [u8; 32]);

const BLOCK: Block = Block([0x5a; 32], [0xa5; 32]);
const BLOCK_BYTES: usize = 64;

/// A directory for sockets, and the processes that serve in it.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Place {
            directory: TempDir::with_prefix("tidings-benches-").expect("a directory can be made"),
        }
    }

    fn socket(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

fn serving(role: Role, path: &Path) -> Rc<Server> {
    Rc::new(Server::start(role, path))
}

const RAW_BLOCKING: &str = "raw ping-pong, blocking";
const RAW_TOKIO: &str = "raw ping-pong, tokio";
const RAW_SMOL: &str = "raw ping-pong, smol";
const WAITED: &str = "tidings, `wait()` on a plain thread, tokio";
const TOKIO: &str = "tidings, tokio";
const SMOL: &str = "tidings, smol";
const HUB: &str = "tidings, through the hub, tokio";
const TARPC: &str = "tarpc, tokio";

fn one_in_flight(arguments: &Arguments) {
    let place = Place::new();
    let group = Group::new("Unix socket: `call`, 1 in flight")
        .on(Cores::One)
        .case(raw::blocking(&place))
        .case(raw::on_tokio(&place))
        .case(raw::on_smol(&place))
        .case(Ours::direct(&place, Driver::tokio()).awaits(TOKIO))
        .case(Ours::through_a_hub(&place).awaits(HUB))
        .case(Ours::beside(&place).waits(WAITED))
        .case(Ours::direct(&place, Driver::Smol).awaits(SMOL));
    #[cfg(feature = "peers")]
    let group = group.case(tarpc::calls(&place, TARPC, 1));
    group
        .target(Target::times(TOKIO, 1.15, RAW_TOKIO))
        .target(Target::times(TOKIO, 1.0, TARPC))
        .target(Target::times(WAITED, 1.5, RAW_BLOCKING))
        .target(Target::times(SMOL, 1.15, RAW_SMOL))
        .target(Target::times(HUB, 2.1, TOKIO))
        .target(Target::switches(TOKIO, 2.1))
        .target(Target::allocations(TOKIO, 5.0))
        .run(arguments);
}

fn in_flight(arguments: &Arguments, calls: u64) {
    const TASKS: &str = "tidings, `call` in as many tasks, tokio";
    let place = Place::new();
    let tokio = Ours::direct(&place, Driver::tokio());
    let group = Group::new(format!("Unix socket: {calls} in flight"))
        .on(Cores::Two)
        .case(tokio.invokes(TOKIO, calls))
        .case(tokio.calls_in_tasks(TASKS, calls))
        .case(Ours::through_a_hub(&place).invokes(HUB, calls))
        .case(Ours::direct(&place, Driver::Smol).invokes(SMOL, calls));
    #[cfg(feature = "peers")]
    let group = group.case(tarpc::calls(&place, TARPC, calls));
    group
        // Three times tarpc is the gate; twice the best of all peers is the target, and that is
        // about 1.25 times tarpc (64 in flight) or less.
        .target(Target::times(TOKIO, 1.0 / 3.0, TARPC))
        .target(Target::times(TASKS, 1.0 / 3.0, TARPC))
        .target(Target::times(HUB, 2.1, TOKIO))
        .target(Target::switches(TOKIO, 0.2))
        .target(Target::allocations(TOKIO, 5.0))
        .run(arguments);
}
