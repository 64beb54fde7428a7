//! What the tests of this crate share.
#![allow(dead_code, reason = "each test file uses some of it")]

#[cfg(feature = "tls")]
pub(crate) mod certificates;
#[path = "../../../../tests/common/process.rs"]
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod wire;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidings_core::runtime::{self, Runtime};
use tidings_core::{Bus, OpenError, Server};
use tidings_tcp::Tcp;

/// The longest that anything may take.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Runs `test` on each runtime.
pub(crate) fn on_each_runtime(test: impl Fn(&Arc<dyn Runtime>)) {
    with_runtimes(|runtimes| {
        for runtime in runtimes {
            eprintln!("on {}", runtime.name());
            test(runtime);
        }
    });
}

/// The same at the same time, for tests that wait for a limit of several seconds.
pub(crate) fn on_all_runtimes_at_once(test: impl Fn(&Arc<dyn Runtime>) + Sync) {
    with_runtimes(|runtimes| {
        std::thread::scope(|scope| {
            for runtime in runtimes {
                scope.spawn(|| test(runtime));
            }
        });
    });
}

pub(crate) fn with_runtimes(run: impl FnOnce(&[Arc<dyn Runtime>])) {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    run(&[
        runtime::tokio::handle(tokio.handle().clone()),
        runtime::smol::global(),
    ]);
}

pub(crate) fn try_open(runtime: &Arc<dyn Runtime>, address: &str) -> Result<Bus, OpenError> {
    Bus::builder()
        .runtime(runtime.clone())
        .open_with(&Tcp::new(), address)
}

pub(crate) fn open(runtime: &Arc<dyn Runtime>, address: &str) -> Bus {
    try_open(runtime, address).unwrap()
}

/// Opening `address` fails: with this text.
pub(crate) fn refused(runtime: &Arc<dyn Runtime>, address: &str) -> String {
    try_open(runtime, address).unwrap_err().to_string()
}

/// A hub on this host, at a port that the system chose, and the address by which to connect.
pub(crate) fn hub(runtime: &Arc<dyn Runtime>) -> (Bus, String) {
    hub_at(runtime, "tcp:127.0.0.1:0?listen")
}

pub(crate) fn hub_at(runtime: &Arc<dyn Runtime>, address: &str) -> (Bus, String) {
    let hub = open(runtime, address);
    let address = hub.address().unwrap();
    (hub, address)
}

/// Where a hub or a proxy is, of its address.
pub(crate) fn socket_address(address: &str) -> SocketAddr {
    address.strip_prefix("tcp:").unwrap().parse().unwrap()
}

/// A port of this host on which nobody listens.
pub(crate) fn dead_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

pub(crate) fn serve_ping(bus: &Bus) -> Server {
    let server = bus.listen("ping").on("ping", |n: u32| n + 1);
    server.start().unwrap()
}

pub(crate) fn pings(bus: &Bus) -> bool {
    matches!(bus.call::<u32>("ping.ping", &1_u32).wait(), Ok(2))
}

/// Waits until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(1)); // Two cores: those waited for need them.
    }
}
