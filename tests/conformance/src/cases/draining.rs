//! Stopping, starting again, draining and closing, of servers and of a whole bus (C-LC-1).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tidings_core::{Bus, CallError, CallErrorKind, Fate, Promise, ServeError, Server};

use crate::World;
use crate::stage::{Gate, Journal, NoteOnDrop, eventually};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(20);

/// A serial server on `topic` whose method `hold` waits at the gate.
fn holding(bus: &Bus, gate: &Gate) -> Server {
    let gate = gate.clone();
    let server = bus.listen("topic").serial();
    let server = server.on_async("hold", move |n: u32| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            n
        }
    });
    server.start().unwrap()
}

fn asking(bus: &Bus) -> Server {
    bus.listen("topic").on("ask", |n: u32| n).start().unwrap()
}

fn ask(bus: &Bus, n: u32) -> Result<u32, tidings_core::CallError> {
    bus.call("topic.ask", &n).wait()
}

/// Of a request that a server or a bus did not take because it goes.
fn is_refused(error: &tidings_core::CallError) {
    assert!(error.fate().is_safe_to_repeat(), "{error}");
    let is_stop = matches!(
        error.kind(),
        CallErrorKind::ShuttingDown | CallErrorKind::NoServer { .. }
    );
    assert!(is_stop, "{error}");
}

/// C-LC-1
pub fn a_stopped_server_starts_again_under_its_name(world: &World) {
    let server = world.listen("topic").name("one");
    let server = server.on("ask", |n: u32| n).start().unwrap();
    let client = world.client();
    for round in 0..20_u32 {
        assert_eq!(ask(client, round).unwrap(), round);
        match round % 3 {
            0 => server.stop(),
            1 => assert!(server.drain_wait(LONG).is_complete()),
            _ => {
                server.stop();
                server.stop();
                assert!(server.drain_wait(LONG).is_complete());
            }
        }
        is_refused(&ask(client, round).unwrap_err());
        server.start().unwrap();
        server.start().unwrap();
        assert_eq!(server.name(), "one");
        let to_it = client.request::<u32>("topic.ask", &round).to("one");
        assert_eq!(to_it.wait().unwrap(), round);
    }
}

/// C-LC-1, C-DL-4: handlers of its last life have their slots until they end.
pub fn what_ran_before_counts_in_a_server_that_starts_again(world: &World) {
    let gate = Gate::new();
    let server = holding(world.server(), &gate);
    let client = world.client();
    let first = client.invoke::<u32>("topic.hold", &1_u32);
    gate.wait_for(1);
    server.stop();
    server.start().unwrap();
    let second = client.invoke::<u32>("topic.hold", &2_u32);
    eventually("it is queued", || server.load() == 2);
    assert_eq!(gate.arrived(), 1, "it is serial");
    gate.open();
    assert_eq!(first.wait().unwrap(), 1);
    assert_eq!(second.wait().unwrap(), 2);
}

/// C-LC-1: the drain of its last life ends nothing of the next one.
pub fn a_server_that_is_started_while_it_drains_goes_on(world: &World) {
    let gate = Gate::new();
    let server = holding(world.server(), &gate);
    let client = world.client();
    let running = client.invoke::<u32>("topic.hold", &1_u32);
    gate.wait_for(1);
    let queued = client.invoke::<u32>("topic.hold", &2_u32);
    eventually("it is queued", || server.load() == 2);
    thread::scope(|scope| {
        let drained = scope.spawn(|| server.drain_wait(LONG));
        takes_nothing_more(client);
        server.start().unwrap();
        // Nothing was ended by it, and nothing had come to its end.
        let report = drained.join().unwrap();
        assert!(report.is_complete(), "{report:?}");
        assert_eq!(report.finished, 0);
    });
    let third = client.invoke::<u32>("topic.hold", &3_u32);
    eventually("it is queued too", || server.load() == 3);
    gate.open();
    for (n, promise) in (1..).zip([running, queued, third]) {
        assert_eq!(promise.wait().unwrap(), n);
    }
}

/// Waits until a method that does not exist is refused because the server goes.
fn takes_nothing_more(client: &Bus) {
    eventually("it takes nothing more", || {
        let error = client.call::<()>("topic.none", &()).wait().unwrap_err();
        !matches!(error.kind(), CallErrorKind::NoSuchMethod { .. })
    });
}

