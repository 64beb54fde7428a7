//! A handler that keeps the only thread of its runtime (A6).

mod common;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use common::{Directory, LONG, open};
use tidings_core::runtime::{self, Runtime};
use tidings_core::{Bus, CallErrorKind, Fate, Server};

/// How long somebody waits for who does not answer; and what a busy machine may add.
const PATIENCE: Duration = Duration::from_millis(200);
const SLACK: Duration = Duration::from_secs(5);

/// A runtime with one thread, and another one.
fn pairs(test: impl Fn(&Arc<dyn Runtime>, &Arc<dyn Runtime>)) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let tokio = builder.worker_threads(1).enable_all().build().unwrap();
    let tokio = runtime::tokio::handle(tokio.handle().clone());
    let smol = runtime::smol::global();
    test(&tokio, &smol);
    test(&smol, &tokio);
}

/// Its handler keeps its thread until it is told, and takes no more.
fn blocking(bus: &Bus, begun: std::sync::mpsc::Sender<()>, go_on: Receiver<()>) -> Server {
    let go_on = std::sync::Mutex::new(go_on);
    let block = move |()| {
        begun.send(()).unwrap();
        go_on.lock().unwrap().recv().unwrap();
        async {}
    };
    bus.listen("stuck")
        .on_async("block", block)
        .start()
        .unwrap()
}

fn echo(bus: &Bus) -> Server {
    bus.listen("echo").on("say", |n: u32| n).start().unwrap()
}

#[test]
fn whoever_calls_a_process_that_is_blocked_learns_it_in_time_and_all_goes_on_after() {
    pairs(|blocked, other| {
        let directory = Directory::new();
        let hub = open(blocked, &directory.address("?listen"));
        let (begun, begins) = channel();
        let (go_on, waits) = channel();
        let _servers = (blocking(&hub, begun, waits), echo(&hub));
        let [first, second] = [0, 1].map(|_| open(other, &directory.address("?connect")));
        assert_eq!(second.call::<u32>("echo.say", &1_u32).wait().unwrap(), 1);
        let call = first.invoke::<()>("stuck.block", &());
        begins.recv_timeout(LONG).unwrap();

        let asked = Instant::now();
        let late = second.request::<u32>("echo.say", &2_u32).timeout(PATIENCE);
        let error = late.wait().unwrap_err();
        let took = asked.elapsed();
        let is_late = matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. });
        assert!(is_late && error.fate() == Fate::Unknown, "{error}");
        assert!((PATIENCE..PATIENCE + SLACK).contains(&took), "{took:?}");

        assert!(!call.is_ready());
        go_on.send(()).unwrap();
        call.wait().unwrap();
        assert_eq!(second.call::<u32>("echo.say", &3_u32).wait().unwrap(), 3);
        assert_eq!(first.in_flight() + second.in_flight(), 0);
    });
}

/// Handlers for that have threads of their own: the runtime's one goes on.
#[test]
fn a_handler_that_may_block_keeps_nobody() {
    pairs(|one_thread, other| {
        let directory = Directory::new();
        let hub = open(one_thread, &directory.address("?listen"));
        let (begun, begins) = channel();
        let (go_on, waits) = channel();
        let waits = std::sync::Mutex::new(waits);
        let block = move |()| {
            begun.send(()).unwrap();
            waits.lock().unwrap().recv().unwrap();
        };
        let stuck = hub.listen("stuck").on_blocking("block", block);
        let _servers = (stuck.start().unwrap(), echo(&hub));
        let [first, second] = [0, 1].map(|_| open(other, &directory.address("?connect")));
        let call = first.invoke::<()>("stuck.block", &());
        begins.recv_timeout(LONG).unwrap();
        for bus in [&first, &second, &hub] {
            assert_eq!(bus.call::<u32>("echo.say", &1_u32).wait().unwrap(), 1);
        }
        assert!(!call.is_ready());
        go_on.send(()).unwrap();
        call.wait().unwrap();
    });
}
