//! What happens to a request that finds a queue full, by the policy of whose queue it is (C-OV-1).

use std::time::Duration;

use tidings_core::{Bus, CallErrorKind, Fate, Promise, Server, WhenFull};

use crate::World;
use crate::stage::{Gate, Journal, eventually};

const TOPIC: &str = "topic.take";

/// A serial server whose method `take` waits at the gate, then writes down what it was given.
struct Stage {
    gate: Gate,
    took: Journal<u32>,
    server: Server,
}

impl Stage {
    fn new(world: &World, queue: usize, policy: WhenFull) -> Stage {
        let (gate, took) = (Gate::new(), Journal::new());
        let (pass, note) = (gate.clone(), took.clone());
        let server = world
            .listen("topic")
            .serial()
            .queue(queue)
            .when_full(policy)
            .on_async("take", move |n: u32| {
                let (gate, note) = (pass.clone(), note.clone());
                async move {
                    gate.pass().await;
                    note.note(n);
                    n
                }
            });
        Stage {
            gate,
            took,
            server: server.start().unwrap(),
        }
    }

    /// Has one handler run and the queue full: what comes now finds no room.
    fn fill(&self, client: &Bus, queue: u32) -> Vec<Promise<u32>> {
        let mut taken = vec![client.invoke(TOPIC, &0_u32)];
        self.gate.wait_for(1);
        taken.extend((1..=queue).map(|n| client.invoke(TOPIC, &n)));
        let full = 1 + queue as usize;
        eventually("its queue is full", || self.server.load() == full);
        taken
    }

    fn turned_away(&self, times: u64) {
        eventually("so many found no room", || {
            self.server.drops().turned_away >= times
        });
    }
}

fn is_busy(promise: Promise<u32>) -> Duration {
    let error = promise.wait().unwrap_err();
    assert!(error.fate().is_safe_to_repeat(), "{error}");
    let CallErrorKind::Busy { retry_after } = error.kind() else {
        panic!("{error}");
    };
    *retry_after
}

/// C-OV-1: nobody is told to come back at once to a queue that stands still.
pub fn a_busy_server_tells_for_how_long_the_longer_it_stands_still(world: &World) {
    let stage = Stage::new(world, 2, WhenFull::Reject);
    let client = world.client();
    let taken = stage.fill(client, 2);
    let first = is_busy(client.invoke(TOPIC, &9_u32));
    assert!(!first.is_zero());
    eventually("it says more than 20 ms", || {
        is_busy(client.invoke(TOPIC, &9_u32)) > Duration::from_millis(20)
    });
    assert!(is_busy(client.invoke(TOPIC, &9_u32)) <= Duration::from_secs(1));
    assert!(stage.server.drops().turned_away >= 3);
    stage.gate.open();
    for (n, promise) in (0..).zip(taken) {
        assert_eq!(promise.wait().unwrap(), n);
    }
}

/// C-OV-1, C-VB-4: and they start in the order sent.
pub fn calls_wait_for_a_server_that_blocks(world: &World) {
    const CALLS: u32 = 40;
    let stage = Stage::new(world, 2, WhenFull::Block);
    let client = world.client();
    let mut promises = stage.fill(client, 2);
    promises.extend((3..CALLS).map(|n| client.invoke::<u32>(TOPIC, &n)));
    stage.turned_away(1);
    // One that is just being turned away counts for a moment.
    eventually("no more than its queue takes", || stage.server.load() == 3);
    assert!(promises.iter().all(|promise| !promise.is_ready()));
    stage.gate.open();
    for (n, promise) in (0..).zip(promises) {
        assert_eq!(promise.wait().unwrap(), n);
    }
    assert_eq!(stage.took.take(), (0..CALLS).collect::<Vec<_>>());
}

/// C-OV-1, C-VB-1: casts as calls, and none is lost.
pub fn casts_wait_for_a_server_that_blocks(world: &World) {
    const CASTS: u32 = 40;
    let stage = Stage::new(world, 2, WhenFull::Block);
    let client = world.client();
    client.cast(TOPIC, &0_u32).unwrap();
    stage.gate.wait_for(1);
    for n in 1..CASTS {
        client.cast(TOPIC, &n).unwrap();
    }
    stage.turned_away(1);
    stage.gate.open();
    stage.took.wait_for(CASTS as usize);
    assert_eq!(stage.took.take(), (0..CASTS).collect::<Vec<_>>());
}

