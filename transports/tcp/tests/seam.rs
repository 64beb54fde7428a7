//! The seam to sockets, by a socket that does what a test tells it: a third party's is held to the same.

mod common;

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::{hub, on_each_runtime, pings, serve_ping, socket_address, until};
use tidings_core::link::{Dial, LinkOptions, Member, Socket};
use tidings_core::runtime::{Interest, Runtime};
use tidings_core::transport::{OpenOptions, Plugin, Transport};
use tidings_core::{Address, Bus, CallErrorKind, Caller, OpenError, Promise};

/// What its sockets do.
#[derive(Default)]
struct Script {
    /// A socket says first that it waits until it can be written.
    waits: AtomicBool,
    /// It is never established, and waits for a word of the hub.
    never: AtomicBool,
    /// Writes take nothing.
    takes_nothing: AtomicBool,
    /// What is written is kept until it is flushed, and what is read is read a byte at a time.
    holds: AtomicBool,
    writes: AtomicUsize,
    sockets: AtomicUsize,
}

struct Scripted {
    tcp: TcpStream,
    script: Arc<Script>,
    waits: AtomicBool,
    input: Mutex<VecDeque<u8>>,
    output: Mutex<VecDeque<u8>>,
}

impl AsFd for Scripted {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }
}

impl Socket for Scripted {
    fn establish(&self) -> io::Result<Option<Interest>> {
        if self.script.never.load(Ordering::SeqCst) {
            return Ok(Some(Interest::Read));
        }
        let waits = self.waits.swap(false, Ordering::SeqCst);
        Ok(waits.then_some(Interest::Write))
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.script.holds.load(Ordering::SeqCst) {
            return (&self.tcp).read(buffer);
        }
        let mut input = self.input.lock().unwrap();
        if input.is_empty() {
            let read = (&self.tcp).read(buffer)?;
            input.extend(&buffer[..read]);
        }
        Ok(match (input.pop_front(), buffer) {
            (Some(byte), [first, ..]) => {
                *first = byte;
                1
            }
            _ => 0,
        })
    }

    fn holds_input(&self) -> bool {
        !self.input.lock().unwrap().is_empty()
    }

    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.script.writes.fetch_add(1, Ordering::SeqCst);
        if self.script.takes_nothing.load(Ordering::SeqCst) {
            return Ok(0);
        }
        if !self.script.holds.load(Ordering::SeqCst) {
            return (&self.tcp).write_vectored(slices);
        }
        let bytes = slices.iter().flat_map(|slice| slice.iter());
        let mut output = self.output.lock().unwrap();
        let before = output.len();
        output.extend(bytes);
        Ok(output.len() - before)
    }

    fn holds_output(&self) -> bool {
        !self.output.lock().unwrap().is_empty()
    }

    fn flush(&self) -> io::Result<()> {
        let mut output = self.output.lock().unwrap();
        while !output.is_empty() {
            let written = (&self.tcp).write(output.make_contiguous())?;
            output.drain(..written);
        }
        Ok(())
    }

    fn peer(&self) -> io::Result<Caller> {
        Ok(Caller::of_transport("scripted"))
    }
}

struct Dialer {
    to: SocketAddr,
    script: Arc<Script>,
}

impl Dial for Dialer {
    type Socket = Scripted;

    fn dial(&self) -> io::Result<Scripted> {
        let tcp = TcpStream::connect(self.to)?;
        tcp.set_nonblocking(true)?;
        self.script.sockets.fetch_add(1, Ordering::SeqCst);
        Ok(Scripted {
            tcp,
            script: self.script.clone(),
            waits: AtomicBool::new(self.script.waits.load(Ordering::SeqCst)),
            input: Mutex::default(),
            output: Mutex::default(),
        })
    }
}

/// Opens what looks like a `tcp:` address by scripted sockets.
struct ScriptedTcp(Arc<Script>);

