//! Idempotency keys: what was seen is not done again (C-VB-5).

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use tidings_core::{
    Bus, CallErrorKind, Fate, IdempotencyKey, IdempotencyWindow, MethodError, Promise, Request,
    Retry, Server, ServerBuilder,
};

use crate::World;
use crate::stage::{Gate, Journal, NotDivisible, NoteOnDrop, eventually};

/// What a handler noted: its number, and that it has ended or was dropped.
type Ran = Journal<(u32, &'static str)>;

/// A method `stay` that waits at the gate and gives how many runs there were before.
fn staying(server: ServerBuilder, gate: &Gate, ran: &Ran) -> Server {
    let (pass, note) = (gate.clone(), ran.clone());
    server
        .on_async("stay", move |n: u32| {
            let before = note.len();
            note.note((n, "started"));
            let (gate, dropped) = (pass.clone(), NoteOnDrop::new(&note, (n, "ended")));
            async move {
                gate.pass().await;
                drop(dropped);
                before
            }
        })
        .start()
        .unwrap()
}

/// A method `count` that gives how many runs there were before.
fn counting(server: ServerBuilder, ran: &Journal<u32>) -> Server {
    let note = ran.clone();
    server
        .on("count", move |n: u32| {
            let before = note.len();
            note.note(n);
            before
        })
        .start()
        .unwrap()
}

fn count(bus: &Bus, n: u32, key: &str) -> usize {
    let request: Request<usize> = bus.request("topic.count", &n);
    request.idempotent(key).wait().unwrap()
}

fn stay(bus: &Bus, n: u32, key: &str) -> Promise<usize> {
    bus.request("topic.stay", &n).idempotent(key).invoke()
}

/// C-VB-5
pub fn a_repetition_attaches_to_what_runs(world: &World) {
    let (gate, ran) = (Gate::new(), Ran::new());
    let server = staying(world.listen("topic"), &gate, &ran);
    let first = stay(world.client(), 1, "key");
    gate.wait_for(1);
    let others: Vec<_> = (0..5).map(|_| stay(world.client(), 1, "key")).collect();
    eventually("they came", || server.stats().repeated == 5);
    eventually("one handler runs for all", || server.load() == 1);
    gate.open();
    assert_eq!(first.wait().unwrap(), 0);
    for other in others {
        assert_eq!(other.wait().unwrap(), 0);
    }
    assert_eq!(ran.take(), [(1, "started"), (1, "ended")]);
}

/// C-VB-5: also to what has not been started yet.
pub fn a_repetition_attaches_to_what_is_queued(world: &World) {
    let (gate, ran) = (Gate::new(), Ran::new());
    let server = staying(world.listen("topic").serial(), &gate, &ran);
    let before = stay(world.client(), 1, "before");
    gate.wait_for(1);
    let both = [0, 1].map(|_| stay(world.client(), 2, "key"));
    eventually("they came", || server.stats().repeated == 1);
    eventually("one is queued for both", || server.load() == 2);
    gate.open();
    before.wait().unwrap();
    let answers = both.map(|promise| promise.wait().unwrap());
    assert_eq!(answers[0], answers[1]);
    assert_eq!(ran.len(), 4, "two runs");
}

/// C-VB-5, C-OC-3: a value, the application's own error, a panic: each is the outcome.
pub fn a_repetition_of_what_is_done_gets_the_same_outcome(world: &World) {
    let ran = Journal::new();
    let (valued, failed, fell) = (ran.clone(), ran.clone(), ran.clone());
    let server = world
        .listen("topic")
        .on("value", move |n: i64| {
            valued.note("value");
            n + 1
        })
        .try_on_async("fail", move |n: i64| {
            failed.note("fail");
            async move { Err::<i64, _>(NotDivisible { dividend: n }) }
        })
        .on_blocking("fall", move |_: i64| {
            fell.note("fall");
            panic!("on purpose") as i64
        })
        .start()
        .unwrap();
    let ask = |path: &str| {
        let request = world.client().request::<i64>(path, &7_i64);
        request
            .idempotent("key")
            .with_error::<NotDivisible>()
            .wait()
    };
    for _ in 0..3 {
        assert_eq!(ask("topic.value").unwrap(), 8);
        let error = ask("topic.fail").unwrap_err();
        assert_eq!(error.application(), Some(&NotDivisible { dividend: 7 }));
        let MethodError::Call(error) = ask("topic.fall").unwrap_err() else {
            panic!("not the application's error");
        };
        assert!(matches!(error.kind(), CallErrorKind::Panicked), "{error}");
        assert_eq!(error.fate(), Fate::Executed);
        assert_eq!(error.target(), "topic.fall");
    }
    assert_eq!(ran.take(), ["value", "fail", "fall"]);
    assert_eq!(server.stats().repeated, 6);
}

/// C-VB-5
pub fn another_payload_under_a_key_is_a_conflict(world: &World) {
    let (gate, ran) = (Gate::new(), Ran::new());
    let _server = staying(world.listen("topic"), &gate, &ran);
    let first = stay(world.client(), 1, "key");
    gate.wait_for(1);
    let conflict = |when: &str| {
        let error = stay(world.client(), 2, "key").wait().unwrap_err();
        let CallErrorKind::KeyConflict { method } = error.kind() else {
            panic!("{when}: {error}");
        };
        assert_eq!((method.as_str(), error.fate()), ("stay", Fate::NotExecuted));
    };
    conflict("while it runs");
    gate.open();
    first.wait().unwrap();
    conflict("when it is done");
    assert_eq!(stay(world.client(), 1, "key").wait().unwrap(), 0);
    assert_eq!(ran.take(), [(1, "started"), (1, "ended")]);
}

/// C-VB-5: keys, methods and servers are apart, and what has no key is not remembered.
pub fn a_key_means_something_for_its_method_only(world: &World) {
    let ran = Journal::new();
    let (one, two) = (ran.clone(), ran.clone());
    let _server = world
        .listen("topic")
        .on("one", move |n: u32| one.note(("one", n)))
        .on("two", move |n: u32| two.note(("two", n)))
        .start()
        .unwrap();
    let ask = |path: &str, n: u32, key: &str| {
        let request = world.client().request::<()>(path, &n);
        request.idempotent(key).wait().unwrap();
    };
    for _ in 0..2 {
        ask("topic.one", 1, "key");
        ask("topic.two", 2, "key");
        ask("topic.one", 1, "other");
        world
            .client()
            .call::<()>("topic.two", &3_u32)
            .wait()
            .unwrap();
    }
    let expected = [("one", 1), ("two", 2), ("one", 1), ("two", 3), ("two", 3)];
    assert_eq!(ran.take(), expected);
}

/// C-VB-5: whoever of the same user asks, by whichever connection.
pub fn a_key_is_known_by_every_connection_of_its_caller(world: &World) {
    let ran = Journal::new();
    let _server = counting(world.listen("topic"), &ran);
    assert_eq!(count(world.client(), 1, "key"), 0);
    assert_eq!(count(&world.another(), 1, "key"), 0);
    assert_eq!(count(world.server(), 1, "key"), 0);
    assert_eq!(ran.take(), [1]);
}

/// C-DL-3, C-VB-5
pub fn one_who_gives_up_leaves_the_run_to_the_others(world: &World) {
    let (gate, ran) = (Gate::new(), Ran::new());
    let server = staying(world.listen("topic"), &gate, &ran);
    let first = stay(world.client(), 1, "key");
    gate.wait_for(1);
    let second = stay(world.client(), 1, "key");
    let third = stay(world.client(), 1, "key");
    eventually("they came", || server.stats().repeated == 2);
    drop(first);
    drop(third);
    // Known to have been given up where it is served, when later words of the same connection are.
    let marker = stay(world.client(), 2, "marker");
    gate.wait_for(2);
    gate.open();
    assert_eq!(second.wait().unwrap(), 0);
    marker.wait().unwrap();
    let of_key: Vec<_> = ran.take().into_iter().filter(|(n, _)| *n == 1).collect();
    assert_eq!(of_key, [(1, "started"), (1, "ended")]);
    eventually("the slots are free", || server.load() == 0);
}

/// C-DL-3, C-DL-4: what nobody wants any more is dropped, and its key is free.
pub fn a_run_that_all_give_up_is_cancelled_and_its_key_free(world: &World) {
    let (gate, ran) = (Gate::new(), Ran::new());
    let server = staying(world.listen("topic"), &gate, &ran);
    let first = stay(world.client(), 1, "key");
    gate.wait_for(1);
    let second = stay(world.client(), 1, "key");
    eventually("it came", || server.stats().repeated == 1);
    drop((first, second));
    ran.wait_for(2);
    eventually("its slot is free", || server.load() == 0);
    gate.open();
    // A new run; it finds the two entries of the first. Its key may be free a moment later than its slot: until then the
    // server is told to be busy.
    let again: Request<usize> = world.client().request("topic.stay", &1_u32);
    let again = again.idempotent("key").retry(Retry::new().attempts(20));
    assert_eq!(again.wait().unwrap(), 2);
}

/// C-DL-2, C-VB-5: a request that did not run is not remembered.
pub fn what_did_not_run_may_be_asked_for_again(world: &World) {
    let (gate, ran) = (Gate::new(), Ran::new());
    let server = staying(world.listen("topic").serial().queue(1), &gate, &ran);
    let running = stay(world.client(), 1, "running");
    gate.wait_for(1);
    let late: Promise<usize> = world
        .client()
        .request("topic.stay", &2_u32)
        .timeout(Duration::from_millis(50))
        .idempotent("late")
        .invoke();
    assert!(late.wait().is_err());
    eventually("it has left the queue", || server.load() == 1);
    let queued = stay(world.client(), 3, "queued");
    eventually("the queue is full", || server.load() == 2);
    let error = stay(world.client(), 4, "busy").wait().unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::Busy { .. }),
        "{error}"
    );
    gate.open();
    running.wait().unwrap();
    queued.wait().unwrap();
    for (n, key) in [(2, "late"), (4, "busy")] {
        stay(world.client(), n, key).wait().unwrap();
    }
    let started = ran
        .take()
        .into_iter()
        .filter(|(_, what)| *what == "started");
    assert_eq!(started.map(|(n, _)| n).collect::<Vec<_>>(), [1, 3, 2, 4]);
}

