//! What a handler knows of the call that it serves: the time left, whether anyone still waits, headers.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use tidings::{Bus, CallErrorKind, Context, Promise};

fn main() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    let (tell, told) = channel();
    let inner = bus.clone();
    let _server = bus
        .listen("office")
        // Headers travel beside the arguments: whom it is for, which trace it belongs to.
        .on("who", |_: ()| -> Option<String> {
            Context::current()?.header("customer").map(str::to_owned)
        })
        .on("time_left", |_: ()| -> Option<Duration> {
            Context::current()?.remaining()
        })
        // A call made in a handler inherits what is left of the handler's own time.
        .on_async("ask_time_left", move |_: ()| {
            let time_left = inner.call::<Option<Duration>>("office.time_left", &());
            async move { time_left.await.ok().flatten() }
        })
        // An async handler is dropped at its next await once nobody waits. A blocking one looks by itself.
        .on_blocking("count", move |_: ()| {
            let _ = tell.send("counting");
            let context = Context::current();
            while !context.as_ref().is_some_and(Context::is_cancelled) {
                thread::sleep(Duration::from_millis(1));
            }
            let _ = tell.send("stopped");
        })
        .start()?;

    // Outside of handlers there is no context.
    assert!(Context::current().is_none());

    let who = bus.call::<Option<String>>("office.who", &());
    assert_eq!(
        who.header("customer", "Ada").wait()?.as_deref(),
        Some("Ada")
    );

    // Every request has a deadline: 30 s, the bus's own, or one given here. It is the time for all of it.
    let left = bus.call::<Option<Duration>>("office.ask_time_left", &());
    let left = left.timeout(Duration::from_secs(5)).wait()?;
    println!("the inner call had {left:?} left");
    assert!(left.is_some_and(|left| left <= Duration::from_secs(5)));

    // Past its deadline the caller goes on at once, and the handler is told.
    let late = bus.call::<()>("office.count", &());
    let error = late.timeout(Duration::from_millis(30)).wait().unwrap_err();
    println!("late: {error}");
    assert!(matches!(
        error.kind(),
        CallErrorKind::DeadlineExceeded { .. }
    ));
    assert_eq!(next(&told), Ok("counting"));
    assert_eq!(next(&told), Ok("stopped"));

    // Dropping a promise cancels its request; `detach()` would let it run.
    let promise: Promise<()> = bus.invoke("office.count", &());
    assert_eq!(next(&told), Ok("counting"));
    drop(promise);
    assert_eq!(next(&told), Ok("stopped"));
    assert_eq!(bus.in_flight(), 0);
    Ok(())
}

fn next(told: &Receiver<&'static str>) -> Result<&'static str, RecvTimeoutError> {
    told.recv_timeout(Duration::from_secs(10))
}
