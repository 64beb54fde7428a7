//! What must hold at the edges: values that panic when they are dropped, queues that stay full.
#![cfg(all(feature = "memory", feature = "macros"))]

use std::future::pending;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tidings::{Bus, CallErrorKind, Fate, Server};

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(10);

/// Runs `test` on a thread of its own: one that hangs is a failure.
fn in_time<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = channel();
    thread::spawn(move || done.send(test()));
    let hint = "it ends in time, and without a panic";
    Receiver::recv_timeout(&ended, LONG).expect(hint)
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < end, "never: {what}");
        thread::yield_now();
    }
}

/// C-DL-1: waiting for room is part of the time that a request has.
#[test]
fn a_cast_that_waits_for_room_ends_at_its_deadline() {
    let error = in_time(|| {
        let bus = Bus::open("mem:").unwrap();
        let server = bus.listen("topic").serial().queue(1);
        let server = server.on_async("hold", |(): ()| pending::<()>()).start();
        let server = server.unwrap();
        bus.cast("topic.hold", &()).unwrap();
        until("it runs", || bus.cast("topic.hold", &()).is_ok());
        until("one runs and one waits", || server.load() == 2);
        let request = bus.request::<()>("topic.hold", &()).timeout(SHORT);
        request.cast_when_room().wait().unwrap_err()
    });
    let is_late = matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. });
    assert!(is_late, "{error}");
    assert_eq!(error.fate(), Fate::NotSent);
}

/// A value whose `Drop` panics.
#[derive(Serialize, Deserialize)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("the bomb"));
    }
}

#[tidings::service]
trait Range {
    fn throw(&self, bomb: Bomb);
    async fn hold(&self);
    fn ask(&self) -> u8;
}

struct Quiet;

impl Range for Quiet {
    fn throw(&self, bomb: Bomb) {
        std::mem::forget(bomb);
    }
    async fn hold(&self) {
        pending().await
    }
    fn ask(&self) -> u8 {
        7
    }
}

/// A serial server whose one slot is taken until the promise is dropped.
fn held(bus: &Bus) -> (Server, RangeClient, tidings::Promise<()>) {
    let server = bus.server(RangeServer::new(Quiet)).serial().start();
    let (server, client) = (server.unwrap(), RangeClient::new(bus));
    let held = client.hold().invoke();
    until("it runs", || server.load() == 1);
    (server, client, held)
}

/// A25: the value is the request's own affair.
#[test]
fn a_queued_value_that_panics_when_dropped_harms_neither_caller_nor_server() {
    let bus = Bus::open("mem:").unwrap();
    let (server, client, held) = held(&bus);
    drop(client.throw(Bomb).invoke()); // Withdrawn by this thread.
    until("it is withdrawn", || server.load() == 1);
    client.throw(Bomb).timeout(SHORT).cast().unwrap(); // Dropped by the server's task.
    let late = client.ask().timeout(SHORT).invoke();
    assert!(late.wait().is_err());
    drop(held);
    assert_eq!(client.ask().wait().unwrap(), 7);
    assert!(server.drain_wait(LONG).is_complete());
}
