//! What a process of the tests does.

use std::panic;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidings::{Bus, Server};

use crate::engine::{LONG, with_options};
use crate::journal::{Journal, Told};
use crate::overloaded;
use crate::part::Part;
use crate::process::{say, words};
use crate::scarcity;
use crate::takeover;
use crate::traffic::{Mix, Traffic};

/// What a worker is asked to do.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Order {
    /// No other request has it, in the whole test.
    pub(crate) id: u64,
    pub(crate) micros: u64,
    pub(crate) end: End,
}

/// How the handler ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    /// With the request's id.
    Answer,
    /// With an error of the application.
    Error,
    Panic,
    /// With a panic, and another one while that goes through: Rust ends the process.
    PanicTwice,
}

/// Panics when it is dropped.
struct Unruly;

impl Drop for Unruly {
    fn drop(&mut self) {
        panic::resume_unwind(Box::new("on purpose, again"));
    }
}

/// Plays the part until the standard input ends.
pub(crate) fn play(part: &Part) {
    match part.role.as_str() {
        "node" => return takeover::play(part),
        "overloaded" => return overloaded::play(part),
        "starved" => return scarcity::play(part),
        _ => {}
    }
    let address = match part.role.as_str() {
        // A caller may have more in flight than a worker takes, so that some are refused as busy.
        "hub" => with_options(&part.hub, &["in_flight=8192"]),
        _ => part.member.clone(),
    };
    let bus = part.engine.open(&address);
    match part.role.as_str() {
        "hub" | "worker" => work(part, &bus),
        "client" => send(part, &bus),
        other => panic!("no role `{other}`"),
    }
    std::process::exit(0);
}

/// Serves `work`, and `state`: how much of it is not done. A hub works too, so that its end is also that of a server.
fn work(part: &Part, bus: &Bus) {
    let server = Arc::new(serve_work(part, bus));
    let load = {
        let server = server.clone();
        move |()| server.load()
    };
    let _state = bus
        .listen("state")
        .name(&part.name)
        .on("load", load)
        .start()
        .unwrap();
    say("ready");
    for word in words() {
        if word == "drain" {
            let report = server.drain_wait(LONG);
            assert!(report.is_complete(), "{report:?}");
            say("drained");
        }
    }
}

pub(crate) fn serve_work(part: &Part, bus: &Bus) -> Server {
    let journal = Arc::new(Journal::create(&part.directory, &part.name));
    let runtime = bus.runtime().clone();
    let run = move |order: Order| {
        let (journal, runtime) = (journal.clone(), runtime.clone());
        async move {
            journal.started(order.id);
            runtime
                .sleep(std::time::Duration::from_micros(order.micros))
                .await;
            journal.ended(order.id);
            match order.end {
                End::Answer => Ok(order.id),
                End::Error => Err("refused".to_owned()),
                // A panic like any other, but that nothing is printed.
                End::Panic => panic::resume_unwind(Box::new("on purpose")),
                End::PanicTwice => {
                    let _unruly = Unruly;
                    panic::resume_unwind(Box::new("on purpose"))
                }
            }
        }
    };
    let server = bus
        .listen("work")
        .name(&part.name)
        .concurrency(16)
        .queue(64);
    server.try_on_async("run", run).start().unwrap()
}

/// Sends until it is told to finish, and writes down what it was told of each request.
fn send(part: &Part, bus: &Bus) {
    let told = Arc::new(Told::create(&part.directory, &part.name));
    let first = u64::from(std::process::id()) << 32;
    let traffic = Traffic::start(bus, first, Mix::All, move |id, outcome| {
        told.note(id, outcome)
    });
    say("ready");
    let _finish = words().next();
    traffic.finish();
    assert_eq!(bus.in_flight(), 0);
    say("finished");
    words().for_each(drop);
}
