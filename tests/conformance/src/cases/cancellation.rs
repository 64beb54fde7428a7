//! Cancelling, by dropping a promise or by `cancel()` (C-DL-3 and 4).

use std::sync::mpsc;
use std::time::Duration;

use tidings_core::{CallErrorKind, Context, Fate, Promise, Server, WaitExt};

use crate::World;
use crate::stage::{Gate, Journal, NoteOnDrop, eventually};

/// Far more than a call takes, and less than a connection is quiet for by itself.
const LONG: Duration = Duration::from_secs(10);

/// A server with an async method `stay` that waits at the gate, and writes down when it is dropped or ends.
fn staying(world: &World, gate: &Gate, dropped: &Journal<u32>) -> Server {
    let (gate, dropped) = (gate.clone(), dropped.clone());
    world
        .listen("topic")
        .serial()
        .on_async("stay", move |n: u32| {
            let (gate, noted) = (gate.clone(), NoteOnDrop::new(&dropped, n));
            async move {
                gate.pass().await;
                drop(noted);
            }
        })
        .start()
        .unwrap()
}

/// C-DL-3
pub fn a_dropped_promise_drops_the_running_handler_at_its_next_await(world: &World) {
    let (gate, dropped) = (Gate::new(), Journal::new());
    let server = staying(world, &gate, &dropped);
    let promise = world.client().invoke::<()>("topic.stay", &1_u32);
    gate.wait_for(1);
    assert!(dropped.is_empty());
    drop(promise);
    // The gate is closed all the time: only the cancellation can end the handler.
    dropped.wait_for(1);
    eventually("its slot is free", || server.load() == 0);
    assert_eq!(world.client().in_flight(), 0);
}

/// C-DL-3
pub fn a_dropped_promise_takes_its_request_out_of_the_queue(world: &World) {
    let (gate, dropped) = (Gate::new(), Journal::new());
    let server = staying(world, &gate, &dropped);
    let running = world.client().invoke::<()>("topic.stay", &1_u32);
    gate.wait_for(1);
    let queued = world.client().invoke::<()>("topic.stay", &2_u32);
    eventually("it is queued", || server.load() == 2);
    drop(queued);
    eventually("it is taken out", || server.load() == 1);
    gate.open();
    running.wait().unwrap();
    world
        .client()
        .invoke::<()>("topic.stay", &3_u32)
        .wait()
        .unwrap();
    assert_eq!(dropped.take(), [1, 3]);
}

/// C-DL-3: nothing is left of such a request for whoever was woken by it, who is to hear of the next one all the same.
pub fn a_request_that_is_made_and_dropped_within_a_callback_holds_up_no_other(world: &World) {
    let _server = world
        .listen("topic")
        .on("double", |n: u32| 2 * n)
        .start()
        .unwrap();
    for n in 0..10 {
        let (called, calls) = mpsc::channel();
        let client = world.client().clone();
        let first = world.client().invoke::<u32>("topic.double", &n);
        first.on_ready(move |outcome| {
            drop(client.invoke::<u32>("topic.double", &n));
            called.send(outcome).unwrap();
        });
        assert_eq!(calls.recv().unwrap().unwrap(), 2 * n);
        let next = world.client().request::<u32>("topic.double", &n);
        assert_eq!(next.timeout(LONG).wait().unwrap(), 2 * n);
    }
}

/// C-DL-3
pub fn cancel_ends_the_wait_and_the_handler(world: &World) {
    let (gate, dropped) = (Gate::new(), Journal::new());
    let server = staying(world, &gate, &dropped);
    let mut promise = world.client().invoke::<()>("topic.stay", &1_u32);
    gate.wait_for(1);
    promise.cancel();
    promise.cancel();
    let error = promise.wait().unwrap_err();
    assert!(matches!(error.kind(), CallErrorKind::Cancelled), "{error}");
    assert_eq!(error.fate(), Fate::Unknown);
    dropped.wait_for(1);
    eventually("its slot is free", || server.load() == 0);
}

