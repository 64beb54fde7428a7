//! What tells services on one topic apart (C-VE-2, C-VE-5).

use tidings_core::bus::ServiceClient;
use tidings_core::name::Method;
use tidings_core::server::{Endpoint, MethodSpec, Service, handler};
use tidings_core::{CallError, CallErrorKind, Fate, Request, ServeError, Version};

use crate::World;
use crate::stage::Journal;

fn which(world: &World, namespace: Option<&str>) -> Request<String> {
    let request = world.client().request("topic.which", &());
    match namespace {
        Some(name) => request.namespace(name),
        None => request,
    }
}

/// What is said of namespaces that are there, and of the nearest.
fn refused(outcome: Result<String, CallError>) -> (String, Option<String>) {
    let error = outcome.unwrap_err();
    assert_eq!(error.fate(), Fate::NotExecuted, "{error}");
    match error.kind() {
        CallErrorKind::NoSuchNamespace { offered, near, .. } => (offered.clone(), near.clone()),
        _ => panic!("{error}"),
    }
}

/// C-VE-2
pub fn a_namespace_tells_endpoints_apart(world: &World) {
    let _server = world
        .listen("topic")
        .on("which", |(): ()| "none".to_owned())
        .endpoint()
        .namespace("inventory")
        .on("which", |(): ()| "inventory".to_owned())
        .endpoint()
        .namespace("admin")
        .on("which", |(): ()| "admin".to_owned())
        .start()
        .unwrap();
    assert_eq!(which(world, None).wait().unwrap(), "none");
    assert_eq!(which(world, Some("admin")).wait().unwrap(), "admin");
    let inventory = which(world, Some("inventory")).invoke();
    assert_eq!(inventory.wait().unwrap(), "inventory");

    let (offered, near) = refused(which(world, Some("inventry")).wait());
    assert_eq!(near.as_deref(), Some("inventory"));
    for name in ["none", "`admin`", "`inventory`"] {
        assert!(offered.contains(name), "{offered}");
    }
    let (_, near) = refused(which(world, Some("something-else")).wait());
    assert_eq!(near, None);
}

/// C-VE-2
pub fn a_request_without_a_namespace_is_for_endpoints_without_one(world: &World) {
    let named = world.listen("topic").namespace("inventory");
    let named = named.on("which", |(): ()| String::new()).start().unwrap();
    let (offered, _) = refused(which(world, None).wait());
    assert_eq!(offered, "`inventory`");
    drop(named);
    let server = world.listen("topic");
    let _server = server.on("which", |(): ()| String::new()).start().unwrap();
    which(world, None).wait().unwrap();
    refused(which(world, Some("inventory")).wait());
}

/// C-VE-2
pub fn an_alias_reaches_the_endpoint_as_well(world: &World) {
    let _server = world
        .listen("topic")
        .namespace("inventory")
        .alias("stock")
        .alias_none()
        .on("which", |(): ()| "inventory".to_owned())
        .endpoint()
        .namespace("admin")
        .on("which", |(): ()| "admin".to_owned())
        .start()
        .unwrap();
    for name in [Some("inventory"), Some("stock"), None] {
        assert_eq!(which(world, name).wait().unwrap(), "inventory");
    }
    assert_eq!(which(world, Some("admin")).wait().unwrap(), "admin");
    refused(which(world, Some("other")).wait());
}

/// C-VE-2, C-AD-2: servers that offer different namespaces get what is for them.
pub fn servers_of_several_namespaces_share_a_topic(world: &World) {
    let start = |name: &'static str| {
        let server = world.listen("topic").namespace(name);
        let answer = move |(): ()| name.to_owned();
        server.on("which", answer).start().unwrap()
    };
    let (_one, _other) = (start("inventory"), start("admin"));
    for _ in 0..20 {
        for name in ["inventory", "admin"] {
            assert_eq!(which(world, Some(name)).wait().unwrap(), name);
        }
    }
    let (offered, near) = refused(which(world, Some("admim")).wait());
    assert_eq!(offered, "`admin`, `inventory`");
    assert_eq!(near.as_deref(), Some("admin"));
}

