//! Which version serves which, several of them on one topic, caps, and types that differ (C-VE).

use tidings_core::bus::ServiceClient;
use tidings_core::name::Method;
use tidings_core::server::{Endpoint, MAX_OFFERS, MethodSpec, Service, handler};
use tidings_core::{CallError, CallErrorKind, Fate, Request, ServeError, Server, Version};

use crate::World;
use crate::stage::Journal;

fn ask(world: &World, version: &str) -> Request<u32> {
    let request = world.client().request("topic.ask", &7_u32);
    request.version(version)
}

/// A server named and versioned alike, whose method `which` says so.
fn versioned(world: &World, version: &'static str) -> Server {
    let server = world.listen("topic").name(version).version(version);
    server
        .on("which", move |(): ()| version.to_owned())
        .start()
        .unwrap()
}

fn which(world: &World, version: &str) -> Request<String> {
    let request = world.client().request("topic.which", &());
    request.version(version)
}

fn offered(error: &CallError) -> &str {
    assert_eq!(error.fate(), Fate::NotExecuted, "{error}");
    match error.kind() {
        CallErrorKind::UnsupportedVersion { offered, .. } => offered,
        _ => panic!("{error}"),
    }
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
            .version(implemented)
            .on("ask", |n: u32| n)
            .start()
            .unwrap();
        let outcome = ask(world, requested).wait();
        if serves {
            assert_eq!(outcome.unwrap(), 7, "{implemented} serves {requested}");
        } else {
            let error = outcome.unwrap_err();
            assert_eq!(
                offered(&error),
                implemented,
                "{implemented} refuses {requested}"
            );
        }
        drop(server);
    }
}

/// C-VE-1
pub fn a_message_without_a_version_asks_for_1_0(world: &World) {
    let start = |version: &str| {
        let server = world.listen("topic").version(version);
        server.on("ask", |n: u32| n).start().unwrap()
    };
    let ask = || world.client().call::<u32>("topic.ask", &1_u32).wait();
    let server = start("1.7");
    assert_eq!(ask().unwrap(), 1);
    drop(server);
    let _server = start("2.0");
    assert_eq!(offered(&ask().unwrap_err()), "2.0");
}

/// C-VE-1
pub fn what_is_no_version_is_told_where_it_is_given(world: &World) {
    let server = world.listen("topic").version("one").on("ask", |n: u32| n);
    let error = server.start().unwrap_err();
    assert!(matches!(error, ServeError::Version(_)), "{error}");
    assert!(error.to_string().contains("X.Y"), "{error}");

    let arrived = Journal::new();
    let noted = arrived.clone();
    let server = world.listen("topic");
    let _server = server
        .on("ask", move |n: u32| noted.note(n))
        .start()
        .unwrap();
    let client = world.client().client("topic");
    let asked = |client: tidings_core::Client| client.request::<u32>("ask", &7_u32).wait();
    for outcome in [
        ask(world, "1").wait(),
        asked(client.clone().version("1.x")),
        asked(client.version_cap("")),
    ] {
        let error = outcome.unwrap_err();
        assert_eq!(error.fate(), Fate::NotSent);
        let is_version = matches!(error.kind(), CallErrorKind::Version(_));
        assert!(is_version, "{error}");
    }
    assert!(arrived.is_empty());
}

/// C-VE-2
pub fn endpoints_of_several_versions_share_a_server(world: &World) {
    let _server = world
        .listen("topic")
        .version("1.4")
        .on("which", |(): ()| "1.4".to_owned())
        .endpoint()
        .version("2.0")
        .on("which", |(): ()| "2.0".to_owned())
        .start()
        .unwrap();
    for (requested, answered) in [("1.0", "1.4"), ("1.4", "1.4"), ("2.0", "2.0")] {
        assert_eq!(which(world, requested).wait().unwrap(), answered);
    }
    for refused in ["1.5", "2.1", "3.0"] {
        let error = which(world, refused).wait().unwrap_err();
        assert_eq!(offered(&error), "1.4, 2.0");
    }
}

