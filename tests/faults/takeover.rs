//! The hub goes, again and again, under load: one of the others takes over, and the rest come back to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidings::Bus;
use tidings::connection::{Event, Role, State};

use crate::engine::{Directory, Engine, socket_in};
use crate::journal::{self, Told};
use crate::part::Part;
use crate::process::{Process, say, words};
use crate::roles::serve_work;
use crate::traffic::{Flow, Mix, Traffic};
use crate::verdict;

const PROCESSES: usize = 20;
/// How often the hub is killed, and how often it leaves in good order.
const KILLED: usize = 5;
const LEAVES: usize = 2;

/// What is promised, of each round. An unoptimised build on a machine with less cores than processes is given more:
/// there it is the figure that is to be read.
const SOON: Duration = if cfg!(debug_assertions) {
    Duration::from_secs(1)
} else {
    Duration::from_millis(200)
};

/// What each of them asks of the others, whatever becomes of it: together, thousands of requests a second.
const FLOW: Flow = Flow {
    window: 16,
    at_once: 1,
    pace: Duration::from_millis(5),
};

/// How many of its requests each has seen ended before the hub goes.
const SOME: usize = 50;

/// C-LC-2, T1, T20, T22: exactly one takes over, all others and their servers are at it within 200 ms, each of them
/// reaches another one, and what callers were told is true.
#[test]
fn exactly_one_takes_over_and_all_come_back_soon() {
    let directory = Directory::new();
    let mut newcomers = Engine::ALL.iter().copied().cycle();
    let mut nodes: Vec<Node> = (0..PROCESSES)
        .zip(newcomers.by_ref())
        .map(|(n, engine)| Node::start(format!("n{n}"), engine, &directory))
        .collect();
    let mut hub = nodes.iter().position(|node| node.is_hub).unwrap();
    assert_eq!(hub, 0, "the first is the hub");
    let mut times = Vec::new();
    for round in 0..KILLED + LEAVES {
        let how = if round < KILLED { "was killed" } else { "left" };
        for node in &mut nodes {
            node.process.tell("load");
        }
        for node in &nodes {
            node.process.wait_for("loaded");
        }
        let mut lost = nodes.swap_remove(hub);
        // Each is to call its neighbour, who is another one in each round.
        let names: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
        for (n, node) in nodes.iter_mut().enumerate() {
            let neighbour = &names[(n + 1 + round) % names.len()];
            node.process.tell(&format!("next {neighbour}"));
            node.process.wait_for("noted");
        }
        let at = now();
        match how {
            "was killed" => lost.process.kill(),
            _ => lost.process.tell("leave"),
        }
        let reports: Vec<Report> = nodes.iter().map(Node::report).collect();
        if how == "left" {
            lost.process.ends();
        }
        let hubs = reports.iter().filter(|report| report.is_hub).count();
        assert_eq!(hubs, 1, "{reports:#?}");
        let epoch = &reports[0].epoch;
        assert!(reports.iter().all(|r| r.epoch == *epoch), "{reports:#?}");
        hub = reports.iter().position(|report| report.is_hub).unwrap();
        let last = |when: fn(&Report) -> Duration| reports.iter().map(when).max().unwrap() - at;
        let restored = last(|report| report.restored);
        let called = last(|report| report.called);
        eprintln!(
            "the hub of {} {how}: all servers registered again after {restored:.1?}, all have called another \
             after {called:.1?}",
            nodes.len() + 1
        );
        times.push(restored);
        let (name, engine) = (format!("n{}", PROCESSES + round), newcomers.next().unwrap());
        nodes.push(Node::start(name, engine, &directory));
        assert!(!nodes.last().unwrap().is_hub);
    }
    for node in &mut nodes {
        node.process.tell("finish");
    }
    for node in &nodes {
        node.process.wait_for("finished");
    }
    let tally = verdict::check(directory.path(), journal::told(directory.path()));
    eprintln!("{tally}");
    assert!(
        tally.of(crate::traffic::Outcome::Answered) > 1000,
        "{tally}"
    );
    assert!(times.iter().all(|time| *time < SOON), "{times:?}");
}

