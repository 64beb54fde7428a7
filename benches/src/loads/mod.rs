//! The loads that clients are put under: calls one after another or in many tasks, and messages one way.

pub mod cells;

use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::harness::{Case, Laps};
use crate::runtimes::{Driver, yield_now};

/// `call` in as many tasks as there are to be calls in flight, one call after another in each; a single one without a
/// task of its own.
pub fn calls<C, F>(name: &str, driver: Driver, in_flight: u64, call: C) -> Case
where
    C: Fn() -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let run = move |operations: u64, laps: &Laps| {
        let one_after_another = |operations| {
            let (call, laps) = (call.clone(), laps.clone());
            async move {
                for _ in 0..operations {
                    let lap = laps.start();
                    call().await;
                    laps.end(lap);
                }
            }
        };
        if in_flight == 1 {
            return driver.block_on(one_after_another(operations));
        }
        let tasks = (0..in_flight).map(|_| one_after_another(operations / in_flight));
        driver.block_on(together(&driver, tasks));
    };
    Case::with_laps(name, run).in_grains_of(in_flight)
}

/// Runs `tasks` as tasks of `driver` until all have ended.
async fn together<F>(driver: &Driver, tasks: impl Iterator<Item = F>)
where
    F: Future<Output = ()> + Send + 'static,
{
    match driver {
        Driver::Smol => {
            let tasks: Vec<_> = tasks.map(smol::spawn).collect();
            for task in tasks {
                task.await;
            }
        }
        Driver::Tokio(_) | Driver::Beside(_) => {
            let tasks: Vec<_> = tasks.map(tokio::spawn).collect();
            for task in tasks {
                task.await.expect("no call fails");
            }
        }
    }
}

/// As many requests at a time: all are sent, then their replies are awaited in order.
pub fn windows<F, T, E>(
    name: &str,
    driver: Driver,
    in_flight: u64,
    mut send: impl AsyncFnMut() -> F + 'static,
) -> Case
where
    F: Future<Output = Result<T, E>>,
    E: std::fmt::Debug,
{
    let run = move |operations| {
        driver.block_on(async {
            let mut replies = Vec::with_capacity(in_flight as usize);
            for _ in 0..operations / in_flight {
                for _ in 0..in_flight {
                    replies.push(send().await);
                }
                for reply in replies.drain(..) {
                    black_box(reply.await.expect("no call fails"));
                }
            }
        });
    };
    Case::new(name, run).in_grains_of(in_flight)
}

/// Casts that are sent between two turns of their consumer.
pub const BATCH: u64 = 64;

/// One way within a process: a batch is sent, and its consumer, which counts in `arrived`, has its turn.
pub fn casts(
    name: &str,
    driver: Driver,
    arrived: Arc<AtomicU64>,
    mut send: impl FnMut(u64) + 'static,
) -> Case {
    let run = move |operations| {
        driver.block_on(async {
            for _ in 0..operations / BATCH {
                let awaited = arrived.load(Ordering::Acquire) + BATCH;
                (0..BATCH).for_each(&mut send);
                while arrived.load(Ordering::Acquire) < awaited {
                    yield_now().await;
                }
            }
        });
    };
    Case::new(name, run).in_grains_of(BATCH)
}

/// A client of a server in another process that sends messages one way.
#[expect(async_fn_in_trait, reason = "it is polled on one thread")]
pub trait OneWay: 'static {
    /// Sends one, as soon as there is room.
    async fn send(&mut self);
    /// Asks how many have arrived so far.
    async fn arrived(&mut self) -> u64;
}

/// One way to another process: as fast as there is room, until all have arrived.
pub fn casts_over(name: &str, driver: Driver, mut client: impl OneWay) -> Case {
    Case::new(name, move |operations| {
        driver.block_on(async {
            let before = client.arrived().await;
            for _ in 0..operations {
                client.send().await;
            }
            while client.arrived().await < before + operations {
                yield_now().await;
            }
        });
    })
}
