//! Deadlines (C-DL-1, 2 and 5).

use std::time::{Duration, Instant};

use tidings_core::{CallErrorKind, Context, Fate, IdempotencyKey, Promise};

use crate::World;
use crate::stage::{Gate, Journal, eventually};

/// Long enough for a call to get anywhere, short enough to wait for.
const SHORT: Duration = Duration::from_millis(60);

/// C-DL-1
pub fn a_timeout_of_zero_has_passed_at_once(world: &World) {
    let ran = Journal::new();
    let note = ran.clone();
    let server = world.listen("topic").serial();
    let _server = server
        .on("ask", move |n: u32| note.note(n))
        .start()
        .unwrap();
    let ask = || {
        world
            .client()
            .request::<()>("topic.ask", &1_u32)
            .timeout(Duration::ZERO)
    };
    for error in [
        ask().wait().unwrap_err(),
        ask().invoke().wait().unwrap_err(),
        ask().cast().unwrap_err(),
        ask().cast_when_room().wait().unwrap_err(),
    ] {
        let is_late = matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. });
        assert!(is_late, "{error}");
        assert!(error.fate().is_safe_to_repeat(), "{error}");
    }
    // What was sent later has run, and the others have not.
    world
        .client()
        .call::<()>("topic.ask", &2_u32)
        .wait()
        .unwrap();
    assert_eq!(ran.take(), [2]);
}

/// C-DL-1
pub fn a_deadline_ends_the_wait_for_a_handler_that_runs(world: &World) {
    let gate = Gate::new();
    let pass = gate.clone();
    let server = world.listen("topic").on_async("stay", move |(): ()| {
        let gate = pass.clone();
        async move { gate.pass().await }
    });
    let server = server.start().unwrap();
    let begin = Instant::now();
    let request = world.client().request::<()>("topic.stay", &());
    let promise = request.timeout(SHORT).invoke();
    gate.wait_for(1);
    let error = promise.wait().unwrap_err();
    assert!(begin.elapsed() >= SHORT, "{:?}", begin.elapsed());
    let is_late = matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. });
    assert!(is_late, "{error}");
    assert_eq!(error.fate(), Fate::Unknown);
    assert!(!error.is_retryable());
    // The handler is told: it is dropped at its wait, and its slot is free (C-DL-3, C-DL-4).
    eventually("the handler is dropped", || server.load() == 0);
}

/// C-DL-1, C-OC: a request that is idempotent is worth another try though its fate is unknown.
pub fn an_idempotent_request_is_retryable_after_its_deadline(world: &World) {
    let gate = Gate::new();
    let server = world.listen("topic").on_async("stay", move |(): ()| {
        let gate = gate.clone();
        async move { gate.pass().await }
    });
    let _server = server.start().unwrap();
    let request = world.client().request::<()>("topic.stay", &());
    let error = request
        .timeout(SHORT)
        .idempotent(IdempotencyKey::unique())
        .invoke()
        .wait()
        .unwrap_err();
    assert!(error.is_retryable(), "{error}");
}

/// C-DL-1, C-DL-2
pub fn a_request_whose_deadline_passes_in_the_queue_is_not_started(world: &World) {
    let (gate, ran) = (Gate::new(), Journal::new());
    let (pass, note) = (gate.clone(), ran.clone());
    let server = world
        .listen("topic")
        .serial()
        .on_async("stay", move |(): ()| {
            let gate = pass.clone();
            async move { gate.pass().await }
        })
        .on("ask", move |n: u32| note.note(n))
        .start()
        .unwrap();
    let held = world.client().invoke::<()>("topic.stay", &());
    gate.wait_for(1);
    let request = world
        .client()
        .request::<()>("topic.ask", &1_u32)
        .timeout(SHORT);
    let error = request.invoke().wait().unwrap_err();
    let is_late = matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. });
    assert!(is_late, "{error}");
    // Weaker than the truth is allowed, stronger is not.
    assert!(matches!(error.fate(), Fate::NotExecuted | Fate::Unknown));
    // The server learns of it when the caller's word is there, or its own clock says so.
    eventually("the request has left the queue", || server.load() == 1);
    gate.open();
    held.wait().unwrap();
    world
        .client()
        .invoke::<()>("topic.ask", &2_u32)
        .wait()
        .unwrap();
    assert_eq!(ran.take(), [2]);
}

/// C-DL-2: a cast has a deadline too, though nobody waits for it.
pub fn a_cast_whose_deadline_passes_in_the_queue_is_not_started(world: &World) {
    let (gate, ran) = (Gate::new(), Journal::new());
    let (pass, note) = (gate.clone(), ran.clone());
    let server = world
        .listen("topic")
        .serial()
        .on_async("stay", move |(): ()| {
            let gate = pass.clone();
            async move { gate.pass().await }
        })
        .on("take", move |n: u32| note.note(n))
        .start()
        .unwrap();
    let held = world.client().invoke::<()>("topic.stay", &());
    gate.wait_for(1);
    let hasty = world.client().request::<()>("topic.take", &1_u32);
    hasty.timeout(SHORT).cast().unwrap();
    eventually("the cast is queued", || server.load() == 2);
    // Its deadline has passed when one of the same length, given later, has.
    let later = world.client().request::<()>("topic.take", &2_u32);
    later.timeout(SHORT * 2).invoke().wait().unwrap_err();
    eventually("only the cast is left", || server.load() == 2);
    gate.open();
    held.wait().unwrap();
    world
        .client()
        .invoke::<()>("topic.take", &3_u32)
        .wait()
        .unwrap();
    assert_eq!(ran.take(), [3]);
}

