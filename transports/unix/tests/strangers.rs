//! Those who should not be there, and those who are too many.

mod common;
#[path = "common/stream.rs"]
mod stream;
#[path = "common/unlocked.rs"]
mod unlocked;

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Directory, LONG, on_all_runtimes_at_once, on_each_runtime, open, try_open, until};
use tidings_core::link::HubLimits;
use tidings_core::session::{
    CloseCode, CloseReason, Closed, Config, Destination, Event, Method, Name, Request,
    RequestHeader, Role, Session, Target, Verb,
};
use tidings_core::{Bus, OpenError};
use unlocked::Unlocked;

fn serve_ping(bus: &Bus) -> tidings_core::Server {
    bus.listen("ping")
        .on("ping", |n: u32| n + 1)
        .start()
        .unwrap()
}

fn pings(bus: &Bus) -> bool {
    matches!(bus.call::<u32>("ping.ping", &1u32).wait(), Ok(2))
}

/// Reads until the other side closes.
fn is_closed(mut stream: &UnixStream) -> bool {
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn garbage_closes_its_own_connection_only() {
    on_all_runtimes_at_once(|runtime| {
        let directory = Directory::new();
        let hub = open(runtime, &directory.address("?listen"));
        let member = open(runtime, &directory.address("?connect"));
        let _server = serve_ping(&hub);
        let garbage: [&[u8]; 4] = [
            b"GET / HTTP/1.1\r\n\r\n",
            &[0xff; 5000],
            &[0; 64],
            b"\x16\x03\x01\x02\x00\x01",
        ];
        for bytes in garbage {
            let mut stream = UnixStream::connect(directory.socket()).unwrap();
            stream.write_all(bytes).unwrap(); // P7
            // What says nothing more is closed at the latest by its time for Hello.
            assert!(is_closed(&stream), "{bytes:?}");
            assert!(pings(&member));
        }
    });
}

#[test]
fn whoever_says_nothing_is_closed_after_five_seconds() {
    on_all_runtimes_at_once(|runtime| {
        let directory = Directory::new();
        let _hub = open(runtime, &directory.address("?listen"));
        let stream = UnixStream::connect(directory.socket()).unwrap();
        let start = Instant::now();
        assert!(is_closed(&stream)); // P9
        assert!(
            start.elapsed() >= Duration::from_millis(4900),
            "{:?}",
            start.elapsed()
        );
    });
}

#[test]
fn silent_strangers_do_not_keep_members_out_for_long() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let hub = open(runtime, &directory.address("?listen"));
        let _server = serve_ping(&hub);
        let member = open(runtime, &directory.address("?connect"));
        assert!(pings(&member));
        // More than may be there without Hello: the rest waits outside, those inside are served.
        let strangers: Vec<UnixStream> = (0..80)
            .map(|_| UnixStream::connect(directory.socket()).unwrap())
            .collect(); // R2
        assert!(pings(&member));
        drop(strangers);
        let late = open(runtime, &directory.address("?connect"));
        until("a new member is served", || pings(&late));
    });
}

#[test]
fn more_connections_than_one_user_may_have_are_turned_away() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let hub = open(runtime, &directory.address("?listen"));
        let _server = serve_ping(&hub);
        let members: Vec<Bus> = (0..256)
            .map(|_| {
                let member = open(runtime, &directory.address("?connect"));
                assert!(pings(&member));
                member
            })
            .collect();
        assert_eq!(refusal(&directory), Some(CloseCode::TooManyConnections)); // R3
        assert!(members.iter().all(pings));
        drop(members);
        let again = open(runtime, &directory.address("?connect"));
        until("there is room again", || pings(&again));
    });
}

#[test]
fn more_connections_than_a_hub_takes_in_all_are_turned_away() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let mut limits = HubLimits::default();
        limits.connections = 3;
        let _hub = Unlocked::hub_with(limits, runtime, &directory);
        let mut members: Vec<Bus> = (0..3)
            .map(|_| open(runtime, &directory.address("?connect")))
            .collect();
        let server = serve_ping(&members[0]);
        until("all are there", || members.iter().all(pings));
        // As many more as there may be that have not said Hello, and each is told why.
        for _ in 0..100 {
            assert_eq!(refusal(&directory), Some(CloseCode::TooManyConnections)); // R1
        }
        assert!(members.iter().all(pings));
        drop(members.pop());
        let again = open(runtime, &directory.address("?connect"));
        until("there is room again", || pings(&again));
        drop(server);
    });
}

/// Greets the hub, which tells why it lets nobody in; instead of its own greeting, and with nothing behind that.
fn refusal(directory: &Directory) -> Option<CloseCode> {
    let mut stream = UnixStream::connect(directory.socket()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let now = Instant::now();
    let mut session = Session::new(Role::Member, Config::new([7; 16]), now);
    let hello: Vec<u8> = session.transmit(now).flatten().copied().collect();
    stream.write_all(&hello).unwrap();
    session.wrote(hello.len(), now);
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).unwrap();
    session.receive(&heard, now);
    session.receive_eof(now);
    match session.poll_event() {
        Some(Event::Closed(Closed {
            reason: CloseReason::Peer(code),
            ..
        })) => Some(code),
        _ => None,
    }
}

