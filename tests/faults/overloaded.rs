//! A process that is sent far more than it can serve or keep, and one that is sent nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tidings::{Bus, CallErrorKind, Promise, Server};

use crate::engine::{Directory, Engine, until};
use crate::part::Part;
use crate::process::{Process, say, words};
use crate::raised::RaisedAtEnd;
use crate::watched::{Cage, Watched};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What the process may hold for messages.
const BUDGET: usize = 32 * MIB;
/// Above what it takes without any.
const MOST: usize = BUDGET / 5 * 6;

/// Handlers at a time, and how long each takes: at most 500 requests a second.
const HANDLERS: usize = 16;
const WORK: Duration = Duration::from_millis(32);
const QUEUE: usize = 64;

/// The hub, which serves: `slow.work` at its pace, `stuck.hold` never, `echo.say` at once.
pub(crate) fn play(part: &Part) {
    let builder = Bus::builder().runtime(part.engine.runtime());
    let bus = builder.memory_budget(BUDGET).open(&part.hub).unwrap();
    let runtime = bus.runtime().clone();
    let slow = bus.listen("slow").concurrency(HANDLERS).queue(QUEUE);
    let slow = slow.on_async("work", move |text: String| {
        let pause = runtime.sleep(WORK);
        async move {
            pause.await;
            text.len()
        }
    });
    let _slow = slow.start().unwrap();
    let stuck = bus.listen("stuck").serial().queue(4096);
    let stuck = stuck.on_async("hold", |_: String| std::future::pending::<()>());
    let stuck = stuck.start().unwrap();
    let (weak, echo) = (bus.clone(), bus.listen("echo"));
    let _echo: Server = echo
        .on("say", |n: u32| n)
        .on("memory", move |()| weak.memory_in_use())
        .start()
        .unwrap();
    say("ready");
    for word in words() {
        if word == "let go" {
            stuck.close();
            say("done");
        }
    }
}

fn members(engine: Engine, directory: &Directory, count: usize) -> Vec<Bus> {
    (0..count)
        .map(|_| engine.open(&directory.member()))
        .collect()
}

fn echoes(bus: &Bus) {
    let echo = bus.request::<u32>("echo.say", &7_u32);
    let begin = Instant::now();
    assert_eq!(echo.wait().unwrap(), 7);
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?} beside the load");
}

fn memory_in_use(bus: &Bus) -> usize {
    bus.call::<usize>("echo.memory", &()).wait().unwrap()
}

/// What became of requests that were offered.
#[derive(Default)]
struct Offered {
    answered: Vec<Duration>,
    refused: usize,
}

/// Offers `rate` requests a second for `time`, whatever becomes of them.
fn offer(bus: &Bus, rate: f64, time: Duration) -> Offered {
    let text = "x".repeat(4 * KIB);
    let (mut waiting, mut offered) = (Vec::<(Instant, Promise<usize>)>::new(), Offered::default());
    let (begin, mut sent) = (Instant::now(), 0_u32);
    while begin.elapsed() < time {
        while f64::from(sent) < begin.elapsed().as_secs_f64() * rate {
            waiting.push((Instant::now(), bus.invoke("slow.work", &text)));
            sent += 1;
        }
        settle(&mut waiting, &mut offered);
        thread::sleep(Duration::from_millis(1));
    }
    until("each is answered or refused", || {
        settle(&mut waiting, &mut offered);
        waiting.is_empty()
    });
    offered
}

fn settle(waiting: &mut Vec<(Instant, Promise<usize>)>, offered: &mut Offered) {
    waiting.retain_mut(|(sent, promise)| {
        let outcome = promise.try_take();
        match &outcome {
            Some(Ok(length)) => {
                assert_eq!(*length, 4 * KIB);
                offered.answered.push(sent.elapsed());
            }
            Some(Err(error)) => {
                let full = matches!(
                    error.kind(),
                    CallErrorKind::Busy { .. } | CallErrorKind::QueueFull { .. }
                );
                assert!(full && error.fate().is_safe_to_repeat(), "{error}");
                offered.refused += 1;
            }
            None => {}
        }
        outcome.is_none()
    });
}

