//! Starting, stopping, draining, dropping, in any order (C-LC).

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tidings_core::{Bus, CallErrorKind, Fate, Promise, ServeError, Server};

use crate::World;
use crate::stage::{Gate, Journal, eventually};

fn holding(bus: &Bus, gate: &Gate) -> Server {
    let gate = gate.clone();
    bus.listen("topic")
        .serial()
        .on_async("hold", move |n: u32| {
            let gate = gate.clone();
            async move {
                gate.pass().await;
                n
            }
        })
        .start()
        .unwrap()
}

/// C-LC-1, FAULTS-A20
pub fn stop_refuses_what_is_queued_and_lets_end_what_runs(world: &World) {
    let gate = Gate::new();
    let server = holding(world.server(), &gate);
    let running = world.client().invoke::<u32>("topic.hold", &1_u32);
    gate.wait_for(1);
    let queued = world.client().invoke::<u32>("topic.hold", &2_u32);
    eventually("it is queued", || server.load() == 2);
    server.stop();
    server.stop();
    let error = queued.wait().unwrap_err();
    assert_eq!(error.fate(), Fate::NotExecuted);
    // Told by the server, or by a hub that has just lost it.
    let is_stop = matches!(
        error.kind(),
        CallErrorKind::ShuttingDown | CallErrorKind::NoServer { .. }
    );
    assert!(is_stop, "{error}");
    let late = world.client().invoke::<u32>("topic.hold", &3_u32);
    assert!(late.wait().unwrap_err().fate().is_safe_to_repeat());
    gate.open();
    assert_eq!(running.wait().unwrap(), 1);
    assert_eq!(gate.arrived(), 1);
}

/// C-LC-1
pub fn a_dropped_server_lets_end_what_runs(world: &World) {
    let gate = Gate::new();
    let server = holding(world.server(), &gate);
    let running = world.client().invoke::<u32>("topic.hold", &1_u32);
    gate.wait_for(1);
    drop(server);
    gate.open();
    assert_eq!(running.wait().unwrap(), 1);
}

/// C-LC-1
pub fn drain_finishes_what_was_accepted(world: &World) {
    let gate = Gate::new();
    let server = holding(world.server(), &gate);
    let promises: Vec<Promise<u32>> = (0..5_u32)
        .map(|n| world.client().invoke("topic.hold", &n))
        .collect();
    gate.wait_for(1);
    eventually("all are accepted", || server.load() == 5);
    let opener = gate.clone();
    let opens = thread::spawn(move || opener.open());
    let report = server.drain_wait(Duration::from_secs(20));
    assert!(report.is_complete(), "{report:?}");
    assert!(report.finished <= 5, "{report:?}");
    opens.join().unwrap();
    for (n, promise) in promises.into_iter().enumerate() {
        assert_eq!(promise.wait().unwrap() as usize, n);
    }
}

/// C-LC-1
pub fn drain_ends_at_its_deadline_and_says_what_is_left(world: &World) {
    let gate = Gate::new();
    let server = holding(world.server(), &gate);
    let running = world.client().invoke::<u32>("topic.hold", &1_u32);
    gate.wait_for(1);
    let queued = [2_u32, 3].map(|n| world.client().invoke::<u32>("topic.hold", &n));
    eventually("all are accepted", || server.load() == 3);
    let begin = Instant::now();
    let report = server.drain_wait(Duration::from_millis(20));
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(!report.is_complete(), "{report:?}");
    assert_eq!(
        (report.finished, report.cancelled, report.undelivered),
        (0, 1, 2)
    );
    for promise in queued {
        assert_eq!(promise.wait().unwrap_err().fate(), Fate::NotExecuted);
    }
    let again = server.drain_wait(Duration::ZERO);
    assert_eq!(again.undelivered, 0);
    // Told at once, though its handler may take its time to end.
    let error = running.wait().unwrap_err();
    assert_eq!(error.fate(), Fate::Unknown, "{error}");
    eventually("the handler was dropped", || server.load() == 0);
    gate.open();
    assert!(server.drain_wait(Duration::ZERO).is_complete());
}

