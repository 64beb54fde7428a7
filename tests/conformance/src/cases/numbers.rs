//! Large numbers of messages. Scaled down in a debug build; `tests/run` counts in full.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tidings_core::Promise;

use crate::World;
use crate::stage::{Gate, eventually};

/// `full`, or a tenth of it where nothing is optimised.
const fn scaled(full: usize) -> usize {
    if cfg!(debug_assertions) {
        full / 10
    } else {
        full
    }
}

/// C-VB-4, C-VB-5, FAULTS-C1
pub fn a_million_casts_from_eight_threads_arrive_once_each_in_order(world: &World) {
    const THREADS: usize = 8;
    // Strict memory and sockets encode and decode each one.
    let all = if world.moves_values() {
        1_000_000
    } else {
        400_000
    };
    let each = scaled(all) / THREADS;
    let arrived = Arc::new(AtomicUsize::new(0));
    let next: Arc<[AtomicUsize; THREADS]> = Arc::default();
    let disorder = Arc::new(AtomicUsize::new(0));
    let (count, expected, wrong) = (arrived.clone(), next.clone(), disorder.clone());
    let _server = world
        .listen("topic")
        .on("take", move |(thread, n): (usize, usize)| {
            if expected[thread].fetch_add(1, Ordering::SeqCst) != n {
                wrong.fetch_add(1, Ordering::SeqCst);
            }
            count.fetch_add(1, Ordering::SeqCst);
        })
        .start()
        .unwrap();
    let senders: Vec<_> = (0..THREADS)
        .map(|thread| {
            // A handle of its own: the order of casts is that of a handle.
            let client = world.client().clone();
            thread::spawn(move || {
                for n in 0..each {
                    let request = client.request::<()>("topic.take", &(thread, n));
                    request.no_timeout().cast_when_room().wait().unwrap();
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().unwrap();
    }
    eventually("all have arrived", || {
        arrived.load(Ordering::SeqCst) >= each * THREADS
    });
    assert_eq!(disorder.load(Ordering::SeqCst), 0);
    assert_eq!(arrived.load(Ordering::SeqCst), each * THREADS);
}

/// C-VB-2: none ends before the last has started, so that together they take as long as the longest.
pub fn ten_thousand_invokes_in_flight_end_together(world: &World) {
    let calls = world.most_in_flight();
    let gate = Gate::new();
    let pass = gate.clone();
    let server = world.listen("topic").concurrency(calls).queue(calls);
    let server = server.on_async("meet", move |n: usize| {
        let gate = pass.clone();
        async move {
            gate.pass().await;
            n
        }
    });
    let _server = server.start().unwrap();
    let promises: Vec<Promise<usize>> = (0..calls)
        .map(|n| {
            let request = world.client().request("topic.meet", &n);
            request.no_timeout().invoke()
        })
        .collect();
    gate.wait_for(calls);
    gate.open();
    for (n, promise) in promises.into_iter().enumerate() {
        assert_eq!(promise.wait().unwrap(), n);
    }
}

/// C-DL-5, FAULTS-R11
pub fn a_storm_of_dropped_promises_leaves_every_table_empty(world: &World) {
    const BATCH: usize = 250;
    let gate = Gate::new();
    let server = world
        .listen("topic")
        .concurrency(64)
        .on_async("stay", move |(): ()| {
            let gate = gate.clone();
            async move { gate.pass().await }
        })
        .on("ask", |n: u32| n)
        .start()
        .unwrap();
    for _ in 0..scaled(100_000) / BATCH {
        let batch: Vec<Promise<()>> = (0..BATCH)
            .map(|_| {
                let request = world.client().request("topic.stay", &());
                request.no_timeout().invoke()
            })
            .collect();
        drop(batch);
    }
    eventually("the caller's table is empty", || {
        world.client().in_flight() == 0
    });
    eventually("the server's is too", || server.load() == 0);
    there_is_room_again(world);
}

/// C-DL-5: the same one by one, each dropped as soon as it is made.
pub fn promises_dropped_at_once_leave_every_table_empty(world: &World) {
    let server = world
        .listen("topic")
        .on("ask", |n: usize| n)
        .start()
        .unwrap();
    for n in 0..scaled(50_000) {
        drop(world.client().invoke::<usize>("topic.ask", &n));
    }
    eventually("the caller's table is empty", || {
        world.client().in_flight() == 0
    });
    eventually("the server's is too", || server.load() == 0);
    there_is_room_again(world);
}

/// What was given up while it was queued for the connection leaves that queue when its turn comes: until then there may
/// be no room.
fn there_is_room_again(world: &World) {
    let answered = || world.client().call::<u32>("topic.ask", &1_u32).wait();
    eventually("there is room again", || {
        answered().is_ok_and(|answer| answer == 1)
    });
}

/// C-OV-1, C-VB-3: more of them than there are threads, three deep.
pub fn blocking_handlers_that_wait_for_blocking_ones_come_to_their_end(world: &World) {
    const CALLS: usize = 700;
    let bus = world.server().clone();
    let server = world
        .listen("topic")
        .on_blocking("nest", move |depth: u32| -> u32 {
            match depth {
                0 => 0,
                _ => {
                    1 + bus
                        .call::<u32>("topic.nest", &(depth - 1))
                        .wait()
                        .unwrap_or(100)
                }
            }
        });
    // Those within wait for room as well.
    let _server = server.concurrency(4 * CALLS).start().unwrap();
    let promises: Vec<Promise<u32>> = (0..CALLS)
        .map(|_| world.client().invoke("topic.nest", &3_u32))
        .collect();
    for promise in promises {
        assert_eq!(promise.wait().unwrap(), 3);
    }
}
