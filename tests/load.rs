//! Much at once: what is in flight on one connection, a flood of casts, a storm of promises that are dropped.
//!
//! The rates are printed, not asserted: `cargo test --release --test load -- --nocapture --test-threads 1`.
#![cfg(any(feature = "tokio", feature = "smol"))]

#[path = "faults/engine.rs"]
#[allow(dead_code, reason = "the tests with several processes use more of it")]
mod engine;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tidings::promise::{Completer, all};
use tidings::{Bus, Promise, PromiseError, Server, Shared};

use engine::{Directory, Engine, until};

/// Limits above what is in flight here; by default a connection takes 1024 requests.
const WIDE: &str = "&in_flight=16384&queue=16384";

/// A hub that serves and a member that calls, with one connection between them.
struct Connection {
    serving: Bus,
    calling: Bus,
    _directory: Directory,
}

impl Connection {
    fn open(engine: Engine, options: &str) -> Connection {
        let directory = Directory::new();
        Connection {
            serving: engine.open(&format!("{}{options}", directory.hub())),
            calling: engine.open(&format!("{}{options}", directory.member())),
            _directory: directory,
        }
    }
}

/// Holds all who pass until as many as were expected are there.
struct Gate {
    missing: AtomicUsize,
    open: Mutex<Option<Completer<(), PromiseError>>>,
    opened: Shared<(), PromiseError>,
}

impl Gate {
    fn of(expected: usize) -> Arc<Gate> {
        let (open, opened) = Promise::channel();
        Arc::new(Gate {
            missing: AtomicUsize::new(expected),
            open: Mutex::new(Some(open)),
            opened: opened.shared(),
        })
    }

    async fn pass(&self) {
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            let open = self.open.lock().unwrap().take();
            open.unwrap().complete(()).unwrap();
        }
        self.opened.clone().await.unwrap();
    }
}

/// Serves `gate.pass`, whose handlers all have to run at the same time for any to end, and then take their time.
fn serve_gate(bus: &Bus, expected: usize, longest: Duration) -> Server {
    let gate = Gate::of(expected);
    let runtime = bus.runtime().clone();
    let pass = move |n: u32| {
        let (gate, runtime) = (gate.clone(), runtime.clone());
        async move {
            gate.pass().await;
            runtime.sleep(longest * n / expected as u32).await;
            n
        }
    };
    let server = bus.listen("gate").concurrency(expected).queue(expected);
    server.on_async("pass", pass).start().unwrap()
}

/// C-VB-2.
fn ten_thousand_in_flight_on_one_connection_take_as_long_as_the_longest(engine: Engine) {
    const REQUESTS: u32 = 10_000;
    const LONGEST: Duration = Duration::from_secs(1);
    let bus = Connection::open(engine, WIDE);
    let server = serve_gate(&bus.serving, REQUESTS as usize, LONGEST);
    let start = Instant::now();
    let promises: Vec<Promise<u32>> = (1..=REQUESTS)
        .map(|n| bus.calling.invoke("gate.pass", &n))
        .collect();
    let sent = start.elapsed();
    let answers = all(promises).wait().unwrap();
    let took = start.elapsed();
    eprintln!(
        "{}: {REQUESTS} in flight at once, of which the longest takes {LONGEST:?}: sent in {sent:.3?}, all there after {took:.3?}",
        engine.name()
    );
    assert!(answers.into_iter().eq(1..=REQUESTS));
    // One after the other they take an hour and a half.
    assert!(took < LONGEST * 15, "{took:?}");
    until("both tables are empty", || {
        bus.calling.in_flight() + server.load() == 0
    });
}

fn serve_ping(bus: &Bus) -> Server {
    bus.listen("ping").on("ping", |()| ()).start().unwrap()
}

const THREADS: u32 = 8;
/// Casts of each thread.
const EACH: u32 = if cfg!(debug_assertions) {
    10_000
} else {
    125_000
};

/// C-VB-1, C-VB-4, C-VB-5, C1.
fn casts_of_eight_threads_arrive_once_each_in_their_order(
    what: &str,
    serving: &Bus,
    calling: &Bus,
) {
    let next: Arc<[AtomicU32]> = (0..THREADS).map(|_| AtomicU32::new(0)).collect();
    let wrong = Arc::new(Mutex::new(None));
    let note = {
        let (next, wrong) = (next.clone(), wrong.clone());
        move |(thread, n): (u32, u32)| {
            let expected = next[thread as usize].fetch_add(1, Ordering::Relaxed);
            if n != expected {
                wrong.lock().unwrap().get_or_insert((thread, n, expected));
            }
        }
    };
    let _server = serving
        .listen("log")
        .serial()
        .on("note", note)
        .start()
        .unwrap();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let bus = calling.clone();
            scope.spawn(move || {
                for n in 0..EACH {
                    let cast = bus.request::<()>("log.note", &(thread, n)).no_timeout();
                    cast.cast_when_room().wait().unwrap();
                }
            });
        }
    });
    let arrived = || next.iter().map(|n| n.load(Ordering::Relaxed)).sum::<u32>();
    until("all casts arrive", || arrived() == THREADS * EACH);
    let took = start.elapsed();
    let rate = f64::from(THREADS * EACH) / took.as_secs_f64();
    eprintln!(
        "{what}: {} casts from {THREADS} threads in {took:.3?}, {rate:.0} a second",
        THREADS * EACH
    );
    assert_eq!(*wrong.lock().unwrap(), None, "(thread, arrived, expected)");
    // Once each: nothing more comes behind the last.
    let _ping = serve_ping(serving);
    calling.call::<()>("ping.ping", &()).wait().unwrap();
    assert_eq!(arrived(), THREADS * EACH);
}