/// C-LC-1
pub fn stop_and_drain_may_come_from_several_threads(world: &World) {
    for _ in 0..10 {
        let server = world.listen("topic").on("ask", |n: u32| n).start().unwrap();
        let client = world.client().clone();
        let (server, client) = (&server, &client);
        thread::scope(|scope| {
            for n in 0..4 {
                scope.spawn(move || match n % 2 {
                    0 => server.stop(),
                    _ => assert!(server.drain_wait(Duration::from_secs(20)).is_complete()),
                });
            }
            // Answered or refused, it ends.
            scope.spawn(
                move || match client.invoke::<u32>("topic.ask", &1_u32).wait() {
                    Ok(n) => assert_eq!(n, 1),
                    Err(error) => assert!(error.fate().is_safe_to_repeat(), "{error}"),
                },
            );
        });
        eventually("it has nothing left", || server.load() == 0);
    }
}

/// C-LC-3
pub fn a_closed_bus_fails_what_is_outstanding_and_takes_nothing_new(world: &World) {
    let gate = Gate::new();
    let _server = holding(world.server(), &gate);
    let bus = world.passing(|builder| builder.no_timeout());
    let clone = bus.clone();
    let promise = bus.invoke::<u32>("topic.hold", &1_u32);
    gate.wait_for(1);
    bus.close();
    bus.close();
    let error = promise.wait().unwrap_err();
    assert!(matches!(error.kind(), CallErrorKind::Closed), "{error}");
    // It runs, or is being dropped.
    assert_eq!(error.fate(), Fate::Unknown);
    let error = clone.call::<u32>("topic.hold", &2_u32).wait().unwrap_err();
    assert!(matches!(error.kind(), CallErrorKind::Closed), "{error}");
    assert_eq!(error.fate(), Fate::NotSent);
    let error = clone.cast("topic.hold", &3_u32).unwrap_err();
    assert_eq!(error.fate(), Fate::NotSent);
    let refused = clone.listen("other").on("ask", |(): ()| ()).start();
    assert!(matches!(refused, Err(ServeError::Closed { .. })));
    assert_eq!(clone.in_flight(), 0);
}

/// C-LC-3
pub fn dropping_the_last_handle_fails_what_is_outstanding(world: &World) {
    let gate = Gate::new();
    let server = holding(world.server(), &gate);
    let bus = world.passing(|builder| builder.no_timeout());
    let clone = bus.clone();
    let promise = bus.invoke::<u32>("topic.hold", &1_u32);
    gate.wait_for(1);
    drop(bus);
    assert!(!promise.is_ready());
    drop(clone);
    let error = promise.wait().unwrap_err();
    assert!(matches!(error.kind(), CallErrorKind::Closed), "{error}");
    // Nobody waits for it any more: the server is told (C-DL-3).
    eventually("the handler is dropped", || server.load() == 0);
}

/// C-LC-3: a server keeps its bus.
pub fn a_bus_lives_as_long_as_its_server(world: &World) {
    let bus = world.passing(|builder| builder);
    let server = bus.listen("topic").on("ask", |n: u32| n).start().unwrap();
    drop(bus);
    assert_eq!(
        world
            .client()
            .call::<u32>("topic.ask", &1_u32)
            .wait()
            .unwrap(),
        1
    );
    drop(server);
    let error = world
        .client()
        .call::<u32>("topic.ask", &1_u32)
        .wait()
        .unwrap_err();
    // Handed over to a process that was just leaving, it may be unknown.
    assert_ne!(error.fate(), Fate::Executed, "{error}");
}

