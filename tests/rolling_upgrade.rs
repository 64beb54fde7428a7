//! A service is upgraded without being stopped: old and new servers and clients on one topic, under load, while the
//! servers are replaced one by one (C-VE, C-LC-1).
//!
//! Each call has a number of its own. At the end each that was made was answered rightly, and ran once. A call may meet a
//! server just as it goes: then it is told that nothing ran, and is made again, by the client or by the bus.
#![cfg(all(
    feature = "macros",
    feature = "memory",
    any(feature = "tokio", feature = "smol")
))]

#[path = "faults/engine.rs"]
#[allow(dead_code, reason = "the tests with several processes use more of it")]
mod engine;
#[cfg(feature = "unix")]
#[path = "faults/wire.rs"]
mod wire;

#[cfg(feature = "tls")]
#[path = "common/certificates.rs"]
mod certificates;
#[cfg(feature = "tcp")]
#[path = "common/loopback.rs"]
mod loopback;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tidings::{Bus, CallError, CallErrorKind, Fate, Retry, RetryBudget, Server};

use engine::{Engine, LONG, until};
#[cfg(feature = "unix")]
use wire::Wire;

/// The service as it was first.
mod first {
    #[tidings::service(version = "1.0", topic = "stock")]
    pub(super) trait Stock {
        #[blocking]
        fn take(&self, id: u64) -> u64;
    }
}

/// With a method more.
mod second {
    #[tidings::service(version = "1.1", topic = "stock")]
    pub(super) trait Stock {
        #[blocking]
        fn take(&self, id: u64) -> u64;
        #[blocking]
        #[since = "1.1"]
        fn take_two(&self, id: u64, next: u64) -> u64;
    }
}

/// And as another one, of the same name.
mod third {
    #[tidings::service(version = "2.0", topic = "stock")]
    pub(super) trait Stock {
        #[blocking]
        fn take(&self, id: u64, shelf: String) -> (String, u64);
    }
}

/// How often each call ran.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<HashMap<u64, u32>>>);

impl Ledger {
    /// Some work for the call `id`, and its answer.
    fn run(&self, id: u64) -> u64 {
        thread::sleep(Duration::from_micros(300));
        *self.0.lock().unwrap().entry(id).or_default() += 1;
        !id
    }
}

impl first::Stock for Ledger {
    fn take(&self, id: u64) -> u64 {
        self.run(id)
    }
}
impl second::Stock for Ledger {
    fn take(&self, id: u64) -> u64 {
        self.run(id)
    }
    fn take_two(&self, id: u64, next: u64) -> u64 {
        self.run(next);
        self.run(id)
    }
}
impl third::Stock for Ledger {
    fn take(&self, id: u64, shelf: String) -> (String, u64) {
        (shelf, self.run(id))
    }
}

/// A release of the servers.
#[derive(Debug, Clone, Copy)]
enum Release {
    First,
    Second,
    Third,
}

/// Where the servers and clients meet.
struct Place {
    open: Box<dyn Fn() -> Bus>,
    ledger: Ledger,
}

impl Place {
    fn start(&self, release: Release) -> Server {
        let (bus, ledger) = ((self.open)(), self.ledger.clone());
        let builder = match release {
            Release::First => bus.server(first::StockServer::new(ledger)),
            Release::Second => bus.server(second::StockServer::new(ledger)),
            // The last release serves both major versions.
            Release::Third => bus
                .server(second::StockServer::new(ledger.clone()))
                .and(third::StockServer::new(ledger)),
        };
        builder.start().unwrap()
    }

    /// Has every server replaced by one of `release`, the new one first.
    fn upgrade(&self, servers: &mut [Server], release: Release, clients: &[Client]) {
        for server in servers {
            let old = std::mem::replace(server, self.start(release));
            let report = old.drain_wait(LONG);
            assert!(report.is_complete(), "{report:?}");
            // Its process ends when what was on its way to it has been told so: each client has made all its calls of
            // that time, and then more.
            Client::all_go_on(clients);
            drop(old);
        }
    }
}

/// A client under steady load, on a thread of its own.
struct Client {
    name: &'static str,
    answered: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Made>,
}

