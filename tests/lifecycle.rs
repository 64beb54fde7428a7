//! The end of buses and servers whose runtime nobody drives, or is gone: nothing hangs (C-LC-1, C-LC-3).
#![cfg(all(
    feature = "tokio",
    feature = "unix",
    feature = "tcp",
    feature = "memory"
))]

#[cfg(feature = "tls")]
#[path = "common/certificates.rs"]
mod certificates;
#[path = "faults/engine.rs"]
#[allow(dead_code, reason = "the tests with several processes use more of it")]
mod engine;

use std::any::Any;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use tidings::runtime;
use tidings::{Bus, CallErrorKind, Promise, Request, Retry, Server};
use tokio::runtime::{Builder, Runtime};

use engine::{Directory, LONG};

/// For what has no reason to take long.
const SHORT: Duration = Duration::from_millis(50);

/// What two buses on one address were in the middle of.
struct Stage {
    serving: Bus,
    calling: Bus,
    server: Server,
    promise: Promise<u32>,
    _directory: Directory,
}

impl Stage {
    /// On `scheme`, all of it run by `tokio`.
    fn set(scheme: &str, tokio: &Runtime) -> Stage {
        let directory = Directory::new();
        let open = |address: &str| {
            let builder = Bus::builder().no_timeout();
            let builder = builder.runtime(runtime::tokio::handle(tokio.handle().clone()));
            builder.open(address).unwrap()
        };
        let (serving, calling) = match scheme {
            "unix" => (open(&directory.hub()), open(&directory.member())),
            // Whoever comes first serves it, and the other one may come to.
            "unix-node" => {
                let address = format!("unix:{}", directory.socket().display());
                (open(&address), open(&address))
            }
            #[cfg(feature = "tls")]
            "tls" => {
                let hub = certificates::of_hub();
                let serving = open(&format!("tcp:127.0.0.1:0?listen&{hub}"));
                let at = serving.address().unwrap();
                let calling = open(&format!("{at}?{}", certificates::of_member()));
                (serving, calling)
            }
            "tcp" => {
                let serving = open("tcp:127.0.0.1:0?listen");
                let calling = open(&serving.address().unwrap());
                (serving, calling)
            }
            memory => (open(memory), open(memory)),
        };
        let server = serving.listen("topic").serial();
        let server = server.on_async("hold", |_: u32| std::future::pending::<u32>());
        let server = server.start().unwrap();
        let promise = calling.invoke("topic.hold", &1_u32);
        calling.cast("topic.hold", &2_u32).unwrap();
        Stage {
            serving,
            calling,
            server,
            promise,
            _directory: directory,
        }
    }

    /// Ends it in one of several orders; whatever is still to be had, is.
    fn end(self, order: usize) {
        let Stage {
            serving,
            calling,
            server,
            promise,
            _directory,
        } = self;
        match order % 3 {
            0 => {}
            1 => {
                server.stop();
                server.drain_wait(SHORT);
                serving.drain_wait(SHORT);
                calling.drain_wait(SHORT);
                assert!(server.start().is_err(), "its bus is closed");
            }
            _ => {
                calling.drain_wait(SHORT);
                server.close();
                serving.close();
            }
        }
        let mut things: Vec<Box<dyn Any>> = vec![Box::new(serving), Box::new(calling)];
        things.insert(order % 2, Box::new(server));
        for n in (0..3).rev() {
            drop(things.remove(order % (n + 1)));
        }
        let mut promise = promise;
        let outcome = promise.wait_timeout(LONG).expect("it hangs");
        assert!(outcome.is_err());
    }
}

const SCHEMES: &[&str] = &[
    "mem:lifecycle",
    "mem:lifecycle?codec=strict",
    "unix",
    "unix-node",
    "tcp",
    #[cfg(feature = "tls")]
    "tls",
];

fn in_time(what: String, test: impl FnOnce() + Send + 'static) {
    let (done, ended) = channel();
    let running = thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    let hangs = ended.recv_timeout(LONG * 2) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
    assert!(!hangs, "{what} hangs");
    running.join().unwrap();
}

/// C-LC-3: a runtime of one thread that nobody blocks on.
#[test]
fn a_runtime_that_nobody_drives_hangs_nothing() {
    for scheme in SCHEMES {
        for order in 0..6 {
            in_time(format!("{scheme} in order {order}"), move || {
                let tokio = Builder::new_current_thread().enable_all().build().unwrap();
                Stage::set(scheme, &tokio).end(order);
            });
        }
    }
}

/// C-LC-3: and nobody is left who could end what runs.
#[test]
fn a_runtime_that_has_ended_hangs_nothing() {
    for scheme in SCHEMES {
        for order in 0..6 {
            in_time(format!("{scheme} in order {order}"), move || {
                let mut builder = Builder::new_multi_thread();
                let tokio = builder.worker_threads(2).enable_all().build().unwrap();
                let stage = Stage::set(scheme, &tokio);
                engine::until("its handler runs", || stage.server.load() > 0);
                drop(tokio);
                stage.end(order);
            });
        }
    }
}

/// C-LC-3: while it goes on.
#[test]
fn a_runtime_that_goes_on_hangs_nothing() {
    for scheme in SCHEMES {
        for order in 0..6 {
            in_time(format!("{scheme} in order {order}"), move || {
                let mut builder = Builder::new_multi_thread();
                let tokio = builder.worker_threads(2).enable_all().build().unwrap();
                Stage::set(scheme, &tokio).end(order);
            });
        }
    }
}

/// C-LC-3: the bus is gone before its runtime comes to look after the retries, which were to pause for an hour.
#[test]
fn retries_that_are_looked_after_when_their_bus_is_gone_end_at_once() {
    let ends: [fn(Bus); 2] = [|bus| bus.close(), drop];
    for end in ends {
        in_time("a promise".to_owned(), move || {
            let tokio = Builder::new_current_thread().enable_all().build().unwrap();
            let builder = Bus::builder().runtime(runtime::tokio::handle(tokio.handle().clone()));
            let bus = builder.open("mem:").unwrap();
            let request: Request<u32> = bus.request("nowhere.ask", &7_u32);
            let hour = Duration::from_secs(3600);
            let retry = Retry::new().backoff(hour, hour);
            let promise = request.no_timeout().retry(retry).invoke();
            end(bus);
            let error = tokio.block_on(promise).unwrap_err();
            assert!(matches!(error.kind(), CallErrorKind::Closed), "{error}");
        });
    }
}
