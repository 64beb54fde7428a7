//! What happens to requests when a process goes away, and how the others come back.

mod common;

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use common::{Directory, LONG, on_each_runtime, open, until};
use tidings_core::runtime::Runtime;
use tidings_core::{Bus, CallErrorKind, Fate, Promise, Request, Server, WhenDisconnected};
use tidings_unix::Unix;

/// A server whose handler tells that it has begun, and waits until the test lets go of it.
fn serve_slow(bus: &Bus) -> (Server, std::sync::mpsc::Receiver<u32>) {
    let (began, begun) = channel();
    let slow = move |n: u32| {
        let began = began.clone();
        async move {
            began.send(n).unwrap();
            std::future::pending::<()>().await;
        }
    };
    (
        bus.listen("slow").on_async("wait", slow).start().unwrap(),
        begun,
    )
}

fn serve_ping(bus: &Bus) -> Server {
    bus.listen("ping")
        .on("ping", |n: u32| n + 1)
        .start()
        .unwrap()
}

fn pings(bus: &Bus) -> bool {
    matches!(bus.call::<u32>("ping.ping", &1u32).wait(), Ok(2))
}

fn hub_and_member(runtime: &Arc<dyn Runtime>, directory: &Directory) -> (Bus, Bus) {
    let hub = open(runtime, &directory.address("?listen"));
    let member = open(runtime, &directory.address("?connect"));
    (hub, member)
}

#[test]
fn when_the_hub_goes_what_was_sent_is_unknown_and_fails_at_once() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let (hub, member) = hub_and_member(runtime, &directory);
        let other = open(runtime, &directory.address("?connect"));
        let (_server, begun) = serve_slow(&other);
        let promise: Promise<()> = member.invoke("slow.wait", &1u32);
        assert_eq!(begun.recv_timeout(LONG).unwrap(), 1);
        let start = Instant::now();
        drop(hub);
        let error = promise.wait().unwrap_err();
        assert_eq!(error.fate(), Fate::Unknown, "{error}");
        assert!(
            matches!(error.kind(), CallErrorKind::ConnectionLost(_)),
            "{error}"
        );
        assert!(
            start.elapsed() < Duration::from_secs(1),
            "{:?}",
            start.elapsed()
        );
        assert_eq!(member.in_flight(), 0);
    });
}

#[test]
fn when_a_member_goes_its_callers_and_its_handlers_learn_it() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let (hub, member) = hub_and_member(runtime, &directory);
        let (ended, has_ended) = channel();
        struct Tell(std::sync::mpsc::Sender<()>);
        impl Drop for Tell {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let (began, begun) = channel();
        let handler = move |_: ()| {
            let (tell, began) = (Tell(ended.clone()), began.clone());
            async move {
                let _tell = tell;
                began.send(()).unwrap();
                std::future::pending::<()>().await;
            }
        };
        let _server = hub.listen("hub").on_async("wait", handler).start().unwrap();
        let promise: Promise<()> = member.invoke("hub.wait", &());
        begun.recv_timeout(LONG).unwrap();
        drop(member);
        has_ended.recv_timeout(LONG).unwrap(); // T2: the handler of a caller that has gone ends.
        assert!(promise.wait().is_err());

        let member = open(runtime, &directory.address("?connect"));
        let (server, begun) = serve_slow(&member);
        let promise: Promise<()> = hub.invoke("slow.wait", &1u32);
        begun.recv_timeout(LONG).unwrap();
        member.close();
        let error = promise.wait().unwrap_err();
        assert_eq!(error.fate(), Fate::Unknown, "{error}");
        drop(server);
        until("its server is forgotten", || {
            let outcome = hub.call::<()>("slow.wait", &1u32).wait();
            matches!(outcome.unwrap_err().kind(), CallErrorKind::NoServer { .. })
        });
        assert_eq!(hub.in_flight(), 0);
    });
}

#[test]
fn members_come_back_with_their_servers_when_the_address_is_served_again() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let (hub, serving) = hub_and_member(runtime, &directory);
        let calling = open(runtime, &directory.address("?connect"));
        let _server = serve_ping(&serving);
        assert!(pings(&calling));
        let mut hub = hub;
        for _ in 0..3 {
            hub.close();
            hub = open(runtime, &directory.address("?listen")); // C-LC-2
            until("the members are back", || pings(&calling) && pings(&hub));
        }
    });
}

#[test]
fn without_a_hub_requests_wait_a_moment_and_then_fail_at_once() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let (hub, member) = hub_and_member(runtime, &directory);
        let server = serve_ping(&hub);
        assert!(pings(&member));
        drop(server);
        drop(hub);
        // The first may find the old connection still there; none waits for its deadline of 30 s.
        let start = Instant::now();
        until("requests are refused", || {
            let error = member.call::<u32>("ping.ping", &1u32).wait().unwrap_err();
            assert!(
                error.is_retryable() || error.fate() == Fate::Unknown,
                "{error}"
            );
            matches!(error.kind(), CallErrorKind::NotConnected { .. })
        });
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "{:?}",
            start.elapsed()
        );
        let start = Instant::now();
        let error = member.call::<u32>("ping.ping", &1u32).wait().unwrap_err();
        assert_eq!(error.fate(), Fate::NotSent);
        assert!(error.to_string().contains("bus.sock"), "{error}");
        assert!(
            start.elapsed() < Duration::from_millis(100),
            "{:?}",
            start.elapsed()
        );
        assert_eq!(member.in_flight(), 0);
    });
}

/// C-AD-7: request over handle over bus.
#[test]
fn what_a_disconnected_request_does_is_said_by_whoever_is_nearest_to_it() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let hub = open(runtime, &directory.address("?listen"));
        let builder = Bus::builder().runtime(runtime.clone());
        let waiting = builder
            .when_disconnected(WhenDisconnected::Wait)
            .timeout(Duration::from_millis(200))
            .open_with(&Unix, &directory.address("?connect"))
            .unwrap();
        let hasty = waiting.with_when_disconnected(WhenDisconnected::FailFast);
        let server = serve_ping(&hub);
        assert!(pings(&waiting));
        drop((server, hub));
        let ping = |bus: &Bus| bus.request::<u32>("ping.ping", &1u32);
        let waits = |request: Request<u32>| {
            let error = request.wait().unwrap_err();
            assert_eq!(error.fate(), Fate::NotSent, "{error}");
            matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. })
        };
        until("the connection is known to be lost", || {
            let error = ping(&hasty).wait().unwrap_err();
            matches!(error.kind(), CallErrorKind::NotConnected { .. })
        });
        assert!(waits(ping(&waiting)));
        assert!(!waits(ping(&hasty)));
        assert!(waits(
            ping(&hasty).when_disconnected(WhenDisconnected::Wait)
        ));
        assert!(!waits(
            ping(&waiting).when_disconnected(WhenDisconnected::FailFast)
        ));
        // Deriving the hasty one changed nothing on its parent, and it may be taken back.
        let again = hasty.with_when_disconnected(WhenDisconnected::Wait);
        assert!(waits(ping(&again)));
    });
}

#[test]
fn requests_made_while_the_hub_is_replaced_go_to_the_new_one() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let (hub, member) = hub_and_member(runtime, &directory);
        let _server = serve_ping(&hub);
        assert!(pings(&member));
        hub.close();
        let hub = open(runtime, &directory.address("?listen"));
        let _server = serve_ping(&hub);
        until("it is connected to the new hub", || pings(&member));
    });
}
