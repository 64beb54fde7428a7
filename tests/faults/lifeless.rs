//! Processes that stop in the middle of a call, and calls that outlive the way they came by (C-DL-6, C-VB-5).

use std::os::unix::net::UnixStream;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use tidings::__core::bus::ServiceClient;
use tidings::__core::name::Method;
use tidings::__core::session::{Event, IdempotencyKey as Key, Role};
use tidings::{Bus, CallErrorKind, Fate, Promise, Request, Retry, RetryBudget, Version};

use crate::engine::{Directory, Engine, LONG, until};
use crate::journal;
use crate::peer::Peer;
use crate::process::Process;
use crate::roles::{End, Order};
use crate::traffic::Outcome;
use crate::verdict;
use crate::wire::Wire;

const HEARTBEAT: Duration = Duration::from_millis(500);
/// What a busy machine may add to the time in which a loss is noticed.
const SLACK: Duration = Duration::from_millis(1500);
/// Longer than any test takes.
const MINUTE: u64 = 60_000_000;

fn serves(bus: &Bus, worker: &str) -> bool {
    load(bus, worker).is_some()
}

fn load(bus: &Bus, worker: &str) -> Option<usize> {
    bus.request("state.load", &()).to(worker).wait().ok()
}

fn order(bus: &Bus, worker: &str, id: u64, micros: u64) -> Request<u64> {
    let end = End::Answer;
    let order = Order { id, micros, end };
    bus.request("work.run", &order).to(worker)
}

/// A call without a deadline that wants a sign of life.
fn watched(bus: &Bus, worker: &str, id: u64) -> Promise<u64> {
    let order = order(bus, worker, id, MINUTE);
    order.no_timeout().heartbeat(HEARTBEAT).invoke()
}

fn until_started(directory: &Directory, id: u64) {
    until("the worker has begun", || {
        journal::runs(directory.path()).contains_key(&id)
    });
}

/// Waits for the loss; how long it took from `stopped` on.
fn lost(call: Promise<u64>, stopped: Instant) -> Duration {
    let error = call.wait().unwrap_err();
    let took = stopped.elapsed();
    let is_lost = matches!(error.kind(), CallErrorKind::ServerLost { .. });
    assert!(is_lost, "{error}");
    assert_eq!(error.fate(), Fate::Unknown);
    // The last beat may have come just before, or a third of the time before.
    assert!(took >= HEARTBEAT / 2, "too soon: {took:?}");
    assert!(took <= HEARTBEAT * 5 / 4 + SLACK, "too late: {took:?}");
    took
}

/// C-DL-6: SIGSTOP keeps the connection, so that nothing but the want of a beat tells of it; over the hub.
pub(crate) fn a_worker_that_is_stopped_is_noticed_in_about_the_heartbeat(
    engine: Engine,
    wire: Wire,
) {
    let directory = wire.directory();
    let _hub = Process::start("hub", "hub", engine, &directory);
    let sleeper = Process::start("worker", "sleeper", engine, &directory);
    let _other = Process::start("worker", "other", engine, &directory);
    let bus = engine.open(&directory.member());
    until("both serve", || {
        serves(&bus, "sleeper") && serves(&bus, "other")
    });
    let call = watched(&bus, "sleeper", 1);
    let other = watched(&bus, "other", 2);
    until_started(&directory, 1);
    until_started(&directory, 2);
    sleeper.stop();
    let took = lost(call, Instant::now());
    eprintln!(
        "{} over {wire:?}: a stopped worker is noticed in {took:?}",
        engine.name()
    );
    assert!(!other.is_ready(), "the other one lives");
    drop(other);
    // One that is stopped before the call comes to it is noticed as well.
    let begin = Instant::now();
    lost(watched(&bus, "sleeper", 3), begin);
    sleeper.go_on();
    // Both are told that nobody waits.
    for worker in ["sleeper", "other"] {
        until("nothing runs any more", || load(&bus, worker) == Some(0));
    }
    let told = [1, 2, 3].map(|id| (id, Outcome::Failed(Fate::Unknown)));
    verdict::check(directory.path(), told);
    assert_eq!(bus.in_flight(), 0);
}

