//! Within one process: `u64 -> u64` and the handler ready at once, against channels.

mod ours;
#[cfg(feature = "peers")]
mod peers;

use crate::arguments::Arguments;
use crate::harness::Group;
use crate::runtimes::Driver;
use crate::target::Target;
use ours::Ours;

/// Calls that are in flight together, casts between two turns of the consumer.
const BATCH: u64 = 64;

pub(crate) fn run(arguments: &Arguments) {
    call(arguments);
    invoke(arguments);
    cast(arguments);
}

const TOKIO_PAIR: &str = "tokio mpsc + oneshot, tokio";
const FLUME_PAIR: &str = "flume + `oneshot`, tokio";
const FLUME_THREADS: &str = "flume + `oneshot`, two threads";
const FLUME_SMOL: &str = "flume + `oneshot`, smol";

fn call(arguments: &Arguments) {
    const WAITED: &str = "tidings typed, `wait()` on a plain thread";
    const AWAITED: &str = "tidings typed, `.await`, tokio";
    let (plain, tokio, smol) = (
        Ours::plain(),
        Ours::on(Driver::tokio()),
        Ours::on(Driver::Smol),
    );
    let group = Group::new("Memory: `call`, one after another")
        .case(plain.waits(WAITED))
        .case(plain.waits_on_async("tidings typed async handler, `wait()` on a plain thread"))
        .case(plain.waits_untyped("tidings untyped, `wait()` on a plain thread"))
        .case(tokio.awaits(AWAITED))
        .case(tokio.awaits_untyped("tidings untyped, `.await`, tokio"))
        .case(smol.awaits("tidings typed, `.await`, smol"));
    #[cfg(feature = "peers")]
    let group = group.cases(peers::called());
    let group = [WAITED, AWAITED].into_iter().fold(group, |group, ours| {
        group
            .target(Target::nanoseconds(ours, 200.0))
            .target(Target::times(ours, 0.3, TOKIO_PAIR))
            .target(Target::times(ours, 1.0 / 3.0, FLUME_PAIR))
    });
    group
        .target(Target::times(WAITED, 1.0 / 3.0, FLUME_THREADS))
        .target(Target::times(
            "tidings typed, `.await`, smol",
            1.0 / 3.0,
            FLUME_SMOL,
        ))
        .run(arguments);
}

fn invoke(arguments: &Arguments) {
    const TYPED: &str = "tidings typed, tokio";
    let (plain, tokio, smol) = (
        Ours::plain(),
        Ours::on(Driver::tokio()),
        Ours::on(Driver::Smol),
    );
    let group = Group::new(format!("Memory: `invoke`, {BATCH} in flight"))
        .case(tokio.invokes(TYPED))
        .case(tokio.invokes_untyped("tidings untyped, tokio"))
        .case(plain.invokes_and_waits("tidings typed, pool and plain thread"))
        .case(smol.invokes("tidings typed, smol"));
    #[cfg(feature = "peers")]
    let group = group.cases(peers::in_flight());
    group
        .target(Target::times(TYPED, 1.2, FLUME_PAIR))
        .target(Target::times(TYPED, 1.0, TOKIO_PAIR))
        .target(Target::times(
            "tidings typed, pool and plain thread",
            1.2,
            FLUME_THREADS,
        ))
        .target(Target::times("tidings typed, smol", 1.2, FLUME_SMOL))
        .run(arguments);
}

fn cast(arguments: &Arguments) {
    const TYPED: &str = "tidings typed, tokio";
    let tokio = Ours::on(Driver::tokio());
    let group = Group::new("Memory: `cast`")
        .case(tokio.casts(TYPED))
        .case(tokio.casts_untyped("tidings untyped, tokio"));
    #[cfg(feature = "peers")]
    let group = group.cases(peers::one_way());
    group
        .target(Target::times(TYPED, 2.0, "flume, tokio"))
        .run(arguments);
}
