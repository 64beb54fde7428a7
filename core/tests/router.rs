//! Requests that wait for a server at the router: in order, within bounds, and without a trace of those that gave up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::Context;
use std::time::{Duration, Instant};

use tidings_core::bus::Delivery;
use tidings_core::router::Router;
use tidings_core::runtime::{self, Runtime};
use tidings_core::server::{Mode, NotAccepted, Retiring, Sent, ServerCore};
use tidings_core::transport::{Capabilities, OpenOptions, Plugin, Transport};
use tidings_core::{
    Address, Bus, CallError, CallErrorKind, Fate, OpenError, Promise, Request, ServeError,
};

/// A bus that is a router and nothing else, which the test can look at.
struct Plain {
    router: Arc<Router>,
    runtime: Arc<dyn Runtime>,
}

struct Open(Arc<Router>);

impl Plugin for Open {
    fn scheme(&self) -> &'static str {
        "plain"
    }

    fn open(&self, _: &Address, _: &OpenOptions) -> Result<Arc<dyn Transport>, OpenError> {
        Ok(Arc::new(Plain {
            router: self.0.clone(),
            runtime: runtime::pool(),
        }))
    }
}

impl Transport for Plain {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            moves_values: true,
            max_message: 1 << 20,
        }
    }

    fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.runtime
    }

    fn send(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        self.router.route(delivery, mode)
    }

    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>) {
        self.router.wait_for_room(delivery, cx);
    }

    fn bind(&self, server: Arc<ServerCore>) -> Result<(), ServeError> {
        let destination = Arc::new(server.clone());
        let (exchange, topic, name) = (server.exchange(), server.topic(), server.name());
        self.router.add(exchange, topic, name, destination)
    }

    fn unbind(&self, server: &Arc<ServerCore>) {
        let (exchange, topic, name) = (server.exchange(), server.topic(), server.name());
        self.router.remove(exchange, topic, name);
    }

    fn retire(&self, retiring: Retiring) {
        self.router.retire(retiring.server());
    }

    fn close(&self) {}
}

fn open() -> (Bus, Arc<Router>) {
    let router = Arc::new(Router::new());
    let bus = Bus::builder().open_with(&Open(router.clone()), "plain:");
    (bus.unwrap(), router)
}

fn waiting(bus: &Bus, n: u32) -> Request<u32> {
    bus.request("topic.ask", &n).wait_for_server()
}

