//! Heartbeats: a call that may take long, and still learns soon that its server is gone.

use std::thread;
use std::time::Duration;

use tidings::{Bus, CallErrorKind, Fate, Promise};

/// How long a call is to be without a sign of life from its server.
const HEARTBEAT: Duration = Duration::from_millis(200);

fn main() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    let server = bus
        .listen("archive")
        // Much longer than the heartbeat. The server's runtime beats meanwhile, not the handler.
        .on_blocking("pack", |files: u32| {
            thread::sleep(3 * HEARTBEAT);
            format!("{files} files packed")
        })
        .serial() // One at a time: a call that is queued is beaten for as well.
        .start()?;

    // It waits for as long as its server lives, and no longer: there is no deadline to guess.
    let pack = |files: u32| -> Promise<String> {
        let request = bus.request("archive.pack", &files);
        request.no_timeout().heartbeat(HEARTBEAT).invoke()
    };
    let (first, second) = (pack(3), pack(5));
    println!("{}, {}", first.wait()?, second.wait()?);

    // No beat is left once there is a reply, or nobody waits for one.
    assert_eq!(server.stats().beating, 0);
    let third = pack(7);
    assert_eq!(server.stats().beating, 1);
    drop(third);
    assert_eq!(server.stats().beating, 0);

    // What no server runs is told at once, and not by the want of a beat.
    let request = bus.request::<String>("archive.burn", &());
    let error = request.heartbeat(HEARTBEAT).wait().unwrap_err();
    println!("{error}");
    assert_eq!(error.fate(), Fate::NotExecuted);

    // Between processes, a server that is killed, stopped or cut off fails the call as
    // `ServerLost`, of which nobody knows how far it came: see the next example for what then.
    if let CallErrorKind::ServerLost { heartbeat } = error.kind() {
        println!("no sign of life for {heartbeat:?}");
    }
    Ok(())
}