impl Plugin for ScriptedTcp {
    fn scheme(&self) -> &'static str {
        "tcp"
    }

    fn open(
        &self,
        address: &Address,
        options: &OpenOptions,
    ) -> Result<Arc<dyn Transport>, OpenError> {
        let dialer = Dialer {
            to: socket_address(&address.to_string()),
            script: self.0.clone(),
        };
        let first = dialer.dial().unwrap();
        let link = LinkOptions::new(address.to_string(), Caller::of_transport("scripted"));
        let runtime = options.runtime.clone().unwrap();
        Ok(Arc::new(
            Member::start(dialer, first, link, runtime).unwrap(),
        ))
    }
}

fn member(runtime: &Arc<dyn Runtime>, address: &str, script: &Arc<Script>) -> Bus {
    let builder = Bus::builder().runtime(runtime.clone());
    builder
        .open_with(&ScriptedTcp(script.clone()), address)
        .unwrap()
}

#[test]
fn a_socket_that_is_not_established_at_once_is_asked_again() {
    on_each_runtime(|runtime| {
        let (hub, address) = hub(runtime);
        let _server = serve_ping(&hub);
        let script = Arc::new(Script::default());
        script.waits.store(true, Ordering::SeqCst);
        let member = member(runtime, &address, &script);
        assert!(pings(&member));
        assert_eq!(script.sockets.load(Ordering::SeqCst), 1);
    });
}

/// C-DL-1, C-LC-1: neither its callers nor its end wait for it.
#[test]
fn a_socket_that_is_never_established_holds_up_nobody() {
    on_each_runtime(|runtime| {
        let (_hub, address) = hub(runtime);
        let script = Arc::new(Script::default());
        script.never.store(true, Ordering::SeqCst);
        let member = member(runtime, &address, &script);
        let call = member.request::<u32>("ping.ping", &1_u32);
        let error = call.timeout(Duration::from_millis(50)).wait().unwrap_err();
        let late = matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. });
        assert!(late, "{error}");
        let closing = std::time::Instant::now();
        drop(member);
        assert!(
            closing.elapsed() < Duration::from_secs(3),
            "{:?}",
            closing.elapsed()
        );
    });
}

/// What the kernel does not know of is read and written all the same.
#[test]
fn what_a_socket_holds_is_neither_forgotten_nor_waited_for() {
    on_each_runtime(|runtime| {
        let (hub, address) = hub(runtime);
        let echo = |bytes: Vec<u8>| bytes;
        let _server = hub.listen("echo").on("echo", echo).start().unwrap();
        let script = Arc::new(Script::default());
        script.holds.store(true, Ordering::SeqCst);
        let member = member(runtime, &address, &script);
        for size in [0, 1, 1000, 100_000] {
            let bytes = vec![7_u8; size];
            let back: Vec<u8> = member.call("echo.echo", &bytes).wait().unwrap();
            assert_eq!(back, bytes);
        }
    });
}

/// T13
#[test]
fn a_write_that_takes_nothing_ends_the_connection_and_is_not_tried_for_ever() {
    on_each_runtime(|runtime| {
        let (hub, address) = hub(runtime);
        let _server = serve_ping(&hub);
        let script = Arc::new(Script::default());
        let member = member(runtime, &address, &script);
        assert!(pings(&member));
        let before = script.writes.load(Ordering::SeqCst);
        script.takes_nothing.store(true, Ordering::SeqCst);
        let promise: Promise<u32> = member.invoke("ping.ping", &1_u32);
        let error = promise.wait().unwrap_err();
        assert!(error.is_retryable(), "{error}"); // Nothing of it was written.
        thread::sleep(Duration::from_millis(200)); // In which a loop would write without end.
        let writes = script.writes.load(Ordering::SeqCst) - before;
        let sockets = script.sockets.load(Ordering::SeqCst);
        assert!(
            writes <= sockets,
            "{writes} writes on {sockets} connections"
        );
        script.takes_nothing.store(false, Ordering::SeqCst);
        until("a new connection is made", || pings(&member));
    });
}