/// What a client made.
struct Made {
    ids: Vec<u64>,
    /// Calls that a server refused as it went, and that were made again: nothing of them had run.
    repeated: usize,
}

/// Calls that a client has in flight.
const WINDOW: usize = 8;

/// The client that leaves it to the bus to make calls again.
const RETRYING: &str = "retrying client";

impl Client {
    /// Calls `ask` with the number of each call, again and again, and has its outcome checked.
    fn start<T: Send + 'static>(
        name: &'static str,
        ask: impl Fn(u64) -> tidings::Promise<T> + Send + 'static,
        is_right: impl Fn(u64, &T) -> bool + Send + 'static,
    ) -> Client {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (answered, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (counted, stopped) = (answered.clone(), stop.clone());
        let thread = thread::spawn(move || {
            let mut made = Made {
                ids: Vec::new(),
                repeated: 0,
            };
            while !stopped.load(Ordering::Acquire) {
                // Two numbers each, for the calls that take two.
                let ids = (0..WINDOW).map(|_| NEXT.fetch_add(2, Ordering::Relaxed));
                let mut in_flight: Vec<_> = ids.map(|id| (id, ask(id))).collect();
                made.ids.extend(in_flight.iter().map(|(id, _)| id));
                while let Some((id, promise)) = in_flight.pop() {
                    match promise.wait() {
                        Ok(answer) => {
                            assert!(is_right(id, &answer), "{name}: a wrong answer");
                            counted.fetch_add(1, Ordering::Release);
                        }
                        Err(error) => {
                            assert_may_repeat(name, &error);
                            made.repeated += 1;
                            in_flight.push((id, ask(id)));
                        }
                    }
                }
            }
            made
        });
        Client {
            name,
            answered,
            stop,
            thread,
        }
    }

    /// Waits until each client has had answers to calls that it makes from now on.
    fn all_go_on(clients: &[Client]) {
        let enough = |client: &Client| client.answered.load(Ordering::Acquire) + 20 * WINDOW as u64;
        let goals: Vec<u64> = clients.iter().map(enough).collect();
        for (client, goal) in clients.iter().zip(goals) {
            until(client.name, || {
                client.answered.load(Ordering::Acquire) >= goal || client.thread.is_finished()
            });
            assert!(!client.thread.is_finished(), "{} has failed", client.name);
        }
    }

    fn end(self) -> Made {
        self.stop.store(true, Ordering::Release);
        let made = self.thread.join().unwrap();
        assert_eq!(
            made.ids.len() as u64,
            self.answered.load(Ordering::Acquire),
            "{}: each call that was made was answered",
            self.name
        );
        made
    }
}

/// A call that met a server just as it went: nothing ran. Whoever asks for what nobody has is told something else.
fn assert_may_repeat(name: &str, error: &CallError) {
    let leaving = matches!(
        error.kind(),
        CallErrorKind::ShuttingDown | CallErrorKind::NoServer { .. }
    );
    let nothing_ran = matches!(error.fate(), Fate::NotSent | Fate::NotExecuted);
    assert!(leaving && nothing_ran, "{name}: {error}");
}

