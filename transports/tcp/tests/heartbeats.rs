//! Calls that want a sign of life, over a wire that stands still (C-DL-6).

mod common;

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use common::proxy::{Proxy, Way};
use common::wire::Wire;
use common::{LONG, hub_at, on_all_runtimes_at_once, open, pings, serve_ping, until};
use tidings_core::{Bus, CallErrorKind, Fate, Promise, Server};

const HEARTBEAT: Duration = Duration::from_millis(500);

/// A server that runs for so long; it tells when it has begun.
fn serve_slow(bus: &Bus) -> (Server, Receiver<()>) {
    let (began, begun) = channel();
    let runtime = bus.runtime().clone();
    let run = move |time: Duration| {
        began.send(()).unwrap();
        let runtime = runtime.clone();
        async move { runtime.sleep(time).await }
    };
    let server = bus.listen("slow").on_async("run", run).start().unwrap();
    (server, begun)
}

fn watched(bus: &Bus, time: Duration) -> Promise<()> {
    let call = bus.request("slow.run", &time);
    call.no_timeout().heartbeat(HEARTBEAT).invoke()
}

/// The call is lost, in about the heartbeat from `since` on.
fn assert_lost(call: Promise<()>, since: Instant) {
    let error = call.wait().unwrap_err();
    let took = since.elapsed();
    let lost = matches!(error.kind(), CallErrorKind::ServerLost { .. });
    assert!(lost, "{error}");
    assert_eq!(error.fate(), Fate::Unknown);
    // A quarter later at the latest; the rest is for busy machines.
    assert!(took <= Duration::from_secs(2), "too late: {took:?}");
}

#[test]
fn a_wire_that_stands_still_is_noticed_in_about_the_heartbeat() {
    on_all_runtimes_at_once(|runtime| {
        Wire::each(|wire| {
            let (hub, address) = hub_at(runtime, &wire.hub("tcp:127.0.0.1:0"));
            let (server, begun) = serve_slow(&hub);
            let _ping = serve_ping(&hub);
            let proxy = Proxy::start(&address, Way::Whole);
            let member = open(runtime, &wire.member(&proxy.address(), "dead_after=30"));
            let asked = Instant::now();
            let call = watched(&member, 10 * LONG);
            begun.recv_timeout(LONG).unwrap();
            let held = Instant::now();
            proxy.hold(true);
            assert_lost(call, held);
            assert!(
                asked.elapsed() >= HEARTBEAT,
                "too soon: {:?}",
                asked.elapsed()
            );
            // The same for a call that does not even come to its server.
            let asked = Instant::now();
            assert_lost(watched(&member, 10 * LONG), asked);
            assert!(
                asked.elapsed() >= HEARTBEAT,
                "too soon: {:?}",
                asked.elapsed()
            );
            assert_eq!(member.in_flight(), 0);
            // It was the wire and not the connection: that goes on, and what nobody waits for ends.
            proxy.hold(false);
            until("it answers again", || pings(&member));
            until("nothing runs any more", || server.load() == 0);
            assert_eq!(proxy.accepted(), 1);
        });
    });
}

#[test]
fn a_call_that_is_beaten_for_may_take_several_times_the_heartbeat() {
    on_all_runtimes_at_once(|runtime| {
        Wire::each(|wire| {
            let (hub, address) = hub_at(runtime, &wire.hub("tcp:127.0.0.1:0"));
            let (_server, _begun) = serve_slow(&hub);
            let proxy = Proxy::start(&address, Way::Whole);
            let member = open(runtime, &wire.member(&proxy.address(), "dead_after=30"));
            let asked = Instant::now();
            watched(&member, 3 * HEARTBEAT).wait().unwrap();
            assert!(asked.elapsed() >= 3 * HEARTBEAT);
        });
    });
}
