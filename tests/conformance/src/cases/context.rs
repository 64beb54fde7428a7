//! What a handler knows of the request that it serves (DESIGN: the ambient context).

use tidings_core::{CallErrorKind, Context, Fate};

use crate::World;
use crate::stage::Journal;

/// C-AD-7
pub fn headers_reach_the_handler_in_the_callers_order(world: &World) {
    let _server = world
        .listen("topic")
        .on("headers", |(): ()| {
            let context = Context::current().unwrap();
            let all = context.headers();
            let all: Vec<_> = all.map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            (all, context.header("b").map(str::to_owned))
        })
        .start()
        .unwrap();
    type Headers = (Vec<(String, String)>, Option<String>);
    let request = world.client().request::<Headers>("topic.headers", &());
    let request = request
        .header("b", "1")
        .header("a", "")
        .header("b", "2, \u{fc}");
    let (all, last) = request.invoke().wait().unwrap();
    let sent = [("b", "1"), ("a", ""), ("b", "2, \u{fc}")];
    assert_eq!(all, sent.map(|(n, v)| (n.to_owned(), v.to_owned())));
    assert_eq!(last.as_deref(), Some("2, \u{fc}"));
    let none = world.client().invoke::<Headers>("topic.headers", &());
    assert_eq!(none.wait().unwrap(), (Vec::new(), None));
}

/// FAULTS-P27, S10
pub fn headers_that_may_not_be_sent_are_refused(world: &World) {
    let _server = world
        .listen("topic")
        .on("ask", |(): ()| ())
        .start()
        .unwrap();
    let ask = || world.client().request::<()>("topic.ask", &());
    let many = (0..65).fold(ask(), |request, n| request.header(format!("h{n}"), ""));
    for request in [
        ask().header("bus.uid", "0"),
        ask().header("", "empty"),
        ask().header("li\nne", "break"),
        ask().header("large", "x".repeat(9000)),
        many,
    ] {
        let error = request.invoke().wait().unwrap_err();
        assert_eq!(error.fate(), Fate::NotSent, "{error}");
    }
    let most = (0..64).fold(ask(), |request, n| request.header(format!("h{n}"), "v"));
    most.invoke().wait().unwrap();
}

/// C-AD-6: the caller is who the transport says, in every kind of handler.
pub fn the_handler_knows_what_was_called_and_by_whom(world: &World) {
    fn told(_: ()) -> (String, String, bool, Option<u32>) {
        let context = Context::current().unwrap();
        let caller = context.caller().cloned().unwrap_or_default();
        (
            context.topic().to_owned(),
            context.method().to_owned(),
            caller.transport.is_empty(),
            caller.pid,
        )
    }
    let _server = world
        .listen("topic")
        .on("quick", told)
        .on_async("async", |(): ()| async { told(()) })
        .on_blocking("blocking", told)
        .start()
        .unwrap();
    for method in ["quick", "async", "blocking"] {
        let path = format!("topic.{method}");
        let promise = world
            .client()
            .invoke::<(String, String, bool, Option<u32>)>(&path, &());
        let (topic, name, _, pid) = promise.wait().unwrap();
        assert_eq!((topic.as_str(), name.as_str()), ("topic", method));
        // All buses of a case are in this process: where a transport tells a process, it is this one.
        assert!(pid.is_none_or(|pid| pid == std::process::id()), "{pid:?}");
    }
    assert!(Context::current().is_none());
}

/// C-DL-2: each handler has the context of its own request, however many run on one thread.
pub fn contexts_of_requests_that_run_at_once_are_not_mixed_up(world: &World) {
    let _server = world
        .listen("topic")
        .on_async("twice", |(): ()| async {
            let name = || {
                Context::current()
                    .unwrap()
                    .header("name")
                    .map(str::to_owned)
            };
            let before = name();
            let mut yields = 3;
            std::future::poll_fn(|cx| {
                if yields == 0 {
                    return std::task::Poll::Ready(());
                }
                yields -= 1;
                cx.waker().wake_by_ref();
                std::task::Poll::Pending
            })
            .await;
            (before, name())
        })
        .start()
        .unwrap();
    type Twice = (Option<String>, Option<String>);
    let promises: Vec<_> = (0..50)
        .map(|n| {
            let request = world.client().request::<Twice>("topic.twice", &());
            request.header("name", n.to_string()).invoke()
        })
        .collect();
    for (n, promise) in promises.into_iter().enumerate() {
        let name = Some(n.to_string());
        assert_eq!(promise.wait().unwrap(), (name.clone(), name));
    }
}

/// FAULTS-A13: a wait that would stall the runtime is an error, never a deadlock.
pub fn a_blocking_wait_in_an_async_handler_is_told_and_does_not_hang(world: &World) {
    let told = Journal::new();
    let (note, bus) = (told.clone(), world.server().clone());
    let _server = world
        .listen("topic")
        .on_async("wait", move |(): ()| {
            let (note, bus) = (note.clone(), bus.clone());
            async move {
                // One that can never come, so that the wait cannot be over before it starts.
                let (_completer, promise) = tidings_core::Promise::<()>::channel();
                note.note(promise.wait().unwrap_err());
                bus.call::<u32>("topic.ask", &5_u32).await.unwrap()
            }
        })
        .on("ask", |n: u32| n)
        .start()
        .unwrap();
    let promise = world.client().invoke::<u32>("topic.wait", &());
    assert_eq!(promise.wait().unwrap(), 5);
    let error = &told.take()[0];
    assert!(matches!(error.kind(), CallErrorKind::Promise(_)), "{error}");
}