/// C-LC-3: in any order of drops nothing hangs, and every promise ends.
pub fn no_order_of_drops_hangs(world: &World) {
    for order in permutations([0, 1, 2, 3]) {
        let gate = Gate::new();
        let serving = world.passing(|builder| builder.no_timeout());
        let calling = world.passing(|builder| builder.no_timeout());
        let server = holding(&serving, &gate);
        let kept = calling.invoke::<u32>("topic.hold", &1_u32);
        gate.wait_for(1);
        let dropped = calling.invoke::<u32>("topic.hold", &2_u32);
        let mut serving = Some(serving);
        let mut calling = Some(calling);
        let mut server = Some(server);
        let mut dropped = Some(dropped);
        for part in order {
            match part {
                0 => drop(serving.take()),
                1 => drop(calling.take()),
                2 => drop(server.take()),
                _ => drop(dropped.take()),
            }
        }
        gate.open();
        // With a value or an error, it ends.
        drop(kept.wait());
    }
}

fn permutations(parts: [usize; 4]) -> Vec<[usize; 4]> {
    let mut all = Vec::new();
    for a in parts {
        for b in parts.into_iter().filter(|b| *b != a) {
            for c in parts.into_iter().filter(|c| ![a, b].contains(c)) {
                let d = parts.into_iter().find(|d| ![a, b, c].contains(d));
                all.extend(d.map(|d| [a, b, c, d]));
            }
        }
    }
    assert_eq!(all.len(), 24);
    all
}

/// C-LC-3, FAULTS-A19: the handler has the last handle in its hands, and lets go of it.
pub fn a_handle_may_be_dropped_in_a_handler(world: &World) {
    let bus = world.passing(|builder| builder);
    let last = Arc::new(Mutex::new(Some(bus.clone())));
    let held = last.clone();
    let server = bus.listen("topic");
    let server = server.on_blocking("leave", move |n: u32| {
        drop(held.lock().unwrap().take());
        n
    });
    let server = server.start().unwrap();
    let promise = world.client().invoke::<u32>("topic.leave", &1_u32);
    drop(bus);
    assert_eq!(promise.wait().unwrap(), 1);
    assert!(last.lock().unwrap().is_none());
    drop(server);
}

/// C-LC-4
pub fn a_server_may_start_again_under_its_name_at_once(world: &World) {
    for n in 0..30 {
        let server = world.listen("topic").name("one");
        let server = server.on("ask", move |(): ()| n).start().unwrap();
        let request = world.client().request::<u32>("topic.ask", &());
        assert_eq!(request.to("one").wait().unwrap(), n);
        drop(server);
    }
}

/// C-LC-4
pub fn an_address_may_be_opened_again_at_once(world: &World) {
    for n in 0..10 {
        let serving = world.passing(|builder| builder);
        let calling = world.passing(|builder| builder);
        let server = serving
            .listen("topic")
            .on("ask", move |(): ()| n)
            .start()
            .unwrap();
        assert_eq!(calling.call::<u32>("topic.ask", &()).wait().unwrap(), n);
        if n % 2 == 0 {
            drop((server, serving));
            drop(calling);
        } else {
            drop(calling);
            drop((server, serving));
        }
    }
}

/// C-LC-1
pub fn a_server_that_cannot_start_leaves_nothing_behind(world: &World) {
    let ran = Journal::new();
    let note = ran.clone();
    let twice = world
        .listen("topic")
        .on("ask", |(): ()| ())
        .on("ask", |(): ()| ());
    assert!(matches!(
        twice.start(),
        Err(ServeError::AlreadyRegistered { .. })
    ));
    assert!(matches!(
        world.listen("topic").start(),
        Err(ServeError::NoMethods { .. })
    ));
    let none = world.listen("topic").on("ask", |(): ()| ()).concurrency(0);
    assert!(matches!(none.start(), Err(ServeError::ZeroLimit { .. })));
    let error = world
        .client()
        .call::<()>("topic.ask", &())
        .wait()
        .unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::NoServer { .. }),
        "{error}"
    );
    let server = world.listen("topic").on("ask", move |(): ()| note.note(()));
    let _server = server.start().unwrap();
    world.client().call::<()>("topic.ask", &()).wait().unwrap();
    assert_eq!(ran.len(), 1);
}
