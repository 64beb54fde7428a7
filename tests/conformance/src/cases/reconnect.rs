//! C-LC-2, C-OC-4: the state of a bus, waiting for a server, and what goes on when the hub goes.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tidings_core::connection::{Event, Events, State};
use tidings_core::{Bus, CallErrorKind, Fate, Promise, Server};

use crate::World;
use crate::stage::{Gate, Journal, eventually};

fn is_connected(bus: &Bus) -> bool {
    matches!(bus.state(), State::Connected { .. })
}

fn waiting<T>(bus: &Bus, path: &str, n: u32) -> tidings_core::Request<T> {
    bus.request(path, &n).wait_for_server()
}

/// A server on `topic` that writes down what it is asked.
fn noting(bus: &Bus, topic: &str, journal: &Journal<u32>) -> Server {
    let journal = journal.clone();
    let note = move |n: u32| {
        journal.note(n);
        n
    };
    bus.listen(topic).on("note", note).start().unwrap()
}

/// C-LC-2
pub fn a_bus_says_that_it_is_connected_until_it_is_closed(world: &World) {
    let bus = world.passing(|builder| builder);
    let _others = (world.server(), world.client());
    eventually("it is connected", || is_connected(&bus));
    let mut events = bus.events();
    assert!(matches!(events.next(), Some(Event::Connected { .. })));
    let clone = bus.clone();
    bus.close();
    assert_eq!(clone.state(), State::Closed);
    assert_eq!(events.collect::<Vec<_>>(), [Event::Closed]);
    assert_eq!(clone.events().collect::<Vec<_>>(), [Event::Closed]);
}

/// C-LC-2, C-LC-3: whoever listens does not keep the bus open.
pub fn events_end_when_the_last_handle_is_dropped(world: &World) {
    let bus = world.passing(|builder| builder);
    eventually("it is connected", || is_connected(&bus));
    let mut events = bus.events();
    assert!(matches!(events.next(), Some(Event::Connected { .. })));
    drop(bus);
    let seen = world.run(async move {
        let mut seen = Vec::new();
        while let Some(event) = events.changed().await {
            seen.push(event);
        }
        seen
    });
    assert_eq!(seen, [Event::Closed]);
}

/// C-OC-4
pub fn a_request_may_wait_for_its_server(world: &World) {
    let ran = Journal::new();
    let request = waiting::<u32>(world.client(), "topic.note", 1);
    let called = thread::spawn(move || request.wait());
    eventually("it is called", || world.client().in_flight() == 1);
    let server = noting(world.server(), "topic", &ran);
    assert_eq!(called.join().unwrap().unwrap(), 1);
    drop(server);
    eventually("the server is gone", || {
        let gone = world.client().call::<u32>("topic.note", &0_u32).wait();
        gone.is_err_and(|error| matches!(error.kind(), CallErrorKind::NoServer { .. }))
    });

    let invoked = waiting::<u32>(world.client(), "topic.note", 2).invoke();
    waiting::<u32>(world.client(), "topic.note", 3)
        .cast()
        .unwrap();
    waiting::<u32>(world.client(), "topic.note", 4)
        .cast_when_room()
        .wait()
        .unwrap();
    assert!(!invoked.is_ready());
    let _server = noting(world.server(), "topic", &ran);
    assert_eq!(invoked.wait().unwrap(), 2);
    ran.wait_for(4);
    assert_eq!(ran.take(), [1, 2, 3, 4]); // C-VB-4
}

/// C-OC-4, C-VB-4: what waited starts first, in its order.
pub fn what_waited_for_a_server_is_not_overtaken(world: &World) {
    const WAITING: u32 = 100;
    let ran = Journal::new();
    let client = world.client();
    let mut promises: Vec<Promise<u32>> = (0..WAITING)
        .map(|n| waiting(client, "topic.note", n).invoke())
        .collect();
    let _server = noting(world.server(), "topic", &ran);
    let later = WAITING..WAITING * 2;
    promises.extend(later.map(|n| client.invoke("topic.note", &n)));
    for (n, promise) in promises.into_iter().enumerate() {
        assert_eq!(promise.wait().unwrap() as usize, n);
    }
    assert_eq!(ran.take(), (0..WAITING * 2).collect::<Vec<_>>());
}

/// C-OC-4, C-AD-3
pub fn who_waits_for_one_server_is_served_by_no_other(world: &World) {
    let (one, two) = (Journal::new(), Journal::new());
    let request = waiting::<u32>(world.client(), "topic.note", 1);
    let for_two = request.to("two").invoke();
    let start = |name: &str, journal: &Journal<u32>| {
        let journal = journal.clone();
        let server = world.listen("topic").name(name);
        let server = server.on("note", move |n: u32| {
            journal.note(n);
            n
        });
        server.start().unwrap()
    };
    let _one = start("one", &one);
    let request = waiting::<u32>(world.client(), "topic.note", 2);
    assert_eq!(request.wait().unwrap(), 2);
    assert!(!for_two.is_ready());
    let _two = start("two", &two);
    assert_eq!(for_two.wait().unwrap(), 1);
    assert_eq!((one.take(), two.take()), (vec![2], vec![1]));
}

