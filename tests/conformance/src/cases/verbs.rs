//! cast, invoke and call (C-VB-1 to 5).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidings_core::{CallErrorKind, Fate, Promise, WaitExt};

use crate::World;
use crate::stage::{Gate, Journal, eventually};

/// C-VB-1
pub fn a_cast_reaches_one_handler_once(world: &World) {
    let got = Journal::new();
    let note = got.clone();
    let _server = world
        .listen("topic")
        .on("take", move |n: u32| {
            note.note(n);
            n
        })
        .start()
        .unwrap();
    for n in 0..100_u32 {
        world.client().cast("topic.take", &n).unwrap();
    }
    got.wait_for(100);
    // Whatever the handler returns, nothing comes back, and nothing is in flight for it.
    assert_eq!(world.client().in_flight(), 0);
    assert_eq!(got.take(), (0..100).collect::<Vec<_>>());
}

/// C-VB-1, C-OV-1
pub fn a_cast_into_a_full_queue_is_told_so(world: &World) {
    const QUEUE: usize = 8;
    let gate = Gate::new();
    let pass = gate.clone();
    let _server = world
        .listen("topic")
        .serial()
        .queue(QUEUE)
        .on_async("take", move |(): ()| {
            let gate = pass.clone();
            async move { gate.pass().await }
        })
        .start()
        .unwrap();
    world.client().cast("topic.take", &()).unwrap();
    gate.wait_for(1);
    if !world.shares_queues() {
        gate.open();
        return world.skip("a cast's queue is the connection's, not the server's");
    }
    for _ in 0..QUEUE {
        world.client().cast("topic.take", &()).unwrap();
    }
    let error = world.client().cast("topic.take", &()).unwrap_err();
    assert!(error.fate().is_safe_to_repeat());
    assert!(
        matches!(error.kind(), CallErrorKind::QueueFull { .. }),
        "{error}"
    );
    gate.open();
    gate.wait_for(1 + QUEUE);
}

