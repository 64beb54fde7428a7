//! Fanouts and gathers between processes: what leaves the sender, who misses what, and what a server that is killed
//! answers.

mod common;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::process::{Process, end_with_the_test, say};
use common::{Directory, LONG, on_each_runtime, open, until};
use tidings_core::runtime::{self, Runtime};
use tidings_core::{Bus, CallErrorKind, Fate, Server};

/// Starts a process of this test that serves `poll` under a name of its own until it is killed.
fn start(name: &str, runtime: &Arc<dyn Runtime>, directory: &Directory) -> Process {
    let mut command = Process::again("as_another_process");
    command
        .env("TIDINGS_TEST_NAME", name)
        .env("TIDINGS_TEST_RUNTIME", runtime.name())
        .env("TIDINGS_TEST_SOCKET", directory.socket());
    Process::launch(name, &mut command).0
}

/// Not a test: what the processes of the tests run.
#[test]
#[ignore = "started by the other tests"]
fn as_another_process() {
    let Ok(name) = std::env::var("TIDINGS_TEST_NAME") else {
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
    let bus = open(&runtime, &format!("unix:{}?connect", socket.display()));
    let began = Arc::new(AtomicU64::new(0));
    let begun = began.clone();
    let of_process = name.clone();
    let _server = bus
        .listen("poll")
        .name(&name)
        .on("who", move |(): ()| of_process.clone())
        .on("begun", move |(): ()| begun.load(Ordering::SeqCst))
        .on_async("stay", move |(): ()| {
            began.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<String>()
        })
        .start()
        .unwrap();
    say("ready");
    loop {
        thread::park();
    }
}

/// C-AD-4, C-OC, T1
#[test]
fn a_gather_tells_which_server_was_killed_and_brings_the_others_answers() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let hub = open(runtime, &directory.address("?listen"));
        let _a = start("a", runtime, &directory);
        let mut b = start("b", runtime, &directory);
        let _c = start("c", runtime, &directory);
        let client = open(runtime, &directory.address("?connect"));
        for bus in [&hub, &client] {
            assert_eq!(bus.servers("poll").wait().unwrap(), ["a", "b", "c"]);
        }
        let everybody = client.request::<String>("poll.who", &()).fanout();
        for (server, result) in everybody.gather().wait().unwrap() {
            assert_eq!(result.unwrap(), server.as_str());
        }

        let request = client.request::<String>("poll.stay", &()).no_timeout();
        let mut answers = request.fanout().gather().wait().unwrap().into_iter();
        until("every process has begun", || {
            let begun = client.request::<u64>("poll.begun", &()).fanout().gather();
            let begun = begun.wait().unwrap().into_iter();
            begun.map(|(_, begun)| begun.unwrap()).sum::<u64>() == 3
        });
        let killed = Instant::now();
        b.kill();
        let (server, result) = answers.next().unwrap();
        assert_eq!(server.as_str(), "b");
        let error = result.unwrap_err();
        assert!(
            matches!(error.kind(), CallErrorKind::ConnectionLost(_)),
            "{error}"
        );
        assert_eq!(error.fate(), Fate::Unknown, "{error}");
        assert!(killed.elapsed() < Duration::from_secs(1));
        // The others run on, and are told to stop when nobody listens any more.
        drop(answers);
        assert_eq!(client.in_flight(), 0);
        let everybody = client.request::<String>("poll.who", &()).fanout();
        let mut names: Vec<_> = everybody
            .gather()
            .wait()
            .unwrap()
            .into_iter()
            .map(|(server, result)| (server.to_string(), result.unwrap()))
            .collect();
        names.sort();
        assert_eq!(names, ["a", "c"].map(|name| (name.into(), name.into())));
    });
}

/// A tokio runtime on one thread that can be stopped and goes on where it was.
struct Paused {
    runtime: Arc<dyn Runtime>,
    /// To say that it stands, and until when.
    control: Sender<(Sender<()>, Receiver<()>)>,
    _thread: thread::JoinHandle<()>,
}

impl Paused {
    fn new() -> Paused {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let runtime = runtime::tokio::handle(tokio.handle().clone());
        let (control, pauses) = channel::<(Sender<()>, Receiver<()>)>();
        let pauses = Mutex::new(pauses);
        let thread = thread::spawn(move || {
            loop {
                // It runs for a millisecond at a time, and looks whether it is to pause.
                tokio.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
                match pauses.lock().unwrap().try_recv() {
                    Ok((stands, until)) => {
                        let _ = stands.send(());
                        let _ = until.recv();
                    }
                    Err(std::sync::mpsc::TryRecvError::Empty) => {}
                    Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
                }
            }
        });
        Paused {
            runtime,
            control,
            _thread: thread,
        }
    }

    /// Stops it until what is returned is dropped.
    fn pause(&self) -> Sender<()> {
        let ((stands, standing), (go_on, until)) = (channel(), channel());
        self.control.send((stands, until)).unwrap();
        standing.recv().unwrap();
        go_on
    }
}

