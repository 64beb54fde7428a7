//! What goes wrong between two processes, and on the wire between them.

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use common::process::{Process, end_with_the_test, say};
use common::proxy::{Proxy, Way};
use common::{
    LONG, hub, on_all_runtimes_at_once, on_each_runtime, open, pings, serve_ping, socket_address,
    until,
};
use tidings_core::runtime::{self, Runtime};
use tidings_core::{Bus, CallErrorKind, Fate, Promise, Server};

/// Tells when it is dropped.
struct Tell(Sender<()>);

impl Drop for Tell {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// A server whose handlers wait for ever; it tells when one has begun, and when one was dropped.
fn serve_slow(bus: &Bus) -> (Server, Receiver<()>, Receiver<()>) {
    let (began, begun) = channel();
    let (ended, has_ended) = channel();
    let wait = move |()| {
        began.send(()).unwrap();
        let tell = Tell(ended.clone());
        async move {
            let _tell = tell;
            std::future::pending::<()>().await;
        }
    };
    let server = bus.listen("slow").on_async("wait", wait).start().unwrap();
    (server, begun, has_ended)
}

fn is_lost(outcome: Result<(), tidings_core::CallError>) {
    let error = outcome.unwrap_err();
    assert_eq!(error.fate(), Fate::Unknown, "{error}");
    let lost = matches!(error.kind(), CallErrorKind::ConnectionLost(_));
    assert!(lost, "{error}");
}

fn start(runtime: &Arc<dyn Runtime>, role: &str, address: &str) -> (Process, String) {
    let mut command = Process::again("as_another_process");
    command
        .env("TIDINGS_TEST_ROLE", role)
        .env("TIDINGS_TEST_RUNTIME", runtime.name())
        .env("TIDINGS_TEST_ADDRESS", address);
    Process::launch(role, &mut command)
}

/// Not a test: what the other processes run.
#[test]
#[ignore = "started by the other tests"]
fn as_another_process() {
    let Ok(role) = std::env::var("TIDINGS_TEST_ROLE") else {
        return;
    };
    let address = std::env::var("TIDINGS_TEST_ADDRESS").unwrap();
    let tokio = tokio::runtime::Runtime::new().unwrap();
    let runtime = match std::env::var("TIDINGS_TEST_RUNTIME").as_deref() {
        Ok("tokio") => runtime::tokio::handle(tokio.handle().clone()),
        _ => runtime::smol::global(),
    };
    end_with_the_test();
    let bus = open(&runtime, &address);
    if role == "hub" {
        let (_slow, begun, _) = serve_slow(&bus);
        let _ping = serve_ping(&bus);
        say(&format!("ready {}", bus.address().unwrap()));
        while let Ok(()) = begun.recv() {
            say("begun");
        }
    }
    let _waiting: Promise<()> = bus.invoke("slow.wait", &());
    say("ready");
    loop {
        thread::park();
    }
}

/// T1, C-LC-2
#[test]
fn a_hub_that_is_killed_is_noticed_at_once_and_found_again() {
    on_each_runtime(|runtime| {
        let (mut hub, address) = start(runtime, "hub", "tcp:127.0.0.1:0?listen");
        let member = open(runtime, &address);
        for _ in 0..3 {
            until("the hub answers", || pings(&member));
            let promises: Vec<Promise<()>> =
                (0..10).map(|_| member.invoke("slow.wait", &())).collect();
            for _ in &promises {
                hub.wait_for("begun");
            }
            let killed = Instant::now();
            hub.kill();
            promises
                .into_iter()
                .for_each(|promise| is_lost(promise.wait()));
            assert!(
                killed.elapsed() < Duration::from_secs(1),
                "{:?}",
                killed.elapsed()
            );
            assert_eq!(member.in_flight(), 0);
            // At the same address, though its connections are still ending there.
            (hub, _) = start(runtime, "hub", &format!("{address}?listen"));
        }
        until("the hub answers", || pings(&member));
    });
}

/// T2
#[test]
fn the_handlers_of_a_caller_that_is_killed_end() {
    on_each_runtime(|runtime| {
        let (hub, address) = hub(runtime);
        let (server, begun, ended) = serve_slow(&hub);
        let (mut caller, _) = start(runtime, "member", &address);
        begun.recv_timeout(LONG).unwrap();
        caller.kill();
        ended.recv_timeout(LONG).unwrap();
        until("its slot is free", || server.load() == 0);
    });
}

/// T10, T11: calls of all sizes in both directions, through a wire that cuts everything.
#[test]
fn bytes_that_come_in_pieces_come_to_the_same() {
    on_each_runtime(|runtime| {
        for most in [1, 7, 4096] {
            let (hub, address) = hub(runtime);
            let proxy = Proxy::start(&address, Way::Pieces(most));
            let member = open(runtime, &proxy.address());
            exchange_all_sizes(&hub, &member);
        }
    });
}

fn exchange_all_sizes(hub: &Bus, member: &Bus) {
    let echo = |bytes: Vec<u8>| bytes;
    let _here = hub.listen("hub").on("echo", echo).start().unwrap();
    let _there = member.listen("member").on("echo", echo).start().unwrap();
    let bytes = |length: usize| (0..length).map(|n| n as u8).collect::<Vec<u8>>();
    for (caller, path) in [(member, "hub.echo"), (hub, "member.echo")] {
        let sizes = [0, 1, 127, 128, 5000, 70_000];
        let promises = sizes.map(|size| caller.invoke::<Vec<u8>>(path, &bytes(size)));
        for (size, promise) in sizes.into_iter().zip(promises) {
            assert_eq!(promise.wait().unwrap(), bytes(size));
        }
    }
}

#[cfg(feature = "tls")]
mod under_tls {
    use super::*;
    use common::certificates::Authority;
    use common::hub_at;

