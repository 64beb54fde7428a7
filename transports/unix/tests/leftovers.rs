//! What waits in front of a full queue: when nobody waits for it any more, when its connection ends, when its server
//! drains.

mod common;
#[path = "common/stream.rs"]
mod stream;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use common::{Directory, LONG, on_each_runtime, together, until};
use stream::greet;
use tidings_core::authorise::{Asked, Authorise, Verdict};
use tidings_core::session::{
    Body, Destination, Method, Name, Request, RequestHeader, Role, Target, Verb,
};
use tidings_core::{Bus, CallErrorKind, IdempotencyKey, Promise, Server, WhenFull};

/// A server that runs one handler at a time, each when it is let.
struct Gated {
    server: Server,
    lets: Sender<()>,
    begun: Arc<AtomicBool>,
    took: Arc<Mutex<Vec<u32>>>,
}

impl Gated {
    fn new(bus: &Bus, queue: usize, policy: WhenFull) -> Gated {
        let (lets, gate): (Sender<()>, Receiver<()>) = channel();
        let took = Arc::<Mutex<Vec<u32>>>::default();
        let (gate, taken) = (Mutex::new(gate), took.clone());
        let begun = Arc::<AtomicBool>::default();
        let begins = begun.clone();
        let take = move |(n, _bytes): (u32, String)| {
            begins.store(true, Ordering::Relaxed);
            let gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
            let _all_may = gate.recv();
            taken.lock().unwrap().push(n);
            n
        };
        let server = bus.listen("gated").on_blocking("take", take).serial();
        let server = server.queue(queue).when_full(policy).start().unwrap();
        Gated {
            server,
            lets,
            begun,
            took,
        }
    }

    /// Waits until one is at its gate, and has left the queue.
    fn has_begun(&self) {
        until("one has begun", || self.begun.load(Ordering::Relaxed));
    }

    /// Waits until some of `caller`'s wait in front of its queue.
    fn is_awaited(&self, caller: &Bus) {
        until("some find no room", || self.server.drops().turned_away > 0);
        // They stand there before their connection is looked at again.
        let answer = caller.call::<()>("nobody.at_all", &()).wait();
        let error = answer.unwrap_err();
        assert!(matches!(error.kind(), CallErrorKind::NoServer { .. }));
    }

    /// Drains it; lets all go that come, from when nobody else may come. Gives what it took.
    fn drain(self, hub: &Bus) -> (Server, Arc<Mutex<Vec<u32>>>) {
        let (server, lets) = (&self.server, self.lets);
        let report = thread::scope(|scope| {
            let draining = scope.spawn(|| server.drain_wait(LONG));
            until("it takes no more", || hub.servers("gated").wait().is_err());
            drop(lets);
            draining.join().unwrap()
        });
        assert!(report.is_complete(), "{report:?}");
        (self.server, self.took)
    }

    /// Lets all go that come.
    fn open(self) -> (Server, Arc<Mutex<Vec<u32>>>) {
        (self.server, self.took)
    }
}

fn took(numbers: &Mutex<Vec<u32>>) -> Vec<u32> {
    numbers.lock().unwrap().clone()
}

fn arguments(n: u32) -> (u32, String) {
    (n, String::new())
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// C-OV-2, C-DL-5: whoever sends calls that time out does not fill the memory of the process that serves.
#[test]
fn calls_that_are_given_up_leave_the_line_in_front_of_a_full_queue() {
    const ROUNDS: usize = 20;
    const CALLS: usize = 100;
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let [hub, caller] = together(runtime, &directory, "");
        let gated = Gated::new(&hub, 1, WhenFull::Block);
        let bytes = "x".repeat(40 * 1024);
        let round = || {
            let late = (0..CALLS).map(|n| {
                let call = caller.request::<u32>("gated.take", &(n as u32, &bytes));
                call.timeout(Duration::from_millis(50)).invoke()
            });
            let late: Vec<Promise<u32>> = late.collect();
            for promise in late {
                let error = promise.wait().unwrap_err();
                let timed_out = matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. });
                assert!(timed_out, "{error}");
            }
        };
        round();
        let before = resident();
        (0..ROUNDS).for_each(|_| round());
        let grown = resident().saturating_sub(before);
        assert!(
            grown < ROUNDS * CALLS * bytes.len() / 3,
            "{grown} bytes more"
        );
        let (_server, _) = gated.open();
    });
}

