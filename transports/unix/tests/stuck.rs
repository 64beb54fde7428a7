//! One server that is stuck delays nobody else, on the very connection that its requests take (C-OV-2).

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Directory, LONG, on_each_runtime, open, until};
use tidings_core::runtime::Runtime;
use tidings_core::{
    Bus, CallError, CallErrorKind, Fate, Promise, Request, Server, WaitExt, WhenFull,
};
use tidings_unix::Unix;

/// How long a call may take beside whatever is stuck: far below the time that anything stuck has.
const SOON: Duration = Duration::from_secs(5);

/// Who serves, the hub or another member; and who calls.
fn pairs(runtime: &Arc<dyn Runtime>, directory: &Directory, options: &str) -> Vec<Pair> {
    let address = directory.address(options);
    let [hub, first, second] = [0, 1, 2].map(|_| open(runtime, &address));
    let pair = |serving: &Bus, calling: &Bus| Pair {
        serving: serving.clone(),
        calling: calling.clone(),
        _hub: hub.clone(),
    };
    vec![pair(&hub, &first), pair(&first, &second)]
}

struct Pair {
    serving: Bus,
    calling: Bus,
    _hub: Bus,
}

/// A server that never ends anything.
fn stuck(bus: &Bus, topic: &str) -> Server {
    let server = bus.listen(topic).concurrency(4096).queue(4096);
    let never = |_: u32| std::future::pending::<u32>();
    server.on_async("wait", never).start().unwrap()
}

fn echo(bus: &Bus) -> Server {
    bus.listen("echo").on("say", |n: u32| n).start().unwrap()
}

fn answers_soon(bus: &Bus, what: &str) {
    for n in 0..50 {
        let begin = Instant::now();
        // Behind a burst, the queue to the connection may be full for a moment.
        let echo = bus.request::<u32>("echo.say", &n).timeout(SOON);
        let echo = echo.when_full(WhenFull::Block).wait();
        assert_eq!(echo.map_err(|error| error.to_string()), Ok(n), "{what}");
        assert!(begin.elapsed() < SOON, "{what}");
    }
}

/// More calls than a connection takes at a time, to servers of which none answers.
#[test]
fn calls_to_servers_that_are_stuck_leave_room_for_others() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        for Pair {
            serving,
            calling,
            _hub,
        } in pairs(runtime, &directory, "")
        {
            let topics = ["a", "b", "c"];
            let _stuck: Vec<Server> = topics.iter().map(|topic| stuck(&serving, topic)).collect();
            let _echo = echo(&serving);
            let mut held: Vec<Promise<u32>> = Vec::new();
            for (topic, count) in topics.iter().zip([1500, 400, 200]) {
                let path = format!("{topic}.wait");
                let more = (0..count).map(|n: u32| calling.invoke(&path, &n));
                held.extend(more);
                answers_soon(&calling, topic);
            }
            // Refused at the most, where the queue was full; none of them is answered.
            let waiting = held.iter().filter(|promise| !promise.is_ready()).count();
            assert!(waiting > 1024, "{waiting}");
            drop(held);
            until("nothing is in flight", || calling.in_flight() == 0);
            answers_soon(&calling, "all were given up");
        }
    });
}

/// C-DL-4: what was given up holds its credit until its handler has ended, and still leaves room.
#[test]
fn calls_that_were_given_up_leave_room_for_others() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        for Pair {
            serving,
            calling,
            _hub,
        } in pairs(runtime, &directory, "")
        {
            let ends = Arc::new(AtomicBool::new(false));
            let stays = ends.clone();
            // It does not look at its context.
            let server = serving.listen("deaf").concurrency(4096).queue(4096);
            let server = server.on_blocking("work", move |_: u32| {
                while !stays.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            let server = server.start().unwrap();
            let _echo = echo(&serving);
            for round in 0..4 {
                let held: Vec<Promise<()>> = (0..600_u32)
                    .map(|n| calling.invoke("deaf.work", &n))
                    .collect();
                answers_soon(&calling, "they run or wait");
                drop(held);
                answers_soon(&calling, &format!("given up, round {round}"));
            }
            ends.store(true, Ordering::Relaxed);
            until("it has nothing left", || server.load() == 0);
        }
    });
}

/// A server that takes one at a time, when it is let.
struct Slow {
    goes: Arc<AtomicBool>,
    took: Arc<Mutex<Vec<u32>>>,
    _server: Server,
}

impl Slow {
    fn new(bus: &Bus, queue: usize, policy: WhenFull) -> Slow {
        let (goes, took) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (wait, note): (_, Arc<Mutex<Vec<u32>>>) = (goes.clone(), Arc::clone(&took));
        let runtime = bus.runtime().clone();
        let server = bus.listen("slow").serial().queue(queue).when_full(policy);
        let server = server.on_async("take", move |n: u32| {
            let (wait, note, runtime) = (wait.clone(), note.clone(), runtime.clone());
            async move {
                while !wait.load(Ordering::Relaxed) {
                    runtime.sleep(Duration::from_millis(5)).await;
                }
                note.lock().unwrap().push(n);
            }
        });
        Slow {
            goes,
            took,
            _server: server.start().unwrap(),
        }
    }

