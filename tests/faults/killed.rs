//! `kill -9` of the hub, a worker and a client in turn, under load.

use std::time::{Duration, Instant};

use tidings::{Bus, Fate};

use crate::engine::{Directory, Engine, until};
use crate::journal;
use crate::process::Process;
use crate::traffic::{Entry, Mix, Outcome, Traffic};
use crate::verdict::{self, Tally};
use crate::wire::Wire;

const ROUNDS: u64 = 20;
/// The time in which a promise must resolve, from the kill, or from when it was made after that.
const SOON: Duration = Duration::from_secs(1);
const WORKERS: [&str; 2] = ["one", "two"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Worker,
    Client,
    Hub,
}

/// T1, T2, T18, T20: each promise of those who live has its outcome within a second, and it is true by the journals of
/// what the workers ran, those that were killed as well; nothing runs twice; and all come back by themselves once the
/// address is served again.
pub(crate) fn whoever_is_killed_every_promise_soon_tells_the_truth(engine: Engine, wire: Wire) {
    let mut tally = Tally::default();
    let mut slowest = Slowest::default();
    let mut round = 0;
    while round < ROUNDS {
        // A crew for three rounds: the pauses before a member tries again grow with each loss.
        let mut crew = Crew::start(engine, wire);
        for victim in [Victim::Worker, Victim::Client, Victim::Hub] {
            if round < ROUNDS {
                crew.round(victim, round, &mut slowest);
                round += 1;
            }
        }
        tally.add(&crew.end());
    }
    eprintln!("{} over {wire:?}: {tally}", engine.name());
    eprintln!(
        "{} over {wire:?}: from the kill to the last outcome of what was in flight, at most {slowest}",
        engine.name()
    );
    // It proves nothing about the fates if none of a kind was told.
    for fate in [Fate::NotSent, Fate::Executed, Fate::Unknown] {
        assert!(
            tally.of(Outcome::Failed(fate)) > 0,
            "no {fate:?} in {tally}"
        );
    }
}

/// The longest times from a kill.
#[derive(Default)]
struct Slowest(Vec<(Victim, Duration)>);

impl Slowest {
    fn note(&mut self, victim: Victim, time: Duration) {
        match self.0.iter_mut().find(|(known, _)| *known == victim) {
            Some((_, longest)) => *longest = time.max(*longest),
            None => self.0.push((victim, time)),
        }
    }
}

impl std::fmt::Display for Slowest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.0.iter().copied()).finish()
    }
}

/// The processes of one directory. This process is one of its clients, the one that is not killed.
struct Crew {
    // The bus first: it is not to look for a hub that ends.
    bus: Bus,
    client: Process,
    workers: [Process; 2],
    hub: Process,
    directory: Directory,
    engine: Engine,
    told: Vec<(u64, Outcome)>,
}

impl Crew {
    fn start(engine: Engine, wire: Wire) -> Crew {
        let directory = wire.directory();
        let start = |role, name| Process::start(role, name, engine, &directory);
        let hub = start("hub", "hub");
        let workers = WORKERS.map(|name| start("worker", name));
        let client = start("client", "client");
        let bus = engine.open(&directory.member());
        let told = Vec::new();
        let crew = Crew {
            bus,
            client,
            workers,
            hub,
            directory,
            engine,
            told,
        };
        crew.until_all_serve();
        crew
    }

    fn round(&mut self, victim: Victim, round: u64, slowest: &mut Slowest) {
        let traffic = Traffic::start(&self.bus, round * 1_000_000, Mix::All, |_, _| {});
        traffic.until_settled(300);
        let which = round as usize % 2;
        let killed = Instant::now();
        match victim {
            Victim::Worker => self.workers[which].kill(),
            Victim::Client => self.client.kill(),
            Victim::Hub => self.hub.kill(),
        }
        // A hub is replaced at once, or after all have noticed.
        let at_once = victim == Victim::Hub && which == 0;
        if at_once {
            self.replace(victim, which);
        }
        traffic.until_sent(50);
        let entries = traffic.finish();
        slowest.note(victim, time_to_last(&entries, killed));
        self.told.extend(
            entries
                .iter()
                .filter_map(|entry| Some((entry.id, entry.settled?.1))),
        );
        verdict::check(self.directory.path(), self.told.iter().copied());
        assert_eq!(self.bus.in_flight(), 0, "the table is empty");
        if victim == Victim::Client {
            self.until_idle();
        }
        if !at_once {
            self.replace(victim, which);
        }
        self.until_all_serve(); // C-LC-2
    }

    fn replace(&mut self, victim: Victim, which: usize) {
        let start = |role, name| Process::start(role, name, self.engine, &self.directory);
        match victim {
            Victim::Worker => self.workers[which] = start("worker", WORKERS[which]),
            Victim::Client => self.client = start("client", "client"),
            Victim::Hub => self.hub = start("hub", "hub"),
        }
    }

    /// New calls succeed, at each of the workers.
    fn until_all_serve(&self) {
        until("all workers are back", || {
            WORKERS.iter().all(|name| self.load(name).is_some())
        });
    }

    /// What a caller that was killed had asked for ends: its slots are free again (C-DL-4).
    fn until_idle(&self) {
        until("the workers have nothing left to do", || {
            WORKERS.iter().all(|name| self.load(name) == Some(0))
        });
    }

    fn load(&self, worker: &str) -> Option<usize> {
        self.bus.request("state.load", &()).to(worker).wait().ok()
    }

    /// Lets the client finish, and looks at everything once more: what was not to run has not run later either.
    fn end(mut self) -> Tally {
        self.client.tell("finish");
        self.client.wait_for("finished");
        let of_clients = journal::told(self.directory.path());
        verdict::check(self.directory.path(), self.told.drain(..).chain(of_clients))
    }
}

/// The time from the kill to the last outcome of what was in flight then.
fn time_to_last(entries: &[Entry], killed: Instant) -> Duration {
    let mut last = Duration::ZERO;
    for entry in entries {
        let (settled, outcome) = entry.settled.unwrap();
        let took = settled.saturating_duration_since(killed.max(entry.sent));
        assert!(took <= SOON, "{} took {took:?}: {outcome:?}", entry.id);
        if entry.sent <= killed {
            last = last.max(settled.saturating_duration_since(killed));
        }
    }
    last
}
