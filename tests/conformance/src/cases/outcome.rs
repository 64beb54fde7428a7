//! How requests end, and what is then known of the handler (C-OC).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidings_core::{CallErrorKind, Fate, MethodError, Promise, Stage};

use crate::World;
use crate::stage::{Gate, Journal, NotDivisible, Unencodable, eventually};

/// C-OC-1
pub fn arguments_that_cannot_be_encoded_are_not_sent(world: &World) {
    let ran = Journal::new();
    let note = ran.clone();
    let server = world.listen("topic");
    let _server = server
        .on("take", move |_: Unencodable| note.note(()))
        .on("ask", |n: u32| n)
        .start()
        .unwrap();
    let client = world.client();
    for error in [
        client
            .call::<()>("topic.take", &Unencodable)
            .wait()
            .unwrap_err(),
        client
            .invoke::<()>("topic.take", &Unencodable)
            .wait()
            .unwrap_err(),
        client.cast("topic.take", &Unencodable).unwrap_err(),
    ] {
        assert_eq!(error.fate(), Fate::NotSent);
        assert_eq!(error.stage(), Stage::Preparing);
        assert!(matches!(error.kind(), CallErrorKind::Encode(_)), "{error}");
    }
    assert_eq!(client.call::<u32>("topic.ask", &1_u32).wait().unwrap(), 1);
    assert!(ran.is_empty());
}

/// C-OC-1. Without a deadline, so that nothing but an answer can end it.
pub fn a_result_that_cannot_be_encoded_is_an_error_at_once(world: &World) {
    if world.moves_values() {
        return world.skip("values are moved, not encoded");
    }
    let server = world.listen("topic").on("give", |(): ()| Unencodable);
    let _server = server.on("ask", |n: u32| n).start().unwrap();
    let request = world.client().request::<Unencodable>("topic.give", &());
    let error = request.no_timeout().invoke().wait().unwrap_err();
    assert_eq!(error.fate(), Fate::Executed);
    assert!(
        matches!(error.kind(), CallErrorKind::ReplyEncode(_)),
        "{error}"
    );
    assert_eq!(
        world
            .client()
            .call::<u32>("topic.ask", &1_u32)
            .wait()
            .unwrap(),
        1
    );
}

/// C-OC-2
pub fn a_handler_that_panics_answers_at_once_and_the_server_goes_on(world: &World) {
    let server = world
        .listen("topic")
        .serial()
        .on("quick", |(): ()| -> () { panic!("a secret") })
        .on_async("early", |(): ()| -> std::future::Ready<()> {
            panic!("a secret")
        })
        .on_async("async", |(): ()| async { panic!("a secret") as () })
        .on_blocking("blocking", |(): ()| -> () { panic!("a secret") })
        .on("ask", |n: u32| n)
        .start()
        .unwrap();
    for method in ["quick", "early", "async", "blocking"] {
        for _ in 0..5 {
            let request = world
                .client()
                .request::<()>(&format!("topic.{method}"), &());
            let error = request.no_timeout().invoke().wait().unwrap_err();
            assert_eq!(error.fate(), Fate::Executed, "{method}");
            assert!(matches!(error.kind(), CallErrorKind::Panicked), "{error}");
            // The text of a panic stays where it happened (FAULTS-S18).
            assert!(!format!("{error} {error:?}").contains("a secret"));
        }
        world
            .client()
            .cast(&format!("topic.{method}"), &())
            .unwrap();
    }
    assert_eq!(
        world
            .client()
            .call::<u32>("topic.ask", &1_u32)
            .wait()
            .unwrap(),
        1
    );
    eventually("its only slot is free", || server.load() == 0);
}

/// C-OC-2: after it has waited for something, too.
pub fn a_handler_that_panics_after_an_await_answers_at_once(world: &World) {
    let gate = Gate::new();
    let pass = gate.clone();
    let server = world
        .listen("topic")
        .serial()
        .on_async("fall", move |(): ()| {
            let gate = pass.clone();
            async move {
                gate.pass().await;
                panic!("after the gate") as ()
            }
        });
    let server = server.start().unwrap();
    let request = world.client().request::<()>("topic.fall", &());
    let promise = request.no_timeout().invoke();
    gate.wait_for(1);
    gate.open();
    let error = promise.wait().unwrap_err();
    assert!(matches!(error.kind(), CallErrorKind::Panicked), "{error}");
    eventually("its slot is free", || server.load() == 0);
}