    /// The records of TLS are cut like everything else, within the handshake as well.
    #[test]
    fn bytes_that_come_in_pieces_come_to_the_same() {
        on_each_runtime(|runtime| {
            for most in [1, 7, 4096] {
                let authority = Authority::new();
                let options = authority.certificate(&["hub.test"]).options();
                let listen = format!("tcp:127.0.0.1:0?listen&tls&{options}");
                let (hub, address) = hub_at(runtime, &listen);
                let proxy = Proxy::start(&address, Way::Pieces(most));
                let address = proxy.address();
                let trusted = authority.trusted();
                let member = open(runtime, &format!("{address}?tls&{trusted}&name=hub.test"));
                exchange_all_sizes(&hub, &member);
            }
        });
    }

    /// T31: whatever happens to a byte on the way, no wrong value comes of it.
    #[test]
    fn a_byte_that_is_changed_on_the_way_ends_the_connection() {
        on_each_runtime(|runtime| {
            let authority = Authority::new();
            let options = authority.certificate(&["hub.test"]).options();
            let listen = format!("tcp:127.0.0.1:0?listen&tls&{options}");
            let (hub, address) = hub_at(runtime, &listen);
            let _server = serve_ping(&hub);
            let proxy = Proxy::start(&address, Way::Whole);
            let address = proxy.address();
            let trusted = authority.trusted();
            let member = open(runtime, &format!("{address}?tls&{trusted}&name=hub.test"));
            assert!(pings(&member));
            proxy.corrupt();
            let error = member.call::<u32>("ping.ping", &1_u32).wait().unwrap_err();
            let lost = matches!(error.kind(), CallErrorKind::ConnectionLost(_));
            assert!(lost, "{error}");
            until("a new connection is made", || pings(&member));
            assert_eq!(proxy.accepted(), 2);
        });
    }
}

/// T7: nothing is lost, doubled or reordered; it only takes longer.
#[test]
fn a_wire_that_stands_still_for_two_seconds_delays_and_harms_nothing() {
    on_all_runtimes_at_once(|runtime| {
        let (hub, address) = hub(runtime);
        let proxy = Proxy::start(&address, Way::Whole);
        let member = open(runtime, &proxy.address());
        let (note, noted) = channel();
        let take = move |n: u32| {
            note.send(n).unwrap();
            n
        };
        let _server = hub
            .listen("note")
            .serial()
            .on("take", take)
            .start()
            .unwrap();
        assert_eq!(member.call::<u32>("note.take", &0_u32).wait().unwrap(), 0);
        proxy.hold(true);
        let promises: Vec<Promise<u32>> = (1..100_u32)
            .map(|n| member.invoke("note.take", &n))
            .collect();
        thread::sleep(Duration::from_secs(2)); // The fault itself, not a state that is waited for.
        assert!(promises.iter().all(|promise| !promise.is_ready()));
        proxy.hold(false);
        for (n, promise) in (1..).zip(promises) {
            assert_eq!(promise.wait().unwrap(), n);
        }
        assert!(noted.try_iter().eq(0..100));
        assert_eq!(proxy.accepted(), 1);
    });
}

/// T9, T3
#[test]
fn a_reset_on_the_way_is_a_lost_connection_and_a_new_one_is_made() {
    on_each_runtime(|runtime| {
        let (hub, address) = hub(runtime);
        let (_slow, begun, ended) = serve_slow(&hub);
        let _ping = serve_ping(&hub);
        let proxy = Proxy::start(&address, Way::Whole);
        let (member, other) = (open(runtime, &proxy.address()), open(runtime, &address));
        let promise: Promise<()> = member.invoke("slow.wait", &());
        let beside: Promise<()> = other.invoke("slow.wait", &());
        for _ in 0..2 {
            begun.recv_timeout(LONG).unwrap();
        }
        let reset = Instant::now();
        proxy.reset();
        is_lost(promise.wait());
        assert!(
            reset.elapsed() < Duration::from_secs(1),
            "{:?}",
            reset.elapsed()
        );
        ended.recv_timeout(LONG).unwrap();
        until("it is back", || pings(&member));
        assert_eq!(proxy.accepted(), 2);
        assert!(!beside.is_ready(), "isolated");
    });
}

/// T21: one that accepts and closes is no hub, and is not called without end.
#[test]
fn a_door_that_opens_and_closes_is_knocked_at_with_growing_pauses() {
    on_all_runtimes_at_once(|runtime| {
        let (hub, address) = hub(runtime);
        let proxy = Proxy::start(&address, Way::Whole);
        let member = open(runtime, &proxy.address());
        hub.close();
        // The proxy goes on accepting, and finds nobody behind it.
        let started = Instant::now();
        until("it is refused", || {
            let error = member.call::<u32>("ping.ping", &1_u32).wait().unwrap_err();
            matches!(error.kind(), CallErrorKind::NotConnected { .. })
        });
        assert!(
            started.elapsed() < Duration::from_secs(3),
            "{:?}",
            started.elapsed()
        );
        let before = proxy.knocks();
        thread::sleep(Duration::from_secs(1)); // A rate, and not a state.
        let knocks = proxy.knocks() - before;
        assert!(knocks <= 5, "{knocks} in a second");
        // And when there is a hub again, it is found.
        let hub = open(runtime, &format!("{address}?listen"));
        let _server = serve_ping(&hub);
        until("it is back", || pings(&member));
    });
}

/// T5, P9: something accepts, and never says a word.
#[test]
fn opening_a_bus_at_somebody_who_never_speaks_ends_in_time() {
    on_all_runtimes_at_once(|runtime| {
        let mute = TcpListener::bind("127.0.0.1:0").unwrap();
        let started = Instant::now();
        let address = format!("tcp:{}", mute.local_addr().unwrap());
        let error = common::refused(runtime, &address);
        assert!(error.contains("the handshake took too long"), "{error}");
        let took = started.elapsed();
        assert!((4900..15_000).contains(&took.as_millis()), "{took:?}");
    });
}

/// P7
#[test]
fn whatever_else_connects_harms_nobody_else() {
    on_all_runtimes_at_once(|runtime| {
        let (hub, address) = hub(runtime);
        let _server = serve_ping(&hub);
        let member = open(runtime, &address);
        let garbage: [&[u8]; 3] = [
            b"GET / HTTP/1.1\r\n\r\n",
            &[0xff; 5000],
            b"\x16\x03\x01\x02",
        ];
        for bytes in garbage {
            let mut stream = TcpStream::connect(socket_address(&address)).unwrap();
            stream.set_read_timeout(Some(LONG)).unwrap();
            let _ = stream.write_all(bytes);
            let mut answer = Vec::new();
            let _reset_or_ended = stream.read_to_end(&mut answer);
            assert!(answer.is_empty(), "{answer:?}");
            assert!(pings(&member));
        }
        // And a member that has found something else is told what.
        let web = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = web.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = web.accept().unwrap();
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            let _ = stream.read(&mut [0; 4096]);
        });
        let error = common::refused(runtime, &format!("tcp:{at}"));
        assert!(error.contains("another protocol: `HTTP/1.1`"), "{error}");
    });
}
