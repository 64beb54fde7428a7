//! The verbs, untyped, in memory with no runtime.

use tidings::{Bus, CallErrorKind, Context, Fate, Promise};

#[test]
fn the_three_verbs_reach_a_handler() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    let _server = bus
        .listen("greeter")
        .on("hello", |name: String| format!("hello, {name}"))
        .start()?;
    let text: String = bus.call("greeter.hello", &"Ada").wait()?;
    assert_eq!(text, "hello, Ada");
    let promise: Promise<String> = bus.invoke("greeter.hello", &"Bob");
    assert_eq!(promise.wait()?, "hello, Bob");
    bus.cast("greeter.hello", &"Eve")?;
    Ok(())
}

#[test]
fn a_misspelt_method_is_told_with_the_near_one() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    let _server = bus.listen("greeter").on("hello", |_: ()| ()).start()?;
    let error = bus.call::<()>("greeter.helo", &()).wait().unwrap_err();
    assert_eq!(error.fate(), Fate::NotExecuted);
    assert!(matches!(error.kind(), CallErrorKind::NoSuchMethod { .. }));
    assert!(
        error.to_string().contains("did you mean `hello`?"),
        "{error}"
    );
    Ok(())
}

#[test]
fn a_handler_in_the_same_process_sees_who_calls() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    let pid = |(): ()| Context::current().and_then(|context| context.caller()?.pid);
    let _server = bus.listen("identity").on("pid", pid).start()?;
    let pid: Option<u32> = bus.call("identity.pid", &()).wait()?;
    assert_eq!(pid, Some(std::process::id()));
    Ok(())
}
