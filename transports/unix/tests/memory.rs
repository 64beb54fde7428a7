//! What a bus holds for messages is bounded in all, whatever its connections may have each (C-OV-1, C-OV-2).

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use common::{Directory, on_each_runtime, until};
use tidings_core::runtime::Runtime;
use tidings_core::{Bus, CallErrorKind, Fate, Promise};
use tidings_unix::Unix;

const MIB: usize = 1 << 20;

fn open(runtime: &Arc<dyn Runtime>, directory: &Directory, budget: usize) -> Bus {
    Bus::builder()
        .runtime(runtime.clone())
        .memory_budget(budget)
        .open_with(&Unix, &directory.address(""))
        .unwrap()
}

/// A method that holds what it is given until it is let go on.
fn holding(bus: &Bus, goes: &Arc<AtomicBool>, came: &Arc<AtomicUsize>) -> tidings_core::Server {
    let (goes, came, runtime) = (goes.clone(), came.clone(), bus.runtime().clone());
    let server = bus.listen("bulk").on_async("hold", move |bytes: String| {
        came.fetch_add(1, Ordering::SeqCst);
        let (goes, runtime) = (goes.clone(), runtime.clone());
        async move {
            while !goes.load(Ordering::Relaxed) {
                runtime.sleep(Duration::from_millis(5)).await;
            }
            bytes.len()
        }
    });
    server.start().unwrap()
}

fn is_busy(promise: Promise<usize>) {
    let error = promise.wait().unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::Busy { .. }),
        "{error}"
    );
    assert_eq!(error.fate(), Fate::NotExecuted);
}

#[test]
fn requests_of_all_connections_together_keep_within_the_budget() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        // Of which three quarters are for requests, and five eighths for large ones.
        let hub = open(runtime, &directory, 8 * MIB);
        let members: Vec<Bus> = (0..4)
            .map(|_| open(runtime, &directory, 256 * MIB))
            .collect();
        let (goes, came) = (Arc::default(), Arc::default());
        let server = holding(&hub, &goes, &came);
        let _echo = hub.listen("echo").on("say", |n: u32| n).start().unwrap();
        let text = "x".repeat(MIB - 32 * 1024);
        let mut held: Vec<Promise<usize>> = Vec::new();
        for n in 0..5 {
            held.push(members[n % 4].invoke("bulk.hold", &text));
            until("it is there", || came.load(Ordering::SeqCst) == n + 1);
        }
        for member in &members {
            is_busy(member.invoke("bulk.hold", &text));
            // What is small finds room between the large ones, on every connection.
            assert_eq!(member.call::<u32>("echo.say", &7_u32).wait().unwrap(), 7);
            member.cast("bulk.hold", &text).unwrap();
        }
        until("the casts were dropped and counted", || {
            hub.stats().shed == 8
        });
        assert!(hub.memory_in_use() <= 8 * MIB);
        assert_eq!(came.load(Ordering::SeqCst), 5);
        goes.store(true, Ordering::Relaxed);
        for promise in held {
            assert_eq!(promise.wait().unwrap(), text.len());
        }
        until("all of it is given back", || {
            server.load() == 0 && hub.memory_in_use() == 0
        });
        let again = members[0].call::<usize>("bulk.hold", &text).wait();
        assert_eq!(again.unwrap(), text.len());
    });
}

/// FAULTS-R8: whatever came and was refused, what is in use comes back to nothing.
#[test]
fn after_a_flood_of_bulk_nothing_is_in_use() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let hub = open(runtime, &directory, 8 * MIB);
        let members: Vec<Bus> = (0..3)
            .map(|_| open(runtime, &directory, 256 * MIB))
            .collect();
        let server = hub
            .listen("bulk")
            .on("length", |text: String| text)
            .start()
            .unwrap();
        let text = "x".repeat(MIB);
        let most = std::thread::scope(|scope| {
            for member in &members {
                scope.spawn(|| {
                    for _ in 0..15 {
                        let sent: Vec<Promise<String>> = (0..4)
                            .map(|_| member.invoke("bulk.length", &text))
                            .collect();
                        for promise in sent {
                            match promise.wait() {
                                Ok(answer) => assert_eq!(answer.len(), MIB),
                                Err(error) => {
                                    assert!(error.fate().is_safe_to_repeat(), "{error}");
                                }
                            }
                        }
                    }
                });
            }
            let watch = scope.spawn(|| {
                let mut most = 0;
                for _ in 0..200 {
                    most = hub.memory_in_use().max(most);
                    std::thread::sleep(Duration::from_millis(1));
                }
                most
            });
            watch.join().unwrap()
        });
        // Answers are taken whatever is in use: each request that was let in has one, as large as itself.
        assert!(most <= 16 * MIB, "{most}");
        until("all of it is given back", || {
            server.load() == 0 && hub.memory_in_use() == 0
        });
    });
}