/// C-VB-5: the window is bounded in keys, the oldest is forgotten first.
pub fn a_server_remembers_as_many_keys_as_it_says(world: &World) {
    const KEYS: usize = 5;
    let ran = Journal::new();
    let window = IdempotencyWindow::default().keys(KEYS);
    let _server = counting(world.listen("topic").idempotency_window(window), &ran);
    let ask = |keys: std::ops::RangeInclusive<usize>| {
        for n in keys {
            count(world.client(), n as u32, &n.to_string());
        }
        ran.len()
    };
    // At the limit less one, and at it: all are known when asked for again.
    for known in [KEYS - 1, KEYS] {
        assert_eq!(ask(1..=known), known);
        assert_eq!(ask(1..=known), known);
    }
    // One more: the oldest is forgotten, and no other.
    let above = KEYS + 1;
    assert_eq!(ask(above..=above), above);
    assert_eq!(ask(2..=above), above);
    assert_eq!(ask(1..=1), above + 1);
}

/// C-VB-5: and in bytes of what was answered.
pub fn a_server_remembers_as_many_bytes_as_it_says(world: &World) {
    const EACH: usize = 100;
    /// A byte for the length, and four for the kinds of what an untyped caller is answered.
    const LEAST: usize = 5;
    // Below the limit by one, and at it: all is known. Above it: the oldest goes, and no other.
    for (topic, below) in [("below", 1), ("at", 0)] {
        let ran = Journal::new();
        let note = ran.clone();
        let window = IdempotencyWindow::default().bytes(3 * EACH + LEAST + below);
        let _server = world
            .listen(topic)
            .idempotency_window(window)
            .on("give", move |length: usize| {
                note.note(length);
                "x".repeat(length - LEAST)
            })
            .start()
            .unwrap();
        let path = format!("{topic}.give");
        let give = |length: usize, key: &str| {
            let request = world.client().request::<String>(&path, &length);
            let answer = request.idempotent(key).wait().unwrap();
            assert_eq!(answer.len(), length - LEAST);
        };
        let known = [(EACH, "a"), (EACH, "b"), (EACH, "c"), (LEAST, "d")];
        for _ in 0..2 {
            for (length, key) in known {
                give(length, key);
            }
        }
        assert_eq!(ran.take(), [EACH, EACH, EACH, LEAST]);
        give(LEAST, "e");
        for (length, key) in [(EACH, "b"), (EACH, "c"), (LEAST, "d"), (LEAST, "e")] {
            give(length, key);
        }
        assert_eq!(ran.take(), [LEAST]);
        give(EACH, "a");
        assert_eq!(ran.take(), [EACH]);
        // One that is larger alone is known as long as no other comes.
        give(10 * EACH, "large");
        give(10 * EACH, "large");
        assert_eq!(ran.take(), [10 * EACH]);
    }
}