/// C-DL-6: a hub that is stopped on the way beats for nobody.
pub(crate) fn a_hub_that_is_stopped_is_noticed_in_about_the_heartbeat(engine: Engine, wire: Wire) {
    let directory = wire.directory();
    let hub = Process::start("hub", "hub", engine, &directory);
    let _worker = Process::start("worker", "worker", engine, &directory);
    let bus = engine.open(&directory.member());
    until("it serves", || serves(&bus, "worker"));
    let call = watched(&bus, "worker", 1);
    until_started(&directory, 1);
    hub.stop();
    let took = lost(call, Instant::now());
    eprintln!(
        "{} over {wire:?}: a stopped hub is noticed in {took:?}",
        engine.name()
    );
    hub.go_on();
    until("nothing runs any more", || load(&bus, "worker") == Some(0));
}

/// C-DL-6, T1: a process that is killed is known at once, not only by the want of a beat.
pub(crate) fn a_worker_that_is_killed_in_a_call_is_noticed_at_once(engine: Engine, wire: Wire) {
    let directory = wire.directory();
    let _hub = Process::start("hub", "hub", engine, &directory);
    let mut worker = Process::start("worker", "worker", engine, &directory);
    let bus = engine.open(&directory.member());
    until("it serves", || serves(&bus, "worker"));
    let patient = order(&bus, "worker", 1, MINUTE).no_timeout();
    let call = patient.heartbeat(LONG).invoke();
    until_started(&directory, 1);
    let killed = Instant::now();
    worker.kill();
    let error = call.wait().unwrap_err();
    assert!(killed.elapsed() < Duration::from_secs(1), "{error}");
    assert_eq!(error.fate(), Fate::Unknown, "{error}");
}

/// A2, A3: a panic that ends the process is a kill to those who call it.
pub(crate) fn a_panic_within_a_panic_ends_its_own_process_only(engine: Engine, wire: Wire) {
    let directory = wire.directory();
    let _hub = Process::start("hub", "hub", engine, &directory);
    let mut worker = Process::start("worker", "worker", engine, &directory);
    let bus = engine.open(&directory.member());
    until("it serves", || serves(&bus, "worker"));
    let order = Order {
        id: 1,
        micros: 0,
        end: End::PanicTwice,
    };
    let call = bus.request::<u64>("work.run", &order).to("worker");
    let error = call.wait().unwrap_err();
    let is_lost = matches!(error.kind(), CallErrorKind::ConnectionLost(_));
    assert!(is_lost && error.fate() == Fate::Unknown, "{error}");
    worker.was_aborted();
    assert!(serves(&bus, "hub"), "the others go on");
    assert_eq!(bus.in_flight(), 0);
}

/// C-VB-5, C-LC-2: what runs under a key outlives the hub that it came by. Asked for again, it is found.
pub(crate) fn a_retry_over_a_new_hub_finds_what_runs(engine: Engine, wire: Wire) {
    let directory = wire.directory();
    let mut hub = Process::start("hub", "hub", engine, &directory);
    let _worker = Process::start("worker", "worker", engine, &directory);
    let bus = engine.open(&directory.member());
    until("it serves", || serves(&bus, "worker"));
    let retry = Retry::new()
        .attempts(u32::MAX)
        .backoff(Duration::from_millis(5), Duration::from_millis(50))
        .budget(RetryBudget::new(0, 1_000_000));
    let mut told = Vec::new();
    for id in [1, 2] {
        let call = order(&bus, "worker", id, 2_500_000).idempotent(u128::from(id));
        let call = call.retry(retry.clone()).invoke();
        until_started(&directory, id);
        hub.kill();
        hub = Process::start("hub", "hub", engine, &directory);
        assert_eq!(call.wait().unwrap(), id);
        told.push((id, Outcome::Answered));
    }
    verdict::check(directory.path(), told); // Each was begun once, and came to its end.
}

