//! Requests while there is no hub, and when there is one again (C-LC-2).

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::wire::Wire;
use common::{hub_at, on_each_runtime, open, pings, serve_ping, until};
use tidings_core::connection::State;
use tidings_core::runtime::Runtime;
use tidings_core::{Bus, CallErrorKind, Fate, Request, WhenDisconnected};

/// A member whose hub has gone, and the address at which that was.
fn alone(runtime: &Arc<dyn Runtime>, wire: &Wire) -> (Bus, String) {
    let (hub, address) = hub_at(runtime, &wire.hub("tcp:127.0.0.1:0"));
    let server = serve_ping(&hub);
    let member = open(runtime, &wire.member(&address, "queue=4"));
    assert!(pings(&member));
    drop(server);
    hub.close();
    until("it has noticed", || {
        matches!(member.state(), State::Disconnected { .. })
    });
    (member, address)
}

fn ping(member: &Bus, choice: WhenDisconnected) -> Request<u32> {
    let ping = member.request::<u32>("ping.ping", &1_u32);
    ping.when_disconnected(choice).wait_for_server()
}

/// T15
#[test]
fn without_a_hub_a_request_fails_fast_or_waits_as_it_says() {
    on_each_runtime(|runtime| {
        Wire::each(|wire| {
            let (member, hub_address) = alone(runtime, wire);
            let start = Instant::now();
            let error = ping(&member, WhenDisconnected::FailFast)
                .wait()
                .unwrap_err();
            assert!(start.elapsed() < Duration::from_millis(400), "at once");
            let CallErrorKind::NotConnected { address, reason } = error.kind() else {
                panic!("{error}")
            };
            assert!(
                address.contains(&hub_address) && !reason.is_empty(),
                "{error}"
            );
            let told = error.to_string();
            assert!(
                told.contains(&hub_address) && told.contains(&**reason),
                "{told}"
            );
            assert_eq!(error.fate(), Fate::NotSent);
            let cast = member.request::<()>("ping.ping", &1_u32);
            let cast = cast.when_disconnected(WhenDisconnected::FailFast).cast();
            let error = cast.unwrap_err();
            let away = matches!(error.kind(), CallErrorKind::NotConnected { .. });
            assert!(away, "{error}");
            assert_eq!(error.fate(), Fate::NotSent);

            let waits = ping(&member, WhenDisconnected::Wait).invoke();
            let (deadline, start) = (Duration::from_millis(50), Instant::now());
            let short = ping(&member, WhenDisconnected::Wait).timeout(deadline);
            let error = short.wait().unwrap_err();
            assert!(start.elapsed() >= deadline, "{:?}", start.elapsed());
            let late = matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. });
            assert!(late, "{error}");
            assert_eq!(error.fate(), Fate::NotSent);

            let brief = Duration::from_millis(700);
            let error = ping(&member, WhenDisconnected::WaitFor(brief)).wait();
            let error = error.unwrap_err();
            let away = matches!(error.kind(), CallErrorKind::NotConnected { .. });
            assert!(away, "{error}");
            assert_eq!(error.fate(), Fate::NotSent);
            let State::Disconnected { since, .. } = member.state() else {
                panic!("{:?}", member.state())
            };
            assert!(since.elapsed() >= brief, "counted from the loss");

            assert!(!waits.is_ready());
            let hub = open(runtime, &wire.hub(&hub_address));
            let _server = serve_ping(&hub);
            assert_eq!(waits.wait().unwrap(), 2);
            assert_eq!(member.in_flight(), 0);
        });
    });
}

/// C-OV-1: what waits is bounded, and has its turn when there is a hub again.
#[test]
fn what_waits_for_a_hub_is_bounded_and_is_answered_when_there_is_one() {
    on_each_runtime(|runtime| {
        Wire::each(|wire| {
            let (member, hub_address) = alone(runtime, wire);
            let waiting = [(); 4].map(|()| ping(&member, WhenDisconnected::Wait).invoke());
            let error = ping(&member, WhenDisconnected::Wait).wait().unwrap_err();
            let full = matches!(error.kind(), CallErrorKind::QueueFull { .. });
            assert!(full, "{error}");
            assert_eq!(error.fate(), Fate::NotSent);
            let hub = open(runtime, &wire.hub(&hub_address));
            let _server = serve_ping(&hub);
            for promise in waiting {
                assert_eq!(promise.wait().unwrap(), 2);
            }
            assert_eq!(member.in_flight(), 0);
        });
    });
}
