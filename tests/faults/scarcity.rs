//! File descriptors and memory: there are none left, or there come some that nobody asked for.

use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tidings::__core::codec;
use tidings::__core::session::Role;
use tidings::{Bus, CallError, CallErrorKind, Fate, Server};

use crate::engine::{Directory, Engine, until, with_options};
use crate::part::Part;
use crate::peer::Peer;
use crate::process::{Process, say, words};
use crate::watched::Watched;
use crate::wire::Wire;

/// Writes that bring descriptors along, and how many each brings.
const WRITES: u32 = 100;
const EACH: usize = 3;

/// The most that the kernel lets a process of these tests open.
const MOST: u64 = 1024;

const MIB: usize = 1024 * 1024;
/// The memory that it may still take.
const MEMORY: usize = 24 * MIB;

fn serve_echo(bus: &Bus) -> Server {
    let echo = bus.listen("echo").on("say", |n: u32| n);
    let length = |text: String| text.len();
    echo.on_blocking("length", length).start().unwrap()
}

fn echoes(bus: &Bus) -> Result<(), CallError> {
    assert_eq!(bus.call::<u32>("echo.say", &7_u32).wait()?, 7);
    Ok(())
}

/// One of the processes. It serves `echo` if it is the hub, and else asks for it.
pub(crate) fn play(part: &Part) {
    let address = match part.name.as_str() {
        "hub" => &part.hub,
        _ => &part.member,
    };
    let bus = part.engine.open(&large(address));
    let echo = (part.name == "hub").then(|| serve_echo(&bus));
    say("ready");
    for word in words() {
        match word.as_str() {
            // It keeps what it has, and gets nothing more.
            "starve" => limit(Resource::Nofile, 0),
            "recover" => {
                limit(Resource::Nofile, MOST);
                limit(Resource::As, u64::MAX);
            }
            "keep memory" => limit(Resource::As, (addresses() + MEMORY) as u64),
            "call" => say(&match echoes(&bus) {
                Ok(()) => "told Executed".to_owned(),
                Err(error) => format!("told {:?} {error}", error.fate()),
            }),
            "open" => say(
                &match Bus::builder().runtime(part.engine.runtime()).open(address) {
                    Ok(_) => "opened".to_owned(),
                    Err(error) => format!("opened {error}"),
                },
            ),
            _ => panic!("{word}?"),
        }
        say("done");
    }
    drop(echo);
    std::process::exit(0);
}

/// Lets this process have that much of it.
fn limit(of: Resource, most: u64) {
    let limit = Rlimit {
        current: (most < u64::MAX).then_some(most),
        ..getrlimit(of)
    };
    setrlimit(of, limit).unwrap();
}

/// Bytes of addresses that this process uses.
fn addresses() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kibibytes = size.unwrap().trim().strip_suffix(" kB").unwrap();
    kibibytes.parse::<usize>().unwrap() * 1024
}

/// The address, for messages of up to 128 MiB.
fn large(address: &str) -> String {
    with_options(address, &[&format!("max_message={}", 128 * MIB)])
}

fn tell(process: &mut Process, word: &str) {
    process.tell(word);
    process.wait_for("done");
}

fn told(process: &mut Process, word: &str, answer: &str) -> String {
    process.tell(word);
    let line = process.wait_for(answer);
    process.wait_for("done");
    line
}

