//! Trying again: what is safe to repeat, and how a key makes the rest safe.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use tidings::{Bus, CallErrorKind, Fate, IdempotencyKey, Promise, Retry};

fn main() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    // At most 8 attempts, with pauses by chance of up to 10 ms, then 20 ms, and so on up to 200 ms.
    let retry = Retry::new()
        .attempts(8)
        .backoff(Duration::from_millis(10), Duration::from_millis(200));

    // Nobody serves it: that nothing ran is certain, so it is tried again. One deadline covers it all.
    let hello = bus.request::<String>("greeter.hello", &"Ada");
    let hello = hello.timeout(Duration::from_secs(10)).retry(retry.clone());
    let hello = hello.invoke();
    let _greeter = bus
        .listen("greeter")
        .on("hello", |name: String| format!("hello, {name}"))
        .start()?;
    println!("{}", hello.wait()?);

    // What ran is not tried again, whatever came of it; and not what would fail again.
    let typo = bus.request::<String>("greeter.helo", &"Bob");
    let error = typo.retry(retry.clone()).wait().unwrap_err();
    println!("{error}");
    assert_eq!((error.fate(), error.attempts()), (Fate::NotExecuted, 1));

    // An order must be taken once. Its key says which order it is, however often it is asked for.
    let orders = Arc::new(AtomicU32::new(0));
    let taken = orders.clone();
    let shop = bus
        .listen("shop")
        .on_blocking("order", move |what: String| {
            thread::sleep(Duration::from_millis(20));
            format!(
                "{what}, number {}",
                taken.fetch_add(1, Ordering::Relaxed) + 1
            )
        })
        .start()?;
    let order = |what: &str, key: &str| -> Promise<String> {
        let request = bus.request("shop.order", &what).idempotent(key);
        // With a key, also what may have run is tried again: a connection that was lost, say.
        request.retry(retry.clone()).invoke()
    };
    let (first, again) = (
        order("tea", "Ada's order 17"),
        order("tea", "Ada's order 17"),
    );
    let (first, again) = (first.wait()?, again.wait()?);
    println!("{first}; asked again: {again}");
    assert_eq!(first, again);
    assert_eq!(first, order("tea", "Ada's order 17").wait()?);
    assert_eq!(orders.load(Ordering::Relaxed), 1);
    assert_eq!(shop.stats().repeated, 2);

    // Another order under the key is a mistake, and is told so.
    let error = order("cake", "Ada's order 17").wait().unwrap_err();
    assert!(matches!(error.kind(), CallErrorKind::KeyConflict { .. }));

    // Where the request has no name of its own, make one up: its attempts share it.
    let request = bus.request::<String>("shop.order", &"cake");
    let cake = request.idempotent(IdempotencyKey::unique()).retry(retry);
    println!("{}", cake.wait()?);
    Ok(())
}