/// C-VB-4: of one handle, whatever the verb.
pub fn what_comes_later_does_not_overtake_what_waits_for_room(world: &World) {
    let stage = Stage::new(world, 1, WhenFull::Block);
    let client = world.client();
    let mut promises = stage.fill(client, 1);
    for n in (2..20_u32).step_by(3) {
        client.cast(TOPIC, &n).unwrap();
        promises.push(client.invoke(TOPIC, &(n + 1)));
        let cast = client.request::<()>(TOPIC, &(n + 2)).cast_when_room();
        if n == 2 {
            // It is not accepted while others of its handle wait; in front of a connection it is.
            stage.turned_away(1);
            stage.gate.open();
        }
        cast.wait().unwrap();
    }
    promises.into_iter().for_each(|promise| {
        promise.wait().unwrap();
    });
    stage.took.wait_for(20);
    assert_eq!(stage.took.take(), (0..20).collect::<Vec<_>>());
}

/// C-DL-1, C-DL-2: the time that it waits for room is its own.
pub fn a_call_that_waits_for_room_ends_at_its_deadline(world: &World) {
    let stage = Stage::new(world, 1, WhenFull::Block);
    let client = world.client();
    let taken = stage.fill(client, 1);
    let late = client.request::<u32>(TOPIC, &9_u32);
    let late = late.timeout(Duration::from_millis(30)).invoke();
    stage.turned_away(1);
    let error = late.wait().unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. }),
        "{error}"
    );
    assert_ne!(error.fate(), Fate::Executed);
    stage.gate.open();
    for promise in taken {
        promise.wait().unwrap();
    }
    assert_eq!(client.call::<u32>(TOPIC, &2_u32).wait().unwrap(), 2);
    let took = stage.took.take();
    // What has been handed over may start while word of its deadline is on the way, and is told so.
    let may_have_run = error.fate() == Fate::Unknown && took == [0, 1, 9, 2];
    assert!(took == [0, 1, 2] || may_have_run, "{error}: {took:?}");
}

/// C-DL-3
pub fn a_call_that_waits_for_room_can_be_given_up(world: &World) {
    let stage = Stage::new(world, 1, WhenFull::Block);
    let client = world.client();
    let taken = stage.fill(client, 1);
    let given_up = client.invoke::<u32>(TOPIC, &8_u32);
    let kept = client.invoke::<u32>(TOPIC, &9_u32);
    stage.turned_away(1);
    drop(given_up);
    eventually("nobody waits for it", || client.in_flight() == 3);
    stage.gate.open();
    for promise in taken {
        promise.wait().unwrap();
    }
    assert_eq!(kept.wait().unwrap(), 9);
    let took = stage.took.take();
    // A request over a connection may have been on its way to the queue already.
    assert!(took == [0, 1, 9] || took == [0, 1, 8, 9], "{took:?}");
}

/// C-OV-2
pub fn what_waits_for_one_server_delays_no_other(world: &World) {
    let stage = Stage::new(world, 1, WhenFull::Block);
    let echo = world.listen("echo").on("number", |n: u32| n);
    let _echo = echo.start().unwrap();
    let client = world.client();
    let mut held = stage.fill(client, 1);
    held.extend((2..50_u32).map(|n| client.invoke::<u32>(TOPIC, &n)));
    stage.turned_away(1);
    for n in 0..200_u32 {
        assert_eq!(client.call::<u32>("echo.number", &n).wait().unwrap(), n);
    }
    stage.gate.open();
    for (n, promise) in (0..).zip(held) {
        assert_eq!(promise.wait().unwrap(), n);
    }
}

/// C-LC-3
pub fn a_bus_that_is_closed_fails_what_waits_for_room(world: &World) {
    let stage = Stage::new(world, 1, WhenFull::Block);
    let taken = stage.fill(world.client(), 1);
    let bus = world.passing(|builder| builder.no_timeout());
    let waiting: Vec<Promise<u32>> = (2..6_u32).map(|n| bus.invoke(TOPIC, &n)).collect();
    stage.turned_away(1);
    bus.close();
    for promise in waiting {
        let error = promise.wait().unwrap_err();
        assert!(matches!(error.kind(), CallErrorKind::Closed), "{error}");
    }
    assert_eq!(bus.in_flight(), 0);
    stage.gate.open();
    for promise in taken {
        promise.wait().unwrap();
    }
}

/// C-LC-1
pub fn a_server_that_stops_refuses_what_waits_for_room(world: &World) {
    let stage = Stage::new(world, 1, WhenFull::Block);
    let client = world.client();
    let mut taken = stage.fill(client, 1);
    let waiting = client.invoke::<u32>(TOPIC, &2_u32);
    stage.turned_away(1);
    stage.server.stop();
    let error = waiting.wait().unwrap_err();
    assert!(error.fate().is_safe_to_repeat(), "{error}");
    assert!(taken.pop().unwrap().wait().is_err(), "it was queued");
    stage.gate.open();
    assert_eq!(taken.pop().unwrap().wait().unwrap(), 0);
}

