//! Heartbeats for calls that take long (C-DL-6).

use std::panic::resume_unwind;
use std::time::{Duration, Instant};

use tidings_core::{CallErrorKind, Fate, Promise, Request, Server, Stage};

use crate::World;
use crate::stage::{Gate, Journal, NoteOnDrop, eventually};

/// A heartbeat that a busy machine keeps.
const HEARTBEAT: Duration = Duration::from_millis(300);
/// So much longer that a call would be lost that nobody beats for.
const LONG: Duration = Duration::from_millis(900);

/// A server with a method of each kind that waits at the gate.
fn staying(world: &World, gate: &Gate, concurrency: usize) -> Server {
    let (pass, block) = (gate.clone(), gate.clone());
    world
        .listen("topic")
        .concurrency(concurrency)
        .on_async("stay", move |n: u32| {
            let gate = pass.clone();
            async move {
                gate.pass().await;
                n
            }
        })
        .on_blocking("block", move |n: u32| {
            block.pass_blocking();
            n
        })
        .on("quick", |n: u32| n)
        .start()
        .unwrap()
}

fn ask(world: &World, path: &str, n: u32) -> Request<u32> {
    world.client().request(path, &n)
}

/// C-DL-6: whether its handler is async, blocking, or not started yet.
pub fn a_call_that_takes_long_lives_while_its_server_beats(world: &World) {
    let gate = Gate::new();
    let server = staying(world, &gate, 2);
    let mut calls: Vec<Promise<u32>> = ["topic.stay", "topic.block", "topic.stay"]
        .into_iter()
        .map(|path| {
            ask(world, path, 7)
                .no_timeout()
                .heartbeat(HEARTBEAT)
                .invoke()
        })
        .collect();
    gate.wait_for(2);
    eventually("the third is queued", || server.load() == 3);
    eventually("all three are beaten for", || server.stats().beating == 3);
    let until = Instant::now() + LONG;
    for call in &mut calls {
        assert!(call.wait_deadline(until).is_none(), "it has ended");
    }
    gate.open();
    for call in calls {
        assert_eq!(call.wait().unwrap(), 7);
    }
    eventually("nobody is beaten for", || server.stats().beating == 0);
}

/// C-DL-6: no beat after the reply, whatever the reply is.
pub fn no_beat_comes_after_the_reply(world: &World) {
    let (gate, fall) = (Gate::new(), Gate::new());
    let (pass, falling) = (gate.clone(), fall.clone());
    let server = world
        .listen("topic")
        .try_on_async("fail", move |n: u32| {
            let gate = pass.clone();
            async move {
                gate.pass().await;
                Err::<u32, String>(format!("no {n}"))
            }
        })
        .on_async("fall", move |_: u32| {
            let gate = falling.clone();
            async move {
                gate.pass().await;
                // Not `panic!`: to print a backtrace can take longer than the time after which a beat is missed.
                resume_unwind(Box::new("on purpose")) as u32
            }
        })
        .start()
        .unwrap();
    for (path, gate) in [("topic.fail", gate), ("topic.fall", fall)] {
        let call = ask(world, path, 1).heartbeat(HEARTBEAT).invoke();
        gate.wait_for(1);
        eventually("it is beaten for", || server.stats().beating == 1);
        gate.open();
        assert_eq!(call.wait().unwrap_err().fate(), Fate::Executed, "{path}");
        eventually("nobody is beaten for", || server.stats().beating == 0);
    }
}

/// C-DL-6: a quick method has answered before the first beat is due.
pub fn a_quick_call_is_not_beaten_for(world: &World) {
    let gate = Gate::new();
    let server = staying(world, &gate, 8);
    for n in 0..50 {
        let call = ask(world, "topic.quick", n).heartbeat(HEARTBEAT);
        assert_eq!(call.wait().unwrap(), n);
    }
    eventually("nobody is beaten for", || server.stats().beating == 0);
}

/// C-DL-6, C-OC: what no server runs is told at once, and not by the want of a beat.
pub fn what_no_server_runs_gets_no_beat(world: &World) {
    let gate = Gate::new();
    let server = staying(world, &gate, 8);
    let begin = Instant::now();
    let patient = Duration::from_secs(20);
    for (path, method) in [("topic.missing", true), ("nowhere.missing", false)] {
        let call = ask(world, path, 1).no_timeout().heartbeat(patient);
        let error = call.wait().unwrap_err();
        assert_eq!(error.fate(), Fate::NotExecuted, "{error}");
        let is_expected = match error.kind() {
            CallErrorKind::NoSuchMethod { .. } => method,
            CallErrorKind::NoServer { .. } => !method,
            _ => false,
        };
        assert!(is_expected, "{error}");
    }
    assert!(begin.elapsed() < patient);
    assert_eq!(server.stats().beating, 0);
}

