//! Several processes, one of which is killed (`kill -9`) under load: every promise resolves within
//! a second, and what it says of the handler agrees with what the workers wrote down themselves.

mod common;

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::process::{Process, end_with_the_test, say};
use common::{Directory, on_each_runtime, open, until};
use tidings_core::runtime::{self, Runtime};
use tidings_core::{Bus, CallError, Fate, Promise};

/// Starts a process in one of the roles below, and waits until it is ready.
fn start(role: &str, runtime: &Arc<dyn Runtime>, directory: &Directory) -> Process {
    let mut command = Process::again("as_another_process");
    command
        .env("TIDINGS_TEST_ROLE", role)
        .env("TIDINGS_TEST_RUNTIME", runtime.name())
        .env("TIDINGS_TEST_SOCKET", directory.socket());
    Process::launch(role, &mut command).0
}

/// Not a test: what the processes of the tests run.
#[test]
#[ignore = "started by the other tests"]
fn as_another_process() {
    let Ok(role) = std::env::var("TIDINGS_TEST_ROLE") else {
        return;
    };
    end_with_the_test();
    let socket = PathBuf::from(std::env::var("TIDINGS_TEST_SOCKET").unwrap());
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let runtime = match std::env::var("TIDINGS_TEST_RUNTIME").as_deref() {
        Ok("tokio") => runtime::tokio::handle(tokio.handle().clone()),
        _ => runtime::smol::global(),
    };
    let options = if role == "hub" { "?listen" } else { "?connect" };
    let bus = open(&runtime, &format!("unix:{}{options}", socket.display()));
    let _server = (role == "worker").then(|| serve_work(&bus, &socket));
    say("ready");
    if role == "client" {
        let mut promises: Vec<Promise<u64>> = Vec::new();
        for id in 0.. {
            promises.push(bus.invoke("work.do", &id));
            promises.retain(|promise| !promise.is_ready());
            if id == 500 {
                say("busy");
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }
    loop {
        std::thread::park();
    }
}

/// A worker writes down what it begins, before anything else.
fn serve_work(bus: &Bus, socket: &Path) -> tidings_core::Server {
    let log = socket.with_file_name(format!("{}.log", std::process::id()));
    let log = std::fs::File::create(log).unwrap();
    let runtime = bus.runtime().clone();
    let work = move |id: u64| {
        (&log).write_all(format!("{id}\n").as_bytes()).unwrap();
        let sleep = runtime.sleep(Duration::from_millis(id % 5));
        async move {
            sleep.await;
            id
        }
    };
    bus.listen("work").on_async("do", work).start().unwrap()
}

/// How often each request was begun, by the workers' own word.
fn begun(directory: &Directory) -> HashMap<u64, u32> {
    let mut begun = HashMap::new();
    for entry in directory.path().read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "log") {
            for line in std::fs::read_to_string(path).unwrap().lines() {
                *begun.entry(line.parse().unwrap()).or_default() += 1;
            }
        }
    }
    begun
}

fn check_fates(outcomes: &[(u64, Result<u64, CallError>)], begun: &HashMap<u64, u32>) {
    for (id, outcome) in outcomes {
        let times = begun.get(id).copied().unwrap_or(0);
        match outcome {
            Ok(answer) => assert!(
                answer == id && times == 1,
                "{id} answered {answer}, begun {times}"
            ),
            Err(error) => match error.fate() {
                Fate::NotSent | Fate::NotExecuted => assert_eq!(times, 0, "{id}: {error}"),
                Fate::Executed => assert_eq!(times, 1, "{id}: {error}"),
                Fate::Unknown => assert!(times <= 1, "{id} was begun {times} times: {error}"),
            },
        }
    }
}

