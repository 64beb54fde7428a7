//! Full queues, slow servers, and values that decode to more than they weigh (C-OV).

use tidings_core::{CallErrorKind, Fate, Promise, Server};

use crate::World;
use crate::stage::{Gate, Journal, Nested, eventually};

/// A serial server whose method `hold` waits at the gate, with these limits.
fn holding(world: &World, gate: &Gate, queue: usize, bytes: usize) -> Server {
    let gate = gate.clone();
    world
        .listen("topic")
        .serial()
        .queue(queue)
        .queue_bytes(bytes)
        .on_async("hold", move |text: String| {
            let gate = gate.clone();
            async move {
                gate.pass().await;
                text.len()
            }
        })
        .start()
        .unwrap()
}

fn busy(promise: Promise<usize>) {
    let error = promise.wait().unwrap_err();
    assert_eq!(error.fate(), Fate::NotExecuted);
    assert!(error.is_retryable());
    let CallErrorKind::Busy { retry_after } = error.kind() else {
        panic!("{error}");
    };
    assert!(!retry_after.is_zero());
}

/// C-OV-1: at the limit less one, at it, and above.
pub fn a_queue_takes_as_many_requests_as_it_says(world: &World) {
    const QUEUE: usize = 5;
    let gate = Gate::new();
    let server = holding(world, &gate, QUEUE, 1 << 20);
    let hold = || world.client().invoke::<usize>("topic.hold", "x");
    let mut accepted = vec![hold()];
    gate.wait_for(1);
    for queued in 1..=QUEUE {
        accepted.push(hold());
        eventually("it is queued", || server.load() == 1 + queued);
    }
    busy(hold());
    busy(hold());
    // One that is given up makes room for exactly one.
    drop(accepted.pop());
    eventually("there is room", || server.load() == QUEUE);
    accepted.push(hold());
    eventually("it is queued", || server.load() == 1 + QUEUE);
    busy(hold());
    gate.open();
    for promise in accepted {
        assert_eq!(promise.wait().unwrap(), 1);
    }
    assert_eq!(gate.arrived(), 1 + QUEUE);
    // What was overloaded works again at once.
    assert_eq!(hold().wait().unwrap(), 1);
}

/// C-OV-1
pub fn a_queue_takes_as_many_bytes_as_it_says(world: &World) {
    const LIMIT: usize = 1000;
    let gate = Gate::new();
    let server = holding(world, &gate, 100, LIMIT);
    // Of `bytes` when encoded: the length of so short a text is one byte, the checksum of an untyped request four.
    let hold = |bytes: usize| {
        let text = "x".repeat(bytes - 5);
        world.client().invoke::<usize>("topic.hold", &text)
    };
    let running = hold(10);
    gate.wait_for(1);
    let mut accepted = Vec::new();
    for queued in 1..=9 {
        accepted.push(hold(100));
        eventually("it is queued", || server.load() == 1 + queued);
    }
    // 900 of 1000 are taken.
    busy(hold(101));
    accepted.push(hold(90));
    eventually("it is queued", || server.load() == 11);
    busy(hold(11));
    accepted.push(hold(10));
    eventually("it is queued", || server.load() == 12);
    busy(hold(5));
    gate.open();
    running.wait().unwrap();
    for promise in accepted {
        promise.wait().unwrap();
    }
}

/// C-OV-2
pub fn a_server_that_stands_still_delays_no_other(world: &World) {
    let gate = Gate::new();
    let server = holding(world, &gate, 4, 1 << 20);
    let echo = world
        .listen("echo")
        .on("number", |n: u32| n)
        .start()
        .unwrap();
    let hold = || world.client().invoke::<usize>("topic.hold", "x");
    let mut held = vec![hold()];
    gate.wait_for(1);
    held.extend((0..4).map(|_| hold()));
    eventually("its queue is full", || server.load() == 5);
    for n in 0..200 {
        assert_eq!(
            world
                .client()
                .call::<u32>("echo.number", &n)
                .wait()
                .unwrap(),
            n
        );
    }
    drop(echo);
    gate.open();
    for promise in held {
        promise.wait().unwrap();
    }
}

/// C-OV-3: a few bytes that stand for very much are refused before anything is allocated for them.
pub fn what_decodes_to_too_much_is_refused_for_its_own_call_only(world: &World) {
    let ran = Journal::new();
    let (a, b, c) = (ran.clone(), ran.clone(), ran.clone());
    let _server = world
        .listen("topic")
        .on("numbers", move |_: Vec<u64>| a.note(()))
        .on("nothings", move |_: Vec<()>| b.note(()))
        .on("nested", move |_: Nested| c.note(()))
        .on("ask", |n: u32| n)
        .start()
        .unwrap();
    let client = world.client();
    // A number is encoded as the length of a list is: a list of four billion elements, of which none comes.
    let endless = u32::MAX;
    let errors = [
        client
            .call::<()>("topic.numbers", &endless)
            .wait()
            .unwrap_err(),
        client
            .call::<()>("topic.nothings", &endless)
            .wait()
            .unwrap_err(),
        client
            .call::<()>("topic.nested", &Nested::new(1000))
            .wait()
            .unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.fate(), Fate::NotExecuted, "{error}");
        assert!(
            matches!(error.kind(), CallErrorKind::BadRequest(_)),
            "{error}"
        );
    }
    assert!(ran.is_empty());
    client
        .call::<()>("topic.nested", &Nested::new(10))
        .wait()
        .unwrap();
    assert_eq!(client.call::<u32>("topic.ask", &1_u32).wait().unwrap(), 1);
}
