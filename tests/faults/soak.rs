//! Processes that come and go while one stays: what that one has does not grow (R13).

use crate::engine::{Directory, Engine, until};
use crate::journal;
use crate::process::Process;
use crate::traffic::{Mix, Traffic};
use crate::verdict;
use crate::watched::Watched;

/// Rounds in which it takes what it needs, and those after that.
const FIRST: u64 = 8;
const ROUNDS: u64 = 100;

const MIB: usize = 1024 * 1024;

/// R13: workers and clients are killed under load and others come in their place. The hub's descriptors, threads and
/// memory stay what they were, and every request is accounted for.
pub(crate) fn a_hub_has_after_many_losses_what_it_had_before(engine: Engine) {
    let directory = Directory::new();
    let start = |role, name| Process::start(role, name, engine, &directory);
    let hub = start("hub", "hub");
    let (mut worker, mut client) = (start("worker", "worker"), start("client", "client"));
    let bus = engine.open(&directory.member());
    let load = |name: &str| bus.request::<usize>("state.load", &()).to(name).wait().ok();
    let watched = Watched::of(&hub);
    let (mut told, mut before) = (Vec::new(), None);
    for round in 0..ROUNDS {
        let traffic = Traffic::start(&bus, round * 1_000_000, Mix::All, |_, _| {});
        traffic.until_settled(200);
        if round % 2 == 0 {
            worker.kill();
            worker = start("worker", "worker");
        } else {
            client.kill();
            client = start("client", "client");
        }
        traffic.until_sent(50);
        let entries = traffic.finish();
        told.extend(
            entries
                .iter()
                .map(|entry| (entry.id, entry.settled.unwrap().1)),
        );
        until("the worker serves", || load("worker").is_some());
        let now = Has::of(&watched);
        if round == FIRST {
            before = Some(now);
        }
    }
    let before = before.unwrap();
    client.tell("finish");
    client.wait_for("finished");
    for name in ["hub", "worker"] {
        until("nothing is left to do", || load(name) == Some(0));
    }
    until("no connection of the dead is left", || {
        watched.descriptors() <= before.descriptors
    });
    let after = Has::of(&watched);
    eprintln!(
        "{}: {before:?} before, {after:?} after {ROUNDS} losses",
        engine.name()
    );
    assert_eq!(after.descriptors, before.descriptors);
    // A runtime keeps threads for blocking work for some seconds.
    assert!(
        after.threads <= before.threads + 4,
        "{after:?}, before {before:?}"
    );
    assert!(
        after.resident <= before.resident + 2 * MIB,
        "{after:?}, before {before:?}"
    );
    assert_eq!(bus.in_flight(), 0);
    let of_clients = journal::told(directory.path());
    let tally = verdict::check(directory.path(), told.into_iter().chain(of_clients));
    eprintln!("{}: {tally}", engine.name());
}

/// What a process has.
#[derive(Debug)]
struct Has {
    descriptors: usize,
    threads: usize,
    resident: usize,
}

impl Has {
    fn of(watched: &Watched) -> Has {
        Has {
            descriptors: watched.descriptors(),
            threads: watched.threads(),
            resident: watched.resident(),
        }
    }
}