/// C-OC-3
pub fn the_applications_error_arrives_as_its_type(world: &World) {
    let fails = |dividend: i64| NotDivisible { dividend };
    let _server = world
        .listen("math")
        .try_on("quick", move |n: i64| Err::<i64, _>(fails(n)))
        .try_on_async(
            "async",
            move |n: i64| async move { Err::<i64, _>(fails(n)) },
        )
        .try_on_blocking("blocking", move |n: i64| Err::<i64, _>(fails(n)))
        .try_on("fine", |n: i64| Ok::<i64, NotDivisible>(n))
        .start()
        .unwrap();
    for path in ["math.quick", "math.async", "math.blocking"] {
        let request = world.client().request::<i64>(path, &7);
        let error = request.with_error::<NotDivisible>().wait().unwrap_err();
        assert_eq!(error.application(), Some(&NotDivisible { dividend: 7 }));
        assert_eq!(error.fate(), Fate::Executed);
        assert!(!error.is_retryable());
    }
    let fine = world.client().request::<i64>("math.fine", &7);
    assert_eq!(
        fine.with_error::<NotDivisible>().invoke().wait().unwrap(),
        7
    );
    // The bus's own failures are of the other kind.
    let missing = world.client().request::<i64>("math.missing", &7);
    let error = missing.with_error::<NotDivisible>().wait().unwrap_err();
    assert!(matches!(error, MethodError::Call(_)), "{error}");
}

/// C-OC-3
pub fn the_applications_error_of_another_type_arrives_with_its_kind_and_text(world: &World) {
    let server = world.listen("math");
    let server = server.try_on("div", |n: i64| Err::<(), _>(NotDivisible { dividend: n }));
    let _server = server.start().unwrap();
    let error = world
        .client()
        .call::<()>("math.div", &7)
        .wait()
        .unwrap_err();
    assert_eq!(error.fate(), Fate::Executed);
    let remote = error.remote().expect("the application's error");
    assert_eq!(remote.kind, "NotDivisible");
    assert_eq!(remote.message, "7 cannot be divided");

    // A type of the same shape that is not the one is not taken for it.
    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    struct Lookalike {
        _dividend: i64,
    }
    impl std::fmt::Display for Lookalike {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("lookalike")
        }
    }
    let request = world.client().request::<()>("math.div", &7);
    match request.with_error::<Lookalike>().wait().unwrap_err() {
        MethodError::Call(error) => assert_eq!(error.remote().unwrap().kind, "NotDivisible"),
        MethodError::Application(error) => panic!("taken for {error}"),
    }
}

/// C-OC-3
pub fn an_error_keeps_its_kind_through_a_middle_service(world: &World) {
    let _last = world
        .client()
        .listen("last")
        .try_on("div", |n: i64| Err::<i64, _>(NotDivisible { dividend: n }))
        .start()
        .unwrap();
    let bus = world.server().clone();
    let _middle = world
        .listen("middle")
        .try_on_async("div", move |n: i64| {
            let request = bus.request::<i64>("last.div", &n);
            async move {
                match request.with_error::<NotDivisible>().await {
                    Err(MethodError::Application(error)) => Err::<i64, _>(error),
                    other => panic!("not the application's error: {other:?}"),
                }
            }
        })
        .start()
        .unwrap();
    let request = world.client().request::<i64>("middle.div", &3);
    let error = request.with_error::<NotDivisible>().wait().unwrap_err();
    assert_eq!(error.application(), Some(&NotDivisible { dividend: 3 }));
}

