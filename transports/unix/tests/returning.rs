//! While there is no hub, and when there is one again: who waits, who takes over, and what is left of it.

mod common;
#[path = "common/stream.rs"]
mod stream;
#[path = "common/unlocked.rs"]
mod unlocked;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Directory, LONG, on_each_runtime, open, try_open, until};
use tidings_core::connection::{Event, Role, State};
use tidings_core::runtime::Runtime;
use tidings_core::{Bus, CallErrorKind, Fate, Promise, Server, WhenDisconnected};
use unlocked::{Unlocked, held_lock};

fn serve_ping(bus: &Bus) -> Server {
    bus.listen("ping")
        .on("ping", |n: u32| n + 1)
        .start()
        .unwrap()
}

fn pings(bus: &Bus) -> bool {
    matches!(bus.call::<u32>("ping.ping", &1u32).wait(), Ok(2))
}

fn role(bus: &Bus) -> Option<Role> {
    match bus.state() {
        State::Connected { role, .. } => Some(role),
        _ => None,
    }
}

fn is_away(bus: &Bus) -> bool {
    matches!(bus.state(), State::Disconnected { .. })
}

/// A hub, a member that only connects, and no hub any more.
fn alone(runtime: &Arc<dyn Runtime>, directory: &Directory) -> Bus {
    let hub = open(runtime, &directory.address("?listen"));
    let member = open(runtime, &directory.address("?connect&queue=4"));
    until("it is connected", || role(&member) == Some(Role::Member));
    hub.close();
    until("it has noticed", || is_away(&member));
    member
}

#[test]
fn without_a_connection_a_request_fails_fast_or_waits_as_it_says() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let member = alone(runtime, &directory);
        let ping = |choice| {
            let ping = member.request::<u32>("ping.ping", &1u32);
            ping.when_disconnected(choice)
        };
        let start = Instant::now();
        let error = ping(WhenDisconnected::FailFast).wait().unwrap_err();
        assert!(start.elapsed() < Duration::from_millis(400), "at once");
        let CallErrorKind::NotConnected { address, reason } = error.kind() else {
            panic!("{error}")
        }; // T15
        assert!(
            address.contains("bus.sock") && !reason.is_empty(),
            "{error}"
        );
        assert_eq!(error.fate(), Fate::NotSent);
        let cast = ping(WhenDisconnected::FailFast).cast().unwrap_err();
        assert!(matches!(cast.kind(), CallErrorKind::NotConnected { .. }));

        let waits = ping(WhenDisconnected::Wait).invoke();
        let short = ping(WhenDisconnected::Wait).timeout(Duration::from_millis(50));
        let error = short.wait().unwrap_err();
        assert!(
            matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. }),
            "{error}"
        );
        assert_eq!(error.fate(), Fate::NotSent);
        let brief = Duration::from_millis(700);
        let error = ping(WhenDisconnected::WaitFor(brief)).wait().unwrap_err();
        assert!(matches!(error.kind(), CallErrorKind::NotConnected { .. }));
        let State::Disconnected { since, .. } = member.state() else {
            panic!("{:?}", member.state())
        };
        assert!(since.elapsed() >= brief, "counted from the loss");
        assert!(!waits.is_ready());
        // Longer than requests wait by default.
        let hub = open(runtime, &directory.address("?listen"));
        let _server = serve_ping(&hub);
        match waits.wait() {
            Ok(answer) => assert_eq!(answer, 2),
            // It was there before the server.
            Err(error) => assert!(matches!(error.kind(), CallErrorKind::NoServer { .. })),
        }
        assert_eq!(member.in_flight(), 0);
    });
}

#[test]
fn a_bus_can_say_it_for_all_its_requests() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let hub = open(runtime, &directory.address("?listen"));
        let builder = Bus::builder().runtime(runtime.clone());
        let member = builder
            .when_disconnected(WhenDisconnected::FailFast)
            .open_with(&tidings_unix::Unix, &directory.address("?connect"))
            .unwrap();
        let server = serve_ping(&hub);
        // It has never been disconnected: it waits for the first word of the hub.
        assert!(pings(&member));
        drop((server, hub));
        until("it has noticed", || is_away(&member));
        let error = member.call::<u32>("ping.ping", &1u32).wait().unwrap_err();
        assert!(matches!(error.kind(), CallErrorKind::NotConnected { .. }));
        let waits = member.request::<u32>("ping.ping", &1u32);
        let waits = waits.when_disconnected(WhenDisconnected::Wait); // C-AD-7
        let waits = waits.wait_for_server().invoke();
        let hub = open(runtime, &directory.address("?listen"));
        let _server = serve_ping(&hub);
        assert_eq!(waits.wait().unwrap(), 2);
    });
}