/// Sends requests, has `kill` called in the middle, and returns all outcomes.
fn under_load(bus: &Bus, kill: impl FnOnce()) -> Vec<(u64, Result<u64, CallError>)> {
    let mut promises: Vec<(u64, Promise<u64>)> = Vec::new();
    let mut kill = Some(kill);
    for id in 0..1000u64 {
        promises.push((id, bus.invoke("work.do", &id)));
        if id == 500 {
            if let Some(kill) = kill.take() {
                kill();
            }
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    let sent = Instant::now();
    let outcomes = promises
        .into_iter()
        .map(|(id, promise)| (id, promise.wait()))
        .collect();
    // From the last request on: those after the kill wait for a hub for half a second, and how
    // long sending them takes is this thread's own affair.
    let waited = sent.elapsed();
    assert!(waited < Duration::from_secs(1), "{waited:?}");
    assert_eq!(bus.in_flight(), 0);
    outcomes
}

fn answers(bus: &Bus) -> bool {
    bus.call::<u64>("work.do", &u64::MAX).wait().is_ok()
}

#[test]
fn killing_a_worker_loses_nothing_that_was_not_its_own() {
    on_each_runtime(|runtime| {
        for _ in 0..5 {
            let directory = Directory::new();
            let _hub = start("hub", runtime, &directory);
            let mut first = start("worker", runtime, &directory);
            let _second = start("worker", runtime, &directory);
            let bus = open(runtime, &directory.address("?connect"));
            until("a worker answers", || answers(&bus));
            let outcomes = under_load(&bus, || first.kill());
            check_fates(&outcomes, &begun(&directory)); // T1
            let lost = outcomes
                .iter()
                .filter(|(_, outcome)| outcome.is_err())
                .count();
            assert!(lost < 500, "{lost} of 1000 failed");
            let late = &outcomes[900..];
            assert!(
                late.iter().all(|(_, outcome)| outcome.is_ok()),
                "the other worker goes on"
            );
        }
    });
}

#[test]
fn killing_the_hub_fails_what_is_in_flight_and_a_new_one_finds_all_back() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let mut hub = start("hub", runtime, &directory);
        let _worker = start("worker", runtime, &directory);
        let bus = open(runtime, &directory.address("?connect"));
        for _ in 0..5 {
            until("the worker answers", || answers(&bus));
            let before = begun(&directory);
            let outcomes = under_load(&bus, || hub.kill());
            // The ids are the same in each round: what earlier rounds have begun is taken off.
            let mut now = begun(&directory);
            for (id, times) in &mut now {
                *times -= before.get(id).copied().unwrap_or(0);
            }
            check_fates(&outcomes, &now);
            assert!(
                outcomes.iter().any(|(_, outcome)| outcome.is_err()),
                "nothing was lost?"
            );
            hub = start("hub", runtime, &directory); // T18, C-LC-2
        }
        until("the worker answers", || answers(&bus));
    });
}

#[test]
fn killing_a_client_leaves_the_others_as_they_were() {
    on_each_runtime(|runtime| {
        for _ in 0..3 {
            let directory = Directory::new();
            let _hub = start("hub", runtime, &directory);
            let _worker = start("worker", runtime, &directory);
            let mut client = start("client", runtime, &directory);
            let bus = open(runtime, &directory.address("?connect"));
            client.wait_for("busy");
            until("the worker answers", || answers(&bus));
            let promises: Vec<Promise<u64>> = (1_000_000..1_000_100u64)
                .map(|id| bus.invoke("work.do", &id))
                .collect();
            client.kill();
            for (id, promise) in (1_000_000..).zip(promises) {
                assert_eq!(promise.wait().unwrap(), id);
            }
        }
    });
}

/// Else those of a test that is killed would go on, and the next run would share the machine with them.
#[test]
fn the_processes_of_a_test_end_when_it_does() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let roles = ["hub", "worker", "client"];
        let mut processes = roles.map(|role| start(role, runtime, &directory));
        processes.iter_mut().for_each(Process::hang_up);
        processes.iter_mut().for_each(Process::ends);
    });
}