/// T25: who serves accepts nobody and goes on for those who are there, without turning in circles; and lets those in
/// who have waited meanwhile, when it can.
pub(crate) fn a_hub_without_descriptors_goes_on_and_lets_in_later(engine: Engine, wire: Wire) {
    const TIME: Duration = Duration::from_secs(2);
    let directory = wire.directory();
    let mut hub = Process::start("starved", "hub", engine, &directory);
    let inside = engine.open(&directory.member());
    echoes(&inside).unwrap();
    tell(&mut hub, "starve");
    let watched = Watched::of(&hub);
    let idle = watched.sleeps();
    thread::scope(|scope| {
        // The kernel connects them; over TCP, opening waits for the hub's greeting.
        let late: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| engine.open(&directory.member())))
            .collect();
        until("it tries in vain to let them in", || {
            watched.sleeps() >= idle + 5
        });
        let (ran, slept) = (watched.ran(), watched.sleeps());
        thread::sleep(TIME);
        let (ran, slept) = (watched.ran() - ran, watched.sleeps() - slept);
        eprintln!(
            "{} over {wire:?}: {ran} hundredths of a second and {slept} wake-ups in {TIME:?} without a descriptor",
            engine.name()
        );
        // One attempt each 50 ms, and a few threads that see to it and hand work to each other: with busy cores, a dozen
        // times for each attempt. In circles it would be tens of thousands, and all of the time.
        assert!(ran <= 20, "{ran}");
        assert!((10..=2000).contains(&slept), "{slept}");
        echoes(&inside).unwrap();
        tell(&mut hub, "recover");
        for late in late {
            echoes(&late.join().unwrap()).unwrap();
        }
    });
    echoes(&inside).unwrap();
}

/// T25: who connects, for the first time or again, is told why that fails, and comes in when it can.
pub(crate) fn connecting_without_descriptors_is_told_and_tried_again(engine: Engine, wire: Wire) {
    let directory = wire.directory();
    let mut hub = Process::start("starved", "hub", engine, &directory);
    let mut member = Process::start("starved", "member", engine, &directory);
    assert_eq!(told(&mut member, "call", "told"), "Executed");
    tell(&mut member, "starve");
    assert_eq!(told(&mut member, "call", "told"), "Executed");
    let opened = told(&mut member, "open", "opened");
    assert!(opened.contains("Too many open files"), "{opened}");
    assert!(opened.contains("ulimit -n"), "{opened}");
    hub.kill();
    let _hub = Process::start("starved", "hub", engine, &directory);
    until("what is missing is told", || {
        let told = told(&mut member, "call", "told");
        let (fate, why) = told.split_once(' ').unwrap_or((&told, ""));
        assert_ne!(
            fate,
            format!("{:?}", Fate::Executed),
            "it has none to connect by"
        );
        // The first may be on its way when the hub is killed.
        fate == format!("{:?}", Fate::NotSent) && why.contains("Too many open files")
    });
    tell(&mut member, "recover");
    until("it is there again", || {
        told(&mut member, "call", "told") == "Executed"
    });
    assert_eq!(told(&mut member, "open", "opened"), "");
}

/// R14: the length is the peer's word, and nobody aborts because of it.
pub(crate) fn a_message_for_which_there_is_no_memory_ends_its_own_connection_only(engine: Engine) {
    let directory = Directory::new();
    let mut hub = Process::start("starved", "hub", engine, &directory);
    let [other, bus] = [0, 1].map(|_| engine.open(&large(&directory.member())));
    echoes(&other).unwrap();
    echoes(&bus).unwrap();
    tell(&mut hub, "keep memory");
    let text = "x".repeat(2 * MEMORY);
    let error = bus.call::<usize>("echo.length", &text).wait().unwrap_err();
    let is_lost = matches!(error.kind(), CallErrorKind::ConnectionLost(_));
    assert!(
        is_lost && error.to_string().contains("OutOfMemory"),
        "{error}"
    );
    echoes(&other).unwrap();
    until("it is back", || echoes(&bus).is_ok());
    tell(&mut hub, "recover");
    let length = bus.call::<usize>("echo.length", &text).wait();
    assert_eq!(length.unwrap(), text.len());
}