/// C-VB-5: one whose caller was lost goes on, for the caller that comes back and asks again.
pub(crate) fn a_caller_that_is_lost_finds_its_work_done(engine: Engine) {
    let directory = Directory::new();
    let hub = engine.open(&directory.hub());
    let (began, has_begun) = channel();
    let (finish, finished) = std::sync::mpsc::channel::<()>();
    let finished = std::sync::Mutex::new(finished);
    let work = move |n: u64| {
        began.send(()).unwrap();
        finished.lock().unwrap().recv_timeout(LONG).unwrap();
        n + 1
    };
    let server = hub.listen("work").on_blocking("run", work).start().unwrap();
    let stream = UnixStream::connect(directory.socket()).unwrap();
    let mut peer = Peer::greet(Role::Member, stream);
    peer.call_with("work", "run", &7_u64, |header| {
        header.rare_mut().idempotency_key = Some(Key(17_u128.to_be_bytes()));
    });
    peer.flush();
    has_begun.recv_timeout(LONG).unwrap();
    drop(peer);
    let bus = engine.open(&directory.member());
    // The bytes of a client that knows the types are those that the peer sent.
    let client = ServiceClient::new(&bus, "work", None);
    let ask = || -> Request<u64> {
        let request = client.request(Method::literal("run"), Version::DEFAULT, || 0, 7_u64);
        request.idempotent(17_u128)
    };
    let back = ask().invoke();
    until("it is known again", || server.stats().repeated == 1);
    finish.send(()).unwrap();
    assert_eq!(back.wait().unwrap(), 8);
    assert_eq!(ask().wait().unwrap(), 8);
    assert!(has_begun.try_recv().is_err(), "it was begun once");
    until("nothing is left", || server.load() == 0);
}

/// C-DL-6, PR-BEAT: what a peer sees of it on the wire.
pub(crate) fn beats_come_while_a_call_is_queued_or_runs_and_no_longer(engine: Engine) {
    let directory = Directory::new();
    let hub = engine.open(&directory.hub());
    let (finish, finished) = channel::<()>();
    let finished = std::sync::Arc::new(std::sync::Mutex::new(finished));
    let wait = move |(): ()| {
        let finished = finished.lock().unwrap();
        finished.recv_timeout(LONG).unwrap();
    };
    let server = hub.listen("slow").serial().on_blocking("wait", wait);
    let server = server.start().unwrap();
    let stream = UnixStream::connect(directory.socket()).unwrap();
    let mut peer = Peer::greet(Role::Member, stream);
    let heartbeat = Duration::from_millis(30);
    let silence = 10 * heartbeat;
    let ask = |peer: &mut Peer, method: &str| {
        peer.call_with("slow", method, &(), |header| {
            header.rare_mut().heartbeat = Some(heartbeat);
        })
    };
    // One runs, one waits for it, and neither is forgotten.
    let (runs, waits) = (ask(&mut peer, "wait"), ask(&mut peer, "wait"));
    let mut beats = [0, 0];
    while beats.iter().any(|beats| *beats < 5) {
        match peer.event() {
            Event::Beat { token } if token == runs => beats[0] += 1,
            Event::Beat { token } if token == waits => beats[1] += 1,
            Event::Opened(_) => {}
            other => panic!("{other:?}"),
        }
    }
    for token in [runs, waits] {
        finish.send(()).unwrap();
        loop {
            match peer.event() {
                Event::Reply { token: done, reply } => {
                    assert_eq!((done, reply), (token, Ok(Vec::new().into())));
                    break;
                }
                Event::Beat { token: of } => assert!(of == token || of == waits, "{of}"),
                other => panic!("{other:?}"),
            }
        }
    }
    peer.hears_nothing_for(silence);
    // None for what no server runs.
    let missing = ask(&mut peer, "missing");
    match peer.event() {
        Event::Reply { token, reply } => assert!(token == missing && reply.is_err()),
        other => panic!("{other:?}"),
    }
    peer.hears_nothing_for(silence);
    // And none for what was given up, though its handler goes on.
    ask(&mut peer, "wait");
    assert!(matches!(peer.event(), Event::Beat { .. }));
    peer.cancel_last();
    until("nobody is beaten for", || server.stats().beating == 0);
    peer.hears_nothing_for(silence);
    assert_eq!(server.load(), 1);
    finish.send(()).unwrap();
    until("nothing is left", || server.load() == 0);
}