/// A server of `news` that counts what it takes.
fn counting(bus: &Bus, name: &str) -> (Server, Arc<AtomicU64>) {
    let took = Arc::new(AtomicU64::new(0));
    let count = took.clone();
    let server = bus
        .listen("news")
        .name(name)
        .on("take", move |_: String| {
            count.fetch_add(1, Ordering::SeqCst);
        })
        .start()
        .unwrap();
    (server, took)
}

/// C-OV-2, C-AD-4: a process that stands still as a whole fills its connection and then misses copies, which it is
/// told of when it goes on. Nobody else waits for it, and the hub keeps no more for it than its limits say.
#[test]
fn a_process_that_stands_still_misses_copies_and_learns_how_many() {
    const ALL: u64 = 2000;
    const LARGE: usize = 8 * 1024;
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let options = "queue=64&in_flight=64";
        let hub = open(runtime, &directory.address(&format!("?listen&{options}")));
        let paused = Paused::new();
        let member = |runtime| open(runtime, &directory.address(&format!("?connect&{options}")));
        let (still, other, sender) = (member(&paused.runtime), member(runtime), member(runtime));
        let (still_server, still_took) = counting(&still, "still");
        let (_other_server, other_took) = counting(&other, "other");
        let (_hub_server, hub_took) = counting(&hub, "hub");
        until("all are known", || {
            sender
                .servers("news")
                .wait()
                .is_ok_and(|names| names.len() == 3)
        });

        let go_on = paused.pause();
        let item = "x".repeat(LARGE);
        let began = Instant::now();
        for _ in 0..ALL {
            let everybody = sender.request::<()>("news.take", &item).fanout();
            everybody.cast_when_room().wait().unwrap();
        }
        until("the others took all of them", || {
            other_took.load(Ordering::SeqCst) == ALL && hub_took.load(Ordering::SeqCst) == ALL
        });
        assert!(began.elapsed() < LONG / 2, "they were held up");
        assert_eq!(still_took.load(Ordering::SeqCst), 0);
        drop(go_on);
        until("it took each copy or was told that it missed it", || {
            still_took.load(Ordering::SeqCst) + still_server.missed() == ALL
        });
        assert!(still_server.missed() > 0);
        let kept = still_took.load(Ordering::SeqCst);
        // Those in its connection's queue, with its credit, and on the socket between.
        assert!(kept < ALL / 2, "{kept} were kept for it");
        // It is one of them again.
        let missed = still_server.missed();
        let everybody = sender.request::<()>("news.take", &item).fanout();
        everybody.cast_when_room().wait().unwrap();
        until("it took the next one", || {
            still_took.load(Ordering::SeqCst) == kept + 1
        });
        assert_eq!(still_server.missed(), missed);
    });
}

/// C-AD-4: one frame leaves the sender, however many servers there are.
#[test]
fn a_fanout_takes_the_senders_connection_once() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let hub = open(runtime, &directory.address("?listen"));
        let sender = open(runtime, &directory.address("?connect&queue=1"));
        let servers: Vec<_> = (0..20).map(|n| counting(&hub, &format!("s{n}"))).collect();
        // A queue of one message holds a fanout to twenty.
        let everybody = sender.request::<()>("news.take", "x").fanout();
        everybody.cast().unwrap();
        until("each of them took it", || {
            servers
                .iter()
                .all(|(_, took)| took.load(Ordering::SeqCst) == 1)
        });
    });
}

/// C-AD-4, C-DL-6: a gather without a deadline ends all the same where a server is as good as dead.
#[test]
fn a_gather_with_a_heartbeat_tells_which_server_stands_still() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let hub = open(runtime, &directory.address("?listen"));
        let paused = Paused::new();
        let still = open(&paused.runtime, &directory.address("?connect"));
        let client = open(runtime, &directory.address("?connect"));
        let serve = |bus: &Bus, name: &'static str| {
            let server = bus.listen("poll").name(name);
            server.on("who", move |(): ()| name).start().unwrap()
        };
        let _servers = [serve(&still, "still"), serve(&hub, "hub")];
        until("both are known", || {
            client
                .servers("poll")
                .wait()
                .is_ok_and(|names| names.len() == 2)
        });
        let go_on = paused.pause();
        let request = client.request::<String>("poll.who", &()).no_timeout();
        let request = request.heartbeat(Duration::from_millis(300)).fanout();
        let mut answers = request.gather().wait().unwrap().into_iter();
        let (server, result) = answers.next().unwrap();
        assert_eq!((server.as_str(), result.unwrap().as_str()), ("hub", "hub"));
        let (server, result) = answers.next().unwrap();
        assert_eq!(server.as_str(), "still");
        let error = result.unwrap_err();
        assert!(
            matches!(error.kind(), CallErrorKind::ServerLost { .. }),
            "{error}"
        );
        assert_eq!(error.fate(), Fate::Unknown);
        assert!(answers.next().is_none());
        drop(go_on);
    });
}