/// C-VB-1: they hold their place until their deadline, and no longer.
#[test]
fn casts_that_are_too_late_leave_the_line_in_front_of_a_full_queue() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let options = "?queue=8&in_flight=8";
        let [hub, caller] = together(runtime, &directory, options);
        let gated = Gated::new(&hub, 1, WhenFull::Block);
        let cast = |n, timeout| {
            let cast = caller.request::<()>("gated.take", &arguments(n));
            cast.timeout(timeout).cast()
        };
        // All that the connection and both queues take.
        until("there is no room", || {
            cast(0, Duration::from_millis(100)).is_err()
        });
        until("there is room again", || cast(1, LONG).is_ok());
        let (_server, numbers) = gated.open();
        until("the last one is taken", || took(&numbers).contains(&1));
    });
}

/// C-VB-1: a cast that was accepted does not depend on its sender, who may go.
#[test]
fn casts_in_front_of_a_full_queue_outlive_their_connection() {
    const CASTS: u32 = 20;
    on_each_runtime(|runtime| {
        for serves in ["the hub", "a member"] {
            let directory = Directory::new();
            let [hub, caller, member] = together(runtime, &directory, "");
            let serving = if serves == "the hub" { &hub } else { &member };
            let gated = Gated::new(serving, 16, WhenFull::Reject);
            for n in 0..CASTS {
                caller.cast("gated.take", &arguments(n)).unwrap();
            }
            let report = caller.drain_wait(LONG);
            assert!(report.is_complete(), "{report:?}");
            let (_server, numbers) = gated.open();
            let all: Vec<u32> = (0..CASTS).collect();
            until("all are taken", || took(&numbers).len() == all.len());
            assert_eq!(took(&numbers), all, "served by {serves}");
        }
    });
}

/// C-VB-5: a key that waited in front of the queue is known from then on as any other.
#[test]
fn a_keyed_call_that_a_draining_server_takes_over_is_not_run_again() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let [hub, caller] = together(runtime, &directory, "");
        let gated = Gated::new(&hub, 1, WhenFull::Block);
        let key = IdempotencyKey::unique();
        let keyed = |n| {
            let call = caller.request::<u32>("gated.take", &arguments(n));
            call.idempotent(key).invoke()
        };
        let runs = caller.invoke("gated.take", &arguments(0));
        gated.has_begun();
        let queued = caller.invoke("gated.take", &arguments(1));
        let waits = keyed(9);
        gated.is_awaited(&caller);
        let (server, numbers) = gated.drain(&hub);
        for (n, promise) in [(0, runs), (1, queued), (9, waits)] {
            assert_eq!(promise.wait().unwrap(), n);
        }
        server.start().unwrap();
        assert_eq!(keyed(9).wait().unwrap(), 9);
        assert_eq!(took(&numbers), [0, 1, 9]);
    });
}

/// C-DL-6: a call that waits in front of the queue waits at its server.
#[test]
fn beats_come_while_a_call_waits_in_front_of_a_full_queue() {
    const BEATS: Duration = Duration::from_millis(100);
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let [hub, caller] = together(runtime, &directory, "");
        let gated = Gated::new(&hub, 1, WhenFull::Block);
        let calls: Vec<Promise<u32>> = (0..5)
            .map(|n| {
                let call = caller.request("gated.take", &arguments(n));
                call.heartbeat(BEATS).invoke()
            })
            .collect();
        gated.is_awaited(&caller);
        thread::sleep(BEATS * 5);
        let (_server, _) = gated.open();
        for (n, promise) in (0..).zip(calls) {
            assert_eq!(promise.wait().unwrap(), n);
        }
    });
}

/// C-LC-1: a fanout among them does not make those behind it nobody's.
#[test]
fn a_drain_takes_what_waits_behind_a_fanout() {
    const CASTS: u32 = 30;
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let [hub, caller] = together(runtime, &directory, "");
        let gated = Gated::new(&hub, 4, WhenFull::Reject);
        for n in 0..CASTS {
            let cast = caller.request::<()>("gated.take", &arguments(n));
            let sent = match n {
                12 => cast.fanout().cast(),
                _ => cast.cast(),
            };
            sent.unwrap();
        }
        // The hub has them: what is sent behind them stands in their line, and may not.
        let behind = caller.call::<u32>("gated.take", &arguments(CASTS)).wait();
        let refused = behind.unwrap_err();
        assert!(
            matches!(refused.kind(), CallErrorKind::Busy { .. }),
            "{refused}"
        );
        let (_server, numbers) = gated.drain(&hub);
        assert_eq!(took(&numbers), (0..CASTS).collect::<Vec<_>>());
    });
}

/// Holds the first request up until it is let go.
struct HoldsUp {
    came: Sender<()>,
    goes_on: Mutex<Option<Receiver<()>>>,
}

impl Authorise for HoldsUp {
    fn authorise(&self, asked: &Asked<'_>) -> Verdict {
        if asked.method == Some("take") {
            if let Some(goes_on) = self.goes_on.lock().unwrap().take() {
                self.came.send(()).unwrap();
                let _let_go = goes_on.recv();
            }
        }
        Verdict::Allow
    }
}