/// C-VE-2: the same method under one namespace in two versions, and in another.
pub fn a_namespace_has_versions_of_its_own(world: &World) {
    let _server = world
        .listen("topic")
        .namespace("inventory")
        .version("1.3")
        .on("which", |(): ()| "inventory 1.3".to_owned())
        .endpoint()
        .namespace("inventory")
        .version("2.0")
        .on("which", |(): ()| "inventory 2.0".to_owned())
        .endpoint()
        .namespace("admin")
        .version("3.0")
        .on("which", |(): ()| "admin 3.0".to_owned())
        .start()
        .unwrap();
    let ask = |name, version| which(world, Some(name)).version(version).wait();
    assert_eq!(ask("inventory", "1.1").unwrap(), "inventory 1.3");
    assert_eq!(ask("inventory", "2.0").unwrap(), "inventory 2.0");
    assert_eq!(ask("admin", "3.0").unwrap(), "admin 3.0");
    let error = ask("inventory", "3.0").unwrap_err();
    let CallErrorKind::UnsupportedVersion { offered, .. } = error.kind() else {
        panic!("{error}");
    };
    assert_eq!(offered, "1.3, 2.0", "those of its namespace");
}

/// C-AD-7
pub fn a_request_overrides_the_namespace_of_its_client(world: &World) {
    let _server = world
        .listen("topic")
        .on("which", |(): ()| "none".to_owned())
        .endpoint()
        .namespace("inventory")
        .on("which", |(): ()| "inventory".to_owned())
        .endpoint()
        .namespace("admin")
        .on("which", |(): ()| "admin".to_owned())
        .start()
        .unwrap();
    let plain = world.client().client("topic");
    let client = plain.clone().namespace("inventory");
    let ask = || client.request::<String>("which", &());
    assert_eq!(ask().wait().unwrap(), "inventory");
    assert_eq!(ask().namespace("admin").wait().unwrap(), "admin");
    assert_eq!(ask().no_namespace().wait().unwrap(), "none");
    assert_eq!(ask().wait().unwrap(), "inventory");
    assert_eq!(plain.call::<String>("which", &()).wait().unwrap(), "none");
}

/// C-AD-1
pub fn what_is_no_namespace_fails_before_anything_is_sent(world: &World) {
    let server = world.listen("topic").namespace("a b");
    let error = server.on("which", |(): ()| ()).start().unwrap_err();
    assert!(matches!(error, ServeError::Name(_)), "{error}");
    let server = world.listen("topic").alias("");
    let error = server.on("which", |(): ()| ()).start().unwrap_err();
    assert!(matches!(error, ServeError::Name(_)), "{error}");

    let arrived = Journal::new();
    let noted = arrived.clone();
    let server = world.listen("topic");
    let _server = server
        .on("which", move |(): ()| noted.note(()))
        .start()
        .unwrap();
    let client = world.client().client("topic").namespace("a\nb");
    for outcome in [
        which(world, Some("")).wait(),
        client.call::<String>("which", &()).wait(),
    ] {
        let error = outcome.unwrap_err();
        assert_eq!(error.fate(), Fate::NotSent);
        assert!(matches!(error.kind(), CallErrorKind::Name(_)), "{error}");
    }
    assert!(arrived.is_empty());
}

/// A typed service in a namespace.
struct Inventory;

impl Service for Inventory {
    fn into_endpoint(self) -> Endpoint {
        let which = handler::quick(|(): ()| "inventory".to_owned());
        let methods = vec![MethodSpec::new("which", which).fingerprint(|| 7)];
        Endpoint::new("topic", Version::DEFAULT, methods)
            .namespaces(vec![Some("inventory"), Some("stock")])
    }
}

/// C-VE-2: a typed client carries its namespace, and services beside each other are endpoints of one server.
pub fn typed_services_share_a_server_by_namespace(world: &World) {
    let server = world
        .listen("topic")
        .on("which", |(): ()| "none".to_owned());
    let _server = server.and(Inventory).start().unwrap();
    let ask = |namespace| {
        let client = ServiceClient::new(world.client(), "topic", namespace);
        client
            .request::<_, String, CallError>(Method::literal("which"), Version::DEFAULT, || 7, ())
            .wait()
    };
    assert_eq!(ask(Some("inventory")).unwrap(), "inventory");
    assert_eq!(ask(Some("stock")).unwrap(), "inventory");
    assert_eq!(ask(None).unwrap(), "none");
    refused(ask(Some("admin")));
}

/// C-VE-5: an endpoint's methods are no one else's, and no error tells of them.
pub fn a_method_of_another_namespace_is_not_there(world: &World) {
    let _server = world
        .listen("topic")
        .on("which", |(): ()| String::new())
        .endpoint()
        .namespace("admin")
        .on("shutdown", |(): ()| String::new())
        .start()
        .unwrap();
    let ask = |method: &str| {
        let path = format!("topic.{method}");
        let error = world.client().call::<String>(&path, &()).wait();
        match error.unwrap_err().kind() {
            CallErrorKind::NoSuchMethod { near, .. } => near.clone(),
            other => panic!("{other}"),
        }
    };
    assert_eq!(ask("shutdown"), None);
    assert_eq!(ask("shutdwon"), None, "not even as the nearest");
}
