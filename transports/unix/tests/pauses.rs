//! A hub that opens its door and closes it again, a thousand times: how often it is called, and what is left of that
//! (T20, T21). The pauses are told to the test instead of being waited for.

mod common;
#[path = "common/stream.rs"]
mod stream;

use std::fmt;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{LONG, until};
use stream::{Stream, greet};
use tidings_core::Caller;
use tidings_core::link::{Dial, HubLimits, LinkOptions, Meet, Member, Node, Standing};
use tidings_core::runtime::{self, BoxFuture, Descriptor, Readiness, Runtime};
use tidings_core::session::Role;
use tidings_core::transport::Transport;

const TIMES: usize = 1000;

/// A runtime whose sleeps are over at once; it remembers how long they were to be.
struct Hurried {
    runtime: Arc<dyn Runtime>,
    sleeps: Mutex<Vec<Duration>>,
}

impl Hurried {
    fn over(runtime: Arc<dyn Runtime>) -> Arc<Hurried> {
        let sleeps = Mutex::default();
        Arc::new(Hurried { runtime, sleeps })
    }
}

impl fmt::Debug for Hurried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hurried")
    }
}

impl Runtime for Hurried {
    fn name(&self) -> &'static str {
        self.runtime.name()
    }

    fn spawn(&self, future: BoxFuture<()>) {
        self.runtime.spawn(future);
    }

    fn spawn_blocking(&self, job: Box<dyn FnOnce() + Send>) {
        self.runtime.spawn_blocking(job);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        self.sleeps.lock().unwrap().push(duration);
        self.runtime.sleep(Duration::ZERO)
    }

    fn has_io(&self) -> bool {
        true
    }

    fn register(&self, descriptor: Descriptor) -> io::Result<Box<dyn Readiness>> {
        self.runtime.register(descriptor)
    }
}

/// One that closes each connection at once.
struct Door(Arc<AtomicUsize>);

impl Door {
    fn open_and_close(&self) -> Stream {
        self.0.fetch_add(1, Ordering::SeqCst);
        let (near, _closed_at_once) = UnixStream::pair().unwrap();
        Stream::new(near)
    }
}

impl Dial for Door {
    type Socket = Stream;

    fn dial(&self) -> io::Result<Stream> {
        Ok(self.open_and_close())
    }
}

/// One that says Hello first. It is never to be had by anybody else.
struct Greeter {
    count: Arc<AtomicUsize>,
    greeting: Mutex<Sender<UnixStream>>,
}

impl Greeter {
    fn new(count: &Arc<AtomicUsize>) -> Greeter {
        let (greeting, to_greet) = channel();
        std::thread::spawn(move || {
            for stream in to_greet {
                let _ = greet(&stream, Role::Hub); // The last is left alone.
            }
        });
        let (count, greeting) = (count.clone(), Mutex::new(greeting));
        Greeter { count, greeting }
    }

    fn connect(&self) -> Stream {
        self.count.fetch_add(1, Ordering::SeqCst);
        let (near, far) = UnixStream::pair().unwrap();
        self.greeting.lock().unwrap().send(far).unwrap();
        Stream::new(near)
    }
}

impl Meet for Greeter {
    type Socket = Stream;
    type Listener = stream::Never;

    fn meet(&self) -> io::Result<Standing<Stream, stream::Never>> {
        Ok(Standing::Member(self.connect()))
    }
}

fn options() -> LinkOptions {
    LinkOptions::new("test", Caller::this_process("test"))
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Starts something that comes back again and again, and gives the pauses between.
fn a_thousand_times<T: Transport>(
    start: impl FnOnce(Arc<AtomicUsize>, Arc<dyn Runtime>) -> T,
) -> Vec<Duration> {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let hurried = Hurried::over(runtime::tokio::handle(tokio.handle().clone()));
    let tasks = || tokio.metrics().num_alive_tasks();
    let (tasks_before, count) = (tasks(), Arc::new(AtomicUsize::new(0)));
    let transport = start(count.clone(), hurried.clone());
    let reaches = |times| until("it goes on", || count.load(Ordering::SeqCst) >= times);
    reaches(10);
    let open = descriptors();
    reaches(TIMES);
    // One more that is being made, one more that is being greeted.
    assert!(descriptors() <= open + 4, "{} after {open}", descriptors());
    assert!(tasks() <= tasks_before + 1, "{} tasks", tasks());
    transport.close();
    let end = Instant::now() + LONG;
    while tasks() > tasks_before {
        assert!(Instant::now() < end, "{} tasks are left", tasks());
        std::thread::yield_now();
    }
    std::mem::take(&mut *hurried.sleeps.lock().unwrap())
}

#[test]
fn a_door_that_opens_and_closes_a_thousand_times_is_knocked_at_ever_less() {
    let pauses = a_thousand_times(|count, runtime| {
        let door = Door(count);
        let first = door.open_and_close();
        Member::start(door, first, options(), runtime).unwrap()
    });
    // Nothing but pauses: there is no Hello to be waited for.
    assert!(pauses[0] <= Duration::from_millis(12), "{:?}", pauses[0]);
    let slow = Duration::from_secs(4)..=Duration::from_secs(6);
    let late: Vec<&Duration> = pauses[12..].iter().filter(|p| slow.contains(p)).collect();
    assert!(late.len() > TIMES * 9 / 10, "{} of {TIMES}", late.len());
    // No two come back in step.
    assert!(late.windows(2).any(|two| two[0] != two[1]));
}

#[test]
fn a_hub_that_greets_and_goes_a_thousand_times_is_called_ever_less() {
    let pauses = a_thousand_times(|count, runtime| {
        let greeter = Greeter::new(&count);
        let first = greeter.connect();
        Node::start(greeter, first, options(), HubLimits::default(), runtime).unwrap()
    });
    // Beside them there are the sleeps of sessions, which are of 5 s exactly or more.
    let slow = |pause: &&Duration| {
        (Duration::from_secs(4)..=Duration::from_secs(6)).contains(*pause)
            && pause.subsec_nanos() != 0
    };
    let late = pauses.iter().filter(slow).count();
    assert!(late > TIMES / 2, "{late} of {TIMES}");
}
