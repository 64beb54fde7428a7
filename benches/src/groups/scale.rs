//! Whether a call costs the same, however much there is of everything. Both ends are on one thread, so that a figure is
//! what both take together; the threads of the last group apart.

use std::hint::black_box;
use std::thread;

use tidings::{Bus, Promise, Server};

use super::socket::{connect, listen};
use crate::arguments::Measure;
use crate::harness::{Case, Group, Target};
use crate::peer::Peer;
use crate::place::Place;
use crate::report::Report;
use crate::runtimes::Driver;
use crate::setting::Wire;

pub(super) fn run(measure: &Measure, _: &'static [Peer], report: &mut Report) {
    in_flight(measure, report);
    topics(measure, report);
    connections(measure, report);
    producers(measure, report);
}

/// How much dearer a call may become and still count as flat: what no longer fits into the processor's caches is slower
/// in any program.
const FLAT: f64 = 1.5;
/// Requests that are in flight together where their number is not what is measured.
const BATCH: usize = 64;
/// Why a target is missed, where it is.
const FLIGHT_MISSED: &str = "the records, timers and places of 10 k and more do not fit the processor's nearest memory: as \
    many instructions, each waiting longer. Next: smaller records";
const TURN_MISSED: &str = "each has a task, a buffer and a wake-up of its own, which the others' use leaves further away from \
    the processor: as many instructions, each waiting longer. Next: smaller records";

/// Above what is in flight here; by default a connection takes 1024 requests.
const WIDE: &str = "&in_flight=200000&queue=200000";

fn in_flight(measure: &Measure, report: &mut Report) {
    let most = if measure.quick { 1_000 } else { 100_000 };
    let numbers = || powers_of_ten(most);
    let name = |number: usize| format!("{number} in flight");
    let (place, driver) = (Place::new(), Driver::tokio());
    let memory = Bus::builder().runtime(driver.runtime()).open("mem:");
    let memory = memory.expect("memory can be opened");
    let unix = Pair::open(&place, &driver, WIDE);
    let _servers = [
        serve(&memory, "double", most),
        serve(&unix.hub, "double", most),
    ];
    for (title, bus) in [("memory", &memory), ("Unix", &unix.member)] {
        let cases = numbers().map(|number| {
            let bus = bus.clone();
            invoking(&name(number), driver.clone(), number, move |_| {
                bus.invoke("double.number", &black_box(7_u64))
            })
        });
        // One alone has nobody to share its wake-up with.
        let group =
            Group::new(format!("Scale: requests in flight, {title}, one thread")).cases(cases);
        let targets = numbers().filter(|number| *number > 100);
        targets
            .fold(group, |group, number| {
                group.target(Target::times(name(number), FLAT, name(100)).missed(FLIGHT_MISSED))
            })
            .run(measure, report);
    }
}

fn topics(measure: &Measure, report: &mut Report) {
    let most = if measure.quick { 100 } else { 1_000 };
    let name = |number: usize| format!("{number} topics");
    for over_unix in [false, true] {
        let (place, driver) = (Place::new(), Driver::tokio());
        let title = if over_unix { "Unix" } else { "memory" };
        let mut servers = Vec::new();
        let cases = powers_of_ten(most).map(|number| {
            let (serving, calling) = if over_unix {
                let pair = Pair::open(&place, &driver, "");
                (pair.hub, pair.member)
            } else {
                let bus = Bus::builder().runtime(driver.runtime()).open("mem:");
                let bus = bus.expect("memory can be opened");
                (bus.clone(), bus)
            };
            let topics = (0..number).map(|topic| format!("topic{topic}"));
            servers.extend(topics.clone().map(|topic| serve(&serving, &topic, BATCH)));
            let methods: Vec<String> = topics.map(|topic| format!("{topic}.number")).collect();
            invoking(&name(number), driver.clone(), BATCH, move |nth| {
                calling.invoke(&methods[nth % methods.len()], &black_box(7_u64))
            })
        });
        let group = Group::new(format!(
            "Scale: topics in turn, {title}, {BATCH} in flight, one thread"
        ));
        flat(group.cases(cases), powers_of_ten(most).map(name)).run(measure, report);
    }
}

