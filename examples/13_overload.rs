//! More than a server can take: what each policy does with it, and how a client goes on.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidings::{Bus, CallErrorKind, Promise, Server, WhenFull};

/// A serial server that takes its time: each request waits until it is let go on.
fn slow(bus: &Bus, policy: WhenFull) -> tidings::Result<(Server, Receiver<u32>, Sender<()>)> {
    let (starts, started) = channel();
    let (go, wait) = channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let server = bus.listen("slow").serial().queue(2).when_full(policy);
    let server = server.on_blocking("work", move |n: u32| {
        let _ = starts.send(n);
        let _ = wait.lock().map(|wait| wait.recv());
        n
    });
    Ok((server.start()?, started, go))
}

fn main() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    let ask = |n: u32| -> Promise<u32> { bus.invoke("slow.work", &n) };

    // Reject, the default: what finds no room is told so, and when to come back.
    let (server, started, go) = slow(&bus, WhenFull::Reject)?;
    let first = ask(0);
    assert_eq!(started.recv(), Ok(0));
    let queued = [ask(1), ask(2)];
    let error = ask(3).wait().unwrap_err();
    let CallErrorKind::Busy { retry_after } = error.kind() else {
        panic!("{error}");
    };
    println!("{error}");
    assert!(error.is_retryable() && *retry_after > Duration::ZERO);
    drop(go); // From here on it is quick.
    assert_eq!(first.wait()?, 0);
    for (n, promise) in (1..).zip(queued) {
        assert_eq!(promise.wait()?, n);
    }
    println!("turned away: {}", server.drops().turned_away);
    drop(server);

    // Block: it waits for room, within its deadline; nobody's thread is blocked.
    let (server, started, go) = slow(&bus, WhenFull::Block)?;
    let promises: Vec<Promise<u32>> = (0..50).map(ask).collect();
    assert_eq!(started.recv(), Ok(0));
    println!(
        "at the server: {}, in all: {}",
        server.load(),
        bus.in_flight()
    );
    drop(go);
    for (n, promise) in (0..).zip(promises) {
        assert_eq!(promise.wait()?, n);
    }
    drop(server);

    // DropOldest: for what is out of date as soon as there is something newer.
    let (server, started, go) = slow(&bus, WhenFull::DropOldest)?;
    for n in 0..50_u32 {
        bus.cast("slow.work", &n)?;
        if n == 0 {
            assert_eq!(started.recv(), Ok(0));
        }
    }
    drop(go);
    assert_eq!((started.recv(), started.recv()), (Ok(48), Ok(49)));
    println!("dropped: {}", server.drops().dropped);
    assert_eq!(server.drops().dropped, 47);
    Ok(())
}
