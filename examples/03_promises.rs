//! Waiting for many answers at once: all of them, the first of them, or each as it comes.

use std::thread;
use std::time::Duration;

use tidings::promise::{all, all_settled, any, as_completed, race};
use tidings::{Bus, CallErrorKind, Promise, PromiseSet};

fn main() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    let _server = bus
        .listen("clerk")
        // It sleeps, so it is a blocking handler: it runs on threads where that stalls nobody.
        .on_blocking("after", |milliseconds: u64| {
            thread::sleep(Duration::from_millis(milliseconds));
            milliseconds
        })
        .try_on("refuse", |why: String| Err::<u64, String>(why))
        .start()?;
    let after = |milliseconds: u64| -> Promise<u64> { bus.invoke("clerk.after", &milliseconds) };
    let refused = || -> Promise<u64> { bus.invoke("clerk.refuse", &"no") };

    // All values, in the order of the promises. The first failure would end it, and cancel the rest.
    assert_eq!(all([after(40), after(20), after(0)]).wait()?, [40, 20, 0]);

    // All outcomes, good or bad.
    let outcomes = all_settled([after(20), refused()]).wait();
    assert!(outcomes[0].is_ok());
    let error = outcomes[1].as_ref().unwrap_err();
    println!("refused: {error}");
    assert_eq!(
        error.remote().map(|remote| remote.message.as_str()),
        Some("no")
    );

    // The first outcome; the others are cancelled by being dropped.
    assert_eq!(race([after(10_000), after(0)]).wait()?, 0);
    // The first value: failures are passed over while there is hope.
    assert_eq!(any([refused(), after(20)]).wait().ok(), Some(20));

    // Each as it comes, with the position of its promise. A promise can be made by hand, too.
    let (completer, late) = Promise::channel();
    let mut answers = as_completed([late, after(0)]);
    assert!(matches!(answers.next().wait(), Ok(Some((1, Ok(0))))));
    // Nothing comes within a moment, and nothing is lost by having asked.
    let moment = Duration::from_millis(1);
    assert!(answers.next().wait_timeout(moment).is_err());
    assert!(completer.complete(300).is_ok());
    assert!(matches!(answers.next().wait(), Ok(Some((0, Ok(300))))));

    // The same under keys of your own, and more can be added while others complete: a bounded number on their way.
    let (mut next, mut under_way, mut sum) = (1..=20, PromiseSet::new(), 0);
    loop {
        while under_way.len() < 4 {
            let Some(number) = next.next() else { break };
            under_way.insert(number, after(1));
        }
        match under_way.next().wait() {
            Ok(Some((number, outcome))) => sum += number * outcome?,
            _ => break,
        }
    }
    assert_eq!(sum, 210);

    // A timeout leaves the promise as it is; `cancel` gives it up, and the outcome says so.
    let mut slow = after(10_000);
    assert!(slow.wait_timeout(Duration::from_millis(1)).is_none());
    slow.cancel();
    let cancelled = slow.wait().unwrap_err();
    println!("cancelled: {cancelled}");
    assert!(matches!(cancelled.kind(), CallErrorKind::Cancelled));

    // One outcome for several who want it.
    let shared = after(0).shared();
    assert_eq!((shared.clone().wait()?, shared.wait()?), (0, 0));
    Ok(())
}