/// C-DL-3
pub fn cancel_after_the_reply_changes_nothing(world: &World) {
    let _server = world.listen("topic").on("ask", |n: u32| n).start().unwrap();
    let mut promise = world.client().invoke::<u32>("topic.ask", &5_u32);
    eventually("the reply is there", || promise.is_ready());
    promise.cancel();
    assert_eq!(promise.wait().unwrap(), 5);
}

/// C-DL-3
pub fn a_detached_promise_lets_the_request_run(world: &World) {
    let (gate, ended) = (Gate::new(), Journal::new());
    let (pass, note) = (gate.clone(), ended.clone());
    let server = world.listen("topic").on_async("stay", move |n: u32| {
        let (gate, note) = (pass.clone(), note.clone());
        async move {
            gate.pass().await;
            note.note(n);
        }
    });
    let _server = server.start().unwrap();
    world.client().invoke::<()>("topic.stay", &1_u32).detach();
    gate.wait_for(1);
    gate.open();
    ended.wait_for(1);
}

/// C-DL-3
pub fn a_blocking_handler_sees_that_it_is_cancelled(world: &World) {
    let (started, told) = (Journal::new(), Journal::new());
    let (starting, telling) = (started.clone(), told.clone());
    let server = world
        .listen("topic")
        .on_blocking("stay", move |(): ()| {
            let context = Context::current().unwrap();
            assert!(!context.is_cancelled());
            starting.note(());
            context.cancelled().wait();
            telling.note(context.is_cancelled());
        })
        .start()
        .unwrap();
    let promise = world.client().invoke::<()>("topic.stay", &());
    started.wait_for(1);
    assert!(told.is_empty());
    drop(promise);
    told.wait_for(1);
    assert_eq!(told.take(), [true]);
    eventually("its slot is free", || server.load() == 0);
}

/// C-DL-3: from the first caller through the middle to the last handler.
pub fn a_cancellation_reaches_nested_calls(world: &World) {
    let (gate, dropped) = (Gate::new(), Journal::new());
    let (pass, note) = (gate.clone(), dropped.clone());
    let last = world
        .client()
        .listen("last")
        .on_async("stay", move |n: u32| {
            let (gate, noted) = (pass.clone(), NoteOnDrop::new(&note, n));
            async move {
                gate.pass().await;
                drop(noted);
            }
        })
        .start()
        .unwrap();
    let bus = world.server().clone();
    let middle = world
        .listen("middle")
        .on_async("stay", move |n: u32| {
            let nested = bus.invoke::<()>("last.stay", &n);
            async move { nested.await.map_err(|error| error.to_string()) }
        })
        .start()
        .unwrap();
    let promise: Promise<Result<(), String>> = world.client().invoke("middle.stay", &1_u32);
    gate.wait_for(1);
    drop(promise);
    dropped.wait_for(1);
    eventually("both slots are free", || last.load() + middle.load() == 0);
    eventually("no call is left", || world.server().in_flight() == 0);
}

/// C-DL-3: a blocking handler cannot be dropped, but what it waits for can.
pub fn a_cancellation_wakes_a_blocking_handler_from_its_nested_call(world: &World) {
    let (gate, told) = (Gate::new(), Journal::new());
    let (pass, note, bus) = (gate.clone(), told.clone(), world.server().clone());
    let _last = world
        .client()
        .listen("last")
        .on_async("stay", move |(): ()| {
            let gate = pass.clone();
            async move { gate.pass().await }
        })
        .start()
        .unwrap();
    let middle = world
        .listen("middle")
        .on_blocking("stay", move |(): ()| {
            let nested = bus.invoke::<()>("last.stay", &());
            note.note(nested.wait().unwrap_err());
        })
        .start()
        .unwrap();
    let promise = world.client().invoke::<()>("middle.stay", &());
    gate.wait_for(1);
    drop(promise);
    told.wait_for(1);
    let error = &told.take()[0];
    assert!(matches!(error.kind(), CallErrorKind::Cancelled), "{error}");
    eventually("its slot is free", || middle.load() == 0);
}

