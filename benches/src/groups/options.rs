//! What an option costs: with it and without it.

use std::hint::black_box;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tidings::Bus;
use tidings_core::codec::{Budget, decode, encode};
use tidings_core::timer::{Expire, Expiry, Timers};

use crate::arguments::Measure;
use crate::harness::{Case, Group, Target};
use crate::peer::Peer;
use crate::report::Report;
use crate::setting::{BLOCK, Blob, KIB, MIB};

pub(super) fn run(measure: &Measure, _: &'static [Peer], report: &mut Report) {
    deadlines(measure, report);
    timer(measure, report);
    budget(measure, report);
}

/// What a deadline may add to a call, in nanoseconds.
const DEADLINE: f64 = 30.0;

/// Why that is missed where two threads share the work, when it is.
const TWO_THREADS: &str = "two threads wake each other, 1 to 1.8 us a call: one run differs by 200 ns from another, either way. \
    In one thread a deadline that is armed and taken out costs what `the timer alone` says. Next: nothing is known";

fn deadlines(measure: &Measure, report: &mut Report) {
    const WITH: &str = "with a deadline of 30 s";
    const WITHOUT: &str = "with `no_timeout`";
    let bus = Bus::open("mem:").expect("memory can be opened");
    let server = bus.listen("double").on("number", |n: u64| n * 2).start();
    let _server = server.expect("the topic is free");
    let waits = |name: &str, has_deadline: bool| {
        let bus = bus.clone();
        Case::new(name, move |operations| {
            for _ in 0..operations {
                let call = bus.call::<u64>("double.number", &black_box(7_u64));
                let call = if has_deadline {
                    call
                } else {
                    call.no_timeout()
                };
                black_box(call.wait().expect(SERVED));
            }
        })
    };
    let invokes = |name: &str, has_deadline: bool| {
        let bus = bus.clone();
        let run = move |operations| {
            let mut promises = Vec::with_capacity(BATCH as usize);
            for _ in 0..operations / BATCH {
                promises.extend((0..BATCH).map(|_| {
                    let call = bus.call::<u64>("double.number", &black_box(7_u64));
                    let call = if has_deadline {
                        call
                    } else {
                        call.no_timeout()
                    };
                    call.invoke()
                }));
                for promise in promises.drain(..) {
                    black_box(promise.wait().expect(SERVED));
                }
            }
        };
        Case::new(name, run).in_grains_of(BATCH)
    };
    Group::new("Options: deadlines, `call` in memory")
        .case(waits(WITHOUT, false))
        .case(waits(WITH, true))
        .target(Target::over(WITH, DEADLINE, WITHOUT))
        .run(measure, report);
    Group::new(format!("Options: deadlines, {BATCH} in flight in memory"))
        .case(invokes(WITHOUT, false))
        .case(invokes(WITH, true))
        .target(Target::over(WITH, DEADLINE, WITHOUT).missed(TWO_THREADS))
        .run(measure, report);
}

const BATCH: u64 = 64;
const SERVED: &str = "the server is there and has room";

struct Nobody;

impl Expire for Nobody {
    fn expire(&self, _why: Expiry) {}
}

fn timer(measure: &Measure, report: &mut Report) {
    const ALONE: &str = "arm and disarm";
    const AMONG: &str = "arm and disarm among 100 k that are armed";
    let target: Weak<dyn Expire> = Arc::downgrade(&Arc::new(Nobody)) as Weak<dyn Expire>;
    let arms = |name: &str, armed: u64| {
        let (timers, target) = (Timers::new(tidings::runtime::pool()), target.clone());
        let soon = Instant::now() + Duration::from_secs(3600);
        for nth in 0..armed {
            let at = soon + Duration::from_millis(nth);
            timers.arm(at, target.clone()).expect(TURNED);
        }
        Case::new(name, move |operations| {
            let at = Instant::now() + Duration::from_secs(30);
            for _ in 0..operations {
                let key = timers.arm(black_box(at), target.clone()).expect(TURNED);
                black_box(timers.disarm(key));
            }
        })
    };
    Group::new("Options: the timer alone")
        .case(arms(ALONE, 0))
        .case(arms(AMONG, 100_000))
        .target(Target::at_most(ALONE, DEADLINE))
        .target(Target::times(AMONG, 1.25, ALONE))
        .run(measure, report);
}

const TURNED: &str = "the timer runs";

/// As programs have them: what a table of a database gives.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    id: u64,
    name: String,
    tags: Vec<String>,
    parent: Option<u64>,
}

fn records() -> Vec<Record> {
    let record = |id| Record {
        id,
        name: format!("record number {id}"),
        tags: vec!["first".into(), "second".into()],
        parent: (id % 2 == 0).then_some(id / 2),
    };
    (0..100).map(record).collect()
}

fn budget(measure: &Measure, report: &mut Report) {
    compared("64 B without a length", &BLOCK, measure, report);
    compared("100 records", &records(), measure, report);
    compared("1 KiB of bytes", &Blob::of(KIB), measure, report);
    let numbers: Vec<u64> = (0..1000).collect();
    compared("1000 numbers", &numbers, measure, report);
}

fn compared<T: Serialize + DeserializeOwned + 'static>(
    what: &str,
    value: &T,
    measure: &Measure,
    report: &mut Report,
) {
    const WITHIN: &str = "decoded within a budget";
    const WITHOUT: &str = "decoded by postcard alone";
    let bytes = encode(value, MIB).expect("it fits");
    let same = bytes.clone();
    Group::new(format!("Options: the codec's budget, {what}"))
        .case(Case::new(WITHOUT, move |operations| {
            for _ in 0..operations {
                let value: T = postcard::from_bytes(black_box(&bytes)).expect(WELL_FORMED);
                black_box(value);
            }
        }))
        .case(Case::new(WITHIN, move |operations| {
            let budget = Budget::default();
            for _ in 0..operations {
                let value: T = decode(black_box(&same), &budget).expect(WELL_FORMED);
                black_box(value);
            }
        }))
        .run(measure, report);
}

const WELL_FORMED: &str = "it was just encoded";