/// C-OC
pub fn arguments_of_another_shape_are_refused_before_the_handler(world: &World) {
    let ran = Journal::new();
    let note = ran.clone();
    let server = world
        .listen("topic")
        .on("take", move |_: (u32, String)| note.note(()));
    let _server = server.on("ask", |n: u32| n).start().unwrap();
    let client = world.client();
    let errors = [
        client.call::<()>("topic.take", &()).wait().unwrap_err(),
        client
            .call::<()>("topic.take", &(1_u32, [0xff_u8, 0xff]))
            .wait()
            .unwrap_err(),
        // Bytes that are left over say that the types differ (FAULTS-D5).
        client
            .call::<()>("topic.take", &(1_u32, "a", 7_u8))
            .wait()
            .unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.fate(), Fate::NotExecuted, "{error}");
        assert!(
            matches!(error.kind(), CallErrorKind::BadRequest(_)),
            "{error}"
        );
    }
    assert_eq!(client.call::<u32>("topic.ask", &1_u32).wait().unwrap(), 1);
    assert!(ran.is_empty());
}

/// C-OC
pub fn a_reply_of_another_shape_fails_its_own_call_only(world: &World) {
    let runs = Arc::new(AtomicUsize::new(0));
    let count = runs.clone();
    let server = world.listen("topic").on("ask", move |n: u32| {
        count.fetch_add(1, Ordering::SeqCst);
        n
    });
    let _server = server.start().unwrap();
    let error = world
        .client()
        .call::<(u32, String)>("topic.ask", &5_u32)
        .wait()
        .unwrap_err();
    assert_eq!(error.fate(), Fate::Executed);
    assert!(
        matches!(error.kind(), CallErrorKind::BadReply { .. }),
        "{error}"
    );
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(
        world
            .client()
            .call::<u32>("topic.ask", &5_u32)
            .wait()
            .unwrap(),
        5
    );
}

/// C-OC
pub fn a_failure_says_what_was_asked_of_whom_and_when(world: &World) {
    let gate = Gate::new();
    let server = world.listen("topic").on_async("stay", move |(): ()| {
        let gate = gate.clone();
        async move { gate.pass().await }
    });
    let _server = server.start().unwrap();
    let timeout = Duration::from_millis(30);
    let request = world.client().request::<()>("topic.stay", &());
    let error = request.timeout(timeout).invoke().wait().unwrap_err();
    assert_eq!(error.target(), "topic.stay");
    assert!(error.elapsed() >= timeout, "{:?}", error.elapsed());
    assert!(error.stage() >= Stage::Sent, "{}", error.stage());
    assert!(error.to_string().contains("topic.stay"), "{error}");
    let error = world
        .client()
        .call::<()>("topic.missing", &())
        .wait()
        .unwrap_err();
    assert_eq!(error.target(), "topic.missing");
}

/// C-OC: the failure to send an invoke is in its promise, which is ready.
pub fn an_invoke_that_cannot_be_sent_is_told_by_its_promise(world: &World) {
    let mut promise: Promise<()> = world.client().invoke("no path", &());
    assert!(promise.is_ready());
    let error = promise.try_take().unwrap().unwrap_err();
    assert_eq!(error.fate(), Fate::NotSent);
}

/// C-OC: calls that go round in a circle end (FAULTS-A16).
pub fn a_loop_of_services_is_stopped(world: &World) {
    let depth = Arc::new(AtomicUsize::new(0));
    let serve = |topic: &str, next: &'static str, bus: &tidings_core::Bus| {
        let (depth, on) = (depth.clone(), bus.clone());
        bus.listen(topic)
            .on_async("go", move |(): ()| {
                depth.fetch_add(1, Ordering::SeqCst);
                let request = on.request::<String>(next, &());
                async move {
                    match request.await {
                        Ok(end) => end,
                        Err(error) => error.to_string(),
                    }
                }
            })
            .start()
            .unwrap()
    };
    let (server, client) = (world.server().clone(), world.client().clone());
    let _ping = serve("ping", "pong.go", &server);
    let _pong = serve("pong", "ping.go", &client);
    let end: String = client.invoke("ping.go", &()).wait().unwrap();
    assert!(end.contains("loop"), "{end}");
    let depth = depth.load(Ordering::SeqCst);
    assert!((8..=64).contains(&depth), "{depth}");
}
