//! Handles with defaults of their own, and what overrides what (C-AD-7).

use std::time::Duration;

use tidings_core::{Bus, CallErrorKind, Context, Fate, ServeError, Server};

use crate::World;
use crate::stage::Journal;

/// An option as one level says it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Said<T> {
    Nothing,
    None,
    Value(T),
}

impl<T: Copy> Said<T> {
    fn or(self, other: Self) -> Self {
        match self {
            Said::Nothing => other,
            said => said,
        }
    }
}

/// A server that tells how many seconds a request has, rounded up.
fn telling_time(world: &World) -> Server {
    world
        .listen("clock")
        .on("left", |(): ()| {
            let left = Context::current().unwrap().remaining();
            left.map(|left| left.as_secs_f64().ceil() as u64)
        })
        .start()
        .unwrap()
}

/// C-AD-7: request over handle over bus; "none" is an answer on each level.
pub fn the_timeout_said_nearest_to_the_request_counts(world: &World) {
    use Said::{None, Nothing, Value};
    let _server = telling_time(world);
    for of_bus in [Nothing, None, Value(1000)] {
        let bus = world.another_with(|builder| match of_bus {
            Nothing => builder,
            None => builder.no_timeout(),
            Value(secs) => builder.timeout(Duration::from_secs(secs)),
        });
        for of_handle in [Nothing, None, Value(2000)] {
            let handle = match of_handle {
                Nothing => bus.clone(),
                None => bus.with_no_timeout(),
                Value(secs) => bus.with_timeout(Duration::from_secs(secs)),
            };
            for of_request in [Nothing, None, Value(3000)] {
                let request = handle.request::<Option<u64>>("clock.left", &());
                let request = match of_request {
                    Nothing => request,
                    None => request.no_timeout(),
                    Value(secs) => request.timeout(Duration::from_secs(secs)),
                };
                let counts = of_request.or(of_handle).or(of_bus).or(Value(30));
                let left = request.invoke().wait().unwrap();
                match (counts, left) {
                    (None, Option::None) => {}
                    // What was lost on the way is below a second, or the machine stands still.
                    (Value(secs), Some(left)) if left <= secs && left + 20 > secs => {}
                    _ => panic!("{of_bus:?}, {of_handle:?}, {of_request:?}: {left:?} left"),
                }
            }
        }
    }
}

/// C-AD-7: the same for headers, which a handle may have of its own and take back.
pub fn a_header_of_the_request_takes_the_place_of_the_handles(world: &World) {
    use Said::{None, Nothing, Value};
    type Headers = Vec<(String, String)>;
    let _server = world
        .listen("topic")
        .on("headers", |(): ()| {
            let context = Context::current().unwrap();
            let all = context.headers();
            all.map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect::<Headers>()
        })
        .start()
        .unwrap();
    let say = |handle: Bus, said| match said {
        Nothing => handle,
        None => handle.with_no_header("tenant"),
        Value(tenant) => handle.with_header("tenant", tenant),
    };
    let root = world.client().with_header("other", "stays");
    for outer in [Nothing, None, Value("outer")] {
        let outer_handle = say(root.clone(), outer);
        for inner in [Nothing, None, Value("inner")] {
            let handle = say(outer_handle.clone(), inner);
            for own in [Nothing, None, Value("own")] {
                let request = handle.request::<Headers>("topic.headers", &());
                let request = match own {
                    Nothing => request,
                    None => request.no_header("tenant"),
                    Value(tenant) => request.header("tenant", tenant),
                };
                let mut expected = vec![("other".to_owned(), "stays".to_owned())];
                if let Value(tenant) = own.or(inner).or(outer) {
                    expected.push(("tenant".to_owned(), tenant.to_owned()));
                }
                let came = request.invoke().wait().unwrap();
                assert_eq!(came, expected, "{outer:?}, {inner:?}, {own:?}");
            }
        }
    }
    // Those that a request gives itself stay beside each other.
    let request = root.request::<Headers>("topic.headers", &());
    let request = request
        .header("other", "1")
        .header("more", "x")
        .header("other", "2");
    let sent = [("other", "1"), ("more", "x"), ("other", "2")];
    let came = request.invoke().wait().unwrap();
    assert_eq!(came, sent.map(|(n, v)| (n.to_owned(), v.to_owned())));
    let request = root.request::<Headers>("topic.headers", &());
    let request = request
        .header("a", "1")
        .no_header("other")
        .no_header("a")
        .header("b", "2");
    let came = request.invoke().wait().unwrap();
    assert_eq!(came, [("b".to_owned(), "2".to_owned())]);
}

/// C-AD-7, C-AD-5
pub fn a_handle_calls_and_serves_in_its_own_exchange(world: &World) {
    let bus = world.server();
    let serve = |handle: &Bus, tenant: &'static str| {
        let server = handle.listen("topic").name("one");
        server.on("who", move |(): ()| tenant).start().unwrap()
    };
    let exchange = |bus: &Bus, name| bus.with_exchange(name);
    let _red = serve(&exchange(bus, "red"), "red");
    let _blue = serve(&exchange(bus, "blue"), "blue");
    let _plain = serve(bus, "plain");
    let client = world.client();
    let who = |handle: &Bus| handle.call::<String>("topic.who", &()).wait().unwrap();
    let red = exchange(client, "red");
    for _ in 0..5 {
        assert_eq!(who(&red), "red");
        assert_eq!(who(&exchange(client, "blue")), "blue");
        assert_eq!(who(client), "plain");
        // Derived from a derived one; the default exchange is one like any other.
        assert_eq!(who(&exchange(&red, "blue")), "blue");
        assert_eq!(who(&exchange(&red, "tidings")), "plain");
    }
    let nobody = exchange(client, "green").call::<String>("topic.who", &());
    let error = nobody.wait().unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::NoServer { exchange, .. } if exchange == "green"),
        "{error}"
    );
}

