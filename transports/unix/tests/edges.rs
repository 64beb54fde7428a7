//! Short lives, and runtimes that have ended, are driven by nobody, or have no thread left.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::{Directory, LONG, on_each_runtime, open, try_open, until};
use tidings_core::{Bus, CallError, CallErrorKind, Fate, PromiseError, runtime};
use tokio::runtime::{Builder, Runtime};

const SHORT: Duration = Duration::from_millis(50);

/// C-VB-1: what was accepted leaves, though the connection is not even open yet.
#[test]
fn what_was_cast_before_the_bus_was_dropped_arrives() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let hub = open(runtime, &directory.address(""));
        let (note, noted) = channel();
        let server = hub
            .listen("topic")
            .on("note", move |n: u32| note.send(n).unwrap());
        let _server = server.start().unwrap();
        for n in 0..5_u32 {
            open(runtime, &directory.address(""))
                .cast("topic.note", &n)
                .unwrap();
            assert_eq!(noted.recv_timeout(LONG), Ok(n));
        }
    });
}

/// C-LC-4: a hub that can serve nobody any more does not hold the address.
#[test]
fn a_hub_whose_runtime_has_ended_gives_its_address_up() {
    let directory = Directory::new();
    let tokio = Runtime::new().unwrap();
    let first = open(
        &runtime::tokio::handle(tokio.handle().clone()),
        &directory.address("?listen"),
    );
    drop(tokio);
    let second = try_open(&runtime::smol::global(), &directory.address("?listen")).unwrap();
    let _server = second
        .listen("topic")
        .on("ask", |n: u32| n)
        .start()
        .unwrap();
    let third = open(&runtime::smol::global(), &directory.address("?connect"));
    assert_eq!(third.call::<u32>("topic.ask", &5_u32).wait().unwrap(), 5);
    drop(first);
    assert_eq!(third.call::<u32>("topic.ask", &6_u32).wait().unwrap(), 6);
}

/// A callback runs on the connection's own task: a wait in it would be one for itself.
#[test]
fn a_callback_that_waits_is_refused_at_once() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let hub = open(runtime, &directory.address(""));
        let gate = Mutex::new(None);
        let server = hub.listen("topic").on("ask", |n: u32| n).start().unwrap();
        let bus = open(runtime, &directory.address(""));
        // Slow enough for the callback to be there before the reply.
        let (open_gate, opened) = channel::<()>();
        *gate.lock().unwrap() = Some(opened);
        let slow = hub.listen("slow").on_blocking("ask", move |(): ()| {
            let opened = gate.lock().unwrap().take().unwrap();
            opened.recv_timeout(LONG).unwrap();
        });
        let _slow = slow.start().unwrap();
        let (tell, told) = channel();
        let again = bus.clone();
        bus.invoke::<()>("slow.ask", &()).on_ready(move |outcome| {
            outcome.unwrap();
            let request = again.request::<u32>("topic.ask", &1_u32);
            tell.send(request.timeout(LONG * 2).wait().unwrap_err())
                .unwrap();
        });
        open_gate.send(()).unwrap();
        let error = told.recv_timeout(LONG - Duration::from_secs(5)).unwrap();
        let refused = matches!(
            error.kind(),
            CallErrorKind::Promise(PromiseError::WouldBlock)
        );
        assert!(refused, "{error}");
        until("nothing is left", || server.load() == 0);
    });
}

fn on(tokio: &Runtime, directory: &Directory) -> Bus {
    let runtime = runtime::tokio::handle(tokio.handle().clone());
    open(&runtime, &directory.address(""))
}

/// Runs `test` on a thread of its own: one that hangs is a failure.
fn in_time<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = channel();
    thread::spawn(move || done.send(test()));
    Receiver::recv_timeout(&ended, LONG).expect("it ends in time, and without a panic")
}

/// C-DL-1: nobody drives the runtime that keeps the deadlines.
#[test]
fn a_wait_beside_a_runtime_that_nobody_drives_ends_at_the_deadline() {
    let error = in_time(|| {
        let directory = Directory::new();
        let tokio = Builder::new_current_thread().enable_all().build().unwrap();
        let bus = on(&tokio, &directory);
        let server = bus.listen("topic").on("ask", |(): ()| ());
        let _server = server.start().unwrap();
        let request = bus.request::<()>("topic.ask", &()).timeout(SHORT);
        request.wait().unwrap_err()
    });
    let is_late = matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. });
    assert!(is_late, "{error}");
    assert_eq!(error.fate(), Fate::NotExecuted);
}

