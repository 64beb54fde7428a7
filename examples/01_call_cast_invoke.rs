//! The three verbs, on a bus in memory: no process but this one, no async runtime.

use std::sync::mpsc::channel;
use std::time::Duration;

use tidings::{Bus, Fate, Promise};

fn main() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?; // or "unix:/run/app/bus": nothing below would change

    // A server: a topic, and functions by name. It serves until it is dropped.
    let (noted, notes) = channel();
    let server = bus
        .listen("greeter")
        .on("hello", |name: String| format!("hello, {name}"))
        .on("note", move |(name, times): (String, u32)| {
            // Nobody listening to the notes any more is no reason to fail.
            let _ = noted.send(format!("{name} was here {times} times"));
        })
        .start()?;

    // `call` sends and waits for the reply. It can be awaited as well: `.await` in place of `.wait()`.
    let text: String = bus.call("greeter.hello", &"Ada").wait()?;
    println!("call:   {text}");
    assert_eq!(text, "hello, Ada");

    // `invoke` sends and returns at once: these three are on their way together.
    let promises: Vec<Promise<String>> = ["Bob", "Cy", "Dee"]
        .iter()
        .map(|name| bus.invoke("greeter.hello", name))
        .collect();
    for (promise, name) in promises.into_iter().zip(["Bob", "Cy", "Dee"]) {
        let text = promise.wait()?;
        println!("invoke: {text}");
        assert_eq!(text, format!("hello, {name}"));
    }

    // `cast` sends and wants no reply. Several arguments are a tuple, of the handler's types: `2` alone would be an `i32`.
    // Typed services (the next example) leave that to the compiler.
    bus.cast("greeter.note", &("Eve", 2_u32))?;
    let note = notes.recv_timeout(Duration::from_secs(10));
    println!("cast:   {note:?}");
    assert_eq!(note.as_deref(), Ok("Eve was here 2 times"));

    // A failure says what is known of the handler. Nobody has this one, so it has not run and will not.
    let error = bus
        .call::<String>("greeter.helo", &"Ada")
        .wait()
        .unwrap_err();
    println!("error:  {error}");
    assert_eq!(error.fate(), Fate::NotExecuted);

    // Without its server the topic is gone: known at once, not after a timeout.
    drop(server);
    let error = bus
        .call::<String>("greeter.hello", &"Ada")
        .wait()
        .unwrap_err();
    println!("error:  {error}");
    assert!(error.is_retryable());
    Ok(())
}
