//! A server that drains while it is sent more: nothing that was accepted is lost (C-LC-1).

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tidings_core::{Bus, CallErrorKind, Fate, Server};

use crate::World;
use crate::stage::{Gate, Journal, eventually};

const LONG: Duration = Duration::from_secs(20);

/// A server on `topic` that writes down what it is cast.
fn noting(bus: &Bus, took: &Journal<u32>) -> Server {
    let note = took.clone();
    let server = bus.listen("topic").queue(4096);
    let server = server.on("take", move |n: u32| note.note(n));
    server.start().unwrap()
}

/// C-LC-1: one of two servers goes and comes back, again and again. Casts have no answer that could say that they were
/// refused: each is taken, by the one or the other, and once.
pub fn no_cast_is_lost_by_a_server_that_drains(world: &World) {
    const ROUNDS: usize = 10;
    const MOST: u32 = 20_000;
    let took = Journal::new();
    let _stays = noting(world.server(), &took);
    let other = world.another();
    let leaves = noting(&other, &took);
    let client = world.client();
    let ends = AtomicBool::new(false);
    let accepted = thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let mut accepted = Vec::new();
            for n in 0..MOST {
                if ends.load(Ordering::Relaxed) {
                    break;
                }
                match client
                    .request::<()>("topic.take", &n)
                    .cast_when_room()
                    .wait()
                {
                    Ok(()) => accepted.push(n),
                    // Told at once, where the sender sees the server itself.
                    Err(error) => assert!(error.fate().is_safe_to_repeat(), "{error}"),
                }
            }
            accepted
        });
        for round in 1..=ROUNDS {
            took.wait_for(round * 50);
            let report = leaves.drain_wait(LONG);
            assert!(report.is_complete(), "{report:?}");
            leaves.start().unwrap();
        }
        ends.store(true, Ordering::Relaxed);
        sending.join().unwrap()
    });
    took.wait_for(accepted.len());
    let mut came = took.take();
    came.sort_unstable();
    assert_eq!(came, accepted);
}

/// C-LC-1: what waits for room in front of its queue as well, wherever that is.
pub fn a_server_that_drains_does_what_is_on_its_way(world: &World) {
    const CASTS: u32 = 100;
    let (gate, took) = (Gate::new(), Journal::new());
    let (pass, note) = (gate.clone(), took.clone());
    let server = world.listen("topic").serial().queue(4);
    let server = server.on_async("take", move |n: u32| {
        let (gate, note) = (pass.clone(), note.clone());
        async move {
            gate.pass().await;
            note.note(n);
        }
    });
    let server = server.start().unwrap();
    let client = world.client();
    let sent = (0..CASTS).filter(|n| client.cast("topic.take", n).is_ok());
    let accepted: Vec<u32> = sent.collect();
    // Sent behind them, to where they go, for only those keep their order; and answered: none is still to be routed.
    let behind = client.call::<()>("topic.none", &()).wait();
    assert_ne!(behind.unwrap_err().fate(), Fate::Unknown);
    gate.wait_for(1);
    thread::scope(|scope| {
        let drained = scope.spawn(|| server.drain_wait(LONG));
        eventually("it is sent nothing more", || {
            let error = client.call::<()>("topic.none", &()).wait().unwrap_err();
            matches!(
                error.kind(),
                CallErrorKind::NoServer { .. } | CallErrorKind::ShuttingDown
            )
        });
        gate.open();
        let report = drained.join().unwrap();
        assert!(report.is_complete(), "{report:?}");
        assert_eq!(report.finished, accepted.len());
    });
    assert_eq!(took.take(), accepted);
}