/// C-LC-1: in any order, from several threads; at the end, what was done last holds.
pub fn start_stop_drain_and_close_may_come_in_any_order_from_several_threads(world: &World) {
    for _ in 0..5 {
        let server = asking(world.server());
        let client = world.client();
        thread::scope(|scope| {
            for n in 0..4 {
                let server = &server;
                scope.spawn(move || {
                    for step in 0..15 {
                        match (n + step) % 4 {
                            0 => server.stop(),
                            1 => drop(server.start()),
                            2 => drop(server.drain_wait(LONG)),
                            _ => drop(server.start()),
                        }
                    }
                });
            }
            // Answered or refused, it ends.
            for n in 0..30 {
                match ask(client, n) {
                    Ok(answer) => assert_eq!(answer, n),
                    Err(error) => assert_ne!(error.fate(), Fate::Executed, "{error}"),
                }
            }
        });
        server.start().unwrap();
        eventually("it serves", || ask(client, 7).is_ok());
        thread::scope(|scope| {
            scope.spawn(|| server.close());
            scope.spawn(|| server.close());
            scope.spawn(|| server.drain_wait(LONG));
            scope.spawn(|| server.stop());
        });
        assert!(matches!(server.start(), Err(ServeError::Closed { .. })));
        is_refused(&ask(client, 1).unwrap_err());
    }
}

/// C-LC-1: what runs is told to end.
pub fn a_closed_server_cuts_off_what_runs_and_stays_closed(world: &World) {
    let (gate, dropped) = (Gate::new(), Journal::new());
    let (pass, note) = (gate.clone(), dropped.clone());
    let server = world.listen("topic").on_async("hold", move |n: u32| {
        let (gate, note) = (pass.clone(), NoteOnDrop::new(&note, n));
        async move {
            let _note = note;
            gate.pass().await;
            n
        }
    });
    let server = server.start().unwrap();
    let running = world.client().invoke::<u32>("topic.hold", &1_u32);
    gate.wait_for(1);
    server.close();
    let error = running.wait().unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::ShuttingDown),
        "{error}"
    );
    assert_eq!(error.fate(), Fate::Unknown);
    dropped.wait_for(1);
    eventually("it has nothing left", || server.load() == 0);
    assert!(matches!(server.start(), Err(ServeError::Closed { .. })));
}

/// C-LC-1: finished, cancelled, undelivered.
pub fn a_drain_reports_what_became_of_everything(world: &World) {
    let (gate, stuck) = (Gate::new(), Gate::new());
    let (pass, stay) = (gate.clone(), stuck.clone());
    let server = world.listen("topic").concurrency(3);
    let server = server.on_async("hold", move |last: bool| {
        let gate = if last { stay.clone() } else { pass.clone() };
        async move { gate.pass().await }
    });
    let server = server.start().unwrap();
    let send = |last: bool| world.client().invoke::<()>("topic.hold", &last);
    let stays = send(true);
    stuck.wait_for(1);
    let ends = [send(false), send(false)];
    gate.wait_for(2);
    let more = [send(true), send(true), send(true)];
    eventually("all are accepted", || server.load() == 6);
    let report = thread::scope(|scope| {
        let drained = scope.spawn(|| server.drain_wait(Duration::from_secs(1)));
        takes_nothing_more(world.client());
        gate.open();
        drained.join().unwrap()
    });
    assert_eq!(
        (report.finished, report.cancelled, report.undelivered),
        (2, 3, 1),
        "{report:?}"
    );
    assert!(!report.is_complete());
    for promise in ends {
        promise.wait().unwrap();
    }
    assert_eq!(stays.wait().unwrap_err().fate(), Fate::Unknown);
    let fates: Vec<Fate> = more
        .into_iter()
        .map(|promise| promise.wait().unwrap_err().fate())
        .collect();
    assert_eq!(fates, [Fate::Unknown, Fate::Unknown, Fate::NotExecuted]);
}

/// C-LC-1: a blocking handler sees it.
pub fn a_blocking_handler_sees_that_its_drain_is_over(world: &World) {
    let (gate, saw) = (Gate::new(), Journal::new());
    let (arrive, note) = (gate.clone(), saw.clone());
    let server = world.listen("topic").on_blocking("hold", move |n: u32| {
        let context = tidings_core::Context::current().unwrap();
        arrive.arrive();
        while !context.is_cancelled() {
            thread::sleep(Duration::from_millis(1));
        }
        note.note(n);
    });
    let server = server.start().unwrap();
    let promise = world.client().invoke::<()>("topic.hold", &1_u32);
    gate.wait_for(1);
    assert_eq!(server.drain_wait(SHORT).cancelled, 1);
    saw.wait_for(1);
    drop(promise.wait());
    eventually("it has nothing left", || server.load() == 0);
}

