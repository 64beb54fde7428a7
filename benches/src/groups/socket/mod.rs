//! Between processes, over a socket.

mod limit;
mod ours;
mod raw;
mod roles;
mod service;

use crate::arguments::Measure;
use crate::cores::Cores;
use crate::groups::{of_peers, titles};
use crate::harness::{Case, Group, Target};
use crate::peer::Peer;
use crate::place::Place;
use crate::report::Report;
use crate::runtimes::Driver;
use crate::setting::{KIB, Load, MIB, Setting, Size, Verb, Wire};
use ours::Ours;
pub(super) use ours::{connect, first_reply, listen};
pub(super) use roles::{HUB as HUB_ROLE, TOKIO as SERVING_ROLE, role};

/// Other sizes than 64 bytes, and how many of them are in flight where it is not one: a connection keeps 4 MiB waiting.
const LARGER: [(usize, u64); 3] = [(KIB, 64), (64 * KIB, 32), (MIB, 3)];

pub(super) fn run(wire: Wire, measure: &Measure, peers: &'static [Peer], report: &mut Report) {
    let socket = Socket {
        wire,
        measure,
        peers,
    };
    socket.one_in_flight(Size::Block, report);
    socket.in_flight(Size::Block, 64, report);
    socket.in_flight(Size::Block, 1024, report);
    socket.cast(report);
    // In a hurry, larger messages on one wire show that they work.
    let larger = if measure.quick && wire != Wire::Unix {
        &[]
    } else {
        &LARGER[..]
    };
    for &(bytes, in_flight) in larger {
        socket.one_in_flight(Size::Blob(bytes), report);
        socket.in_flight(Size::Blob(bytes), in_flight, report);
    }
}

const TOKIO: &str = "tidings, tokio";
const RAW_BLOCKING: &str = "raw ping-pong, blocking";
const RAW_TOKIO: &str = "raw ping-pong, tokio";
const RAW_SMOL: &str = "raw ping-pong, smol";
const LIMIT: &str = "raw frames in batches, tokio";
const WAITED: &str = "tidings, `wait()` on a plain thread";
const INVOKED: &str = "tidings, `invoke`, tokio";
const SMOL: &str = "tidings, smol";
const HUB: &str = "tidings, through the hub, tokio";
const TASKS: &str = "tidings, `call` in as many tasks, tokio";
const TARPC: &str = "tarpc, tokio";
/// Peers that answer calls as tidings does; zeromq carries bytes only.
const RPC: [&str; 6] = [
    TARPC,
    "busrt, tokio",
    "zbus, tokio",
    "capnp-rpc, tokio",
    "tonic, tokio",
    "remoc, tokio",
];
const ZEROMQ: &str = "zeromq, tokio";

/// A wire, and who is measured on it.
struct Socket<'a> {
    wire: Wire,
    measure: &'a Measure,
    peers: &'static [Peer],
}