/// C-DL-4
pub fn a_slot_is_free_when_the_handler_has_ended_and_not_before(world: &World) {
    let (gate, events) = (Gate::new(), Journal::new());
    let (pass, note) = (gate.clone(), events.clone());
    let server = world
        .listen("topic")
        .serial()
        .on_blocking("stubborn", move |n: u32| {
            note.note((n, "started"));
            pass.pass_blocking();
            note.note((n, "ended"));
        })
        .start()
        .unwrap();
    let first = world.client().invoke::<()>("topic.stubborn", &1_u32);
    gate.wait_for(1);
    drop(first);
    let second = world.client().invoke::<()>("topic.stubborn", &2_u32);
    // The first is cancelled and still runs: it counts.
    eventually("the second is queued", || server.load() == 2);
    gate.open();
    second.wait().unwrap();
    let order = [(1, "started"), (1, "ended"), (2, "started"), (2, "ended")];
    assert_eq!(events.take(), order);
}

/// C-DL-3, C-DL-4: what a cancelled request leaves behind is room.
pub fn cancelled_requests_leave_the_whole_capacity(world: &World) {
    let (gate, dropped) = (Gate::new(), Journal::new());
    let server = staying(world, &gate, &dropped);
    for round in 1..=20 {
        let promise = world.client().invoke::<()>("topic.stay", &1_u32);
        gate.wait_for(round);
        drop(promise);
    }
    dropped.wait_for(20);
    eventually("all slots are free", || server.load() == 0);
    gate.open();
    world
        .client()
        .invoke::<()>("topic.stay", &2_u32)
        .wait()
        .unwrap();
}

/// C-DL-3: a wait that was over before the reply leaves the request alone.
pub fn a_wait_that_times_out_cancels_nothing(world: &World) {
    let (gate, dropped) = (Gate::new(), Journal::new());
    let _server = staying(world, &gate, &dropped);
    let mut promise = world.client().invoke::<()>("topic.stay", &1_u32);
    gate.wait_for(1);
    let short = Duration::from_millis(5);
    assert!(promise.wait_timeout(short).is_none());
    assert!(dropped.is_empty());
    gate.open();
    promise.wait().unwrap();
}

/// C-DL-4, C-AD-2: a server is as busy as its handlers are, whether anybody waits for them or not.
pub fn a_cancelled_call_counts_for_its_server_until_its_handler_has_ended(world: &World) {
    let (gate, saw, took) = (Gate::new(), Journal::new(), Journal::new());
    let serve = |name: &'static str| {
        let (gate, saw, took) = (gate.clone(), saw.clone(), took.clone());
        world
            .listen("topic")
            .name(name)
            .on_blocking("stay", move |(): ()| {
                let context = Context::current().unwrap();
                saw.note("it runs");
                eventually("it is cancelled", || context.is_cancelled());
                saw.note("it is cancelled");
                gate.pass_blocking();
            })
            .on("take", move |(): ()| took.note(name))
            .start()
            .unwrap()
    };
    let (a, _b) = (serve("a"), serve("b"));
    let request = world.client().request::<()>("topic.stay", &()).to("a");
    let promise = request.invoke();
    saw.wait_for(1);
    drop(promise);
    saw.wait_for(2);
    let take = || world.client().invoke::<()>("topic.take", &()).wait();
    for _ in 0..10 {
        take().unwrap();
    }
    assert_eq!(took.take(), ["b"; 10]);
    gate.open();
    eventually("its slot is free", || a.load() == 0);
    // Then it has its turn again.
    eventually("it is known that it has ended", || {
        take().unwrap();
        took.take() == ["a"]
    });
}