/// C-OC-4, C-DL-1
pub fn who_waits_in_vain_is_told_at_the_deadline_and_leaves_nothing(world: &World) {
    let start = Instant::now();
    let timeout = Duration::from_secs(1);
    let request = waiting::<u32>(world.client(), "topic.note", 1).timeout(timeout);
    let promise = request.invoke();
    let cast = waiting::<u32>(world.client(), "topic.note", 2);
    cast.timeout(timeout / 2).cast().unwrap();
    let error = promise.wait().unwrap_err();
    let took = start.elapsed();
    assert!(took >= timeout * 9 / 10 && took < timeout * 10, "{took:?}");
    match error.kind() {
        CallErrorKind::NoServer { .. } => assert_eq!(error.fate(), Fate::NotExecuted, "{error}"),
        // The word that nothing ran was late: the caller knows less, and nothing wrong.
        CallErrorKind::DeadlineExceeded { .. } => {
            assert_ne!(error.fate(), Fate::Executed, "{error}");
        }
        _ => panic!("{error}"),
    }
    assert_eq!(world.client().in_flight(), 0);
    // Neither runs when a server comes after all.
    let ran = Journal::new();
    let _server = noting(world.server(), "topic", &ran);
    assert_eq!(
        world
            .client()
            .call::<u32>("topic.note", &3_u32)
            .wait()
            .unwrap(),
        3
    );
    assert_eq!(ran.take(), [3]);
}

/// C-OC-4, C-DL-3
pub fn who_waits_for_a_server_can_be_cancelled(world: &World) {
    let _fence = noting(world.server(), "fence", &Journal::new());
    let client = world.client();
    let dropped = waiting::<u32>(client, "topic.note", 1).invoke();
    let mut cancelled = waiting::<u32>(client, "topic.note", 2).invoke();
    let kept = waiting::<u32>(client, "topic.note", 3).invoke();
    drop(dropped);
    cancelled.cancel();
    let error = cancelled.wait().unwrap_err();
    assert!(matches!(error.kind(), CallErrorKind::Cancelled), "{error}");
    assert_eq!(client.in_flight(), 1);
    // What was cancelled has left the line when something behind the cancels is answered.
    assert_eq!(client.call::<u32>("fence.note", &4_u32).wait().unwrap(), 4);
    let ran = Journal::new();
    let _server = noting(world.server(), "topic", &ran);
    assert_eq!(kept.wait().unwrap(), 3);
    assert_eq!(ran.take(), [3]);
}

/// C-OC-4, C-OV-1, C-OV-2: how many may wait is bounded, and they hold up no others.
pub fn many_who_wait_for_a_server_hold_up_nobody(world: &World) {
    let ran = Journal::new();
    let _server = noting(world.server(), "there", &ran);
    let client = world.client();
    let most = world.most_in_flight() as u32;
    let promises: Vec<Promise<u32>> = (0..most)
        .map(|n| waiting(client, "missing.note", n).invoke())
        .collect();
    for n in 0..10_u32 {
        assert_eq!(client.call::<u32>("there.note", &n).wait().unwrap(), n);
    }
    let _missing = noting(world.server(), "missing", &Journal::new());
    let (mut answered, mut refused) = (0, 0);
    for (n, promise) in promises.into_iter().enumerate() {
        match promise.wait() {
            Ok(answer) => {
                assert_eq!(answer as usize, n);
                answered += 1;
            }
            Err(error) => {
                assert!(
                    matches!(error.kind(), CallErrorKind::Busy { .. }),
                    "{error}"
                );
                assert_eq!(error.fate(), Fate::NotExecuted);
                refused += 1;
            }
        }
    }
    assert!(answered > 0 && refused > 0, "{answered}, {refused}");
}

