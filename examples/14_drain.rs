//! Ending in good order: a server that stops and starts again, a bus that drains.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tidings::{Bus, Promise, ServeError};

fn main() -> tidings::Result<()> {
    let bus = Bus::open("mem:shop")?;
    let client = Bus::open("mem:shop")?;
    let (starts, started) = channel();
    let (go, wait) = channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let server = bus
        .listen("till")
        .serial()
        .on_blocking("pay", move |cents: u32| {
            let _ = starts.send(());
            let _ = wait.lock().map(|wait| wait.recv());
            cents
        })
        .start()?;

    // Stopped, it takes nothing new: what comes is refused before it runs, and may be sent elsewhere.
    server.stop();
    let refused = client.call::<u32>("till.pay", &1_u32).wait().unwrap_err();
    println!("stopped: {refused}");
    assert!(refused.is_retryable());

    // Started again, it is the same server, under the same name.
    server.start()?;
    let promises: Vec<Promise<u32>> = (1..=3_u32)
        .map(|cents| client.invoke("till.pay", &cents))
        .collect();
    assert!(started.recv().is_ok());

    // Draining the bus: what it has ends, what comes is refused, and then it is closed.
    let draining = bus.clone();
    let drained = thread::spawn(move || draining.drain_wait(Duration::from_secs(10)));
    drop(go); // The handlers may go on.
    for (cents, promise) in (1..).zip(promises) {
        assert_eq!(promise.wait()?, cents);
    }
    let report = drained.join().expect("draining does not panic");
    println!("drained: {report:?}");
    assert!(report.is_complete());
    assert!(matches!(server.start(), Err(ServeError::Closed { .. })));

    // What cannot be finished in time is cancelled or refused, and the report says how much that was.
    let (starts, started) = channel();
    let server = client
        .listen("till")
        .serial()
        .on_async("pay", move |_: u32| {
            let _ = starts.send(());
            std::future::pending::<()>()
        })
        .start()?;
    let never: Vec<Promise<()>> = (0..3_u32)
        .map(|cents| client.invoke("till.pay", &cents))
        .collect();
    assert!(started.recv().is_ok());
    let report = server.drain_wait(Duration::from_millis(50));
    println!("given up: {report:?}");
    assert_eq!((report.cancelled, report.undelivered), (1, 2));
    for promise in never {
        println!("{}", promise.wait().unwrap_err());
    }
    Ok(())
}