/// C-VB-1
pub fn a_cast_can_wait_for_room(world: &World) {
    const QUEUE: usize = 4;
    const CASTS: usize = 100;
    let (gate, got) = (Gate::new(), Journal::new());
    let (pass, note) = (gate.clone(), got.clone());
    let _server = world
        .listen("topic")
        .serial()
        .queue(QUEUE)
        .on_async("take", move |n: usize| {
            let (gate, note) = (pass.clone(), note.clone());
            async move {
                gate.pass().await;
                note.note(n);
            }
        })
        .start()
        .unwrap();
    let sent = Arc::new(AtomicUsize::new(0));
    let (count, client) = (sent.clone(), world.client().clone());
    let sender = std::thread::spawn(move || {
        for n in 0..CASTS {
            let request = client.request::<()>("topic.take", &n);
            request.cast_when_room().wait().unwrap();
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    gate.wait_for(1);
    if world.shares_queues() {
        // One runs and as many as the queue takes wait; the next is not sent. One less where the queue was full before
        // the first was taken out of it: room is told when half of it is free.
        eventually("the queue is full", || sent.load(Ordering::SeqCst) >= QUEUE);
        assert!(sent.load(Ordering::SeqCst) <= 1 + QUEUE);
    }
    gate.open();
    sender.join().unwrap();
    got.wait_for(CASTS);
    assert_eq!(got.take(), (0..CASTS).collect::<Vec<_>>());
}

/// C-VB-1: and its room is not lost.
pub fn a_waiting_cast_that_is_dropped_was_not_sent(world: &World) {
    if !world.shares_queues() {
        return world.skip("a cast's queue is the connection's, not the server's");
    }
    let (gate, got) = (Gate::new(), Journal::new());
    let (pass, note) = (gate.clone(), got.clone());
    let _server = world
        .listen("topic")
        .serial()
        .queue(1)
        .on_async("take", move |n: u32| {
            let (gate, note) = (pass.clone(), note.clone());
            async move {
                gate.pass().await;
                note.note(n);
            }
        })
        .start()
        .unwrap();
    world.client().cast("topic.take", &1_u32).unwrap();
    gate.wait_for(1);
    world.client().cast("topic.take", &2_u32).unwrap();
    let cast = |n: u32| {
        world
            .client()
            .request::<()>("topic.take", &n)
            .cast_when_room()
    };
    let mut waiting = cast(3);
    let short = std::time::Duration::from_millis(5);
    assert!(waiting.wait_timeout(short).is_err());
    drop(waiting);
    gate.open();
    cast(4).wait().unwrap();
    got.wait_for(3);
    assert_eq!(got.take(), [1, 2, 4]);
}

/// C-VB-2
pub fn invoke_does_not_wait_for_the_server(world: &World) {
    let gate = Gate::new();
    let pass = gate.clone();
    let _server = world
        .listen("topic")
        .on_async("slow", move |n: u32| {
            let gate = pass.clone();
            async move {
                gate.pass().await;
                n
            }
        })
        .start()
        .unwrap();
    let promise: Promise<u32> = world.client().invoke("topic.slow", &3_u32);
    gate.wait_for(1);
    assert!(!promise.is_ready());
    gate.open();
    assert_eq!(promise.wait().unwrap(), 3);
}

/// C-VB-2: each handler waits until all of them run; one after the other they would never end.
pub fn invokes_run_at_the_same_time(world: &World) {
    const CALLS: usize = 200;
    let gate = Gate::new();
    let pass = gate.clone();
    let _server = world
        .listen("topic")
        .on_async("meet", move |n: usize| {
            let gate = pass.clone();
            async move {
                gate.pass().await;
                n
            }
        })
        .start()
        .unwrap();
    let promises: Vec<Promise<usize>> = (0..CALLS)
        .map(|n| world.client().invoke("topic.meet", &n))
        .collect();
    gate.wait_for(CALLS);
    assert_eq!(world.client().in_flight(), CALLS);
    gate.open();
    for (n, promise) in promises.into_iter().enumerate() {
        assert_eq!(promise.wait().unwrap(), n);
    }
}

/// C-VB-2: the same with handlers that block their threads.
pub fn blocking_handlers_run_at_the_same_time(world: &World) {
    const CALLS: usize = 16;
    let gate = Gate::new();
    let pass = gate.clone();
    let _server = world
        .listen("topic")
        .on_blocking("meet", move |(): ()| pass.pass_blocking())
        .on("quick", |n: u32| n)
        .start()
        .unwrap();
    let promises: Vec<Promise<()>> = (0..CALLS)
        .map(|_| world.client().invoke("topic.meet", &()))
        .collect();
    gate.wait_for(CALLS);
    // They stall nobody.
    assert_eq!(
        world
            .client()
            .call::<u32>("topic.quick", &5_u32)
            .wait()
            .unwrap(),
        5
    );
    gate.open();
    for promise in promises {
        promise.wait().unwrap();
    }
}

/// C-VB-3
pub fn call_and_invoke_have_the_same_outcome(world: &World) {
    let server = world.listen("topic").on("half", |n: i64| n / 2);
    let _server = server.on("fail", |(): ()| -> () { panic!("as it should") });
    let _server = _server.start().unwrap();
    let client = world.client().clone();
    assert_eq!(client.call::<i64>("topic.half", &8).wait().unwrap(), 4);
    assert_eq!(client.invoke::<i64>("topic.half", &8).wait().unwrap(), 4);
    let fates = [
        client.call::<()>("topic.fail", &()).wait().unwrap_err(),
        client.invoke::<()>("topic.fail", &()).wait().unwrap_err(),
        client.call::<()>("topic.missing", &()).wait().unwrap_err(),
        client
            .invoke::<()>("topic.missing", &())
            .wait()
            .unwrap_err(),
    ]
    .map(|error| error.fate());
    use Fate::{Executed, NotExecuted};
    assert_eq!(fates, [Executed, Executed, NotExecuted, NotExecuted]);
    let awaited = world.run(async move {
        let called = client.call::<i64>("topic.half", &8).await.unwrap();
        let invoked = client.invoke::<i64>("topic.half", &8).await.unwrap();
        let failed = client.call::<()>("topic.fail", &()).await.unwrap_err();
        (called, invoked, failed.fate())
    });
    assert_eq!(awaited, (4, 4, Executed));
}

/// C-VB-3: a call is lazy.
pub fn a_request_that_is_dropped_was_never_sent(world: &World) {
    let got = Journal::new();
    let note = got.clone();
    let server = world.listen("topic").serial();
    let _server = server
        .on("take", move |n: u32| note.note(n))
        .start()
        .unwrap();
    drop(world.client().request::<()>("topic.take", &1_u32));
    drop(world.client().call::<()>("topic.take", &2_u32).call());
    drop(
        world
            .client()
            .request::<()>("topic.take", &3_u32)
            .cast_when_room(),
    );
    world
        .client()
        .call::<()>("topic.take", &4_u32)
        .wait()
        .unwrap();
    assert_eq!(got.take(), [4]);
}

/// C-VB-3
pub fn every_kind_of_handler_answers_every_verb(world: &World) {
    let casts = Journal::new();
    let (a, b, c) = (casts.clone(), casts.clone(), casts.clone());
    let _server = world
        .listen("topic")
        .on("quick", move |n: u32| {
            a.note(n);
            n + 1
        })
        .on_async("async", move |n: u32| {
            b.note(n);
            async move { n + 1 }
        })
        .on_blocking("blocking", move |n: u32| {
            c.note(n);
            n + 1
        })
        .start()
        .unwrap();
    for path in ["topic.quick", "topic.async", "topic.blocking"] {
        let client = world.client().clone();
        assert_eq!(
            client.call::<u32>(path, &1_u32).wait().unwrap(),
            2,
            "{path}"
        );
        assert_eq!(
            client.invoke::<u32>(path, &1_u32).wait().unwrap(),
            2,
            "{path}"
        );
        client.cast(path, &1_u32).unwrap();
        let awaited = world.run(async move { client.call::<u32>(path, &1_u32).await });
        assert_eq!(awaited.unwrap(), 2, "{path}");
    }
    casts.wait_for(12);
}

/// C-VB-4
pub fn requests_of_one_handle_start_in_the_order_sent(world: &World) {
    const REQUESTS: u32 = 300;
    let started = Journal::new();
    let (a, b) = (started.clone(), started.clone());
    let _server = world
        .listen("topic")
        .concurrency(4)
        .on("quick", move |n: u32| a.note(n))
        .on_async("async", move |n: u32| {
            b.note(n);
            async move { yield_once().await }
        })
        .start()
        .unwrap();
    let mut promises = Vec::new();
    for n in 0..REQUESTS {
        match n % 3 {
            0 => promises.push(world.client().invoke::<()>("topic.quick", &n)),
            1 => promises.push(world.client().invoke::<()>("topic.async", &n)),
            _ => world.client().cast("topic.quick", &n).unwrap(),
        }
    }
    for promise in promises {
        promise.wait().unwrap();
    }
    started.wait_for(REQUESTS as usize);
    assert_eq!(started.take(), (0..REQUESTS).collect::<Vec<_>>());
}

/// C-VB-4
pub fn a_serial_server_ends_them_in_the_order_sent(world: &World) {
    const REQUESTS: u32 = 60;
    let ended = Journal::new();
    let (a, b, c) = (ended.clone(), ended.clone(), ended.clone());
    let _server = world
        .listen("topic")
        .serial()
        .on("quick", move |n: u32| a.note(n))
        .on_async("async", move |n: u32| {
            let ended = b.clone();
            async move {
                yield_once().await;
                ended.note(n);
            }
        })
        .on_blocking("blocking", move |n: u32| c.note(n))
        .start()
        .unwrap();
    let paths = ["topic.async", "topic.blocking", "topic.quick"];
    let promises: Vec<Promise<()>> = (0..REQUESTS)
        .map(|n| world.client().invoke(paths[n as usize % 3], &n))
        .collect();
    for promise in promises {
        promise.wait().unwrap();
    }
    assert_eq!(ended.take(), (0..REQUESTS).collect::<Vec<_>>());
}

/// C-VB-4
pub fn handlers_run_up_to_the_servers_limit_and_no_further(world: &World) {
    const LIMIT: usize = 3;
    const CALLS: usize = 20;
    let gate = Gate::new();
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (pass, now, peak) = (gate.clone(), running.clone(), most.clone());
    let server = world
        .listen("topic")
        .concurrency(LIMIT)
        .on_async("work", move |(): ()| {
            let (gate, now, peak) = (pass.clone(), now.clone(), peak.clone());
            async move {
                peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                gate.pass().await;
                yield_once().await;
                now.fetch_sub(1, Ordering::SeqCst);
            }
        })
        .start()
        .unwrap();
    let promises: Vec<Promise<()>> = (0..CALLS)
        .map(|_| world.client().invoke("topic.work", &()))
        .collect();
    gate.wait_for(LIMIT);
    eventually("all are accepted", || server.load() == CALLS);
    assert_eq!(gate.arrived(), LIMIT);
    gate.open();
    for promise in promises {
        promise.wait().unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), LIMIT);
}

/// Lets other tasks run once.
async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if yielded {
            return std::task::Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}