/// C-LC-1: the conversations of work in progress are not cut.
pub fn a_draining_servers_handler_may_call_out_and_be_called_back(world: &World) {
    let (gate, server_bus) = (Gate::new(), world.server().clone());
    // The handler of `topic.work` calls `friend.help` on another bus, which calls back `back.more` on the handler's.
    let friend_bus = world.another();
    let to_back = friend_bus.clone();
    let friend = friend_bus.listen("friend").on_async("help", move |n: u32| {
        let more = to_back.call::<u32>("back.more", &n);
        async move { more.await.map(|n| n + 1).unwrap_or(0) }
    });
    let friend = friend.start().unwrap();
    let back = world.listen("back").on("more", |n: u32| n * 10);
    let back = back.start().unwrap();
    let (pass, calls) = (gate.clone(), server_bus.clone());
    let server = world.listen("topic").on_async("work", move |n: u32| {
        let gate = pass.clone();
        let help = calls.request::<u32>("friend.help", &n);
        async move {
            gate.pass().await;
            help.await.unwrap_or(0)
        }
    });
    let server = server.start().unwrap();
    let promise = world.client().invoke::<u32>("topic.work", &4_u32);
    gate.wait_for(1);
    thread::scope(|scope| {
        let drained = scope.spawn(|| server.drain_wait(LONG));
        takes_nothing_more(world.client());
        gate.open();
        let report = drained.join().unwrap();
        assert!(report.is_complete(), "{report:?}");
        assert_eq!(report.finished, 1);
    });
    assert_eq!(promise.wait().unwrap(), 41);
    drop((back, friend));
}

/// C-LC-1, C-AD-6: a `stop` cuts no conversation either, with the caller or with others, beside it or at its own bus.
pub fn a_stopped_servers_handler_may_go_on_to_call(world: &World) {
    let friend_bus = world.another();
    let serve = |bus: &Bus, topic: &str, adds: u32| {
        let server = bus.listen(topic).on("more", move |n: u32| n + adds);
        server.start().unwrap()
    };
    let _others = [
        serve(world.client(), "caller", 1),
        serve(&friend_bus, "friend", 20),
        serve(world.server(), "beside", 300),
    ];
    let gate = Gate::new();
    let (pass, bus) = (gate.clone(), world.server().clone());
    let server = world.listen("topic").try_on_async("work", move |n: u32| {
        let (gate, bus) = (pass.clone(), bus.clone());
        async move {
            gate.pass().await;
            let mut n = n;
            for path in ["caller.more", "friend.more", "beside.more"] {
                n = bus.call::<u32>(path, &n).await?;
            }
            Ok::<u32, CallError>(n)
        }
    });
    let server = server.start().unwrap();
    let running = world.client().invoke::<u32>("topic.work", &4000_u32);
    gate.wait_for(1);
    server.stop();
    takes_nothing_more(world.client());
    gate.open();
    assert_eq!(running.wait().unwrap(), 4321);
    eventually("it has nothing left", || server.load() == 0);
}

/// C-LC-1: what the handlers of a draining bus ask for is sent and answered, and nobody else's requests are.
pub fn a_draining_buss_handler_may_call_out(world: &World) {
    let ran = Journal::new();
    let note = ran.clone();
    let friend = world.listen("friend").on("help", move |n: u32| {
        note.note(n);
        n * 10
    });
    let _friend = friend.start().unwrap();
    let bus = world.passing(|builder| builder);
    let gate = Gate::new();
    let (pass, calls) = (gate.clone(), bus.clone());
    let server = bus.listen("topic").try_on_async("work", move |n: u32| {
        let (gate, calls) = (pass.clone(), calls.clone());
        async move {
            gate.pass().await;
            calls.call::<u32>("friend.help", &n).await
        }
    });
    let _server = server.start().unwrap();
    let client = world.client();
    let running = [1_u32, 2].map(|n| client.invoke::<u32>("topic.work", &n));
    gate.wait_for(2);
    let report = thread::scope(|scope| {
        let drained = scope.spawn(|| bus.drain_wait(LONG));
        takes_nothing_more(client);
        let shutting_down = |outcome: Result<u32, CallError>| {
            let error = outcome.unwrap_err();
            let is_stop = matches!(error.kind(), CallErrorKind::ShuttingDown);
            assert!(is_stop && error.fate() == Fate::NotSent, "{error}");
        };
        let ask = || bus.request::<u32>("friend.help", &9_u32);
        shutting_down(ask().wait());
        shutting_down(ask().invoke().wait());
        shutting_down(ask().cast().map(|()| 0));
        gate.open();
        drained.join().unwrap()
    });
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.finished, 2, "{report:?}");
    for (n, promise) in [10, 20].into_iter().zip(running) {
        assert_eq!(promise.wait().unwrap(), n);
    }
    let mut ran = ran.take();
    ran.sort_unstable();
    assert_eq!(ran, [1, 2], "and nothing of who does not serve");
}