/// C-VB-5: and in time.
pub fn a_server_remembers_for_as_long_as_it_says(world: &World) {
    let ran = Journal::new();
    let short = IdempotencyWindow::default().time(Duration::from_millis(20));
    let server = counting(world.listen("topic").idempotency_window(short), &ran);
    count(world.client(), 1, "key");
    eventually("it is forgotten", || {
        count(world.client(), 1, "key");
        ran.len() > 1
    });
    drop(server);
    ran.take();
    let _server = counting(world.listen("topic"), &ran);
    for _ in 0..5 {
        assert_eq!(count(world.client(), 1, "key"), 0);
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(ran.take(), [1]);
}

/// C-VB-5: with none, only what runs is attached to.
pub fn a_window_of_nothing_still_attaches(world: &World) {
    let (gate, ran) = (Gate::new(), Ran::new());
    let window = IdempotencyWindow::default().keys(0);
    let server = world.listen("topic").idempotency_window(window);
    let server = staying(server, &gate, &ran);
    let both = [0, 1].map(|_| stay(world.client(), 1, "key"));
    eventually("they came", || server.stats().repeated == 1);
    gate.open();
    for promise in both {
        assert_eq!(promise.wait().unwrap(), 0);
    }
    assert_eq!(
        stay(world.client(), 1, "key").wait().unwrap(),
        2,
        "it ran anew"
    );
}

/// C-VB-1, C-VB-5
pub fn a_cast_under_a_key_that_was_seen_does_nothing(world: &World) {
    let ran = Journal::new();
    let server = counting(world.listen("topic"), &ran);
    let cast = || {
        let request = world.client().request::<()>("topic.count", &1_u32);
        request.idempotent("key").cast().unwrap();
    };
    cast();
    cast();
    assert_eq!(count(world.client(), 1, "key"), 0);
    cast();
    eventually("all have come", || server.stats().repeated == 3);
    assert_eq!(ran.take(), [1]);
    eventually("nothing is left of them", || server.load() == 0);
}

/// C-AD-2, C-VB-5: a key goes to the server that knows it, and keys are spread.
pub fn a_key_goes_to_one_of_several_servers(world: &World) {
    let ran = Journal::new();
    let servers: Vec<Server> = (0..3)
        .map(|n| {
            let note = ran.clone();
            let bus = if n == 0 {
                world.client()
            } else {
                world.server()
            };
            let server = bus.listen("topic").name(format!("server-{n}"));
            server
                .on("count", move |key: u32| note.note((n, key)))
                .start()
                .unwrap()
        })
        .collect();
    for _ in 0..3 {
        for key in 0..30_u32 {
            let request = world.client().request::<()>("topic.count", &key);
            request.idempotent(u128::from(key)).wait().unwrap();
        }
    }
    let mut ran = ran.take();
    assert_eq!(ran.len(), 30, "each once");
    ran.sort_unstable();
    ran.dedup_by_key(|(server, _)| *server);
    assert_eq!(ran.len(), servers.len(), "each server has some");
}

/// C-VB-5: however many ask at once, it runs once.
pub fn those_who_ask_at_once_get_one_run(world: &World) {
    const THREADS: usize = 8;
    let ran = Journal::new();
    let server = counting(world.listen("topic"), &ran);
    for round in 0..20_u32 {
        let (start, client) = (Barrier::new(THREADS), world.client());
        let answers: Vec<usize> = thread::scope(|scope| {
            let asking: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        count(client, round, &round.to_string())
                    })
                })
                .collect();
            asking
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(answers, [round as usize; THREADS]);
    }
    assert_eq!(ran.take(), (0..20).collect::<Vec<_>>());
    eventually("all slots are free", || server.load() == 0);
}