/// C-VE-2
pub fn the_first_endpoint_that_has_the_method_is_called(world: &World) {
    let _server = world
        .listen("topic")
        .version("1.2")
        .on("both", |(): ()| "1.2".to_owned())
        .endpoint()
        .version("1.5")
        .on("both", |(): ()| "1.5".to_owned())
        .on("later", |(): ()| "1.5".to_owned())
        .start()
        .unwrap();
    let ask = |method: &str, version: &str| {
        let client = world.client().client("topic").version(version);
        client.call::<String>(method, &()).wait()
    };
    assert_eq!(ask("both", "1.0").unwrap(), "1.2");
    assert_eq!(ask("both", "1.3").unwrap(), "1.5");
    assert_eq!(
        ask("later", "1.0").unwrap(),
        "1.5",
        "the first does not have it"
    );
    let error = ask("lateer", "1.0").unwrap_err();
    let CallErrorKind::NoSuchMethod { near, .. } = error.kind() else {
        panic!("{error}");
    };
    assert_eq!(near.as_deref(), Some("later"));
}

/// C-VE-2: of several endpoints that refuse a request, the one tells why that it got furthest with.
pub fn the_error_tells_how_far_a_request_got(world: &World) {
    let _server = world
        .listen("topic")
        .version("2.0")
        .on("old", |(): ()| ())
        .endpoint()
        .namespace("admin")
        .version("1.0")
        .on("reload", |(): ()| ())
        .start()
        .unwrap();
    let ask = |namespace: Option<&str>, version: &str, method: &str| {
        let request = world
            .client()
            .request::<()>(&format!("topic.{method}"), &());
        let request = request.version(version);
        let request = match namespace {
            Some(name) => request.namespace(name),
            None => request,
        };
        request.wait()
    };
    let kind = |outcome: Result<(), CallError>| outcome.unwrap_err().kind().clone();
    ask(Some("admin"), "1.0", "reload").unwrap();
    let method = kind(ask(Some("admin"), "1.0", "old"));
    assert!(
        matches!(method, CallErrorKind::NoSuchMethod { .. }),
        "{method}"
    );
    let version = kind(ask(Some("admin"), "2.0", "old"));
    let told =
        matches!(&version, CallErrorKind::UnsupportedVersion { offered, .. } if offered == "1.0");
    assert!(told, "{version}");
    let version = kind(ask(None, "1.0", "reload"));
    let told =
        matches!(&version, CallErrorKind::UnsupportedVersion { offered, .. } if offered == "2.0");
    assert!(told, "{version}");
    let namespace = kind(ask(Some("admn"), "1.0", "reload"));
    assert!(
        matches!(namespace, CallErrorKind::NoSuchNamespace { .. }),
        "{namespace}"
    );
}

/// C-VE-2
pub fn a_server_that_could_never_be_reached_is_refused(world: &World) {
    let hidden = world
        .listen("topic")
        .version("1.5")
        .on("same", |(): ()| ())
        .endpoint()
        .version("1.3")
        .on("same", |(): ()| ());
    let error = hidden.start().unwrap_err();
    assert!(matches!(error, ServeError::NeverReached { .. }), "{error}");
    assert!(error.to_string().contains("older one first"), "{error}");

    let empty = world.listen("topic").on("same", |(): ()| ()).endpoint();
    let error = empty.start().unwrap_err();
    assert!(matches!(error, ServeError::NoMethods { .. }), "{error}");

    let astray = world.server().server(Fingerprinted).and(Elsewhere);
    let error = astray.start().unwrap_err();
    assert!(matches!(error, ServeError::OtherTopic { .. }), "{error}");

    let many = |count: usize| {
        let mut server = world.listen("topic").version("1.0").on("same", |(): ()| ());
        for n in 1..count {
            let version = Version::new(u16::try_from(n + 1).unwrap(), 0, 0);
            server = server.endpoint().version(version).on("same", |(): ()| ());
        }
        server.start()
    };
    drop(many(MAX_OFFERS).unwrap());
    let error = many(MAX_OFFERS + 1).unwrap_err();
    assert!(
        matches!(error, ServeError::TooManyEndpoints { .. }),
        "{error}"
    );
}