/// C-AD-7
pub fn deriving_a_handle_leaves_its_parent_as_it_is(world: &World) {
    type Seen = (Option<u64>, Vec<(String, String)>);
    let _server = world
        .listen("topic")
        .on("seen", |(): ()| -> Seen {
            let context = Context::current().unwrap();
            let headers = context
                .headers()
                .map(|(n, v)| (n.to_owned(), v.to_owned()))
                .collect();
            let left = context.remaining().map(|left| left.as_secs());
            (left, headers)
        })
        .start()
        .unwrap();
    let parent = world.client().with_header("tenant", "parent");
    let seen = |handle: &Bus| handle.call::<Seen>("topic.seen", &()).wait();
    let unchanged = || {
        let (left, headers) = seen(&parent).unwrap();
        assert!(left.is_some_and(|left| left <= 30), "{left:?}");
        assert_eq!(headers, [("tenant".to_owned(), "parent".to_owned())]);
    };
    let child = parent.with_timeout(Duration::ZERO);
    unchanged();
    let elsewhere = parent.with_exchange("elsewhere");
    unchanged();
    let patient = child.with_no_timeout().with_header("tenant", "child");
    let bare = parent.with_no_header("tenant");
    unchanged();
    assert!(matches!(
        seen(&child).unwrap_err().kind(),
        CallErrorKind::DeadlineExceeded { .. }
    ));
    assert!(matches!(
        seen(&elsewhere).unwrap_err().kind(),
        CallErrorKind::NoServer { .. }
    ));
    let (left, headers) = seen(&patient).unwrap();
    assert_eq!(left, None);
    assert_eq!(headers, [("tenant".to_owned(), "child".to_owned())]);
    assert_eq!(seen(&bare).unwrap().1, []);
    // The parent may go before its children.
    drop(parent);
    assert_eq!(seen(&patient).unwrap().0, None);
}

/// C-AD-7: they are handles on one bus.
pub fn derived_handles_keep_the_bus_open_and_close_it(world: &World) {
    let _server = telling_time(world);
    let bus = world.passing(|builder| builder);
    let child = bus.with_no_timeout();
    drop(bus);
    let left = || child.call::<Option<u64>>("clock.left", &()).wait();
    assert_eq!(left().unwrap(), None);
    let sibling = child.with_timeout(Duration::from_secs(5));
    child.close();
    for handle in [&child, &sibling] {
        let error = handle.call::<Option<u64>>("clock.left", &()).wait();
        let error = error.unwrap_err();
        assert!(matches!(error.kind(), CallErrorKind::Closed), "{error}");
        assert_eq!(error.fate(), Fate::NotSent);
    }
}

/// C-AD-1: told by what is done with the handle, before anything is sent.
pub fn what_is_no_name_is_no_exchange_of_a_handle(world: &World) {
    let _server = telling_time(world);
    for bad in ["", "to pic", "ex\u{202e}change", &"x".repeat(256)] {
        let handle = world.client().with_exchange(bad);
        for error in [
            handle.call::<()>("clock.left", &()).wait().unwrap_err(),
            handle.cast("clock.left", &()).unwrap_err(),
            handle.servers("clock").wait().unwrap_err(),
        ] {
            assert!(matches!(error.kind(), CallErrorKind::Name(_)), "{error}");
            assert_eq!(error.fate(), Fate::NotSent, "{bad:?}");
        }
        let refused = handle.listen("clock").on("left", |(): ()| ()).start();
        assert!(matches!(refused, Err(ServeError::Name(_))), "{bad:?}");
        // The next one derived is as good as its own name.
        let left = handle.with_exchange("tidings").call("clock.left", &());
        left.wait().map(|_: Option<u64>| ()).unwrap();
    }
    let longest = world.client().with_exchange("x".repeat(255));
    let error = longest.call::<()>("clock.left", &()).wait().unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::NoServer { .. }),
        "{error}"
    );
}

/// C-AD-7: what a handle says is checked where it is used.
pub fn a_handles_headers_keep_to_the_rules_of_headers(world: &World) {
    let ran = Journal::new();
    let note = ran.clone();
    let server: Result<Server, ServeError> = world
        .listen("topic")
        .on("ask", move |(): ()| note.note(()))
        .start();
    let _server = server.unwrap();
    for handle in [
        world.client().with_header("bus.uid", "0"),
        world.client().with_header("a b", "x"),
        world.client().with_header("large", "x".repeat(9000)),
    ] {
        let error = handle.call::<()>("topic.ask", &()).wait().unwrap_err();
        assert_eq!(error.fate(), Fate::NotSent, "{error}");
        let error = handle.cast("topic.ask", &()).unwrap_err();
        assert_eq!(error.fate(), Fate::NotSent, "{error}");
    }
    assert!(ran.is_empty());
}
