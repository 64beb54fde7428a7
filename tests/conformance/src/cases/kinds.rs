//! Values whose types nobody could compare beforehand: an untyped caller's arguments, and the reply to it (C-VE-4).

use serde::{Deserialize, Serialize};
use tidings_core::bus::ServiceClient;
use tidings_core::name::Method;
use tidings_core::server::{Endpoint, MethodSpec, Service, handler};
use tidings_core::{CallError, CallErrorKind, Fate, Version};

use crate::World;
use crate::stage::Journal;

/// C-VE-4, C-OC: `&3` is an `i32`, whose bytes a `u64` reads as 6.
pub fn arguments_of_another_kind_are_refused_before_the_handler(world: &World) {
    let arrived = Journal::new();
    let noted = arrived.clone();
    let server = world.listen("topic").on("square", move |n: u64| {
        noted.note(n);
        n * n
    });
    let _server = server.start().unwrap();
    for _ in 0..2 {
        let error = world
            .client()
            .call::<u64>("topic.square", &3)
            .wait()
            .unwrap_err();
        assert_eq!(error.fate(), Fate::NotExecuted);
        assert!(
            matches!(error.kind(), CallErrorKind::BadRequest(_)),
            "{error}"
        );
        for part in ["u64", "&3_u64"] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }
    world.client().cast("topic.square", &3).unwrap();
    let squared = world.client().call::<u64>("topic.square", &3_u64).wait();
    assert_eq!(squared.unwrap(), 9);
    assert_eq!(arrived.take(), [3], "neither the calls nor the cast ran");
}

/// C-VE-4, C-OC
pub fn a_reply_of_another_kind_is_an_error(world: &World) {
    let server = world.listen("topic").on("count", |(): ()| 3_u64);
    let server = server.on_async("count_later", |(): ()| async { 3_u64 });
    let _server = server.start().unwrap();
    for method in ["topic.count", "topic.count_later"] {
        let error = world.client().call::<i64>(method, &()).wait().unwrap_err();
        assert_eq!(error.fate(), Fate::Executed);
        let CallErrorKind::BadReply { expected, .. } = error.kind() else {
            panic!("{error}");
        };
        assert_eq!(*expected, "i64");
        // The width does not matter: the number is the same.
        assert_eq!(world.client().call::<u32>(method, &()).wait().unwrap(), 3);
    }
}

/// How an untyped caller may write a struct.
#[derive(Serialize, Deserialize)]
struct Order {
    item: String,
    count: u32,
    note: Option<String>,
}

/// C-VB-6, C-VE-4
pub fn what_reads_the_same_may_be_sent_as_another_type(world: &World) {
    let server = world
        .listen("topic")
        .on("order", |Order { item, count, note }| {
            format!("{count} {item}, {note:?}")
        });
    let server = server.on("sum", |numbers: Vec<u64>| numbers.iter().sum::<u64>());
    let _server = server.start().unwrap();
    let client = world.client();
    let as_tuple: String = client
        .call("topic.order", &("nuts", 3_u64, None::<&str>))
        .wait()
        .unwrap();
    assert_eq!(as_tuple, "3 nuts, None");
    let sum: u64 = client.call("topic.sum", &[1_u16, 2, 3][..]).wait().unwrap();
    assert_eq!(sum, 6);
    // An array tells no length, which a list has: it would be read as two of the numbers.
    let error = client
        .call::<u64>("topic.sum", &[2_u64, 4, 6])
        .wait()
        .unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::BadRequest(_)),
        "{error}"
    );
}

/// A typed service.
struct Squares;

impl Service for Squares {
    fn into_endpoint(self) -> Endpoint {
        let square = MethodSpec::new("square", handler::quick(|n: u64| n * n));
        Endpoint::new("squares", Version::DEFAULT, vec![square.fingerprint(|| 7)])
    }
}

/// C-VE-4: one server, for callers whose types were compared and for those whose were not.
pub fn typed_and_untyped_callers_share_a_typed_server(world: &World) {
    let _server = world.server().serve(Squares).unwrap();
    let typed = ServiceClient::new(world.client(), "squares", None);
    for _ in 0..3 {
        let squared = typed.request::<_, u64, CallError>(
            Method::literal("square"),
            Version::DEFAULT,
            || 7,
            3_u64,
        );
        assert_eq!(squared.wait().unwrap(), 9);
        let squared = world.client().call::<u64>("squares.square", &3_u64);
        assert_eq!(squared.wait().unwrap(), 9);
        let refused = world.client().call::<u64>("squares.square", &3).wait();
        assert!(matches!(
            refused.unwrap_err().kind(),
            CallErrorKind::BadRequest(_)
        ));
    }
}

/// C-VE-4: where both sides' types are the same, though nobody compares them.
pub fn a_typed_caller_is_served_by_an_untyped_server(world: &World) {
    let server = world.listen("squares").on("square", |n: u64| n * n);
    let server = server.on("order", |Order { item, count, note }| {
        format!("{count} {item}, {note:?}")
    });
    let _server = server.start().unwrap();
    let typed = ServiceClient::new(world.client(), "squares", None);
    let squared = typed.request::<_, u64, CallError>(
        Method::literal("square"),
        Version::DEFAULT,
        || 7,
        3_u64,
    );
    assert_eq!(squared.wait().unwrap(), 9);
    let order = Order {
        item: "nuts".into(),
        count: 3,
        note: Some("soon".into()),
    };
    let ordered = typed.request::<_, String, CallError>(
        Method::literal("order"),
        Version::DEFAULT,
        || 8,
        order,
    );
    assert_eq!(ordered.wait().unwrap(), "3 nuts, Some(\"soon\")");
    typed
        .request::<_, u64, CallError>(Method::literal("square"), Version::DEFAULT, || 7, 4_u64)
        .cast()
        .unwrap();
}