/// P31: neither a socket nor a lock file, though it is started by whoever uses them.
pub(crate) fn a_program_that_is_started_has_no_descriptor_of_the_bus(engine: Engine) {
    let of = |process: &str| {
        let list = format!("for one in /proc/{process}/fd/*; do readlink $one; done");
        let mut shell = Command::new("sh");
        let listed = shell.args(["-c", &list]).stdin(Stdio::null()).output();
        String::from_utf8(listed.unwrap().stdout).unwrap()
    };
    let some = |list: &str| ["socket:", "eventpoll"].map(|kind| list.matches(kind).count());
    // Whoever runs the tests may leave some to all that they start.
    let without = some(&of("$$"));
    let directory = Directory::new();
    let hub = engine.open(&directory.hub());
    let _echo = serve_echo(&hub);
    let member = engine.open(&directory.member());
    echoes(&member).unwrap();
    let place = directory.path().display().to_string();
    let (ours, theirs) = (of(&std::process::id().to_string()), of("$$"));
    let [sockets, polls] = some(&ours);
    assert!(
        sockets >= 3 && polls >= 1 && ours.contains(&place),
        "{ours}"
    );
    assert_eq!(some(&theirs), without, "{theirs}");
    assert!(!theirs.contains(&place), "{theirs}");
}

/// Writes all of `bytes`, and descriptors with their first one.
fn write_with_descriptors(stream: &UnixStream, bytes: &[u8]) {
    let some = std::fs::File::open("/dev/null").unwrap();
    let some = [some.as_fd(); EACH];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(EACH))];
    let mut along = SendAncillaryBuffer::new(&mut space);
    assert!(along.push(SendAncillaryMessage::ScmRights(&some)));
    let slices = [IoSlice::new(bytes)];
    let written = sendmsg(stream, &slices, &mut along, SendFlags::NOSIGNAL).unwrap();
    assert_eq!(written, bytes.len(), "the buffer of a socket takes it");
}

/// P30: a member sends them to its hub, which keeps none and serves on.
pub(crate) fn a_hub_keeps_no_descriptors_that_come_uninvited(engine: Engine) {
    let directory = Directory::new();
    let hub = Process::start("starved", "hub", engine, &directory);
    let watched = Watched::of(&hub);
    let stream = UnixStream::connect(directory.socket()).unwrap();
    let mut peer = Peer::greet(Role::Member, stream);
    let mut ask = |n: u32, write: fn(&UnixStream, &[u8])| {
        peer.call("echo", "say", &n);
        let bytes = peer.output();
        write(&peer.stream, &bytes);
        assert_eq!(peer.reply(), encoded(n));
    };
    ask(0, |mut stream, bytes| stream.write_all(bytes).unwrap());
    let before = watched.descriptors();
    for n in 1..=WRITES {
        ask(n, write_with_descriptors);
        assert_eq!(watched.descriptors(), before, "write {n}");
    }
}

/// P30: a hub sends them to its member.
pub(crate) fn a_member_keeps_no_descriptors_that_come_uninvited(engine: Engine) {
    let directory = Directory::new();
    let listener = UnixListener::bind(directory.socket()).unwrap();
    let greeting = thread::spawn(move || Peer::greet(Role::Hub, listener.accept().unwrap().0));
    let mut member = Process::start("starved", "member", engine, &directory);
    let watched = Watched::of(&member);
    let mut peer = greeting.join().unwrap();
    let mut answer = |write: fn(&UnixStream, &[u8])| {
        member.tell("call");
        let id = peer.request();
        let payload = codec::encode_checked(&7_u32, 16).unwrap();
        peer.answer(id, payload);
        let bytes = peer.output();
        write(&peer.stream, &bytes);
        assert_eq!(member.wait_for("told"), "Executed");
        member.wait_for("done");
    };
    answer(|mut stream, bytes| stream.write_all(bytes).unwrap());
    let before = watched.descriptors();
    for n in 1..=WRITES {
        answer(write_with_descriptors);
        assert_eq!(watched.descriptors(), before, "write {n}");
    }
}

fn encoded(n: u32) -> Vec<u8> {
    codec::encode(&n, 16).unwrap()
}