fn casts_over_one_connection(engine: Engine) {
    let bus = Connection::open(engine, "");
    let what = format!("unix, {}", engine.name());
    casts_of_eight_threads_arrive_once_each_in_their_order(&what, &bus.serving, &bus.calling);
}

#[test]
fn casts_in_memory() {
    let bus = Bus::open("mem:").unwrap();
    casts_of_eight_threads_arrive_once_each_in_their_order("memory", &bus, &bus);
}

/// C-DL-5, R11: and no credit or slot is lost, for as many as the limit allows are in flight again.
fn a_storm_of_dropped_promises_leaves_every_table_empty(what: &str, serving: &Bus, calling: &Bus) {
    const STORM: u32 = 100_000;
    // As many as a connection lets run at one destination: three quarters of 1024 (C-OV-2).
    const LIMIT: u32 = 768;
    const HELD: usize = 500;
    let started = Arc::new(AtomicUsize::new(0));
    let stuck = {
        let started = started.clone();
        move |_: u32| {
            started.fetch_add(1, Ordering::Relaxed);
            std::future::pending::<u32>()
        }
    };
    let server = serving
        .listen("slow")
        .on_async("wait", stuck)
        .start()
        .unwrap();
    let _ping = serve_ping(serving);
    let mut held: VecDeque<Promise<u32>> = (0..HELD as u32)
        .map(|n| calling.invoke("slow.wait", &n))
        .collect();
    // A storm that outruns the connection finds all of its requests still queued here: the first ones are let arrive,
    // so that handlers that run are among what is given up.
    until("handlers run", || started.load(Ordering::Relaxed) > 0);
    let start = Instant::now();
    let mut made = 0;
    while made < STORM {
        let promise: Promise<u32> = calling.invoke("slow.wait", &made);
        if promise.is_ready() {
            std::thread::yield_now(); // The queue is full: not one of the storm.
            continue;
        }
        made += 1;
        held.push_back(promise);
        if held.len() > HELD {
            held.pop_front(); // Which cancels it, wherever it is by now.
        }
    }
    drop(held);
    let dropped = start.elapsed();
    until("all tables are empty", || {
        calling.in_flight() + serving.in_flight() + server.load() == 0
    });
    let started = started.load(Ordering::Relaxed);
    eprintln!(
        "{what}: {STORM} promises made and dropped in {dropped:.3?}, the handlers of {started} were running; all tables empty after {:.3?}",
        start.elapsed()
    );
    assert!(started > 0, "they were there");
    // What was given up while it was queued here has left the queue when something behind it is answered.
    until("the queue is empty", || {
        calling.call::<()>("ping.ping", &()).wait().is_ok()
    });
    let _gate = serve_gate(serving, LIMIT as usize, Duration::ZERO);
    let promises: Vec<Promise<u32>> = (1..=LIMIT)
        .map(|n| calling.invoke("gate.pass", &n))
        .collect();
    assert!(all(promises).wait().unwrap().into_iter().eq(1..=LIMIT));
}

fn a_storm_over_one_connection(engine: Engine) {
    let bus = Connection::open(engine, "");
    let what = format!("unix, {}", engine.name());
    a_storm_of_dropped_promises_leaves_every_table_empty(&what, &bus.serving, &bus.calling);
}

#[test]
fn a_storm_in_memory() {
    let bus = Bus::open("mem:").unwrap();
    a_storm_of_dropped_promises_leaves_every_table_empty("memory", &bus, &bus);
}

macro_rules! on_each_runtime {
    ($($test:ident,)*) => {
        #[cfg(feature = "tokio")]
        mod on_tokio {
            $(#[test]
            fn $test() {
                crate::engine::Engine::Tokio.alone(super::$test);
            })*
        }

        #[cfg(feature = "smol")]
        mod on_smol {
            $(#[test]
            fn $test() {
                crate::engine::Engine::Smol.alone(super::$test);
            })*
        }
    };
}

on_each_runtime! {
    ten_thousand_in_flight_on_one_connection_take_as_long_as_the_longest,
    casts_over_one_connection,
    a_storm_over_one_connection,
}