/// C-LC-2: whose hub goes comes back by itself, with its servers.
pub fn all_goes_on_when_the_hub_goes(world: &World) {
    let ran = Journal::new();
    let _server = noting(world.server(), "topic", &ran);
    let buses = [world.server(), world.client()];
    let ask = |n: u32| waiting::<u32>(world.client(), "topic.note", n).wait();
    assert_eq!(ask(1).unwrap(), 1);
    let epochs = buses.map(epoch);
    let mut events = buses.map(Bus::events);
    for events in &mut events {
        assert!(matches!(next(events), Event::Connected { .. }));
    }
    if !world.lose_the_hub() {
        return world.skip("there is no hub that the case could do without");
    }
    assert_eq!(epochs[0], epochs[1], "they were at one hub");
    for (events, bus) in events.iter_mut().zip(buses) {
        let lost = next(events);
        assert!(matches!(lost, Event::Disconnected { .. }), "{lost:?}");
        let back = next(events);
        assert!(matches!(back, Event::Connected { .. }), "{back:?}");
        assert!(is_connected(bus));
    }
    let restored = next(&mut events[0]);
    assert_eq!(restored, Event::ServersRestored { servers: 1 });
    assert_ne!(epoch(buses[0]), epochs[0], "it is another hub's time");
    assert_eq!(epoch(buses[0]), epoch(buses[1]));
    assert_eq!(ask(2).unwrap(), 2);
    assert_eq!(
        world
            .server()
            .call::<u32>("topic.note", &3_u32)
            .wait()
            .unwrap(),
        3
    );
    // A server that is new is found as well.
    let another = world.client().listen("other").on("ask", |n: u32| n);
    let _another = another.start().unwrap();
    let asked = world.server().request::<u32>("other.ask", &4_u32);
    assert_eq!(asked.wait_for_server().wait().unwrap(), 4);
    assert_eq!(ran.take(), [1, 2, 3]);
}

/// C-LC-2, C-AD-4: and with their subscriptions. Whoever was at the old hub is asked once by a fanout over the new one.
pub fn fanouts_reach_every_server_once_when_the_hub_has_gone(world: &World) {
    const NAMES: [&str; 4] = ["a", "b", "c", "d"];
    const TIMES: u32 = 5;
    let took = Journal::new();
    let third = world.another();
    let buses = [world.server(), world.server(), world.client(), &third];
    let _servers: Vec<Server> = NAMES
        .into_iter()
        .zip(buses)
        .map(|(name, bus)| {
            let took = took.clone();
            let server = bus.listen("news").name(name);
            let server = server.on("take", move |n: u32| took.note((name, n)));
            server.start().unwrap()
        })
        .collect();
    let everybody = |n: u32| world.client().request::<()>("news.take", &n).fanout();
    let took_once = |n: u32| {
        let mut took = took.take();
        took.sort_unstable();
        assert_eq!(took, NAMES.map(|name| (name, n)), "each one once");
    };
    assert_eq!(everybody(0).gather().wait().unwrap().into_iter().count(), 4);
    took_once(0);
    if !world.lose_the_hub() {
        return world.skip("there is no hub that the case could do without");
    }
    for name in NAMES {
        let asked = world.client().request::<()>("news.take", &1_u32);
        asked.to(name).wait_for_server().wait().unwrap();
    }
    took_once(1);
    for n in (2..).take(TIMES as usize) {
        let answers = everybody(n).gather().wait().unwrap();
        let mut names: Vec<String> = answers
            .into_iter()
            .map(|(name, result)| result.map(|()| name.to_string()).unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(names, NAMES);
        took_once(n);
    }
    for n in (10..).take(TIMES as usize) {
        everybody(n).cast().unwrap();
        took.wait_for(NAMES.len());
        // What comes behind the copies, so that one too many would have been seen.
        for name in NAMES {
            let request = world.client().request::<()>("news.take", &n);
            request.to(name).wait().unwrap();
        }
        let mut took = took.take();
        took.sort_unstable();
        let expected = NAMES.map(|name| [(name, n); 2]);
        assert_eq!(took, expected.as_flattened(), "a copy and a call each");
    }
}

/// C-LC-2, C-OC: what was on its way over it fails at once, and what is made then goes on.
pub fn what_was_in_flight_fails_at_once_when_the_hub_goes(world: &World) {
    let gate = Gate::new();
    let passing = gate.clone();
    let hold = move |n: u32| {
        let passed = passing.pass();
        async move {
            passed.await;
            n
        }
    };
    let server = world.listen("topic").on_async("hold", hold);
    let server = Arc::new(server.start().unwrap());
    let held = world.client().invoke::<u32>("topic.hold", &1_u32);
    gate.wait_for(1);
    let lost = Instant::now();
    if !world.lose_the_hub() {
        gate.open();
        assert_eq!(held.wait().unwrap(), 1);
        return world.skip("there is no hub that the case could do without");
    }
    let error = held.wait().unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::ConnectionLost(_)),
        "{error}"
    );
    assert_eq!(error.fate(), Fate::Unknown, "{error}");
    assert!(
        lost.elapsed() < Duration::from_secs(10),
        "{:?}",
        lost.elapsed()
    );
    gate.open();
    let asked = world.client().request::<u32>("topic.hold", &2_u32);
    assert_eq!(asked.wait_for_server().wait().unwrap(), 2);
    eventually("nothing runs on", || server.load() == 0);
}

fn epoch(bus: &Bus) -> tidings_core::connection::Epoch {
    match bus.state() {
        State::Connected { epoch, .. } => epoch,
        other => panic!("{other:?}"),
    }
}

fn next(events: &mut Events) -> Event {
    let next = events.wait_timeout(Duration::from_secs(20));
    next.expect("it happens in time").expect("the bus is open")
}
