//! Processes that are there and do nothing, or that go in good order.

use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use tidings::__core::session::{Limits, Role};
use tidings::{Bus, CallErrorKind, Fate, Promise};

use crate::engine::{Directory, Engine, LONG, until, with_options};
use crate::peer::Peer;
use crate::process::Process;
use crate::roles::{End, Order};
use crate::traffic::{Mix, Outcome, Traffic};
use crate::verdict;
use crate::wire::Wire;

fn serves(bus: &Bus, worker: &str) -> bool {
    let load = bus.request::<usize>("state.load", &()).to(worker);
    load.wait().is_ok()
}

fn order(bus: &Bus, worker: &str, id: u64, timeout: Duration) -> Promise<u64> {
    let order = Order {
        id,
        micros: 0,
        end: End::Answer,
    };
    bus.request("work.run", &order)
        .to(worker)
        .timeout(timeout)
        .invoke()
}

/// C-OV-2, C-DL-1: SIGSTOP is a consumer that is as slow as can be.
pub(crate) fn a_worker_that_is_stopped_fails_its_own_calls_only(engine: Engine, wire: Wire) {
    let directory = wire.directory();
    let _hub = Process::start("hub", "hub", engine, &directory);
    let sleeper = Process::start("worker", "sleeper", engine, &directory);
    let _other = Process::start("worker", "other", engine, &directory);
    let bus = engine.open(&with_options(&directory.member(), &["queue=8192"]));
    until("both serve", || {
        serves(&bus, "sleeper") && serves(&bus, "other")
    });

    sleeper.stop();
    let timeout = Duration::from_secs(3);
    let start = Instant::now();
    // More than its connection and its queue at the hub have room for.
    let stuck: Vec<(u64, Promise<u64>)> = (0..5000)
        .map(|id| (id, order(&bus, "sleeper", id, timeout)))
        .collect();
    let mut told = Vec::new();
    for id in 10_000..10_100 {
        assert_eq!(order(&bus, "other", id, LONG).wait().unwrap(), id);
        told.push((id, Outcome::Answered));
    }
    let waiting = stuck
        .iter()
        .filter(|(_, promise)| !promise.is_ready())
        .count();
    assert!(
        waiting > 0,
        "the others were served while its own were waiting"
    );
    for (id, promise) in stuck {
        let error = promise.wait().unwrap_err();
        let expected = match error.kind() {
            CallErrorKind::DeadlineExceeded { .. } => error.fate() != Fate::Executed,
            CallErrorKind::Busy { .. } => error.fate() == Fate::NotExecuted,
            CallErrorKind::QueueFull { .. } => error.fate() == Fate::NotSent,
            _ => false,
        };
        assert!(expected, "{error}");
        told.push((id, Outcome::Failed(error.fate())));
    }
    assert!(
        start.elapsed() < timeout + Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(bus.in_flight(), 0);

    sleeper.go_on();
    until("it serves again", || serves(&bus, "sleeper"));
    assert_eq!(
        order(&bus, "sleeper", 20_000, Duration::from_secs(10))
            .wait()
            .unwrap(),
        20_000
    );
    let tally = verdict::check(directory.path(), told); // What had timed out before it began was not begun now.
    eprintln!(
        "{} over {wire:?}: {tally}, {waiting} of them waiting for the worker that was stopped",
        engine.name()
    );
}

/// T13 the other way round: when there is nothing left to write, that is not the end of the connection.
pub(crate) fn casts_that_expire_in_the_queue_cost_no_connection(engine: Engine) {
    let directory = Directory::new();
    let listener = UnixListener::bind(directory.socket()).unwrap();
    let greeting = std::thread::spawn(move || {
        let one_at_a_time = Limits {
            max_in_flight: 1,
            ..Limits::default()
        };
        let (stream, _) = listener.accept().unwrap();
        Peer::greet_with(one_at_a_time, Role::Hub, stream)
    });
    let bus = engine.open(&directory.member());
    let mut hub = greeting.join().unwrap();
    bus.cast("log.note", &0u32).unwrap();
    let first = hub.request();
    let short = Duration::from_millis(50);
    for n in 1..10u32 {
        let cast = bus.request::<()>("log.note", &n).timeout(short);
        cast.cast().unwrap();
    }
    std::thread::sleep(short);
    hub.release(first); // There is credit again, and nothing in time to use it.
    hub.hears_nothing_for(short);
    bus.cast("log.note", &10u32).unwrap();
    hub.request(); // On the same connection.
}

/// C-OV-2, P24: the replies to it have nowhere to go.
pub(crate) fn a_caller_that_reads_nothing_delays_nobody_else(engine: Engine) {
    let directory = Directory::new();
    let hub = engine.open(&directory.hub());
    let blob = |size: usize| "x".repeat(size);
    let server = hub.listen("blob").on("get", blob).start().unwrap();
    let reading = engine.open(&directory.member());
    assert_eq!(
        reading.call::<String>("blob.get", &3usize).wait().unwrap(),
        "xxx"
    );

    let mut deaf = Peer::greet(
        Role::Member,
        UnixStream::connect(directory.socket()).unwrap(),
    );
    for _ in 0..200 {
        deaf.call("blob", "get", &60_000usize); // 12 MB of replies
    }
    deaf.flush();
    let mut worst = Duration::ZERO;
    for _ in 0..100 {
        let start = Instant::now();
        let answer: String = reading.call("blob.get", &60_000usize).wait().unwrap();
        assert_eq!(answer.len(), 60_000);
        worst = worst.max(start.elapsed());
    }
    eprintln!(
        "{}: beside a caller that reads nothing, at most {worst:?} for a call",
        engine.name()
    );
    assert!(worst < Duration::from_secs(1), "{worst:?}");
    drop(deaf); // With all that unread: a reset for the hub (T3).
    until("nothing is left of it", || {
        server.load() == 0 && hub.in_flight() == 0
    });
    assert_eq!(
        reading.call::<String>("blob.get", &3usize).wait().unwrap(),
        "xxx"
    );
}

/// T22: what it has, it finishes; what it refuses may be sent again, and another worker takes it.
pub(crate) fn a_worker_that_drains_under_load_loses_nothing(engine: Engine, wire: Wire) {
    let directory = wire.directory();
    let _hub = Process::start("hub", "hub", engine, &directory);
    let mut leaving = Process::start("worker", "leaving", engine, &directory);
    let _staying = Process::start("worker", "staying", engine, &directory);
    let bus = engine.open(&directory.member());
    until("both serve", || {
        serves(&bus, "leaving") && serves(&bus, "staying")
    });
    let traffic = Traffic::start(&bus, 0, Mix::Answered, |_, _| {});
    traffic.until_settled(200);
    leaving.tell("drain");
    leaving.wait_for("drained");
    traffic.until_settled(200);
    let entries = traffic.finish();
    let told = entries
        .iter()
        .map(|entry| (entry.id, entry.settled.unwrap().1));
    let tally = verdict::check(directory.path(), told.clone());
    for (id, outcome) in told {
        let retryable = matches!(outcome, Outcome::Failed(Fate::NotExecuted | Fate::NotSent));
        assert!(
            outcome == Outcome::Answered || retryable,
            "{id}: {outcome:?}"
        );
    }
    eprintln!("{} over {wire:?}: a worker drained: {tally}", engine.name());
}