fn until(what: &str, state: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !state() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn who_gives_up_leaves_nothing_behind() {
    let (bus, router) = open();
    for _ in 0..20 {
        let short = Duration::from_millis(20);
        let promises: Vec<Promise<u32>> = (0..500).map(|n| waiting(&bus, n).invoke()).collect();
        for n in 0..500 {
            waiting(&bus, n).timeout(short).cast().unwrap();
        }
        assert!(router.waiting() >= 500);
        drop(promises);
        until("nobody waits", || router.waiting() == 0);
    }
    let late: Vec<Promise<u32>> = (0..500)
        .map(|n| waiting(&bus, n).timeout(Duration::from_millis(20)).invoke())
        .collect();
    for promise in late {
        assert_eq!(promise.wait().unwrap_err().fate(), Fate::NotExecuted);
    }
    assert_eq!((router.waiting(), bus.in_flight()), (0, 0));
}

#[test]
fn the_lines_are_bounded_for_each_handle_and_in_all() {
    let (bus, router) = open();
    let fill = |bus: &Bus| -> Vec<Promise<u32>> {
        let mut kept = Vec::new();
        loop {
            let promise = waiting(bus, 0).invoke();
            if promise.is_ready() {
                let error = promise.wait().unwrap_err();
                assert!(matches!(error.kind(), CallErrorKind::Busy { .. }));
                assert_eq!(error.fate(), Fate::NotExecuted);
                return kept;
            }
            kept.push(promise);
        }
    };
    let first = fill(&bus);
    assert!(first.len() >= 256);
    let cast = waiting(&bus, 0).cast().unwrap_err();
    assert!(matches!(cast.kind(), CallErrorKind::QueueFull { .. }));
    // Another handle is not concerned, until there are too many in all.
    let handles: Vec<Bus> = (0..20).map(|_| bus.clone()).collect();
    let others: Vec<Vec<_>> = handles.iter().map(fill).collect();
    assert_eq!(others[0].len(), first.len());
    assert_eq!(others[19].len(), 0);
    let all = first.len() + others.iter().map(Vec::len).sum::<usize>();
    assert_eq!(router.waiting(), all);
    // A cast that waits for room gets it when others give up.
    let cast = waiting(&bus, 7).cast_when_room();
    let casting = std::thread::spawn(move || cast.wait());
    drop((first, others));
    casting.join().unwrap().unwrap();
    assert_eq!(router.waiting(), 1);
}

#[test]
fn a_line_goes_on_as_far_as_the_server_has_room() {
    let (bus, router) = open();
    let ran = Arc::new(Mutex::new(Vec::new()));
    for n in 0..300 {
        waiting(&bus, n).cast().unwrap();
    }
    let note = ran.clone();
    let server = bus.listen("topic").queue(2).concurrency(1);
    let server = server.on_blocking("ask", move |n: u32| {
        note.lock().unwrap().push(n);
        n
    });
    let server = server.start().unwrap();
    // Whoever comes later stands behind, whether it would have waited or not.
    for n in 300..400_u32 {
        let request = bus.request::<u32>("topic.ask", &n);
        request.cast_when_room().wait().unwrap();
    }
    until("all ran", || ran.lock().unwrap().len() == 400);
    assert_eq!(*ran.lock().unwrap(), (0..400).collect::<Vec<_>>());
    assert_eq!(router.waiting(), 0);
    drop(server);
}

#[test]
fn who_stands_behind_those_that_wait_does_not_wait_when_the_server_has_gone() {
    let (bus, router) = open();
    let first = waiting(&bus, 1).invoke();
    let serve = || {
        let server = bus.listen("topic").queue(1).concurrency(1);
        let server = server.on_blocking("ask", |n: u32| {
            std::thread::sleep(Duration::from_millis(5));
            n
        });
        server.start().unwrap()
    };
    let rest: Vec<Promise<u32>> = (0..20).map(|n| waiting(&bus, n).invoke()).collect();
    let server = serve();
    let behind = bus.invoke::<u32>("topic.ask", &99_u32);
    assert_eq!(first.wait().unwrap(), 1);
    drop(server);
    // It had not asked to wait: it ran, or is told now.
    if let Err(error) = behind.wait() {
        assert_eq!(error.fate(), Fate::NotExecuted, "{error}");
    }
    let server = serve();
    for promise in rest {
        if let Err(error) = promise.wait() {
            // In the queue of the one that stopped.
            assert!(
                matches!(error.kind(), CallErrorKind::ShuttingDown),
                "{error}"
            );
        }
    }
    drop(server);
    assert_eq!((router.waiting(), bus.in_flight()), (0, 0));
}

/// Between being sent to a server and standing in its line: it has gone, and nobody lets that line through.
#[test]
fn who_comes_to_a_line_just_when_its_server_goes_does_not_wait_for_that() {
    let long = Duration::from_secs(20);
    for _ in 0..500 {
        let (bus, router) = open();
        for n in 0..9 {
            waiting(&bus, n).cast().unwrap();
        }
        let (lets, gate) = std::sync::mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let server = bus.listen("topic").serial().queue(1);
        let server = server.on_blocking("ask", move |n: u32| {
            let _let_go = gate.lock().unwrap().recv();
            n
        });
        let server = server.start().unwrap();
        assert!(router.waiting() > 0);
        let together = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                together.wait();
                server.drain_wait(long);
            });
            together.wait();
            let nobody = |error: &CallError| matches!(error.kind(), CallErrorKind::NoServer { .. });
            let mut asked = Vec::new();
            // One of them at that very moment, in some of the rounds.
            loop {
                let mut promise = bus.servers("topic").invoke();
                match promise.wait_timeout(Duration::ZERO) {
                    Some(told) if nobody(told.as_ref().unwrap_err()) => break,
                    Some(_full) => {}
                    None => asked.push(promise),
                }
            }
            for mut promise in asked {
                let told = promise.wait_timeout(long / 2).expect("it is told");
                assert!(nobody(&told.unwrap_err()));
            }
            drop(lets);
        });
    }
}

#[test]
fn servers_that_come_and_go_lose_and_double_nothing() {
    const EACH: u32 = 300;
    let (bus, router) = open();
    let ran = Arc::new(AtomicUsize::new(0));
    let answered = Arc::new(AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (bus, answered) = (bus.clone(), answered.clone());
            scope.spawn(move || {
                for n in 0..EACH {
                    match waiting(&bus, n).wait() {
                        Ok(answer) => {
                            assert_eq!(answer, n);
                            answered.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(error) => {
                            let stopping = matches!(error.kind(), CallErrorKind::ShuttingDown);
                            assert!(stopping, "{error}");
                        }
                    }
                }
            });
        }
        let (bus, ran) = (bus.clone(), ran.clone());
        scope.spawn(move || {
            for _ in 0..200 {
                let ran = ran.clone();
                let server = bus.listen("topic").on("ask", move |n: u32| {
                    ran.fetch_add(1, Ordering::SeqCst);
                    n
                });
                let server = server.start().unwrap();
                std::thread::sleep(Duration::from_micros(200));
                drop(server);
            }
            let ran = ran.clone();
            let server = bus.listen("topic").on("ask", move |n: u32| {
                ran.fetch_add(1, Ordering::SeqCst);
                n
            });
            let server = server.start().unwrap();
            // Until the others have ended.
            until("all have ended", || {
                bus.in_flight() == 0 && server.load() == 0
            });
            std::mem::forget(server);
        });
    });
    assert_eq!(ran.load(Ordering::SeqCst), answered.load(Ordering::SeqCst));
    assert_eq!((router.waiting(), bus.in_flight()), (0, 0));
}