    fn go(&self) {
        self.goes.store(true, Ordering::Relaxed);
    }

    fn took(&self) -> Vec<u32> {
        self.took.lock().unwrap().clone()
    }
}

/// Whether they wait in the server's own queue, or in front of it.
#[test]
fn casts_to_a_server_that_is_stuck_leave_room_for_others() {
    on_each_runtime(|runtime| {
        for queue in [4096, 4] {
            let directory = Directory::new();
            for Pair {
                serving,
                calling,
                _hub,
            } in pairs(runtime, &directory, "")
            {
                let slow = Slow::new(&serving, queue, WhenFull::Reject);
                let _echo = echo(&serving);
                let mut sent = Vec::new();
                for n in 0..5000 {
                    if calling.cast("slow.take", &n).is_ok() {
                        sent.push(n);
                    }
                }
                answers_soon(&calling, &format!("behind a queue of {queue}"));
                let error = loop {
                    let n = sent.len() as u32 + 10_000;
                    match calling.cast("slow.take", &n) {
                        Ok(()) => sent.push(n),
                        Err(error) => break error,
                    }
                };
                assert!(
                    matches!(error.kind(), CallErrorKind::QueueFull { .. }),
                    "{error}"
                );
                assert_eq!(error.fate(), Fate::NotSent);
                // Casts elsewhere still go.
                for n in 0..100 {
                    let cast = calling.request::<()>("echo.say", &n).timeout(LONG);
                    cast.cast_when_room().wait_timeout(SOON).unwrap().unwrap();
                }
                slow.go();
                until("all that was accepted came", || {
                    slow.took().len() == sent.len()
                });
                assert_eq!(slow.took(), sent, "in order");
            }
        }
    });
}

#[test]
fn who_waits_for_room_goes_on_when_the_server_does() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        for Pair {
            serving,
            calling,
            _hub,
        } in pairs(runtime, &directory, "?queue=64&in_flight=64")
        {
            const CASTS: u32 = 2000;
            let slow = Slow::new(&serving, 8, WhenFull::Reject);
            let _echo = echo(&serving);
            let sender = calling.clone();
            let sending = std::thread::spawn(move || {
                for n in 0..CASTS {
                    let cast = sender.request::<()>("slow.take", &n);
                    cast.cast_when_room().wait().unwrap();
                }
            });
            answers_soon(&calling, "beside one that waits for room");
            slow.go();
            sending.join().unwrap();
            until("all came", || slow.took().len() == CASTS as usize);
            assert_eq!(slow.took(), (0..CASTS).collect::<Vec<_>>());
        }
    });
}

/// C-OV-1: the policy of a handle, where its connection's queue is full.
#[test]
fn a_full_connection_does_as_the_handle_says() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let address = directory.address("?queue=16&in_flight=16");
        let [serving, calling] = [0, 1].map(|_| open(runtime, &address));
        let slow = Slow::new(&serving, 4, WhenFull::Block);
        let full = |bus: &Bus| {
            (0..1000)
                .find_map(|_| bus.cast("slow.take", &0_u32).err())
                .expect("its queue is bounded")
        };
        full(&calling);
        // Reject.
        let error = calling
            .invoke::<()>("slow.take", &1_u32)
            .wait()
            .unwrap_err();
        assert!(
            matches!(error.kind(), CallErrorKind::QueueFull { .. }),
            "{error}"
        );
        assert_eq!(error.fate(), Fate::NotSent);
        // Block: it waits, until its deadline at the latest, or until there is room.
        let patient = calling.with_when_full(WhenFull::Block);
        let late = patient
            .request::<()>("slow.take", &2_u32)
            .timeout(Duration::from_millis(50))
            .invoke();
        let error = late.wait().unwrap_err();
        assert!(
            matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. }),
            "{error}"
        );
        assert_eq!(error.fate(), Fate::NotSent);
        let kept: Promise<()> = patient.invoke("slow.take", &3_u32);
        patient.cast("slow.take", &4_u32).unwrap();
        let one = calling.request::<()>("slow.take", &5_u32);
        let once = one.when_full(WhenFull::Block).invoke();
        assert!(!kept.is_ready() && !once.is_ready());
        slow.go();
        kept.wait().unwrap();
        once.wait().unwrap();
        until("the cast came too", || slow.took().contains(&4));
        let took = slow.took();
        assert!(!took.contains(&1) && !took.contains(&2), "{took:?}");
        let at = |n| took.iter().position(|took| *took == n);
        assert!(at(3) < at(4), "in the order of the handle");
    });
}

