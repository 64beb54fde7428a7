//! Under pressure: large messages beside small calls.
//!
//! The figures are printed: `cargo test --release --test pressure -- --nocapture --test-threads 1`.
#![cfg(any(feature = "tokio", feature = "smol"))]

#[path = "faults/engine.rs"]
#[allow(dead_code, reason = "the tests with several processes use more of it")]
mod engine;
#[path = "faults/wire.rs"]
#[allow(dead_code, reason = "the tests with several processes use all of it")]
mod wire;

#[cfg(feature = "tls")]
#[path = "common/certificates.rs"]
mod certificates;
#[cfg(feature = "tcp")]
#[path = "common/loopback.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod loopback;
#[path = "common/raised.rs"]
mod raised;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tidings::{Bus, Server};

use engine::{Directory, Engine};
use raised::RaisedAtEnd;
use wire::Wire;

/// A hub that serves, and members that call.
struct Place {
    hub: Bus,
    members: Vec<Bus>,
    _directory: Directory,
}

impl Place {
    fn open(engine: Engine, wire: Wire, members: usize) -> Place {
        let directory = wire.directory();
        Place {
            hub: engine.open(&directory.hub()),
            members: (0..members)
                .map(|_| engine.open(&directory.member()))
                .collect(),
            _directory: directory,
        }
    }
}

fn echo(bus: &Bus) -> Server {
    bus.listen("echo").on("say", |n: u32| n).start().unwrap()
}

/// How long calls take.
struct Times(Vec<Duration>);

/// From one call to the next.
const EVERY: Duration = Duration::from_millis(1);

impl Times {
    /// Of a call every millisecond, each from when it was due: one that has to wait makes those behind it late, as it
    /// would others who call meanwhile.
    fn take(bus: &Bus, time: Duration) -> Times {
        let (begin, mut times) = (Instant::now(), Vec::new());
        let mut due = begin;
        while due < begin + time {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let n = times.len() as u32;
            assert_eq!(bus.call::<u32>("echo.say", &n).wait().unwrap(), n);
            times.push(due.elapsed());
            due += EVERY;
        }
        times.sort_unstable();
        Times(times)
    }

    fn at(&self, hundredths: usize) -> Duration {
        self.0[(self.0.len() - 1) * hundredths / 100]
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (half, most, nearly_all) = (self.at(50), self.at(90), self.at(99));
        write!(f, "{half:.0?} p50 {most:.0?} p90 {nearly_all:.0?} p99")
    }
}

const MIB: usize = 1 << 20;
/// Messages of 16 MiB less their head.
const LARGE: usize = 16 * MIB - 64;
/// Others on the machine may take its time, which bulk is not to blame for: it is measured so often at most.
const TRIES: usize = 8;
const WHILE: Duration = Duration::from_secs(2);

/// C-OV-2: beside an unbroken stream of large messages, small calls of the very handle that sends them take no longer than
/// five times what they take otherwise, to the hub and through it, the slowest but one of a hundred as nine of ten do; and
/// those take half of the time that a large one takes at most.
fn a_small_call_does_not_wait_for_a_large_one(engine: Engine, wire: Wire) {
    for through in [false, true] {
        let place = Place::open(engine, wire, 2);
        let serving = if through {
            &place.members[1]
        } else {
            &place.hub
        };
        let take = |bytes: String| bytes.len();
        let _bulk = serving.listen("bulk").on("take", take).start().unwrap();
        let _echo = echo(serving);
        let caller = &place.members[0];
        let within = (0..TRIES).any(|_| {
            let text = "x".repeat(LARGE);
            let ends = AtomicBool::new(false);
            let idle = Times::take(caller, WHILE / 2);
            let (large, small) = thread::scope(|scope| {
                let sending = scope.spawn(|| {
                    let mut times = Vec::new();
                    while !ends.load(Ordering::Relaxed) {
                        let begin = Instant::now();
                        let taken = caller.call::<usize>("bulk.take", &text).wait();
                        assert_eq!(taken.unwrap(), LARGE);
                        times.push(begin.elapsed());
                    }
                    times.sort_unstable();
                    Times(times)
                });
                let over = RaisedAtEnd(&ends);
                let small = Times::take(caller, WHILE);
                drop(over);
                (sending.join().unwrap(), small)
            });
            eprintln!(
                "{} over {wire:?}, through the hub {through}: a large call {large}; a small one {small}, idle {idle}",
                engine.name()
            );
            let as_idle = |hundredths| small.at(hundredths) <= idle.at(hundredths) * 5;
            as_idle(90) && as_idle(99) && small.at(90) < large.at(50) / 2
        });
        assert!(within, "small calls wait for large ones");
    }
}

/// What is said of a transport between processes, on each runtime of the build.
macro_rules! over {
    ($wire:ident) => {
        #[cfg(feature = "tokio")]
        over! { $wire, on_tokio, Tokio }
        #[cfg(feature = "smol")]
        over! { $wire, on_smol, Smol }
    };
    ($wire:ident, $on:ident, $engine:ident) => {
        mod $on {
            use crate::{engine::Engine, wire::Wire};

            #[test]
            #[cfg_attr(
                debug_assertions,
                ignore = "compares times: run it optimised, as `tests/run tests-numbers` does"
            )]
            fn a_small_call_does_not_wait_for_a_large_one() {
                let test = crate::a_small_call_does_not_wait_for_a_large_one;
                Engine::$engine.alone(|engine| test(engine, Wire::$wire));
            }
        }
    };
}

mod over_unix {
    over! { Unix }
}

#[cfg(feature = "tcp")]
mod over_tcp {
    over! { Tcp }
}

#[cfg(feature = "tls")]
mod over_tls {
    over! { Tls }
}