fn connections(measure: &Measure, report: &mut Report) {
    // A hub takes 256 connections of one user.
    let numbers: &[usize] = if measure.quick {
        &[1, 10]
    } else {
        &[1, 10, 100, 250]
    };
    let name = |number: usize| format!("{number} connections");
    let (place, driver) = (Place::new(), Driver::tokio());
    let mut servers = Vec::new();
    let cases = numbers.iter().map(|&number| {
        let address = place.address(Wire::Unix, &format!("of-{number}"));
        let hub = listen(&address, &driver, "");
        servers.push(serve(&hub, "double", 1024));
        let members: Vec<Bus> = (0..number)
            .map(|_| {
                let member = connect(&address, &driver, "");
                let shakes_hands = member.call::<u64>("double.number", &1_u64);
                driver.block_on(shakes_hands.into_future()).expect(SERVED);
                member
            })
            .collect();
        invoking(&name(number), driver.clone(), BATCH, move |nth| {
            members[nth % members.len()].invoke("double.number", &black_box(7_u64))
        })
    });
    // With one connection all that is in flight shares its system calls, with more each has its own.
    let group = Group::new(format!(
        "Scale: connections in turn, {BATCH} in flight, one thread"
    ))
    .cases(cases);
    group
        .target(Target::times(name(250), FLAT, name(100)).missed(TURN_MISSED))
        .run(measure, report);
}

/// Threads that call at the same time, each waiting for its own replies.
fn producers(measure: &Measure, report: &mut Report) {
    const ONE: &str = "1 thread";
    const EIGHT: &str = "8 threads";
    let threads = [(ONE, 1_u64), (EIGHT, 8)];
    let memory = Bus::open("mem:").expect("memory can be opened");
    let _server = serve(&memory, "double", 1024);
    let cases = threads.map(|(name, number)| {
        let bus = memory.clone();
        on_threads(name, number, move |calls| {
            for _ in 0..calls {
                let call = bus.call::<u64>("double.number", &black_box(7_u64));
                black_box(call.wait().expect(SERVED));
            }
        })
    });
    Group::new("Scale: threads that `call` in memory, for each call")
        .cases(cases)
        .run(measure, report);

    let place = Place::new();
    let unix = Pair::open(&place, &Driver::tokio_beside(), "");
    let _server = serve(&unix.hub, "double", 1024);
    let cases = threads.map(|(name, number)| {
        let bus = unix.member.clone();
        on_threads(name, number, move |calls| {
            let mut promises = Vec::with_capacity(BATCH);
            for batch in 0..calls.div_ceil(BATCH as u64) {
                let left = (calls - batch * BATCH as u64).min(BATCH as u64);
                let invoke = |_| bus.invoke::<u64>("double.number", &black_box(7_u64));
                promises.extend((0..left).map(invoke));
                for promise in promises.drain(..) {
                    black_box(promise.wait().expect(SERVED));
                }
            }
        })
    });
    Group::new(format!(
        "Scale: threads with {BATCH} in flight each, Unix, for each call"
    ))
    .cases(cases)
    .target(Target::times(EIGHT, 1.0, ONE).missed(TURN_MISSED))
    .run(measure, report);
}

fn on_threads(name: &str, number: u64, calls: impl Fn(u64) + Send + Sync + 'static) -> Case {
    let run = move |operations| {
        thread::scope(|scope| {
            for _ in 0..number {
                scope.spawn(|| calls(operations / number));
            }
        });
    };
    Case::new(name, run).in_grains_of(number)
}

/// A hub and a member, with a connection between them.
struct Pair {
    hub: Bus,
    member: Bus,
}

impl Pair {
    fn open(place: &Place, driver: &Driver, options: &str) -> Pair {
        let address = place.unused(Wire::Unix);
        Pair {
            hub: listen(&address, driver, options),
            member: connect(&address, driver, options),
        }
    }
}

fn serve(bus: &Bus, topic: &str, queue: usize) -> Server {
    let server = bus.listen(topic).queue(queue).on("number", |n: u64| n * 2);
    server.start().expect("the topic is free")
}

/// `in_flight` promises at a time, awaited in their order.
fn invoking(
    name: &str,
    driver: Driver,
    in_flight: usize,
    invoke: impl Fn(usize) -> Promise<u64> + 'static,
) -> Case {
    let run = move |operations| {
        driver.block_on(async {
            let mut promises = Vec::with_capacity(in_flight);
            let mut sent = 0;
            while sent < operations as usize {
                promises.extend((sent..sent + in_flight).map(&invoke));
                sent += in_flight;
                for promise in promises.drain(..) {
                    black_box(promise.await.expect(SERVED));
                }
            }
        });
    };
    Case::new(name, run).in_grains_of(in_flight as u64)
}

fn powers_of_ten(most: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(1), |number| Some(number * 10))
        .take_while(move |number| *number <= most)
}

/// Each of these cases costs about what the first one costs.
fn flat(group: Group, mut names: impl Iterator<Item = String>) -> Group {
    let first = names.next().unwrap_or_default();
    names.fold(group, |group, name| {
        group.target(Target::times(name, FLAT, first.clone()).missed(TURN_MISSED))
    })
}

const SERVED: &str = "the server is there and has room";