#[test]
fn what_waits_for_a_connection_is_bounded_and_what_is_given_up_makes_room() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let member = alone(runtime, &directory);
        let ping = || {
            let ping = member.request::<u32>("ping.ping", &1u32);
            ping.when_disconnected(WhenDisconnected::Wait)
                .wait_for_server()
        };
        let waiting: Vec<Promise<u32>> = (0..4).map(|_| ping().invoke()).collect();
        let error = ping().wait().unwrap_err();
        assert!(
            matches!(error.kind(), CallErrorKind::QueueFull { .. }),
            "{error}"
        ); // C-OV-1
        assert_eq!(error.fate(), Fate::NotSent);
        drop(waiting);
        until("a place is free", || ping().cast().is_ok());
        // Each of them, though not all at once: what the task just looks at leaves when it looks again.
        let mut again: Vec<Promise<u32>> = Vec::new();
        until("the other places are free", || {
            let ping = ping().invoke();
            if !ping.is_ready() {
                again.push(ping);
            }
            again.len() == 3
        });
        let kept = again.pop().unwrap();
        drop(again);
        let last = ping().cast_when_room();
        last.wait().unwrap();
        let hub = open(runtime, &directory.address("?listen"));
        let _server = serve_ping(&hub);
        assert_eq!(kept.wait().unwrap(), 2);
    });
}

#[test]
fn servers_that_start_while_the_hub_is_away_are_there_when_it_returns() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let member = alone(runtime, &directory);
        let mut events = member.events();
        assert!(matches!(events.next(), Some(Event::Disconnected { .. })));
        let start = Instant::now();
        let _before = serve_ping(&member);
        assert!(start.elapsed() < LONG / 4, "nobody waits for an answer");
        let hub = open(runtime, &directory.address("?listen"));
        let ping = hub.request::<u32>("ping.ping", &1u32).wait_for_server();
        assert_eq!(ping.wait().unwrap(), 2);
        assert!(matches!(
            events.next(),
            Some(Event::Connected {
                role: Role::Member,
                ..
            })
        ));
        // The other order: there it is registered when `start` returns.
        let other = member.listen("other").on("ask", |n: u32| n);
        let _after = other.start().unwrap();
        assert_eq!(hub.call::<u32>("other.ask", &3u32).wait().unwrap(), 3);
    });
}

#[test]
fn another_hub_is_another_epoch_and_the_same_one_is_not() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let epoch = |bus: &Bus| match bus.state() {
            State::Connected { epoch, .. } => Some(epoch),
            _ => None,
        };
        let hub = open(runtime, &directory.address("?listen"));
        let member = open(runtime, &directory.address("?connect"));
        let again = open(runtime, &directory.address("?connect"));
        until("all are there", || {
            epoch(&again).is_some() && epoch(&member).is_some()
        });
        let first = epoch(&hub);
        assert_eq!((epoch(&member), epoch(&again)), (first, first)); // T20
        hub.close();
        let hub = open(runtime, &directory.address("?listen"));
        until("it is back", || epoch(&member) == epoch(&hub));
        assert_ne!(epoch(&hub), first);
    });
}

#[test]
fn who_only_connects_takes_nothing_over_and_who_serves_only_does_not_either() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let member = alone(runtime, &directory);
        // It has tried, and found nobody.
        until("it has looked", || match member.state() {
            State::Disconnected { reason, .. } => reason.contains("No such file"),
            _ => false,
        });
        let missing = try_open(runtime, &directory.address("?connect"));
        assert!(missing.is_err(), "nobody serves it");
        let heir = open(runtime, &directory.address(""));
        assert_eq!(role(&heir), Some(Role::Hub));
        until("it is back", || role(&member) == Some(Role::Member));
        let next = open(runtime, &directory.address(""));
        until("it is there", || role(&next) == Some(Role::Member));
        heir.close();
        until("one takes over", || role(&next) == Some(Role::Hub));
        until("the other is back", || role(&member) == Some(Role::Member));
    });
}