impl Socket<'_> {
    fn setting(&self, verb: Verb, size: Size, in_flight: u64) -> Setting {
        let load = Load {
            verb,
            size,
            in_flight,
        };
        Setting::Socket(self.wire, load)
    }

    /// What is raw does not encrypt.
    fn raw(&self, cases: impl FnOnce() -> Vec<Case>) -> Vec<Case> {
        match self.wire {
            Wire::Unix | Wire::Tcp => cases(),
            Wire::Tls => Vec::new(),
        }
    }

    fn one_in_flight(&self, size: Size, report: &mut Report) {
        let (place, wire) = (Place::new(), self.wire);
        let setting = self.setting(Verb::Call, size, 1);
        let tokio = Ours::direct(&place, wire, Driver::tokio());
        let group = Group::new(titles::socket_one_in_flight(wire, size))
            .on(Cores::One)
            .cases(self.raw(|| {
                vec![
                    raw::blocking(&place, wire, size),
                    raw::on_tokio(&place, wire, size),
                    raw::on_smol(&place, wire, size),
                ]
            }))
            .case(tokio.awaits(TOKIO, size))
            .case(tokio.invokes(INVOKED, size, 1))
            .case(Ours::through_a_hub(&place, wire).awaits(HUB, size))
            .case(Ours::beside(&place, wire).waits(WAITED, size))
            .case(Ours::direct(&place, wire, Driver::Smol).awaits(SMOL, size))
            .cases(of_peers(self.peers, setting, &place));
        let group = match size {
            Size::Blob(bytes) if bytes >= MIB => group.target(Target::times(TOKIO, 1.5, RAW_TOKIO)),
            Size::Block => group
                .target(Target::times(TOKIO, 1.15, RAW_TOKIO))
                .target(Target::times(WAITED, 1.5, RAW_BLOCKING).stretch())
                .target(Target::times(SMOL, 1.15, RAW_SMOL))
                .target(Target::switches(TOKIO, 2.1))
                .target(Target::allocations(TOKIO, 5.0))
                .target(Target::allocations(TOKIO, 3.0).stretch()),
            _ => group,
        };
        group
            .target(Target::times_best(TOKIO, 1.0, RPC))
            .target(Target::times(HUB, 2.1, TOKIO))
            .run(self.measure, report);
    }

    fn in_flight(&self, size: Size, calls: u64, report: &mut Report) {
        let (place, wire) = (Place::new(), self.wire);
        let setting = self.setting(Verb::Call, size, calls);
        let tokio = Ours::direct(&place, wire, Driver::tokio());
        let group = Group::new(titles::socket_in_flight(wire, size, calls))
            .on(Cores::Two)
            .cases(self.raw(|| vec![limit::in_flight(&place, wire, size, calls)]))
            .case(tokio.invokes(TOKIO, size, calls))
            .case(tokio.calls_in_tasks(TASKS, size, calls))
            .case(Ours::through_a_hub(&place, wire).invokes(HUB, size, calls))
            .case(Ours::direct(&place, wire, Driver::Smol).invokes(SMOL, size, calls))
            .cases(of_peers(self.peers, setting, &place));
        let group = match (size, calls) {
            (Size::Block, 64) => group
                .target(Target::syscalls(TOKIO, 0.2))
                .target(Target::per_second(TOKIO, 1e6).stretch()),
            (Size::Block, 1024) => group.target(Target::per_second(TOKIO, 3e6).stretch()),
            _ => group,
        };
        let group = match size {
            Size::Block => group
                .target(Target::times(TOKIO, 1.0 / 3.0, TARPC))
                .target(Target::times(TASKS, 1.0 / 3.0, TARPC))
                .target(Target::times_best(TOKIO, 0.5, RPC))
                .target(Target::times(TOKIO, 1.0, ZEROMQ))
                .target(Target::allocations(TOKIO, 5.0))
                .target(Target::allocations(TOKIO, 3.0).stretch()),
            _ => group.target(Target::times_best(TOKIO, 1.0, RPC)),
        };
        group
            .target(Target::times(HUB, 2.1, TOKIO))
            .run(self.measure, report);
    }

    fn cast(&self, report: &mut Report) {
        let (place, wire, size) = (Place::new(), self.wire, Size::Block);
        let setting = self.setting(Verb::Cast, size, 1);
        Group::new(titles::socket_cast(wire, size))
            .on(Cores::Two)
            .cases(self.raw(|| vec![limit::casts(&place, wire)]))
            .case(Ours::direct(&place, wire, Driver::tokio()).casts(TOKIO))
            .case(Ours::through_a_hub(&place, wire).casts(HUB))
            .case(Ours::direct(&place, wire, Driver::Smol).casts(SMOL))
            .cases(of_peers(self.peers, setting, &place))
            .target(Target::per_second(TOKIO, 3e6))
            .target(Target::per_second(TOKIO, 5e6).stretch())
            .run(self.measure, report);
    }
}
