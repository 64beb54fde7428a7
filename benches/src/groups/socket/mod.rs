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
const COPIED: &str = "tidings, `Vec<u8>`, tokio";
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

/// Why a target is missed, where it is.
const ONE_MISSED: &str = "some 24,000 instructions at both ends, 7 system calls and 2 context switches, fewer than the raw \
    ping-pong's 8 (it was 30,400, 7.6 and 2.8); one of the calls is tokio's, which looks for events once more before it \
    polls who awaits the answer: what is left is the bus's own, 1 to 2.5 us an end. Next: fewer instructions for a \
    request";
const WAITED_MISSED: &str = "the bus has its connection on a thread of its own: two more thread switches each way than two \
    threads that each own a socket. Next: who waits drives the connection meanwhile";
const SMOL_MISSED: &str = "smol runs tasks on a thread of its own, and whoever waits stands on another: each way a request \
    changes threads twice, with 33 system calls where the raw ping-pong, both of whose ends wait on the thread that owns \
    the socket, makes 13. Next: who waits drives the connection meanwhile";
const HUB_MISSED: &str = "two hops, and the hub looks at each request and answer as their ends do: names, credit, order and \
    deadline, but never the payload: some 17,700 instructions for a call alone, and 7,600 among many (it was 20,600 and \
    8,700). It takes half of the time, as much as both ends, and seven tenths of that are the kernel's: two reads, two \
    writes, two waits, and waking who reads; on one core it lets who is woken overtake who wrote, which has to come back \
    to go to sleep. On two cores, three processes take turns where two have a core each. The direct call, which it is \
    compared with, has become cheaper faster. Next: a direct link that the hub hands out";
const BATCH_MISSED: &str = "0.8 us of processor time for a request at the caller and nearly as much at the server, \
    some 6,300 instructions each (they were 7,000): making and finishing it, its name, deadline, credit, place in the order, and the checks on what a \
    peer sends. The raw frames have none of it, and zeromq neither names nor answers. Next: fewer instructions for a request, \
    and a record that is made once for a batch";
const CALLS_MISSED: &str = "deliberately: what leaves is written for every 32 requests and for every 16 answers, so that both \
    ends work at the same time. Written once for all 64 it is 0.11 calls of the system, and 2.8 us a request where it is \
    1.1 to 1.6 now. Next: none";
const CAST_MISSED: &str = "0.6 us of processor time at each end, which work at the same time: some 4,400 instructions at the \
    one and 5,200 at the other (it was 5,100 and 5,700). Next: casts of one handle in \
    one record, and credit for many at a time";
const LARGE_MISSED: &str = "as `Bytes` they are copied by the kernel alone; but they go in parts of 64 KiB, between which others \
    pass, and whoever moved some gives way to others on its processor: both ends take turns more often. Over TCP within a \
    host, the kernel is moreover asked to keep 128 KiB at each end, so that small calls pass (C-OV-2), where it keeps \
    megabytes for the others. Next: credit for parts instead of small buffers in the kernel";
const TLS_MISSED: &str = "two are the bus's, as in the clear; the others are rustls's, which makes a buffer for each record \
    that it seals and opens, at each end, though the buffers of what is read and written are the connection's. Next: none";

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
            .cases(match size {
                Size::Blob(bytes) => Some(tokio.awaits_copies(COPIED, bytes)),
                Size::Block | Size::Number => None,
            })
            .case(Ours::through_a_hub(&place, wire).awaits(HUB, size))
            .case(Ours::beside(&place, wire).waits(WAITED, size))
            .case(Ours::direct(&place, wire, Driver::Smol).awaits(SMOL, size))
            .cases(of_peers(self.peers, setting, &place));
        let group = match size {
            Size::Blob(bytes) if bytes >= MIB => {
                group.target(Target::times(TOKIO, 1.5, RAW_TOKIO).missed(LARGE_MISSED))
            }
            Size::Block => group
                .target(Target::times(TOKIO, 1.15, RAW_TOKIO).missed(ONE_MISSED))
                .target(
                    Target::times(WAITED, 1.5, RAW_BLOCKING)
                        .stretch()
                        .missed(WAITED_MISSED),
                )
                .target(Target::times(SMOL, 1.15, RAW_SMOL).missed(SMOL_MISSED))
                .target(Target::switches(TOKIO, 2.1).missed(ONE_MISSED))
                .target(Target::allocations(TOKIO, 5.0).missed(TLS_MISSED))
                .target(Target::allocations(TOKIO, 3.0).stretch().missed(TLS_MISSED)),
            _ => group,
        };
        let bound = match size {
            Size::Blob(_) => LARGE_MISSED,
            _ => ONE_MISSED,
        };
        group
            .target(Target::times_best(TOKIO, 1.0, RPC).missed(bound))
            .target(Target::times(HUB, 2.1, TOKIO).missed(HUB_MISSED))
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
                .target(Target::syscalls(TOKIO, 0.2).missed(CALLS_MISSED))
                .target(
                    Target::per_second(TOKIO, 1e6)
                        .stretch()
                        .missed(BATCH_MISSED),
                ),
            (Size::Block, 1024) => group.target(
                Target::per_second(TOKIO, 3e6)
                    .stretch()
                    .missed(BATCH_MISSED),
            ),
            _ => group,
        };
        let group = match size {
            Size::Block => group
                .target(Target::times(TOKIO, 1.0 / 3.0, TARPC).missed(BATCH_MISSED))
                .target(Target::times(TASKS, 1.0 / 3.0, TARPC).missed(BATCH_MISSED))
                .target(Target::times_best(TOKIO, 0.5, RPC).missed(BATCH_MISSED))
                .target(Target::times(TOKIO, 1.0, ZEROMQ).missed(BATCH_MISSED))
                .target(Target::allocations(TOKIO, 5.0).missed(TLS_MISSED))
                .target(Target::allocations(TOKIO, 3.0).stretch().missed(TLS_MISSED)),
            _ => group.target(Target::times_best(TOKIO, 1.0, RPC).missed(LARGE_MISSED)),
        };
        group
            .target(Target::times(HUB, 2.1, TOKIO).missed(HUB_MISSED))
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
            .target(Target::per_second(TOKIO, 3e6).missed(CAST_MISSED))
            .target(Target::per_second(TOKIO, 5e6).stretch().missed(CAST_MISSED))
            .run(self.measure, report);
    }
}
