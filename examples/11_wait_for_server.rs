//! Servers that are not there yet, and a connection that is lost: who waits, and for how long.

use std::thread;
use std::time::Duration;

use tidings::connection::{Event, State};
use tidings::{Bus, CallErrorKind, Fate, WhenDisconnected};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bus = Bus::open("mem:")?;

    // That nobody serves a topic is told at once.
    let error = bus.call::<u32>("math.add", &(1, 2)).wait().unwrap_err();
    println!("{error}");
    assert!(matches!(error.kind(), CallErrorKind::NoServer { .. }));

    // Unless the request waits for a server, within its deadline.
    let sum = bus.request::<u32>("math.add", &(1_u32, 2_u32));
    let sum = sum.wait_for_server().invoke();
    let add = |(a, b): (u32, u32)| a + b;
    let server = bus.listen("math").on("add", add).start()?;
    assert_eq!(sum.wait()?, 3);
    drop(server);

    // In vain: nothing ran, so that it is safe to try again.
    let late = bus.request::<u32>("math.add", &(1_u32, 2_u32));
    let late = late.timeout(Duration::from_millis(50));
    let error = late.wait_for_server().wait().unwrap_err();
    assert_eq!(error.fate(), Fate::NotExecuted);

    // Over a socket there is a connection to lose. Here the hub goes, and nobody takes over.
    let directory = tempfile::tempdir()?;
    let path = format!("unix:{}", directory.path().join("bus").display());
    let hub = Bus::open(&format!("{path}?listen"))?;
    let bus = Bus::open(&format!("{path}?connect"))?;
    let mut events = bus.events();
    let connected = events.next(); // In async code: `events.changed().await`.
    assert!(matches!(connected, Some(Event::Connected { .. })));
    drop(hub);
    let lost = events.next();
    println!("{lost:?}");
    assert!(matches!(bus.state(), State::Disconnected { .. }));

    // A request fails at once, waits a moment (the default), or waits as long as it may.
    let request = || bus.request::<u32>("math.add", &(2_u32, 2_u32));
    let fast = request().when_disconnected(WhenDisconnected::FailFast);
    let error = fast.wait().unwrap_err();
    println!("{error}");
    assert_eq!(error.fate(), Fate::NotSent);
    let patient = request().when_disconnected(WhenDisconnected::Wait);
    let four = patient.wait_for_server().invoke();

    thread::sleep(Duration::from_millis(600)); // Longer than requests wait by default.
    let hub = Bus::open(&format!("{path}?listen"))?;
    let _server = hub.listen("math").on("add", add).start()?;
    assert_eq!(four.wait()?, 4);
    assert!(matches!(events.next(), Some(Event::Connected { .. })));
    Ok(())
}