/// R7, R8: as much is done as without it, what is accepted is done soon, and a second later all is as before.
pub(crate) fn ten_times_the_load_is_served_as_far_as_it_goes(engine: Engine) {
    const MEMBERS: usize = 4;
    const TIME: Duration = Duration::from_secs(4);
    let directory = Directory::new();
    let hub = Process::start("overloaded", "hub", engine, &directory);
    let watched = Watched::of(&hub);
    let members = members(engine, &directory, MEMBERS);
    let all = |rate: f64| {
        let offered: Vec<Offered> = thread::scope(|scope| {
            let offering: Vec<_> = members
                .iter()
                .map(|bus| scope.spawn(move || offer(bus, rate / MEMBERS as f64, TIME)))
                .collect();
            offering
                .into_iter()
                .map(|one| one.join().unwrap())
                .collect()
        });
        let refused: usize = offered.iter().map(|one| one.refused).sum();
        let mut answered: Vec<Duration> =
            offered.into_iter().flat_map(|one| one.answered).collect();
        answered.sort_unstable();
        (answered, refused)
    };
    let most = HANDLERS as f64 / WORK.as_secs_f64();
    let (usual, _) = all(most);
    let before = watched.resident();
    watched.forget_peak();
    let (answered, refused) = all(10.0 * most);
    let took = watched.peak().saturating_sub(before);
    let p99 = answered[answered.len() * 99 / 100];
    let begin = Instant::now();
    let after = members[0].call::<usize>("slow.work", &"x").wait();
    let recovered = begin.elapsed();
    eprintln!(
        "{}: ten times the load: {} answered ({} without it) and {refused} refused in {TIME:?}, p99 {p99:?}, \
         {} KiB more at most, recovered in {recovered:?}",
        engine.name(),
        answered.len(),
        usual.len(),
        took / KIB,
    );
    assert_eq!(after.unwrap(), 1);
    assert!(refused > 4 * answered.len(), "it was no overload");
    assert!(answered.len() * 10 >= usual.len() * 8);
    // The queue is 64 long, which takes 130 ms: far below the time that a request has.
    assert!(p99 < Duration::from_secs(2), "{p99:?}");
    assert!(took <= MOST, "{took}");
    assert!(recovered < Duration::from_secs(1), "{recovered:?}");
    until("nothing is held", || memory_in_use(&members[0]) <= 32 * KIB);
}

/// R7, R9: ten times the budget, in messages of a mebibyte that nobody takes; where the kernel can be told to, it kills a
/// process that takes more than it should.
pub(crate) fn bulk_that_nobody_takes_keeps_within_the_budget(engine: Engine) {
    let directory = Directory::new();
    let cage; // Is there until the hub has ended.
    let mut hub = Process::start("overloaded", "hub", engine, &directory);
    cage = Cage::around(&hub, 64 * MIB);
    if cage.is_none() {
        println!("SKIP the kernel's own limit: no right to make control groups of memory");
    }
    let watched = Watched::of(&hub);
    let members = members(engine, &directory, 8);
    members.iter().for_each(echoes);
    let before = watched.resident();
    watched.forget_peak();
    let text = "x".repeat(MIB);
    let ends = AtomicBool::new(false);
    let (mut held, mut refused) = (Vec::new(), 0);
    thread::scope(|scope| {
        for bus in &members[..4] {
            let (text, ends) = (&text, &ends);
            scope.spawn(move || {
                while !ends.load(Ordering::Relaxed) {
                    if bus.cast("stuck.hold", text).is_err() {
                        thread::sleep(Duration::from_millis(1)); // Its queue is full.
                    }
                }
            });
        }
        let _over = RaisedAtEnd(&ends);
        while held.len() + refused < 10 * BUDGET / MIB {
            for bus in &members[4..] {
                let mut call: Promise<()> = bus.invoke("stuck.hold", &text);
                match call.wait_timeout(Duration::from_millis(5)) {
                    None => held.push(call),
                    Some(outcome) => {
                        let error = outcome.unwrap_err();
                        assert!(error.fate().is_safe_to_repeat(), "{error}");
                        refused += 1;
                    }
                }
            }
            echoes(&members[0]);
            echoes(&members[7]);
        }
    });
    let (took, in_all) = (watched.peak().saturating_sub(before), watched.peak());
    eprintln!(
        "{}: bulk: {} calls held and {refused} refused, {} KiB more at most, {} KiB in all",
        engine.name(),
        held.len(),
        took / KIB,
        in_all / KIB,
    );
    assert!(refused > held.len(), "it was no overload");
    assert!(took <= MOST, "{took}");
    assert!(in_all <= 64 * MIB, "{in_all}");
    hub.tell("let go");
    hub.wait_for("done");
    drop(held);
    until("nothing is held", || memory_in_use(&members[0]) <= 32 * KIB);
}

/// R15: nobody wakes to find that there is nothing to do.
pub(crate) fn idle_connections_cost_no_time(engine: Engine) {
    const TIME: Duration = Duration::from_secs(2);
    let directory = Directory::new();
    let hub = Process::start("overloaded", "hub", engine, &directory);
    let watched = Watched::of(&hub);
    let members = members(engine, &directory, 200);
    members.iter().for_each(echoes);
    // What the last calls left behind.
    thread::sleep(Duration::from_millis(200));
    let (ran, slept) = (watched.ran(), watched.sleeps());
    thread::sleep(TIME);
    let (ran, slept) = (watched.ran() - ran, watched.sleeps() - slept);
    eprintln!(
        "{}: {} idle connections: {ran} hundredths of a second and {slept} wake-ups in {TIME:?}",
        engine.name(),
        members.len(),
    );
    assert!(ran <= 5, "{ran}");
    assert!(slept <= 40, "{slept}");
    members.iter().for_each(echoes);
}