/// C-DL-1: neither the answers nor the list of who is asked come when nobody drives the runtime.
#[test]
fn a_gather_beside_a_runtime_that_nobody_drives_ends_at_the_deadline() {
    let is_late = |error: &CallError| {
        let late = matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. });
        assert!(late, "{error}");
        assert!(error.fate().is_safe_to_repeat(), "{error}");
    };
    let (answers, unasked) = in_time(|| {
        let directory = Directory::new();
        let tokio = Builder::new_current_thread().enable_all().build().unwrap();
        let bus = on(&tokio, &directory);
        let servers = ["a", "b"].map(|name| {
            let server = bus.listen("topic").name(name).on("ask", |(): ()| ());
            server.start().unwrap()
        });
        let gather = |bus: &Bus| {
            let request = bus.request::<()>("topic.ask", &()).timeout(SHORT);
            request.fanout().gather().wait()
        };
        let answers = gather(&bus).unwrap();
        let answers: Vec<_> = answers.into_iter().map(|(_, result)| result).collect();
        let member = on(&tokio, &directory);
        let unasked = gather(&member).unwrap_err();
        drop(servers);
        (answers, unasked)
    });
    assert_eq!(answers.len(), 2);
    answers
        .into_iter()
        .for_each(|result| is_late(&result.unwrap_err()));
    is_late(&unasked);
}

/// C-LC-1, C-LC-3
#[test]
fn drain_ends_at_its_deadline_though_the_runtime_has_ended() {
    let report = in_time(|| {
        let directory = Directory::new();
        let mut builder = Builder::new_multi_thread();
        let tokio = builder.worker_threads(1).enable_all().build().unwrap();
        let bus = on(&tokio, &directory);
        let (starts, started) = channel();
        let (_open, gate) = channel::<()>();
        let gate = Mutex::new(gate);
        let server = bus.listen("topic").on_blocking("hold", move |(): ()| {
            starts.send(()).unwrap();
            let _ = gate.lock().unwrap().recv_timeout(LONG);
        });
        let server = server.start().unwrap();
        bus.invoke::<()>("topic.hold", &()).detach();
        started.recv().unwrap();
        tokio.shutdown_background();
        until("the runtime has ended", || {
            bus.cast("topic.hold", &()).is_err()
        });
        server.drain_wait(SHORT)
    });
    assert_eq!(report.cancelled, 1);
}

/// C-DL-2: a blocking handler that waits for a thread is not started late.
#[test]
fn a_cast_whose_deadline_passes_before_there_is_a_thread_for_it_is_not_started() {
    let directory = Directory::new();
    let mut builder = Builder::new_multi_thread();
    let builder = builder.worker_threads(1).max_blocking_threads(1);
    let tokio = builder.enable_all().build().unwrap();
    let bus = on(&tokio, &directory);
    let (starts, started) = channel();
    let (open_gate, gate) = channel::<()>();
    let (gate, ran) = (Mutex::new(gate), Arc::new(AtomicBool::new(false)));
    let note = ran.clone();
    let server = bus
        .listen("topic")
        .on_blocking("hold", move |(): ()| {
            starts.send(()).unwrap();
            gate.lock().unwrap().recv_timeout(LONG).unwrap();
        })
        .on_blocking("late", move |(): ()| note.store(true, Ordering::SeqCst))
        .on_blocking("last", |(): ()| ());
    let _server = server.start().unwrap();
    let hold = bus.invoke::<()>("topic.hold", &());
    started.recv_timeout(LONG).unwrap();
    let late = bus.request::<()>("topic.late", &()).timeout(SHORT);
    late.cast().unwrap();
    // Its deadline has passed when one of the same length, given later, has.
    let clock = bus.request::<()>("topic.last", &()).timeout(SHORT * 2);
    clock.invoke().wait().unwrap_err();
    open_gate.send(()).unwrap();
    hold.wait().unwrap();
    bus.invoke::<()>("topic.last", &()).wait().unwrap();
    assert!(!ran.load(Ordering::SeqCst));
}