/// So many casts to `early.take`, which came together.
fn casts_in_one_write(stream: &mut UnixStream, casts: u8) {
    let mut member = greet(stream, Role::Member).unwrap();
    let now = Instant::now();
    let name = |text| Name::new(text).unwrap();
    let target = Arc::new(Target {
        exchange: name("tidings"),
        topic: name("early"),
        server: None,
    });
    let method = Arc::new(Method::named(name("take")));
    for n in 0..casts {
        let header = RequestHeader::new(Destination::Topic(target.clone()), method.clone());
        let request = Request {
            token: n.into(),
            flow: 0,
            way: 0,
            verb: Verb::Cast,
            header,
            payload: Body::Own(vec![n]),
        };
        member.request(request, now).unwrap();
    }
    let mut all = Vec::new();
    while member.has_output() {
        let bytes = member.transmit(now).collect::<Vec<_>>().concat();
        member.wrote(bytes.len(), now);
        all.extend(bytes);
    }
    stream.write_all(&all).unwrap();
}

/// C-LC-1: what the hub had read when the drain began has come, though it was not looked at yet.
#[test]
fn a_drain_takes_what_was_read_and_not_looked_at() {
    const CASTS: u8 = 100;
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let (came, first) = channel();
        let (lets, goes_on) = channel();
        let policy = HoldsUp {
            came,
            goes_on: Mutex::new(Some(goes_on)),
        };
        let builder = Bus::builder().runtime(runtime.clone()).authorise(policy);
        let address = directory.address("?listen");
        let hub = builder.open_with(&tidings_unix::Unix, &address).unwrap();
        let numbers = Arc::<Mutex<Vec<u8>>>::default();
        let taken = numbers.clone();
        let early = hub.listen("early").serial();
        let early = early.on("take", move |n: u8| taken.lock().unwrap().push(n));
        let server = early.start().unwrap();
        let mut stream = UnixStream::connect(directory.socket()).unwrap();
        casts_in_one_write(&mut stream, CASTS);
        first.recv_timeout(LONG).unwrap();
        let report = thread::scope(|scope| {
            let draining = scope.spawn(|| server.drain_wait(LONG));
            until("it takes no more", || hub.servers("early").wait().is_err());
            drop(lets);
            draining.join().unwrap()
        });
        assert!(report.is_complete(), "{report:?}");
        assert_eq!(*numbers.lock().unwrap(), (0..CASTS).collect::<Vec<_>>());
    });
}

/// C-LC-1: what stands behind those who wait for a server is its server's as well.
#[test]
fn a_drain_takes_what_stands_in_line() {
    const CASTS: u32 = 20;
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let [hub, caller] = together(runtime, &directory, "");
        for n in 0..CASTS / 2 {
            let cast = caller.request::<()>("gated.take", &arguments(n));
            cast.wait_for_server().cast().unwrap();
        }
        // The hub has them: what is sent behind them on the connection was answered.
        let near = caller.call::<()>("nobody.at_all", &()).wait().unwrap_err();
        assert!(matches!(near.kind(), CallErrorKind::NoServer { .. }));
        let gated = Gated::new(&hub, 1, WhenFull::Reject);
        for n in CASTS / 2..CASTS {
            caller.cast("gated.take", &arguments(n)).unwrap();
        }
        let near = caller.call::<()>("nobody.at_all", &()).wait().unwrap_err();
        assert!(matches!(near.kind(), CallErrorKind::NoServer { .. }));
        let (server, numbers) = gated.drain(&hub);
        let behind: Vec<u32> = (CASTS / 2..CASTS).collect();
        let drained = took(&numbers);
        assert!(drained.ends_with(&behind), "{drained:?}");
        // Who waits for a server goes on waiting, for the next one.
        server.start().unwrap();
        until("all are taken", || took(&numbers).len() == CASTS as usize);
    });
}

/// C-LC-1: what was accepted and goes nowhere is in the report.
#[test]
fn a_drain_tells_of_casts_that_its_servers_had_no_room_for() {
    const CASTS: usize = 10;
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let [hub, caller] = together(runtime, &directory, "");
        let gated = Gated::new(&hub, 1, WhenFull::Block);
        for n in 0..CASTS {
            hub.request::<()>("gated.take", &arguments(n as u32))
                .when_full(WhenFull::Block)
                .cast()
                .unwrap();
        }
        let report = hub.drain_wait(Duration::from_millis(100));
        // The one that runs is cut, wherever it is.
        assert_eq!(report.undelivered, CASTS - 1, "{report:?}");
        drop((gated, caller));
    });
}