/// C-LC-2: what waited for a connection is routed by who takes over, in its order, and what is made then comes behind.
#[test]
fn what_waited_at_a_takeover_goes_on_in_its_order() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let lock = held_lock(&directory);
        let hub = Unlocked::hub(runtime, &directory);
        let node = open(runtime, &directory.address(""));
        let ran = Arc::new(Mutex::new(Vec::new()));
        let note = ran.clone();
        let server =
            node.listen("note")
                .concurrency(1)
                .queue(4)
                .on_blocking("note", move |n: u32| {
                    note.lock().unwrap().push(n);
                    n
                });
        let server = server.start().unwrap();
        let mut events = node.events();
        assert!(matches!(events.next(), Some(Event::Connected { .. })));
        drop(hub);
        assert!(matches!(events.next(), Some(Event::Disconnected { .. })));
        let request = |n: u32| {
            let request = node.request::<u32>("note.note", &n);
            request.when_disconnected(WhenDisconnected::Wait)
        };
        // More casts than the server's queue has room for.
        for n in 0..50 {
            request(n).cast().unwrap();
        }
        let called = node.request::<u32>("ping.ping", &1u32);
        let called = called.when_disconnected(WhenDisconnected::Wait).invoke();
        let _ping = serve_ping(&node);
        assert!(!called.is_ready() && server.load() == 0);
        drop(lock);
        let Some(Event::Connected { role, .. }) = events.next() else {
            panic!("{:?}", node.state())
        };
        assert_eq!(role, Role::Hub);
        assert_eq!(events.next(), Some(Event::ServersRestored { servers: 2 }));
        assert_eq!(called.wait().unwrap(), 2);
        for n in 50..100 {
            request(n).cast_when_room().wait().unwrap();
        }
        until("all ran", || ran.lock().unwrap().len() == 100);
        assert_eq!(*ran.lock().unwrap(), (0..100).collect::<Vec<_>>()); // C-VB-4
        // It is a hub like any other.
        let member = open(runtime, &directory.address("?connect"));
        assert!(pings(&member));
        drop(server);
        assert_eq!(node.in_flight(), 0);
    });
}

#[test]
fn a_server_may_come_and_go_at_any_moment_of_a_takeover() {
    on_each_runtime(|runtime| {
        for round in 0..6u64 {
            let directory = Directory::new();
            let hub = open(runtime, &directory.address(""));
            let node = open(runtime, &directory.address(""));
            let other = open(runtime, &directory.address("?connect"));
            until("all are there", || {
                role(&node).is_some() && role(&other).is_some()
            });
            std::thread::scope(|scope| {
                scope.spawn(|| hub.close());
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_micros(round * 300));
                    drop(serve_ping(&node));
                });
            });
            let _server = node.listen("stays").on("ask", |n: u32| n).start().unwrap();
            until("one takes over", || role(&node) == Some(Role::Hub));
            until("the others find what stays", || {
                let ask = other.request::<u32>("stays.ask", &1u32);
                matches!(ask.wait_for_server().wait(), Ok(1))
            });
            // The one that went is not there, whenever it went.
            until("it is gone", || {
                let gone = other.call::<u32>("ping.ping", &1u32).wait();
                gone.is_err_and(|error| matches!(error.kind(), CallErrorKind::NoServer { .. }))
            });
        }
    });
}

#[test]
fn a_node_that_is_closed_just_when_it_takes_over_gives_the_address_up() {
    on_each_runtime(|runtime| {
        for round in 0..20u64 {
            let directory = Directory::new();
            let hub = open(runtime, &directory.address(""));
            let node = open(runtime, &directory.address(""));
            until("it is there", || role(&node).is_some());
            std::thread::scope(|scope| {
                scope.spawn(|| hub.close());
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_micros(round * 100));
                    node.close();
                });
            });
            let last = open(runtime, &directory.address(""));
            until("it can be had", || role(&last) == Some(Role::Hub));
        }
    });
}