/// C-OV-1: a server that is lossy keeps what is newest.
pub fn a_lossy_server_drops_the_oldest_casts_and_counts_them(world: &World) {
    let stage = Stage::new(world, 3, WhenFull::DropOldest);
    let client = world.client();
    client.cast(TOPIC, &0_u32).unwrap();
    stage.gate.wait_for(1);
    for n in 1..=10_u32 {
        client.cast(TOPIC, &n).unwrap();
    }
    eventually("seven had to go", || stage.server.drops().dropped == 7);
    stage.gate.open();
    stage.took.wait_for(4);
    eventually("it has nothing left", || stage.server.load() == 0);
    assert_eq!(stage.took.take(), [0, 8, 9, 10]);
    assert_eq!(stage.server.drops().turned_away, 0);
}

/// C-OV-1, C-OC: none of them waits for a reply that never comes.
pub fn a_call_that_loses_its_place_is_told_so(world: &World) {
    let stage = Stage::new(world, 2, WhenFull::DropOldest);
    let client = world.client();
    let mut taken = stage.fill(client, 2);
    let newest = [3_u32, 4].map(|n| client.invoke::<u32>(TOPIC, &n));
    for promise in taken.drain(1..) {
        is_busy(promise);
    }
    assert_eq!(stage.server.drops().dropped, 2);
    stage.gate.open();
    assert_eq!(taken.remove(0).wait().unwrap(), 0);
    for (n, promise) in (3..).zip(newest) {
        assert_eq!(promise.wait().unwrap(), n);
    }
    assert_eq!(stage.took.take(), [0, 3, 4]);
}

/// C-OV-1: as many as the new one needs room for.
pub fn a_lossy_server_makes_room_in_bytes(world: &World) {
    let (gate, took) = (Gate::new(), Journal::new());
    let (pass, note) = (gate.clone(), took.clone());
    let server = world.listen("topic").serial().queue_bytes(1000);
    let server = server.when_full(WhenFull::DropOldest);
    let server = server.on_async("take", move |text: String| {
        let (gate, note) = (pass.clone(), note.clone());
        async move {
            gate.pass().await;
            note.note(text.len());
        }
    });
    let server = server.start().unwrap();
    let client = world.client();
    client.cast("topic.take", &"").unwrap();
    gate.wait_for(1);
    for length in [300, 301, 302, 500] {
        client.cast("topic.take", &"x".repeat(length)).unwrap();
    }
    eventually("two had to go", || server.drops().dropped == 2);
    gate.open();
    took.wait_for(3);
    assert_eq!(took.take(), [0, 302, 500]);
}

/// C-OV-1: a handle's policy is about the queue to its connection; a server's queue is its server's.
pub fn a_handles_policy_does_not_change_that_of_a_server(world: &World) {
    let stage = Stage::new(world, 1, WhenFull::Reject);
    let client = world.client();
    let taken = stage.fill(client, 1);
    for policy in [WhenFull::Reject, WhenFull::Block, WhenFull::DropOldest] {
        is_busy(client.with_when_full(policy).invoke(TOPIC, &9_u32));
        is_busy(client.request(TOPIC, &9_u32).when_full(policy).invoke());
    }
    assert_eq!(stage.server.load(), 2);
    stage.gate.open();
    for promise in taken {
        promise.wait().unwrap();
    }
    assert_eq!(stage.took.take(), [0, 1]);
}

/// C-DL-5: by the server that had it in vain, and by its bus.
pub fn a_late_reply_is_counted(world: &World) {
    let (gate, ended) = (Gate::new(), Journal::new());
    let (pass, note) = (gate.clone(), ended.clone());
    let server = world.listen("topic").on_blocking("hold", move |n: u32| {
        pass.pass_blocking();
        note.note(n);
        n
    });
    let server = server.start().unwrap();
    let before = world.server().stats().late_replies;
    let promise = world.client().invoke::<u32>("topic.hold", &1_u32);
    gate.wait_for(1);
    drop(promise);
    // A request behind it on the same way: the cancel has come when this is answered.
    let next = world.client().invoke::<u32>("topic.hold", &2_u32);
    gate.wait_for(2);
    gate.open();
    assert_eq!(next.wait().unwrap(), 2);
    ended.wait_for(2);
    eventually("it is counted", || {
        server.drops().late == 1 && world.server().stats().late_replies == before + 1
    });
}