/// C-DL-2
pub fn the_handler_knows_the_time_that_is_left(world: &World) {
    let _server = world
        .listen("topic")
        .on_async("left", |(): ()| async {
            Context::current().and_then(|context| context.remaining())
        })
        .start()
        .unwrap();
    let ask = || {
        world
            .client()
            .request::<Option<Duration>>("topic.left", &())
    };
    let given = Duration::from_secs(20);
    let begin = Instant::now();
    let left = ask().timeout(given).invoke().wait().unwrap().unwrap();
    assert!(left <= given, "{left:?}");
    // Not less than what has passed meanwhile, and the coarseness of a clock on the wire.
    assert!(
        left + begin.elapsed() + Duration::from_millis(5) >= given,
        "{left:?}"
    );
    let default = ask().invoke().wait().unwrap().unwrap();
    assert!(default > Duration::from_secs(20) && default <= Duration::from_secs(30));
    assert_eq!(ask().no_timeout().invoke().wait().unwrap(), None);
}

/// C-DL-2
pub fn nested_calls_inherit_the_deadline(world: &World) {
    let bus = world.server().clone();
    let _inner = world
        .client()
        .listen("inner")
        .on("left", |(): ()| Context::current().unwrap().remaining())
        .start()
        .unwrap();
    let _outer = world
        .listen("outer")
        .on_async("left", move |timeout: Option<Duration>| {
            let request = bus.request::<Option<Duration>>("inner.left", &());
            async move {
                match timeout {
                    Some(timeout) => request.timeout(timeout).await,
                    None => request.no_timeout().await,
                }
                .unwrap()
            }
        })
        .start()
        .unwrap();
    let outer = Duration::from_secs(10);
    let left = |inner: Option<Duration>| {
        let request = world
            .client()
            .request::<Option<Duration>>("outer.left", &inner);
        request.timeout(outer).invoke().wait().unwrap().unwrap()
    };
    // Asking for more, or for none at all, gives no more than the outer call has.
    assert!(left(Some(outer * 100)) <= outer);
    assert!(left(None) <= outer);
    assert!(left(Some(outer / 10)) <= outer / 10);
}

/// C-DL-2, C-OC: the fate of the nested call is that of the nested call.
pub fn a_nested_call_ends_at_the_outer_deadline(world: &World) {
    let (gate, told) = (Gate::new(), Journal::new());
    let (pass, note, bus) = (gate.clone(), told.clone(), world.server().clone());
    let _inner = world
        .client()
        .listen("inner")
        .on_async("stay", move |(): ()| {
            let gate = pass.clone();
            async move { gate.pass().await }
        })
        .start()
        .unwrap();
    let _outer = world
        .listen("outer")
        .on_blocking("stay", move |(): ()| {
            let request = bus.request::<()>("inner.stay", &());
            note.note(request.no_timeout().invoke().wait().unwrap_err());
        })
        .start()
        .unwrap();
    let request = world.client().request::<()>("outer.stay", &());
    let outer: Promise<()> = request.timeout(SHORT).invoke();
    // The handler gives up at the same moment, so that its reply may just come in time.
    drop(outer.wait());
    told.wait_for(1);
    let error = &told.take()[0];
    assert_ne!(error.fate(), Fate::Executed, "{error}");
    // It may have been told by its own clock or by the end of the outer call.
    let kind = error.kind();
    let is_end = matches!(
        kind,
        CallErrorKind::DeadlineExceeded { .. } | CallErrorKind::Cancelled
    );
    assert!(is_end, "{error}");
}

/// C-DL-5
pub fn a_late_reply_is_dropped(world: &World) {
    let (gate, ended) = (Gate::new(), Journal::new());
    let (pass, note) = (gate.clone(), ended.clone());
    let server = world
        .listen("topic")
        .on_blocking("late", move |n: u32| {
            pass.pass_blocking();
            note.note(n);
            n
        })
        .on("ask", |n: u32| n)
        .start()
        .unwrap();
    let request = world.client().request::<u32>("topic.late", &1_u32);
    let error = request.timeout(SHORT).invoke().wait().unwrap_err();
    assert_eq!(error.fate(), Fate::Unknown);
    assert_eq!(world.client().in_flight(), 0);
    gate.open();
    ended.wait_for(1);
    eventually("the handler has ended", || server.load() == 0);
    // Nothing of it reaches what comes after.
    for n in 10..20 {
        assert_eq!(
            world.client().call::<u32>("topic.ask", &n).wait().unwrap(),
            n
        );
    }
}

/// C-DL-5
pub fn a_reply_in_time_disarms_the_deadline(world: &World) {
    let _server = world.listen("topic").on("ask", |n: u32| n).start().unwrap();
    for n in 0..50 {
        let request = world.client().request::<u32>("topic.ask", &n);
        let promise = request.timeout(Duration::from_secs(20)).invoke();
        assert_eq!(promise.wait().unwrap(), n);
        assert_eq!(world.client().in_flight(), 0);
    }
}