/// C-VE-2, C-AD-2
pub fn a_request_goes_to_a_server_that_serves_its_version(world: &World) {
    let _old = versioned(world, "1.0");
    let _new = versioned(world, "1.1");
    let _other = versioned(world, "2.0");
    for _ in 0..20 {
        assert_eq!(which(world, "1.1").wait().unwrap(), "1.1");
        assert_eq!(which(world, "2.0").wait().unwrap(), "2.0");
    }
    // What both serve goes to both in turn.
    let mut answers: Vec<String> = (0..20)
        .map(|_| which(world, "1.0").wait().unwrap())
        .collect();
    answers.sort();
    answers.dedup();
    assert_eq!(answers, ["1.0", "1.1"]);
}

/// C-VE-2
pub fn what_no_server_serves_is_refused_with_all_that_is_offered(world: &World) {
    let _old = versioned(world, "1.2");
    let _new = versioned(world, "2.0");
    let error = which(world, "1.3").wait().unwrap_err();
    assert_eq!(offered(&error), "1.2, 2.0");
    // The one server that is named tells for itself.
    let error = which(world, "2.0").to("1.2").wait().unwrap_err();
    assert_eq!(offered(&error), "1.2");
}

/// C-VE-2: what a server offers is gone when it goes, and there when it comes.
pub fn servers_of_other_versions_come_and_go(world: &World) {
    let old = versioned(world, "1.0");
    for _ in 0..3 {
        let error = which(world, "1.1").wait().unwrap_err();
        assert_eq!(offered(&error), "1.0");
        let new = versioned(world, "1.1");
        for _ in 0..5 {
            assert_eq!(which(world, "1.1").wait().unwrap(), "1.1");
        }
        drop(new);
        // A server in another process goes as soon as its word is there.
        crate::stage::eventually("the new server is gone", || {
            which(world, "1.1").wait().is_err()
        });
    }
    drop(old);
}

/// C-VE-2, C-OC-4
pub fn a_request_waits_for_a_server_of_its_version(world: &World) {
    let _old = versioned(world, "1.0");
    let waits = which(world, "1.1").wait_for_server().invoke();
    // Sent after it by the same handle, and answered.
    assert_eq!(which(world, "1.0").wait().unwrap(), "1.0");
    assert!(!waits.is_ready());
    let _new = versioned(world, "1.1");
    assert_eq!(waits.wait().unwrap(), "1.1");
}

/// C-VE-2, C-OC-4
pub fn a_request_that_waits_for_a_version_holds_up_no_other(world: &World) {
    let asks = |version| which(world, version).wait_for_server().invoke();
    let (second, first) = (asks("2.0"), asks("1.0"));
    let _old = versioned(world, "1.0");
    assert_eq!(first.wait().unwrap(), "1.0");
    assert!(!second.is_ready());
    let _new = versioned(world, "2.0");
    assert_eq!(second.wait().unwrap(), "2.0");
}

/// C-VE-3
pub fn a_request_above_the_cap_is_not_sent(world: &World) {
    let arrived = Journal::new();
    let noted = arrived.clone();
    let server = world.listen("topic").version("1.9");
    let _server = server
        .on("ask", move |n: u32| noted.note(n))
        .start()
        .unwrap();
    let client = world.client().client("topic").version_cap("1.3");
    let ask = |version: &str| {
        let request = client.request::<()>("ask", &1_u32);
        request.version(version).wait()
    };
    ask("1.0").unwrap();
    ask("1.3").unwrap();
    for above in ["1.3.1", "1.4", "2.0"] {
        let error = ask(above).unwrap_err();
        assert_eq!(error.fate(), Fate::NotSent, "{error}");
        let CallErrorKind::VersionCap { requested, cap } = error.kind() else {
            panic!("{error}");
        };
        assert_eq!(
            (requested.to_string().as_str(), cap.to_string().as_str()),
            (above, "1.3")
        );
        assert!(error.to_string().contains("can_send_version"), "{error}");
        let cast = client.request::<()>("ask", &1_u32).version(above).cast();
        assert!(matches!(
            cast.unwrap_err().kind(),
            CallErrorKind::VersionCap { .. }
        ));
    }
    // A typed client as well.
    let typed = ServiceClient::new(world.client(), "topic", None).version_cap("1.3");
    let ask = |since: &str| {
        let since = since.parse().expect("a version");
        typed
            .request::<_, (), CallError>(Method::literal("ask"), since, || 0, 1_u32)
            .wait()
    };
    ask("1.3").unwrap();
    let error = ask("1.4").unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::VersionCap { .. }),
        "{error}"
    );
    assert_eq!(arrived.len(), 3, "what is above the cap did not arrive");
}