/// C-LC-1: a whole bus. What it has ends, what comes is refused, then it is closed.
pub fn a_bus_that_drains_finishes_what_it_has(world: &World) {
    let gate = Gate::new();
    let bus = world.passing(|builder| builder);
    let server = holding(&bus, &gate);
    let client = world.client();
    let promises: Vec<Promise<u32>> = (0..5_u32)
        .map(|n| client.invoke("topic.hold", &n))
        .collect();
    eventually("all are accepted", || server.load() == 5);
    thread::scope(|scope| {
        let drained = scope.spawn(|| bus.drain_wait(LONG));
        takes_nothing_more(client);
        is_refused(&client.call::<u32>("topic.hold", &9_u32).wait().unwrap_err());
        let own = bus.call::<u32>("topic.hold", &9_u32).wait().unwrap_err();
        assert_eq!(own.fate(), Fate::NotSent);
        let refused = bus.listen("more").on("ask", |(): ()| ()).start();
        assert!(matches!(refused, Err(ServeError::Closed { .. })));
        gate.open();
        let report = drained.join().unwrap();
        assert!(report.is_complete(), "{report:?}");
        assert_eq!(report.finished, 5);
    });
    for (n, promise) in (0..).zip(promises) {
        assert_eq!(promise.wait().unwrap(), n);
    }
    let error = bus.cast("topic.hold", &1_u32).unwrap_err();
    assert!(matches!(error.kind(), CallErrorKind::Closed), "{error}");
    assert!(matches!(server.start(), Err(ServeError::Closed { .. })));
    assert!(bus.drain_wait(LONG).is_complete(), "again");
}

/// C-LC-1: what it had sent is answered first.
pub fn a_bus_that_drains_waits_for_its_own_replies(world: &World) {
    let gate = Gate::new();
    let server = holding(world.server(), &gate);
    let bus = world.passing(|builder| builder);
    let mine = bus.invoke::<u32>("topic.hold", &1_u32);
    gate.wait_for(1);
    thread::scope(|scope| {
        let drained = scope.spawn(|| bus.drain_wait(LONG));
        eventually("it sends nothing more", || {
            bus.cast("topic.hold", &2_u32).is_err()
        });
        assert!(!mine.is_ready());
        gate.open();
        assert!(drained.join().unwrap().is_complete());
    });
    assert_eq!(mine.wait().unwrap(), 1);
    drop(server);
}

/// C-LC-1, FAULTS-T23: casts leave before it is closed.
pub fn casts_leave_before_a_drained_bus_is_closed(world: &World) {
    const CASTS: usize = 500;
    let got = Arc::new(AtomicUsize::new(0));
    let count = got.clone();
    let server = world.listen("topic").serial().on("note", move |_: usize| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let _server = server.start().unwrap();
    let bus = world.passing(|builder| builder);
    for n in 0..CASTS {
        bus.request::<()>("topic.note", &n)
            .cast_when_room()
            .wait()
            .unwrap();
    }
    let report = bus.drain_wait(LONG);
    assert_eq!(report.undelivered, 0, "{report:?}");
    eventually("all came", || got.load(Ordering::SeqCst) == CASTS);
}

/// C-LC-1: within its deadline, whatever is stuck.
pub fn a_bus_drains_no_longer_than_it_may(world: &World) {
    let gate = Gate::new();
    let bus = world.passing(|builder| builder.no_timeout());
    let other = world.passing(|builder| builder.no_timeout());
    let server = holding(&bus, &gate);
    let running = other.invoke::<u32>("topic.hold", &1_u32);
    gate.wait_for(1);
    let queued = other.invoke::<u32>("topic.hold", &2_u32);
    eventually("it is queued", || server.load() == 2);
    let begin = Instant::now();
    let report = bus.drain_wait(Duration::from_millis(50));
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!((report.cancelled, report.undelivered), (1, 1), "{report:?}");
    for promise in [running, queued] {
        assert_ne!(promise.wait().unwrap_err().fate(), Fate::Executed);
    }
    gate.open();
    eventually("the handler was dropped", || server.load() == 0);
}

/// C-LC-1: from several threads, beside a close and the drop of handles.
pub fn a_bus_may_be_drained_and_closed_from_several_threads(world: &World) {
    for round in 0..5 {
        let bus = world.passing(|builder| builder);
        let server = asking(&bus);
        drop(ask(world.client(), 1));
        thread::scope(|scope| {
            for n in 0..4 {
                let bus = bus.clone();
                let server = &server;
                scope.spawn(move || match (n + round) % 4 {
                    0 => bus.close(),
                    1 => drop(server.drain_wait(LONG)),
                    _ => drop(bus.drain_wait(LONG)),
                });
            }
        });
        assert!(matches!(server.start(), Err(ServeError::Closed { .. })));
        assert!(matches!(
            bus.cast("topic.ask", &1_u32).unwrap_err().kind(),
            CallErrorKind::Closed
        ));
    }
}
