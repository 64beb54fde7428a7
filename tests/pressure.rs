//! Under pressure: bulk beside small calls, ten times the load that can be served, clients that cancel or cast without
//! end, and a soak of everything with servers that come and go.
//!
//! The figures are printed: `cargo test --release --test pressure -- --nocapture --test-threads 1`.
#![cfg(any(feature = "tokio", feature = "smol"))]

#[path = "faults/engine.rs"]
#[allow(dead_code, reason = "the tests with several processes use more of it")]
mod engine;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tidings::{Bus, Server};

use engine::{Directory, Engine, until};

/// A hub that serves, and members that call.
struct Place {
    hub: Bus,
    members: Vec<Bus>,
    _directory: Directory,
}

impl Place {
    fn open(engine: Engine, members: usize, options: &str) -> Place {
        let directory = Directory::new();
        Place {
            hub: engine.open(&format!("{}{options}", directory.hub())),
            members: (0..members)
                .map(|_| engine.open(&format!("{}{options}", directory.member())))
                .collect(),
            _directory: directory,
        }
    }
}

fn echo(bus: &Bus) -> Server {
    bus.listen("echo").on("say", |n: u32| n).start().unwrap()
}

/// How long calls take, one after the other.
struct Times(Vec<Duration>);

impl Times {
    /// Of calls made while `goes_on`, at least `least` of them.
    fn take(bus: &Bus, least: usize, goes_on: impl Fn() -> bool) -> Times {
        let mut times = Vec::new();
        while times.len() < least || goes_on() {
            let begin = Instant::now();
            let n = times.len() as u32;
            assert_eq!(bus.call::<u32>("echo.say", &n).wait().unwrap(), n);
            times.push(begin.elapsed());
        }
        times.sort_unstable();
        Times(times)
    }

    fn at(&self, hundredths: usize) -> Duration {
        self.0[(self.0.len() - 1) * hundredths / 100]
    }
}

const MIB: usize = 1 << 20;
/// Messages of 16 MiB less their head, until the small calls have been measured.
const LARGE: usize = 16 * MIB - 64;

fn bulk_leaves_small_calls_alone(engine: Engine) {
    for same in [true, false] {
        let place = Place::open(engine, 2, "");
        let _echo = echo(&place.hub);
        let got = Arc::new(AtomicUsize::new(0));
        let count = got.clone();
        let bulk = place.hub.listen("bulk").on("take", move |bytes: String| {
            count.fetch_add(bytes.len(), Ordering::Relaxed);
        });
        let _bulk = bulk.start().unwrap();
        let caller = &place.members[0];
        let idle = Times::take(caller, 2000, || false);
        let ends = Arc::new(AtomicBool::new(false));
        let (stops, sender) = (ends.clone(), place.members[usize::from(!same)].clone());
        let text = "x".repeat(LARGE);
        let sending = thread::spawn(move || {
            let mut sent = 0;
            while !stops.load(Ordering::Relaxed) {
                let cast = sender.request::<()>("bulk.take", &text);
                cast.cast_when_room().wait().unwrap();
                sent += 1;
            }
            sent
        });
        until("bulk is on its way", || got.load(Ordering::Relaxed) > 0);
        let begin = Instant::now();
        let beside = Times::take(caller, 2000, || begin.elapsed() < Duration::from_secs(2));
        let took = begin.elapsed();
        ends.store(true, Ordering::Relaxed);
        sending.join().unwrap();
        eprintln!(
            "{}, bulk on {} connection at {:.0} MiB/s: small calls idle {:?} p50 {:?} p99, beside bulk {:?} p50 {:?} p99",
            engine.name(),
            if same { "the same" } else { "another" },
            got.load(Ordering::Relaxed) as f64 / MIB as f64 / took.as_secs_f64(),
            idle.at(50),
            idle.at(99),
            beside.at(50),
            beside.at(99),
        );
    }
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
    bulk_leaves_small_calls_alone,
}
