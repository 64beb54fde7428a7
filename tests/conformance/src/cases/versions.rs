//! Which version serves which, and types that differ (C-VE).

use tidings_core::bus::ServiceClient;
use tidings_core::server::{Endpoint, MethodSpec, Service, handler};
use tidings_core::{CallErrorKind, Fate, Request, Version};

use crate::World;

fn version(text: &str) -> Version {
    text.parse().expect("a version")
}

fn ask(world: &World, text: &str) -> Request<u32> {
    let client = ServiceClient::new(world.client(), "topic", version(text));
    client.request("ask", || 0, 7_u32)
}

/// C-VE-1
pub fn a_version_serves_the_older_ones_of_its_major(world: &World) {
    let table = [
        ("1.24", "1.23", true),
        ("1.24", "1.23.1", true),
        ("1.24", "1.24", true),
        ("1.24.2", "1.24.1", true),
        ("1.24", "1.24.1", false),
        ("1.23", "1.23.1", false),
        ("1.24", "1.25", false),
        ("2.3", "1.0", false),
        ("1.0", "2.0", false),
    ];
    for (implemented, requested, serves) in table {
        let server = world
            .listen("topic")
            .version(version(implemented))
            .on("ask", |n: u32| n)
            .start()
            .unwrap();
        let outcome = ask(world, requested).wait();
        if serves {
            assert_eq!(outcome.unwrap(), 7, "{implemented} serves {requested}");
        } else {
            let error = outcome.unwrap_err();
            assert_eq!(error.fate(), Fate::NotExecuted);
            let CallErrorKind::UnsupportedVersion { offered, .. } = error.kind() else {
                panic!("{implemented} does not serve {requested}: {error}");
            };
            assert!(offered.contains(implemented), "{offered}");
        }
        drop(server);
    }
}

/// C-VE-1
pub fn a_message_without_a_version_asks_for_1_0(world: &World) {
    let start = |text: &str| {
        let server = world.listen("topic").version(version(text));
        server.on("ask", |n: u32| n).start().unwrap()
    };
    let server = start("1.7");
    assert_eq!(
        world
            .client()
            .call::<u32>("topic.ask", &1_u32)
            .wait()
            .unwrap(),
        1
    );
    drop(server);
    let _server = start("2.0");
    let error = world
        .client()
        .call::<u32>("topic.ask", &1_u32)
        .wait()
        .unwrap_err();
    let is_version = matches!(error.kind(), CallErrorKind::UnsupportedVersion { .. });
    assert!(is_version, "{error}");
}

/// A service whose methods know the fingerprint of their types.
struct Fingerprinted;

impl Service for Fingerprinted {
    fn into_endpoint(self) -> Endpoint {
        let method = |name, fingerprint| {
            MethodSpec::new(name, handler::quick(|n: u32| n + 1)).fingerprint(fingerprint)
        };
        Endpoint {
            topic: "typed",
            version: Version::DEFAULT,
            methods: vec![method("changed", || 1), method("same", || 2)],
        }
    }
}

/// C-VE-4
pub fn types_that_differ_are_refused_on_their_method_only(world: &World) {
    let _server = world.server().serve(Fingerprinted).unwrap();
    let client = ServiceClient::new(world.client(), "typed", Version::DEFAULT);
    let changed = || client.request::<_, u32, tidings_core::CallError>("changed", || 99, 5_u32);
    let same = || client.request::<_, u32, tidings_core::CallError>("same", || 2, 5_u32);
    for _ in 0..3 {
        let error = changed().wait().unwrap_err();
        assert_eq!(error.fate(), Fate::NotExecuted);
        let is_schema = matches!(error.kind(), CallErrorKind::SchemaMismatch { .. });
        assert!(is_schema, "{error}");
        assert_eq!(same().wait().unwrap(), 6);
        // A caller that does not know the types is not refused: it decodes what it gets.
        assert_eq!(
            world
                .client()
                .call::<u32>("typed.changed", &5_u32)
                .wait()
                .unwrap(),
            6
        );
    }
}

/// C-VE-2
pub fn a_method_that_is_not_there_is_told_with_the_nearest(world: &World) {
    let server = world.listen("greeter").on("hello", |(): ()| ());
    let _server = server.on("goodbye", |(): ()| ()).start().unwrap();
    let error = world
        .client()
        .call::<()>("greeter.helo", &())
        .wait()
        .unwrap_err();
    assert_eq!(error.fate(), Fate::NotExecuted);
    let CallErrorKind::NoSuchMethod { near, .. } = error.kind() else {
        panic!("{error}");
    };
    assert_eq!(near.as_deref(), Some("hello"));
    assert!(error.to_string().contains("greeter"), "{error}");
}
