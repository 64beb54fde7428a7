//! Within one process: the handler is ready at once.

mod ours;
mod service;

use crate::arguments::Measure;
use crate::groups::{of_peers, titles};
use crate::harness::{Group, Target};
use crate::peer::Peer;
use crate::place::Place;
use crate::report::Report;
use crate::runtimes::Driver;
use crate::setting::{Blob, Load, Setting, Size, Verb};
use ours::Ours;
use service::Message;

pub(super) fn run(measure: &Measure, peers: &'static [Peer], report: &mut Report) {
    of_size::<u64>(measure, peers, report);
    of_size::<Blob>(measure, peers, report);
}

fn of_size<M: Message>(measure: &Measure, peers: &'static [Peer], report: &mut Report) {
    call::<M>(measure, peers, report);
    in_flight::<M>(64, measure, peers, report);
    in_flight::<M>(1024, measure, peers, report);
    cast::<M>(measure, peers, report);
}

const WAITED: &str = "tidings, `wait()` on a plain thread";
const AWAITED: &str = "tidings, tokio";
const SMOL: &str = "tidings, smol";
const TOKIO_PAIR: &str = "tokio mpsc + oneshot, tokio";
const FLUME_PAIR: &str = "flume + oneshot, tokio";
const FLUME_THREADS: &str = "flume + oneshot, two threads";
const FLUME_SMOL: &str = "flume + oneshot, smol";
const FLUME_CAST: &str = "flume, tokio";

/// Why the targets of calls one after another are missed, where they are.
const CALL_MISSED: &str = "one thread, no queue, no wake-up: some 2,000 instructions and 2 allocations (they were 2,700 and 3), of \
    which making the request takes a quarter, malloc and free a seventh, reading the clock for its deadline a tenth of the \
    time, and its handler, admission, count and fate the rest. Next: one allocation for the record and the arguments, and \
    a record that is made when the handler asks for it";
/// The same of many in flight.
const QUEUED_MISSED: &str = "the peer is a bare queue and a cell, some 60 ns; the bus adds a record that can be given up \
    anywhere on its way, bounds in number and bytes, names, a deadline, and the fate: some 4,300 instructions and 3 \
    allocations, none of which stands out (it was 5,100 and 4). Next: records without a lock of their own for requests \
    that nobody can give up";
/// The same of casts.
const CAST_MISSED: &str = "the peer puts a number into a ring, 25 to 90 ns; a cast is routed, admitted by number and bytes, \
    queued, and its handler run in the order of its sender: some 3,300 instructions and 2 allocations (it was 4,000 and 3). Next: \
    casts that a server takes from its queue many at a time";

/// Three buses: without a runtime, on tokio, on smol.
fn engines<M: Message>() -> (Ours<M>, Ours<M>, Ours<M>) {
    (
        Ours::plain(),
        Ours::on(Driver::tokio()),
        Ours::on(Driver::Smol),
    )
}

fn call<M: Message>(measure: &Measure, peers: &'static [Peer], report: &mut Report) {
    let (plain, tokio, smol) = engines::<M>();
    let load = Load {
        verb: Verb::Call,
        size: M::SIZE,
        in_flight: 1,
    };
    let group = Group::new(titles::memory_call(M::SIZE))
        .case(plain.waits(WAITED))
        .case(plain.waits_on_async("tidings, async handler, `wait()` on a plain thread"))
        .case(plain.waits_untyped("tidings untyped, `wait()` on a plain thread"))
        .case(tokio.awaits(AWAITED))
        .case(tokio.awaits_untyped("tidings untyped, tokio"))
        .case(tokio.invokes("tidings, `invoke`, tokio", 1))
        .case(smol.awaits(SMOL))
        .cases(of_peers(peers, Setting::Memory(load), &Place::new()));
    let group = [WAITED, AWAITED].into_iter().fold(group, |group, ours| {
        let group = group
            .target(Target::times(ours, 0.3, TOKIO_PAIR).missed(CALL_MISSED))
            .target(Target::times(ours, 1.0 / 3.0, FLUME_PAIR).missed(CALL_MISSED));
        match M::SIZE {
            Size::Number => group
                .target(Target::at_most(ours, 200.0).missed(CALL_MISSED))
                .target(Target::at_most(ours, 100.0).stretch().missed(CALL_MISSED)),
            _ => group,
        }
    });
    group
        .target(Target::times(WAITED, 1.0 / 3.0, FLUME_THREADS))
        .target(Target::times(SMOL, 1.0 / 3.0, FLUME_SMOL))
        .run(measure, report);
}

fn in_flight<M: Message>(
    in_flight: u64,
    measure: &Measure,
    peers: &'static [Peer],
    report: &mut Report,
) {
    const POOL: &str = "tidings, `invoke`, pool and plain thread";
    const TOKIO: &str = "tidings, `invoke`, tokio";
    const SMOL: &str = "tidings, `invoke`, smol";
    let (plain, tokio, smol) = engines::<M>();
    let load = Load {
        verb: Verb::Call,
        size: M::SIZE,
        in_flight,
    };
    Group::new(titles::memory_in_flight(M::SIZE, in_flight))
        .case(tokio.invokes(TOKIO, in_flight))
        .case(tokio.calls_in_tasks("tidings, `call` in as many tasks, tokio", in_flight))
        .case(plain.invokes_and_waits(POOL, in_flight))
        .case(smol.invokes(SMOL, in_flight))
        .cases(of_peers(peers, Setting::Memory(load), &Place::new()))
        .target(Target::times(TOKIO, 1.2, FLUME_PAIR).missed(QUEUED_MISSED))
        .target(
            Target::times(TOKIO, 1.0, FLUME_PAIR)
                .stretch()
                .missed(QUEUED_MISSED),
        )
        .target(Target::times(TOKIO, 1.0, TOKIO_PAIR).missed(QUEUED_MISSED))
        .target(Target::times(POOL, 1.2, FLUME_THREADS).missed(QUEUED_MISSED))
        .target(Target::times(SMOL, 1.2, FLUME_SMOL).missed(QUEUED_MISSED))
        .run(measure, report);
}

fn cast<M: Message>(measure: &Measure, peers: &'static [Peer], report: &mut Report) {
    let load = Load {
        verb: Verb::Cast,
        size: M::SIZE,
        in_flight: 1,
    };
    let tokio = Ours::<M>::on(Driver::tokio());
    Group::new(titles::memory_cast(M::SIZE))
        .case(tokio.casts(AWAITED))
        .case(tokio.casts_untyped("tidings untyped, tokio"))
        .case(Ours::<M>::on(Driver::Smol).casts(SMOL))
        .cases(of_peers(peers, Setting::Memory(load), &Place::new()))
        .target(Target::times(AWAITED, 2.0, FLUME_CAST).missed(CAST_MISSED))
        .target(
            Target::times(AWAITED, 1.3, FLUME_CAST)
                .stretch()
                .missed(CAST_MISSED),
        )
        .run(measure, report);
}
