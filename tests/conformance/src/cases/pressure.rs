//! Far more than can be taken: it stays with whom it is for, and within what its bus may hold (C-OV).

use std::time::Duration;

use tidings_core::{Bus, CallErrorKind, Fate, Promise, Server, WhenFull};

use crate::World;
use crate::stage::{Gate, Journal, eventually};

/// How long a call may take beside whatever is stuck: far below the time that what is stuck has.
const SOON: Duration = Duration::from_secs(10);

fn echo(world: &World) -> Server {
    world.listen("echo").on("say", |n: u32| n).start().unwrap()
}

fn answers_soon(client: &Bus) {
    for n in 0..20_u32 {
        // Behind a burst, the queue to a connection may be full for a moment.
        let echo = client.request::<u32>("echo.say", &n).timeout(SOON);
        assert_eq!(echo.when_full(WhenFull::Block).wait().unwrap(), n);
    }
}

/// C-OV-2: more calls than a connection takes, none of which is answered.
pub fn calls_to_a_server_that_is_stuck_leave_room_for_others(world: &World) {
    let calls = world.most_in_flight().min(4096) + 500;
    let stuck = world.listen("stuck").concurrency(8192).queue(8192);
    let stuck = stuck.on_async("wait", |_: u32| std::future::pending::<()>());
    let stuck = stuck.start().unwrap();
    let _echo = echo(world);
    let client = world.client();
    let held: Vec<Promise<()>> = (0..calls as u32)
        .map(|n| client.invoke("stuck.wait", &n))
        .collect();
    answers_soon(client);
    assert!(held.iter().any(|promise| !promise.is_ready()));
    drop(held);
    answers_soon(client);
    eventually("nothing is left of them", || {
        client.in_flight() == 0 && stuck.load() == 0
    });
}

/// C-OV-2, C-VB-4: and what was accepted comes, in order.
pub fn casts_to_a_server_that_is_stuck_leave_room_for_others(world: &World) {
    const MOST: u32 = 5000;
    let (gate, took) = (Gate::new(), Journal::new());
    let (pass, note) = (gate.clone(), took.clone());
    let slow = world.listen("slow").serial().queue(8);
    let slow = slow.on_async("take", move |n: u32| {
        let (gate, note) = (pass.clone(), note.clone());
        async move {
            gate.pass().await;
            note.note(n);
        }
    });
    let _slow = slow.start().unwrap();
    let _echo = echo(world);
    let client = world.client();
    let mut accepted = Vec::new();
    for n in 0..MOST {
        match client.cast("slow.take", &n) {
            Ok(()) => accepted.push(n),
            Err(error) => {
                let full = matches!(error.kind(), CallErrorKind::QueueFull { .. });
                assert!(full && error.fate().is_safe_to_repeat(), "{error}");
                break;
            }
        }
    }
    assert!(accepted.len() >= 8, "its own queue takes as many");
    answers_soon(client);
    gate.open();
    took.wait_for(accepted.len());
    assert_eq!(took.take(), accepted);
}

/// C-OV-1: requests, until their handlers have ended, and in memory until they have begun.
pub fn a_bus_holds_no_more_than_it_may(world: &World) {
    const BUDGET: usize = 4 << 20;
    const SIZE: usize = 256 << 10;
    const CALLS: usize = 40;
    let client = world.client();
    let bus = world.passing(|builder| builder.memory_budget(BUDGET));
    let gate = Gate::new();
    let pass = gate.clone();
    let server = bus.listen("bulk").serial();
    let server = server.on_async("hold", move |text: String| {
        let gate = pass.clone();
        async move {
            gate.pass().await;
            text.len()
        }
    });
    let server = server.start().unwrap();
    let text = "x".repeat(SIZE);
    let (mut kept, mut refused) = (Vec::<Promise<usize>>::new(), 0);
    for _ in 0..CALLS {
        // One after the other, so that none waits in the queue to a connection.
        let mut call = client.invoke("bulk.hold", &text);
        let expected = kept.len() + 1;
        eventually("it is taken or refused", || {
            call.is_ready() || server.load() == expected
        });
        match call.try_take() {
            None => kept.push(call),
            Some(outcome) => {
                let error = outcome.unwrap_err();
                let busy = matches!(error.kind(), CallErrorKind::Busy { .. });
                assert!(busy && error.fate() == Fate::NotExecuted, "{error}");
                refused += 1;
            }
        }
        assert!(bus.memory_in_use() <= BUDGET, "{}", bus.memory_in_use());
    }
    assert!(refused > 0 && kept.len() <= BUDGET / SIZE + 1, "{refused}");
    gate.open();
    for promise in kept {
        assert_eq!(promise.wait().unwrap(), SIZE);
    }
    eventually("it is given back", || bus.memory_in_use() == 0);
    let again = client.call::<usize>("bulk.hold", &text).wait();
    assert_eq!(again.unwrap(), SIZE);
}