/// C-VE-3
pub fn what_may_be_sent_is_known_beforehand(world: &World) {
    let table = [
        ("1.3", "1.0", true),
        ("1.3", "1.3", true),
        ("1.3", "1.3.1", false),
        ("1.3.1", "1.3.1", true),
        ("1.3", "1.4", false),
        ("1.3", "2.0", false),
        ("2.0", "1.0", false),
        ("1.3", "three", false),
        ("three", "1.3", false),
    ];
    let (untyped, typed) = (
        world.client().client("topic"),
        ServiceClient::new(world.client(), "topic", None),
    );
    for (cap, version, can) in table {
        let capped = untyped.clone().version_cap(cap);
        assert_eq!(capped.can_send_version(version), can, "{version} at {cap}");
        let capped = typed.clone().version_cap(cap);
        assert_eq!(capped.can_send_version(version), can, "{version} at {cap}");
    }
    // Nothing was said of the handles that these were made from (C-AD-7).
    assert!(untyped.can_send_version("9.9") && typed.can_send_version("9.9"));
}

/// C-VE-3, C-AD-7
pub fn a_request_overrides_the_version_of_its_client(world: &World) {
    let _server = world
        .listen("topic")
        .version("1.0")
        .on("which", |(): ()| "1.0".to_owned())
        .endpoint()
        .version("2.0")
        .on("which", |(): ()| "2.0".to_owned())
        .start()
        .unwrap();
    let client = world.client().client("topic").version("2.0");
    let ask = || client.request::<String>("which", &());
    assert_eq!(ask().wait().unwrap(), "2.0");
    assert_eq!(ask().version("1.0").wait().unwrap(), "1.0");
    assert_eq!(
        client.invoke::<String>("which", &()).wait().unwrap(),
        "2.0",
        "the client is as it was"
    );
    client.cast("which", &()).unwrap();
}

/// A service whose methods know the fingerprint of their types.
struct Fingerprinted;

impl Service for Fingerprinted {
    fn into_endpoint(self) -> Endpoint {
        let method = |name, fingerprint| {
            MethodSpec::new(name, handler::quick(|n: u32| n + 1)).fingerprint(fingerprint)
        };
        let methods = vec![method("changed", || 1), method("same", || 2)];
        Endpoint::new("typed", Version::DEFAULT, methods)
    }
}

/// A service on another topic.
struct Elsewhere;

impl Service for Elsewhere {
    fn into_endpoint(self) -> Endpoint {
        let method = MethodSpec::new("same", handler::quick(|(): ()| ()));
        Endpoint::new("elsewhere", Version::DEFAULT, vec![method])
    }
}

/// C-VE-4
pub fn types_that_differ_are_refused_on_their_method_only(world: &World) {
    let _server = world.server().serve(Fingerprinted).unwrap();
    let client = ServiceClient::new(world.client(), "typed", None);
    let ask = |method, fingerprint| {
        let method = Method::literal(method);
        client.request::<_, u32, CallError>(method, Version::DEFAULT, fingerprint, 5_u32)
    };
    for _ in 0..3 {
        let error = ask("changed", || 99).wait().unwrap_err();
        assert_eq!(error.fate(), Fate::NotExecuted);
        let is_schema = matches!(error.kind(), CallErrorKind::SchemaMismatch { .. });
        assert!(is_schema, "{error}");
        assert_eq!(ask("same", || 2).wait().unwrap(), 6);
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