struct Node {
    process: Process,
    name: String,
    is_hub: bool,
}

/// What one of them tells of a takeover. Times are those of the system's clock, which all processes share.
#[derive(Debug)]
struct Report {
    is_hub: bool,
    epoch: String,
    restored: Duration,
    called: Duration,
}

impl Node {
    fn start(name: String, engine: Engine, directory: &Directory) -> Node {
        let process = Process::start("node", &name, engine, directory);
        let is_hub = process.wait_for("role") == "Hub";
        Node {
            process,
            name,
            is_hub,
        }
    }

    fn report(&self) -> Report {
        let line = self.process.wait_for("report");
        let words: Vec<&str> = line.split(' ').collect();
        let [role, epoch, restored, called] = words[..] else {
            panic!("{line}")
        };
        let micros = |text: &str| Duration::from_micros(text.parse().unwrap());
        Report {
            is_hub: role == "Hub",
            epoch: epoch.to_owned(),
            restored: micros(restored),
            called: micros(called),
        }
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// One of the processes: serves and calls, and tells how it went after each takeover.
pub(crate) fn play(part: &Part) {
    let bus = part
        .engine
        .open(&format!("unix:{}", socket_in(&part.directory).display()));
    let _work = serve_work(part, &bus);
    let pid = |()| std::process::id();
    let state = bus.listen("state").name(&part.name).on("pid", pid);
    let _state = state.start().unwrap();
    let neighbour = Arc::new(Mutex::new(part.name.clone()));
    let is_over = Arc::<AtomicBool>::default();
    watch(&bus, neighbour.clone(), is_over.clone());
    let told = Arc::new(Told::create(&part.directory, &part.name));
    let first = u64::from(std::process::id()) << 32;
    let note = move |id, outcome| told.note(id, outcome);
    let traffic = Traffic::flowing(FLOW, &bus, first, Mix::All, note);
    say("ready");
    let role = loop {
        if let State::Connected { role, .. } = bus.state() {
            break role;
        }
        std::thread::yield_now();
    };
    say(&format!("role {role:?}"));
    let mut leaves = false;
    for word in words() {
        match word.split_once(' ').unwrap_or((&word, "")) {
            ("next", name) => {
                *neighbour.lock().unwrap_or_else(PoisonError::into_inner) = name.to_owned();
                say("noted");
            }
            ("load", _) => {
                traffic.until_settled(SOME);
                say("loaded");
            }
            ("leave", _) => {
                is_over.store(true, Ordering::Relaxed);
                bus.close();
                leaves = true;
                break;
            }
            ("finish", _) => {
                is_over.store(true, Ordering::Relaxed);
                break;
            }
            _ => panic!("{word}?"),
        }
    }
    traffic.finish();
    assert_eq!(bus.in_flight(), 0);
    say("finished");
    if !leaves {
        words().for_each(drop); // The others are not done.
    }
    std::process::exit(0);
}

/// Reports each return, until it is over: the processes end one by one then, and each hub with its own.
fn watch(bus: &Bus, neighbour: Arc<Mutex<String>>, is_over: Arc<AtomicBool>) {
    let events = bus.events();
    let bus = bus.clone();
    std::thread::spawn(move || {
        let mut back: Option<(Role, String)> = None;
        for event in events {
            match event {
                Event::Connected { role, epoch } => back = Some((role, epoch.to_string())),
                Event::ServersRestored { .. } => {
                    let restored = now();
                    let name = neighbour
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .clone();
                    let asked = bus.request::<u32>("state.pid", &()).to(name);
                    let asked = asked.wait_for_server().wait();
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    asked.unwrap();
                    let called = now();
                    let (role, epoch) = back.take().unwrap();
                    let (restored, called) = (restored.as_micros(), called.as_micros());
                    say(&format!("report {role:?} {epoch} {restored} {called}"));
                }
                Event::Closed => return,
                _ => {}
            }
        }
    });
}