/// The whole story, from the first release to the last.
fn a_service_is_upgraded_while_it_is_used(place: &Place) {
    let mut servers: Vec<Server> = (0..3).map(|_| place.start(Release::First)).collect();
    let right = |id: u64, answer: &u64| *answer == !id;
    let old = first::StockClient::new(&(place.open)());
    let old = Client::start("old client", move |id| old.take(id).invoke(), right);

    // Another one has the bus try again, and is never told of a server that went.
    let retrying = first::StockClient::new(&(place.open)());
    let retry = Retry::new()
        .attempts(100)
        .backoff(Duration::from_millis(1), Duration::from_millis(50))
        .budget(RetryBudget::new(0, 1_000_000));
    let ask = move |id| retrying.take(id).retry(retry.clone()).invoke();
    let retrying = Client::start(RETRYING, ask, right);

    // A client of the next release comes before its servers, and asks for what these have.
    let raised = Arc::new(AtomicBool::new(false));
    let seen = raised.clone();
    let early = second::StockClient::new(&(place.open)());
    let ask = move |id| {
        let cap = match seen.load(Ordering::Acquire) {
            true => "1.1",
            false => "1.0",
        };
        let client = early.clone().version_cap(cap);
        match client.can_send_version("1.1") {
            true => client.take_two(id, id + 1).invoke(),
            false => client.take(id).invoke(),
        }
    };
    let early = Client::start("early client", ask, right);
    let mut clients = vec![old, retrying, early];
    Client::all_go_on(&clients);

    place.upgrade(&mut servers[..1], Release::Second, &clients);
    // One server has it: that is enough.
    raised.store(true, Ordering::Release);
    place.upgrade(&mut servers[1..], Release::Second, &clients);

    place.upgrade(&mut servers[..1], Release::Third, &clients);
    let third = third::StockClient::new(&(place.open)());
    clients.push(Client::start(
        "new client",
        move |id| third.take(id, format!("shelf {id}")).invoke(),
        |id, (shelf, answer)| *shelf == format!("shelf {id}") && *answer == !id,
    ));
    place.upgrade(&mut servers[1..], Release::Third, &clients);

    let mut calls = 0;
    for client in clients {
        let (name, made) = (client.name, client.end());
        calls += made.ids.len();
        eprintln!(
            "{name}: {} calls, {} of them made again",
            made.ids.len(),
            made.repeated
        );
        assert!(name != RETRYING || made.repeated == 0, "{name} lost calls");
        let ran = place.ledger.0.lock().unwrap();
        for id in made.ids {
            assert_eq!(ran.get(&id), Some(&1), "{name}: call {id} ran once");
        }
    }
    assert!(calls > 0);
}

/// In memory: the servers and the clients open one address.
fn in_memory(open: impl Fn(&str) -> Bus + 'static, options: &str) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let address = format!("mem:upgrade-{number}{options}");
    let place = Place {
        open: Box::new(move || open(&address)),
        ledger: Ledger::default(),
    };
    a_service_is_upgraded_while_it_is_used(&place);
}

/// Between connections: a hub that does nothing else, with one for each server and client.
#[cfg(feature = "unix")]
fn over(wire: Wire, engine: Engine) {
    let directory = wire.directory();
    let _hub = engine.open(&directory.hub());
    let address = directory.member();
    let place = Place {
        open: Box::new(move || engine.open(&address)),
        ledger: Ledger::default(),
    };
    a_service_is_upgraded_while_it_is_used(&place);
}

#[test]
fn in_memory_without_a_runtime() {
    in_memory(|address| Bus::open(address).unwrap(), "");
}

#[test]
fn in_memory_encoded() {
    in_memory(|address| Bus::open(address).unwrap(), "?codec=strict");
}

#[cfg(feature = "tokio")]
mod on_tokio {
    use super::*;

    #[test]
    fn in_memory() {
        super::in_memory(|address| Engine::Tokio.open(address), "");
    }

    #[cfg(feature = "unix")]
    #[test]
    fn over_a_socket() {
        over(Wire::Unix, Engine::Tokio);
    }

    #[cfg(all(feature = "unix", feature = "tcp"))]
    #[test]
    fn over_tcp() {
        over(Wire::Tcp, Engine::Tokio);
    }

    #[cfg(all(feature = "unix", feature = "tls"))]
    #[test]
    fn over_tls() {
        over(Wire::Tls, Engine::Tokio);
    }
}

#[cfg(feature = "smol")]
mod on_smol {
    use super::*;

    #[test]
    fn in_memory() {
        super::in_memory(|address| Engine::Smol.open(address), "");
    }

    #[cfg(feature = "unix")]
    #[test]
    fn over_a_socket() {
        over(Wire::Unix, Engine::Smol);
    }

    #[cfg(all(feature = "unix", feature = "tcp"))]
    #[test]
    fn over_tcp() {
        over(Wire::Tcp, Engine::Smol);
    }

    #[cfg(all(feature = "unix", feature = "tls"))]
    #[test]
    fn over_tls() {
        over(Wire::Tls, Engine::Smol);
    }
}
