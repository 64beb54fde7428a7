//! Where a bus is opened, awaited, waited on and dropped.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use common::{Directory, LONG, on_each_runtime, open, until};
use tidings_core::{Bus, Fate, Promise};
use tidings_unix::Unix;

fn open_here(address: &str) -> Bus {
    Bus::builder().open_with(&Unix, address).unwrap()
}

fn serve_ping(bus: &Bus) -> tidings_core::Server {
    bus.listen("ping")
        .on("ping", |n: u32| n + 1)
        .start()
        .unwrap()
}

/// Calls until the hub knows the server: on a runtime whose only thread asks, `start` does not
/// wait for the hub's word.
async fn ping(bus: &Bus) -> u32 {
    loop {
        match bus.call::<u32>("ping.ping", &1u32).await {
            Ok(n) => return n,
            Err(error) => assert_eq!(error.fate(), Fate::NotExecuted, "{error}"),
        }
        // The hub's own process learns at once that there is no server: let the others run.
        let mut yielded = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

async fn all_in_one_process(address: String) {
    let hub = open_here(&address);
    let serving = open_here(&address);
    let calling = open_here(&address);
    let _server = serve_ping(&serving);
    for bus in [&hub, &serving, &calling] {
        assert_eq!(ping(bus).await, 2);
    }
}

#[test]
fn everything_on_one_thread_of_tokio() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let directory = Directory::new();
    let address = directory.address("");
    runtime.block_on(async {
        let bus = open_here(&format!("{address}?listen"));
        assert_eq!(bus.runtime().name(), "tokio");
        drop(bus);
        all_in_one_process(address).await;
    });
}

#[test]
fn everything_inside_smol() {
    let directory = Directory::new();
    let address = directory.address("");
    smol::block_on(async {
        let bus = open_here(&format!("{address}?listen"));
        assert_eq!(bus.runtime().name(), "smol");
        drop(bus);
        smol::spawn(all_in_one_process(address)).await;
    });
}

#[test]
fn a_wait_on_the_only_thread_of_a_runtime_is_an_error_and_not_a_deadlock() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let directory = Directory::new();
    runtime.block_on(async {
        let hub = open_here(&directory.address("?listen"));
        let member = open_here(&directory.address("?connect"));
        let _server = serve_ping(&hub);
        let error = member.call::<u32>("ping.ping", &1u32).wait().unwrap_err();
        assert!(error.to_string().contains(".await"), "{error}");
        assert_eq!(ping(&member).await, 2);
    });
}

#[test]
fn a_bus_of_one_runtime_may_be_awaited_in_another_and_waited_on_anywhere() {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let directory = Directory::new();
    let hub = tokio.block_on(async { open_here(&directory.address("?listen")) });
    let member = open_here(&directory.address("?connect"));
    assert_eq!(
        (hub.runtime().name(), member.runtime().name()),
        ("tokio", "smol")
    );
    let _server = serve_ping(&hub);
    assert_eq!(smol::block_on(ping(&hub)), 2);
    assert_eq!(tokio.block_on(ping(&member)), 2);
    assert_eq!(member.call::<u32>("ping.ping", &1u32).wait().unwrap(), 2);
    let inside = tokio.block_on(async { hub.call::<u32>("ping.ping", &1u32).wait() });
    assert_eq!(inside.unwrap(), 2);
}

#[test]
fn when_the_runtime_ends_nothing_hangs() {
    let directory = Directory::new();
    let hub = open_here(&directory.address("?listen"));
    let stuck = |_: ()| std::future::pending::<()>();
    let _server = hub.listen("slow").on_async("wait", stuck).start().unwrap();
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let member = tokio.block_on(async { open_here(&directory.address("?connect")) });
    let server = serve_ping(&member);
    let promise: Promise<()> = member.invoke("slow.wait", &());
    until("it is sent", || hub.in_flight() == 0 && !promise.is_ready());
    drop(tokio);
    assert!(promise.wait().is_err()); // C-LC-3
    assert!(member.call::<u32>("ping.ping", &1u32).wait().is_err());
    drop(server);
    drop(member);
}

#[test]
fn a_cast_leaves_though_its_bus_is_dropped_at_once() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let hub = open(runtime, &directory.address("?listen"));
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let note = move |_: u32| {
            counted.fetch_add(1, Ordering::Relaxed);
        };
        let _server = hub.listen("log").on("note", note).start().unwrap();
        for n in 0..100u32 {
            let member = open(runtime, &directory.address("?connect"));
            member.cast("log.note", &n).unwrap();
        }
        until("all have arrived", || count.load(Ordering::Relaxed) == 100);
    });
}

#[test]
fn drops_in_any_order_hang_nowhere_and_leave_no_descriptor() {
    fn descriptors() -> usize {
        std::fs::read_dir("/proc/self/fd").unwrap().count()
    }
    on_each_runtime(|runtime| {
        let mut before = 0;
        for round in 0..12 {
            let directory = Directory::new();
            let hub = open(runtime, &directory.address("?listen"));
            let member = open(runtime, &directory.address("?connect"));
            let stuck = |_: ()| std::future::pending::<()>();
            let server = member
                .listen("slow")
                .on_async("wait", stuck)
                .start()
                .unwrap();
            let mut promise: Promise<()> = member.invoke("slow.wait", &());
            let mut things: Vec<Box<dyn std::any::Any>> =
                vec![Box::new(hub), Box::new(member), Box::new(server)];
            for _ in 0..3 {
                let at = round % things.len();
                drop(things.swap_remove(at));
            }
            let outcome = promise.wait_timeout(LONG);
            assert!(outcome.is_some(), "it hangs");
            if round == 5 {
                std::thread::sleep(Duration::from_millis(200));
                before = descriptors();
            }
        }
        until("the descriptors are closed", || descriptors() <= before + 4);
    });
}