/// C-DL-3, C-DL-4, C-DL-6: though a handler that blocks goes on, nobody hears of it.
pub fn nobody_is_beaten_for_who_has_given_up(world: &World) {
    let gate = Gate::new();
    let server = staying(world, &gate, 8);
    let dropped = ask(world, "topic.block", 1).heartbeat(HEARTBEAT).invoke();
    let mut cancelled = ask(world, "topic.block", 2).heartbeat(HEARTBEAT).invoke();
    gate.wait_for(2);
    eventually("both are beaten for", || server.stats().beating == 2);
    drop(dropped);
    eventually("one is beaten for", || server.stats().beating == 1);
    cancelled.cancel();
    let error = cancelled.wait().unwrap_err();
    assert!(matches!(error.kind(), CallErrorKind::Cancelled), "{error}");
    eventually("nobody is beaten for", || server.stats().beating == 0);
    eventually("both handlers run still", || server.load() == 2);
    gate.open();
    eventually("both have ended", || server.load() == 0);
}

/// C-DL-1, C-DL-6
pub fn a_heartbeat_does_not_move_the_deadline(world: &World) {
    let (gate, dropped) = (Gate::new(), Journal::new());
    let note = dropped.clone();
    let pass = gate.clone();
    let server = world.listen("topic").on_async("stay", move |n: u32| {
        let (gate, noted) = (pass.clone(), NoteOnDrop::new(&note, n));
        async move {
            gate.pass().await;
            drop(noted);
            n
        }
    });
    let server = server.start().unwrap();
    let timeout = Duration::from_millis(400);
    let begin = Instant::now();
    let call = ask(world, "topic.stay", 1).timeout(timeout);
    let call = call.heartbeat(Duration::from_secs(20)).invoke();
    gate.wait_for(1);
    let error = call.wait().unwrap_err();
    assert!(begin.elapsed() >= timeout);
    let is_late = matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. });
    assert!(is_late, "{error}");
    dropped.wait_for(1);
    eventually("nobody is beaten for", || {
        server.stats().beating + server.load() == 0
    });
}

/// C-DL-6: what cannot be kept is told before anything is sent.
pub fn a_heartbeat_that_cannot_be_kept_is_not_sent(world: &World) {
    let ran = Journal::new();
    let note = ran.clone();
    let server = world
        .listen("topic")
        .on("quick", move |n: u32| note.note(n));
    let _server = server.start().unwrap();
    let request = |heartbeat| {
        let request = world.client().request::<()>("topic.quick", &1_u32);
        request.heartbeat(heartbeat)
    };
    let short = Duration::from_micros(9_999);
    for error in [
        request(short).wait().unwrap_err(),
        request(short).invoke().wait().unwrap_err(),
        request(HEARTBEAT).cast().unwrap_err(),
        request(HEARTBEAT).cast_when_room().wait().unwrap_err(),
    ] {
        assert_eq!(
            (error.fate(), error.stage()),
            (Fate::NotSent, Stage::Preparing)
        );
        let CallErrorKind::Unsupported { advice, .. } = error.kind() else {
            panic!("{error}");
        };
        assert!(!advice.is_empty());
    }
    request(Duration::from_millis(10)).wait().unwrap();
    assert_eq!(ran.take(), [1]);
}

/// C-DL-6: beats of many calls share their way, and each ends with its own.
pub fn many_calls_are_beaten_for_at_the_same_time(world: &World) {
    const CALLS: usize = 300;
    let gate = Gate::new();
    let server = staying(world, &gate, CALLS);
    let mut calls: Vec<Promise<u32>> = (0..CALLS as u32)
        .map(|n| {
            let call = ask(world, "topic.stay", n).no_timeout();
            call.heartbeat(HEARTBEAT).invoke()
        })
        .collect();
    gate.wait_for(CALLS);
    eventually("all are beaten for", || server.stats().beating == CALLS);
    let kept = calls.split_off(CALLS / 2);
    drop(calls);
    eventually("half are beaten for", || {
        server.stats().beating == kept.len()
    });
    let until = Instant::now() + LONG;
    gate.open_after(until);
    for (n, call) in (CALLS as u32 / 2..).zip(kept) {
        assert_eq!(call.wait().unwrap(), n);
    }
    eventually("nobody is beaten for", || server.stats().beating == 0);
}

/// C-DL-6: of a call within a call, each watches its own server.
pub fn a_nested_call_has_a_heartbeat_of_its_own(world: &World) {
    let gate = Gate::new();
    let inner = staying(world, &gate, 8);
    let bus = world.server().clone();
    let outer = world
        .client()
        .listen("outer")
        .on_async("ask", move |n: u32| {
            let nested = bus.request::<u32>("topic.stay", &n);
            let nested = nested.heartbeat(HEARTBEAT).invoke();
            async move { nested.await.map_err(|error| error.to_string()) }
        })
        .start()
        .unwrap();
    let call = world
        .client()
        .request::<Result<u32, String>>("outer.ask", &5_u32)
        .heartbeat(HEARTBEAT)
        .invoke();
    gate.wait_for(1);
    eventually("each is beaten for", || {
        (inner.stats().beating, outer.stats().beating) == (1, 1)
    });
    gate.open();
    assert_eq!(call.wait().unwrap(), Ok(5));
    eventually("none is beaten for", || {
        inner.stats().beating + outer.stats().beating == 0
    });
}
