//! Who may do what: a list of rules in which deny wins, and a policy of one's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidings::authorise::{Acl, Asked, Rule, Verdict};
use tidings::{Bus, CallErrorKind, Fate};

fn main() -> tidings::Result<()> {
    // What no rule speaks of is allowed within this process, and would be denied to others. Names may end in a `*`.
    let acl = Acl::new()
        .allow(Rule::requests().topic("orders")?)
        .deny(Rule::requests().method("admin_*")?);
    let bus = Bus::builder().authorise(acl).open("mem:")?;

    let ran = Arc::new(AtomicUsize::new(0));
    let count = ran.clone();
    let _orders = bus
        .listen("orders")
        .on("total", |_: ()| 42_u64)
        .on("admin_reset", move |_: ()| {
            count.fetch_add(1, Ordering::Relaxed);
        })
        .start()?;

    assert_eq!(bus.call::<u64>("orders.total", &()).wait()?, 42);
    let denied = bus
        .call::<()>("orders.admin_reset", &())
        .wait()
        .unwrap_err();
    println!("{denied}");
    assert!(matches!(denied.kind(), CallErrorKind::Forbidden(_)));
    // It did not run, and the refusal is that of a method that does not exist at all.
    assert_eq!(denied.fate(), Fate::NotExecuted);
    let missing = bus.call::<()>("orders.admin_no_such", &());
    let missing = missing.wait().unwrap_err();
    assert_eq!(denied.kind().to_string(), missing.kind().to_string());
    assert_eq!(ran.load(Ordering::Relaxed), 0);

    // A policy is a function: it sees who asks for what, and says yes or no. A server may have one beside its bus's.
    let asked = Arc::new(AtomicUsize::new(0));
    let seen = asked.clone();
    let only_reading = move |what: &Asked<'_>| {
        seen.fetch_add(1, Ordering::Relaxed);
        println!(
            "{:?} of {:?}, from this process: {}",
            what.action, what.method, what.local
        );
        match what.method {
            Some("get") => Verdict::Allow,
            _ => Verdict::Deny,
        }
    };
    let _prices = bus
        .listen("prices")
        .authorise(only_reading)
        .on("get", |item: String| item.len() as u64)
        .on("set", |_: (String, u64)| ())
        .start()?;
    assert_eq!(bus.call::<u64>("prices.get", &"tea").wait()?, 3);
    let set = bus.call::<()>("prices.set", &("tea", 4_u64));
    assert!(set.wait().is_err());
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    Ok(())
}