/// C-OV-1, C-AD-7: what a request says overrides what its handle says, and that what the bus was built with.
#[test]
fn the_policy_said_nearest_to_the_request_counts() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let address = directory.address("?queue=16&in_flight=16");
        let serving = open(runtime, &address);
        let builder = Bus::builder().runtime(runtime.clone());
        let builder = builder.when_full(WhenFull::Block).timeout(LONG * 2);
        let patient = builder.open_with(&Unix, &address).unwrap();
        let hasty = patient.with_when_full(WhenFull::Reject);
        let slow = Slow::new(&serving, 4, WhenFull::Block);
        let _echo = echo(&serving);

        let ask = |bus: &Bus, n: u32| bus.request::<()>("slow.take", &n);
        // Until the connection has given away its credit, what is sent may still find room.
        let refused = |request: &dyn Fn() -> Request<()>| {
            let error = (0..=64).find_map(|_| {
                let mut sent = request().invoke();
                let outcome = sent.try_take();
                sent.detach();
                outcome
            });
            is_full(error.expect("its queue is bounded").unwrap_err());
        };
        refused(&|| ask(&hasty, 0));
        let of_bus = ask(&patient, 1).invoke();
        refused(&|| ask(&hasty, 0));
        let of_request = ask(&hasty, 2).when_full(WhenFull::Block).invoke();
        refused(&|| ask(&patient, 0).when_full(WhenFull::Reject));
        let again = patient.with_when_full(WhenFull::Reject);
        refused(&|| ask(&again, 0));
        let of_handle = ask(&again.with_when_full(WhenFull::Block), 3).invoke();
        // Elsewhere there is room, also for a handle of which one waits.
        until("there is room elsewhere", || {
            hasty.call::<u32>("echo.say", &7_u32).wait().is_ok()
        });
        // None of this changed those to which it was said.
        refused(&|| ask(&hasty, 0));
        let unchanged = ask(&patient, 4).invoke();
        // The same for calls that block their thread.
        let refused_to_block = |request: &dyn Fn() -> Request<()>| {
            let error = (0..=64).find_map(|_| {
                let error = request().timeout(MOMENT).wait().unwrap_err();
                // It had found room.
                let late = matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. });
                (!late).then_some(error)
            });
            is_full(error.expect("it may not wait"));
        };
        refused_to_block(&|| ask(&hasty, 0));
        refused_to_block(&|| ask(&patient, 0).when_full(WhenFull::Reject));
        let before = patient.in_flight();
        let plain = ask(&patient, 5);
        let plain = std::thread::spawn(move || plain.wait());
        until("the call waits too", || patient.in_flight() > before);

        let waiting = [of_bus, of_request, of_handle, unchanged];
        assert!(!waiting.iter().any(Promise::is_ready) && !plain.is_finished());
        slow.go();
        for promise in waiting {
            promise.wait().unwrap();
        }
        plain.join().unwrap().unwrap();
        let took = slow.took();
        let came = (1..=5).all(|n| took.iter().filter(|took| **took == n).count() == 1);
        assert!(came, "{took:?}");
    });
}

/// For a call that waits for what does not come.
const MOMENT: Duration = Duration::from_millis(50);

fn is_full(error: CallError) {
    let full = matches!(error.kind(), CallErrorKind::QueueFull { .. });
    assert!(full && error.fate() == Fate::NotSent, "{error}");
}

/// C-OV-1: the oldest cast of such handles goes, and is counted; nobody else's does.
#[test]
fn a_lossy_handle_keeps_its_newest_casts() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let address = directory.address("?queue=16&in_flight=16");
        let [serving, calling] = [0, 1].map(|_| open(runtime, &address));
        let slow = Slow::new(&serving, 4, WhenFull::Block);
        let lossy = calling.with_when_full(WhenFull::DropOldest);
        const KEPT: u32 = 3;
        const LOSSY: u32 = 1000;
        for n in 0..KEPT {
            lossy.cast("slow.take", &(10_000 + n)).unwrap();
            calling.cast("slow.take", &n).unwrap();
        }
        for n in KEPT..LOSSY {
            lossy.cast("slow.take", &(10_000 + n)).unwrap();
        }
        slow.go();
        until("the newest came", || slow.took().contains(&10_999));
        let took = slow.took();
        for n in 0..KEPT {
            assert!(took.contains(&n), "{n} is of a handle that loses nothing");
        }
        let came = took.iter().filter(|n| **n >= 10_000).count();
        let dropped = calling.stats().dropped_casts;
        assert!(dropped > 0);
        assert_eq!(came + dropped as usize, LOSSY as usize);
    });
}

/// FAULTS-P24, C-LC-3: what is set aside for a server that goes is refused.
#[test]
fn what_waits_for_a_server_that_goes_is_told() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        for Pair {
            serving,
            calling,
            _hub,
        } in pairs(runtime, &directory, "?queue=64&in_flight=64")
        {
            // Never answers: one that ended when it is cancelled could do so just before it is stopped.
            let never = |_: u32| std::future::pending::<()>();
            let server = serving.listen("stuck").on_async("wait", never);
            let server = server.start().unwrap();
            let held: Vec<Promise<()>> = (0..200_u32)
                .map(|n| calling.invoke("stuck.wait", &n))
                .collect();
            let count = Arc::new(AtomicUsize::new(0));
            server.close();
            for promise in held {
                let count = count.clone();
                promise.on_ready(move |outcome| {
                    assert!(outcome.is_err());
                    count.fetch_add(1, Ordering::Relaxed);
                });
            }
            until("each is told", || count.load(Ordering::Relaxed) == 200);
        }
    });
}
