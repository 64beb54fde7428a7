//! What waits for room on the side of its sender, by `WhenFull::Block`, and its bounds.
#![cfg(feature = "memory")]

use tidings::{Bus, CallErrorKind, Fate, Promise, Server, WhenFull};
use tidings_conformance::stage::{Gate, eventually};

/// A server that takes two requests at a time: one runs, one is queued, and the others wait on their own side.
struct Stage {
    gate: Gate,
    server: Server,
    bus: Bus,
}

impl Stage {
    fn new(bus: Bus) -> Stage {
        let gate = Gate::new();
        let pass = gate.clone();
        let server = bus
            .listen("topic")
            .serial()
            .queue(1)
            .when_full(WhenFull::Block)
            .on_async("length", move |text: String| {
                let gate = pass.clone();
                async move {
                    gate.pass().await;
                    text.len()
                }
            });
        let server = server.start().unwrap();
        Stage { gate, server, bus }
    }

    /// Of so many bytes when encoded: a text has its length in front, in one byte or two, and an untyped request a
    /// checksum of four.
    fn send(&self, bytes: usize) -> Promise<usize> {
        let text = "x".repeat(bytes - if bytes > 132 { 6 } else { 5 });
        self.bus.invoke("topic.length", &text)
    }

    fn fill(&self) -> Vec<Promise<usize>> {
        let running = self.send(10);
        self.gate.wait_for(1);
        let queued = self.send(10);
        eventually("its queue is full", || self.server.load() == 2);
        vec![running, queued]
    }

    fn is_refused(&self, promise: Promise<usize>) {
        assert!(promise.is_ready(), "it waits");
        let error = promise.wait().unwrap_err();
        assert!(
            matches!(error.kind(), CallErrorKind::QueueFull { .. }),
            "{error}"
        );
        assert_eq!(error.fate(), Fate::NotSent);
    }
}

/// C-OV-1, FAULTS-R5: one less than the limit, as many, one more.
#[test]
fn it_is_bounded_in_requests() {
    const LIMIT: usize = 5;
    let stage = Stage::new(Bus::builder().backlog(LIMIT).open("mem:").unwrap());
    let mut held = stage.fill();
    held.extend((0..LIMIT).map(|_| stage.send(10)));
    assert!(held.iter().all(|promise| !promise.is_ready()));
    stage.is_refused(stage.send(10));
    assert!(stage.bus.cast("topic.length", &"x").is_err());
    // Given up, one makes room for one.
    drop(held.pop());
    eventually("there is room", || {
        let promise = stage.send(10);
        let waits = !promise.is_ready();
        if waits {
            promise.detach();
        }
        waits
    });
    stage.is_refused(stage.send(10));
    stage.gate.open();
    for promise in held {
        assert_eq!(promise.wait().unwrap(), 5);
    }
    eventually("nothing waits", || stage.bus.in_flight() == 0);
    assert_eq!(stage.gate.arrived(), 2 + LIMIT);
}

/// C-OV-1, FAULTS-R6
#[test]
fn it_is_bounded_in_bytes() {
    const LIMIT: usize = 1000;
    let stage = Stage::new(Bus::builder().backlog_bytes(LIMIT).open("mem:").unwrap());
    let mut held = stage.fill();
    held.extend([stage.send(600), stage.send(300)]);
    stage.is_refused(stage.send(101));
    held.push(stage.send(100));
    stage.is_refused(stage.send(5));
    assert!(held.iter().all(|promise| !promise.is_ready()));
    stage.gate.open();
    for promise in held {
        promise.wait().unwrap();
    }
}

/// One message alone may be larger than the limit: it would never go otherwise.
#[test]
fn one_message_alone_may_be_larger() {
    let stage = Stage::new(Bus::builder().backlog_bytes(1000).open("mem:").unwrap());
    let mut held = stage.fill();
    held.push(stage.send(5000));
    stage.is_refused(stage.send(10));
    stage.gate.open();
    for promise in held {
        promise.wait().unwrap();
    }
}

/// FAULTS-C6: whoever gives up, no place is lost.
#[test]
fn no_place_is_lost_by_those_who_give_up() {
    const LIMIT: usize = 50;
    let stage = Stage::new(Bus::builder().backlog(LIMIT).open("mem:").unwrap());
    let held = stage.fill();
    for _ in 0..20 {
        let waiting: Vec<_> = (0..LIMIT).map(|_| stage.send(10)).collect();
        assert!(waiting.iter().filter(|promise| !promise.is_ready()).count() > 0);
        drop(waiting);
        eventually("all places are free", || stage.bus.in_flight() == 2);
    }
    eventually("as many as ever may wait", || {
        let waiting: Vec<_> = (0..LIMIT).map(|_| stage.send(10)).collect();
        waiting.iter().all(|promise| !promise.is_ready())
    });
    stage.gate.open();
    for promise in held {
        promise.wait().unwrap();
    }
}

/// C-OV-1: what waits for servers in memory counts against the budget of the bus.
#[test]
fn what_waits_in_memory_keeps_within_the_budget() {
    let stage = Stage::new(Bus::builder().memory_budget(100_000).open("mem:").unwrap());
    let text = "x".repeat(50_000);
    let running: Promise<usize> = stage.bus.invoke("topic.length", &text);
    stage.gate.wait_for(1);
    eventually("what runs does not wait", || stage.bus.memory_in_use() == 0);
    let waits: Promise<usize> = stage.bus.invoke("topic.length", &text);
    eventually("it is counted", || stage.bus.memory_in_use() > 50_000);
    let error = stage
        .bus
        .call::<usize>("topic.length", &text)
        .wait()
        .unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::Busy { .. }),
        "{error}"
    );
    assert_eq!(error.fate(), Fate::NotExecuted);
    stage.gate.open();
    for promise in [running, waits] {
        assert_eq!(promise.wait().unwrap(), 50_000);
    }
    eventually("it is given back", || stage.bus.memory_in_use() == 0);
}