#[test]
fn a_hub_that_closes_every_connection_is_not_called_without_end() {
    on_all_runtimes_at_once(|runtime| {
        let directory = Directory::new();
        let listener = std::os::unix::net::UnixListener::bind(directory.socket()).unwrap();
        let counting = std::thread::spawn(move || {
            let (start, mut accepted) = (Instant::now(), 0);
            listener.set_nonblocking(true).unwrap();
            while start.elapsed() < Duration::from_secs(1) {
                match listener.accept() {
                    Ok(_closed_at_once) => accepted += 1,
                    Err(_) => std::thread::sleep(Duration::from_millis(1)),
                }
            }
            accepted
        });
        let member = open(runtime, &directory.address("?connect"));
        let error = member.call::<u32>("ping.ping", &1u32).wait().unwrap_err();
        assert!(error.is_retryable(), "{error}");
        let accepted = counting.join().unwrap();
        assert!(
            (2..=10).contains(&accepted),
            "{accepted} connections in a second"
        ); // T21
    });
}

#[test]
fn a_peer_that_never_reads_is_closed_and_delays_nobody() {
    on_all_runtimes_at_once(|runtime| {
        let directory = Directory::new();
        let hub = open(runtime, &directory.address("?listen"));
        let grow = |n: usize| "x".repeat(n);
        let _ping = serve_ping(&hub);
        let _grow = hub.listen("grow").on("grow", grow).start().unwrap();
        let member = open(runtime, &directory.address("?connect"));

        let now = Instant::now();
        let mut session = Session::new(Role::Member, Config::new([7; 16]), now);
        let name = |text| Name::new(text).unwrap();
        for token in 0..500 {
            let header = RequestHeader::new(
                Destination::Topic(Arc::new(Target {
                    exchange: name("tidings"),
                    topic: name("grow"),
                    server: None,
                })),
                Arc::new(Method::named(name("grow"))),
            );
            let request = Request {
                token,
                flow: 0,
                way: 0,
                verb: Verb::Call,
                header,
                payload: vec![0x80, 0x80, 0x04].into(), // 65,536 as postcard has it.
            };
            session.request(request, now).unwrap();
        }
        let mut stream = UnixStream::connect(directory.socket()).unwrap();
        stream.set_nonblocking(true).unwrap();
        let start = Instant::now();
        // Reads nothing after the hub's Hello, which gives it the credit to ask for 32 MiB.
        let mut hello = [0; 256];
        until("the connection is closed", || {
            let bytes: Vec<u8> = session.transmit(now).flatten().copied().collect();
            if let Ok(written) = stream.write(&bytes) {
                session.wrote(written, now);
            }
            if !session.is_open() {
                if let Ok(read) = stream.read(&mut hello) {
                    session.receive(&hello[..read], now);
                }
            }
            assert!(pings(&member)); // C-OV-2
            std::thread::sleep(Duration::from_millis(20));
            is_hung_up(&stream)
        });
        assert!(session.is_open(), "it never got as far as asking");
        let took = start.elapsed(); // P24: after 10 s in which nothing could be written.
        assert!(
            (Duration::from_secs(9)..Duration::from_secs(16)).contains(&took),
            "{took:?}"
        );
        assert!(pings(&member));
    });
}

fn is_hung_up(stream: &UnixStream) -> bool {
    let mut poll = [rustix::event::PollFd::new(
        stream,
        rustix::event::PollFlags::empty(),
    )];
    rustix::event::poll(&mut poll, Some(&rustix::event::Timespec::default())).unwrap();
    poll[0].revents().contains(rustix::event::PollFlags::HUP)
}

/// Not a test: another user's process.
#[test]
#[ignore = "started by the other tests"]
fn as_another_user() {
    let Ok(address) = std::env::var("TIDINGS_TEST_ADDRESS") else {
        return;
    };
    let runtime = tidings_core::runtime::smol::global();
    let code = match try_open(&runtime, &address) {
        Err(OpenError::Refused { .. }) => 10,
        Err(_) => 11,
        Ok(bus) if pings(&bus) => 12,
        Ok(_) => 13,
    };
    std::process::exit(code);
}

/// Opens `address` as the user 12345, and says how that went.
fn as_user_12345(address: &str) -> i32 {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "as_another_user", "--ignored"])
        .env("TIDINGS_TEST_ADDRESS", address)
        .uid(12345)
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap()
        .code()
        .unwrap()
}

#[test]
fn other_users_are_refused_unless_they_are_named() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can start a process as another user");
        return;
    }
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let mode = |path: &std::path::Path, mode| {
            std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        };
        mode(directory.path(), 0o755);
        let hub = open(runtime, &directory.address("?listen"));
        let server = serve_ping(&hub);
        // The file's mode keeps them out; where somebody changes it, the kernel's word does.
        assert_eq!(as_user_12345(&directory.address("?connect&uid=0")), 11);
        mode(&directory.socket(), 0o666);
        assert_eq!(as_user_12345(&directory.address("?connect&uid=0")), 13); // S2
        // And they do not take our hub for theirs.
        assert_eq!(as_user_12345(&directory.address("?connect")), 10); // S6
        drop((server, hub));

        let hub = open(runtime, &directory.address("?listen&uid=12345"));
        let _server = serve_ping(&hub);
        assert_eq!(as_user_12345(&directory.address("?connect&uid=0")), 12);
    });
}
