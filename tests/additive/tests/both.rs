//! Two libraries, one on tokio and one on smol, in one process; and every context that a call can be made in.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tidings::{Bus, Promise, WaitExt};

fn tokio_threads() -> tokio::runtime::Runtime {
    let builder = &mut tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

fn tokio_here() -> tokio::runtime::Runtime {
    let builder = &mut tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

/// Each library's handlers run on its own runtime, whoever calls them.
fn two_libraries_meet(address: &str) {
    let tokio = tokio_threads();
    let on_tokio = tidings_on_tokio::open(address, tokio.handle()).unwrap();
    let on_smol = tidings_on_smol::open(address).unwrap();
    let _servers = [
        tidings_on_tokio::serve(&on_tokio).unwrap(),
        tidings_on_smol::serve(&on_smol).unwrap(),
    ];
    for bus in [&on_tokio, &on_smol] {
        let is_in_tokio: Promise<bool> = bus.invoke("on-tokio.where", &());
        assert!(is_in_tokio.wait().unwrap());
        let thread: Promise<String> = bus.invoke("on-smol.where", &());
        assert!(thread.wait().unwrap().starts_with("smol"));
    }
}

#[test]
fn two_libraries_on_different_runtimes_meet_in_memory() {
    two_libraries_meet("mem:both");
}

#[test]
fn two_libraries_on_different_runtimes_meet_on_a_socket() {
    let directory = tempfile::tempdir().unwrap();
    two_libraries_meet(&format!("unix:{}/bus", directory.path().display()));
}

/// A feature that another library turned on does not change where handlers run.
#[test]
fn a_bus_that_asks_for_no_runtime_gets_none_though_both_are_built_in() {
    let runtime = |bus: &Bus| bus.runtime().name();
    assert_eq!(runtime(&Bus::open("mem:").unwrap()), "none");
    smol::block_on(async {
        assert_eq!(runtime(&Bus::open("mem:").unwrap()), "none");
    });
    tokio_here().block_on(async {
        assert_eq!(runtime(&Bus::open("mem:").unwrap()), "tokio");
    });
}

/// Calls in every way that can be awaited.
async fn ask(bus: Bus) -> [u32; 3] {
    let called = bus.call("ask.add", &(1_u32, 2_u32)).await.unwrap();
    let invoked = bus.invoke("ask.add", &(3_u32, 4_u32)).await.unwrap();
    let slow = bus
        .call("ask.slow", &5_u32)
        .timeout(Duration::from_secs(20));
    [called, invoked, slow.await.unwrap()]
}

const ANSWERS: [u32; 3] = [3, 7, 6];

fn asked(bus: &Bus) -> tidings::Server {
    bus.listen("ask")
        .on("add", |(a, b): (u32, u32)| a + b)
        .on_blocking("slow", |n: u32| n + 1)
        .start()
        .unwrap()
}

/// Each bus is used from a plain thread, inside tokio of both kinds, and inside smol.
fn is_usable_everywhere(bus: &Bus) {
    assert_eq!(ask(bus.clone()).wait(), ANSWERS);
    assert_eq!(smol::block_on(ask(bus.clone())), ANSWERS);
    assert_eq!(smol::block_on(smol::spawn(ask(bus.clone()))), ANSWERS);
    assert_eq!(tokio_here().block_on(ask(bus.clone())), ANSWERS);
    let threads = tokio_threads();
    let task = threads.spawn(ask(bus.clone()));
    assert_eq!(threads.block_on(task).unwrap(), ANSWERS);
    // Built here, moved to another thread, and waited on there.
    let promise = bus.invoke::<u32>("ask.slow", &1_u32);
    let waited = thread::spawn(move || promise.wait().unwrap());
    assert_eq!(waited.join().unwrap(), 2);
    // Polled first in tokio, and then in smol.
    let mut promise = bus.invoke::<u32>("ask.slow", &2_u32);
    let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut promise).poll(cx)));
    let outcome = match tokio_here().block_on(polled) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => smol::block_on(promise),
    };
    assert_eq!(outcome.unwrap(), 3);
}

#[test]
fn a_bus_without_a_runtime_is_usable_everywhere() {
    let bus = Bus::open("mem:").unwrap();
    let _server = asked(&bus);
    is_usable_everywhere(&bus);
}

#[test]
fn a_bus_on_tokio_is_usable_everywhere() {
    let tokio = tokio_threads();
    let directory = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}/bus", directory.path().display());
    for address in ["mem:", &socket] {
        let bus = tidings_on_tokio::open(address, tokio.handle()).unwrap();
        let _server = asked(&bus);
        is_usable_everywhere(&bus);
    }
}

#[test]
fn a_bus_on_smol_is_usable_everywhere() {
    let directory = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}/bus", directory.path().display());
    for address in ["mem:", &socket] {
        let bus = tidings_on_smol::open(address).unwrap();
        let _server = asked(&bus);
        is_usable_everywhere(&bus);
    }
}

/// The runtime that a bus was built on may end first: everything ends, nothing hangs.
#[test]
fn a_bus_survives_the_end_of_its_tokio() {
    let tokio = tokio_threads();
    let bus = tidings_on_tokio::open("mem:", tokio.handle()).unwrap();
    let server = asked(&bus);
    assert_eq!(ask(bus.clone()).wait(), ANSWERS);
    tokio.shutdown_background();
    let promise = bus.invoke::<u32>("ask.add", &(1_u32, 2_u32));
    // With a value or an error: it ends.
    drop(promise.wait());
    drop(server);
    drop(bus);
}