/// C-VB-5, C-DL-6: each who waits for a run is beaten for.
pub fn all_who_wait_for_one_run_are_beaten_for(world: &World) {
    let (gate, ran) = (Gate::new(), Ran::new());
    let server = staying(world.listen("topic"), &gate, &ran);
    let calls = [0, 1, 2].map(|_| {
        let request = world.client().request::<usize>("topic.stay", &1_u32);
        let request = request.idempotent("key").no_timeout();
        request.heartbeat(Duration::from_millis(300)).invoke()
    });
    eventually("all are beaten for", || server.stats().beating == 3);
    eventually("one handler runs", || server.load() == 1);
    gate.open();
    for call in calls {
        assert_eq!(call.wait().unwrap(), 0);
    }
    eventually("nobody is beaten for", || server.stats().beating == 0);
}

/// C-DL-1: the run ends when the time of all who asked is over, and what was done then is known.
pub fn a_run_under_a_key_ends_with_its_deadline(world: &World) {
    let (gate, ran) = (Gate::new(), Ran::new());
    let server = staying(world.listen("topic"), &gate, &ran);
    let request = world.client().request::<usize>("topic.stay", &1_u32);
    let call = request.timeout(Duration::from_millis(60));
    let error = call.idempotent(IdempotencyKey::unique()).invoke().wait();
    let error = error.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    eventually("the handler is dropped", || server.load() == 0);
}
