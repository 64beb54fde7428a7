//! Policies at a hub and at its members.

mod common;

use std::sync::{Arc, Mutex};

use common::{Directory, on_each_runtime, until};
use tidings_core::authorise::{Acl, Action, Asked, Authorise, Rule, Verdict};
use tidings_core::runtime::Runtime;
use tidings_core::{Bus, BusBuilder, CallError, CallErrorKind, Fate, ServeError, Server, Token};
use tidings_unix::Unix;

fn token(name: &str) -> Token {
    Token::new(name, format!("the secret of {name}, long enough")).unwrap()
}

fn open(
    runtime: &Arc<dyn Runtime>,
    address: &str,
    options: impl FnOnce(BusBuilder) -> BusBuilder,
) -> Bus {
    let builder = options(Bus::builder().runtime(runtime.clone()));
    builder.open_with(&Unix, address).unwrap()
}

/// A hub with this policy, and the members `ada` and `bob`.
fn company(
    runtime: &Arc<dyn Runtime>,
    directory: &Directory,
    policy: impl Authorise + 'static,
) -> [Bus; 3] {
    let hub = open(runtime, &directory.address("?listen"), |bus| {
        let hub = bus.accept_tokens(["ada", "bob"].map(token));
        hub.token(token("hub")).authorise(policy)
    });
    let member = |name| {
        let address = directory.address("?connect");
        open(runtime, &address, |bus| bus.token(token(name)))
    };
    [hub, member("ada"), member("bob")]
}

fn serve(bus: &Bus, topic: &str) -> Result<Server, ServeError> {
    bus.listen(topic)
        .on("get", |(): ()| ())
        .on("set", |(): ()| ())
        .start()
}

fn call(bus: &Bus, path: &str) -> Result<(), CallError> {
    bus.call(path, &()).wait()
}

fn is_forbidden(outcome: Result<(), CallError>) -> bool {
    match outcome {
        Ok(()) => false,
        Err(error) => {
            assert_eq!(error.fate(), Fate::NotExecuted, "{error}");
            let forbidden = matches!(error.kind(), CallErrorKind::Forbidden(_));
            assert!(forbidden, "{error}");
            true
        }
    }
}

#[test]
fn a_policy_at_the_hub_holds_for_what_it_passes_on() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let acl = Acl::new()
            .allow(Rule::serving().caller("bob").unwrap())
            .allow(Rule::requests().caller("ada").unwrap())
            .deny(Rule::requests().caller("*").unwrap().method("set").unwrap());
        let [hub, ada, bob] = company(runtime, &directory, acl);
        let _at_bob = serve(&bob, "orders").unwrap();
        let _at_hub = serve(&hub, "hub").unwrap();
        for topic in ["orders", "hub"] {
            let (get, set) = (format!("{topic}.get"), format!("{topic}.set"));
            assert!(!is_forbidden(call(&ada, &get)));
            assert!(is_forbidden(call(&ada, &set)));
            // No rule speaks of what bob may call, his own server or not.
            assert!(is_forbidden(call(&bob, &get)));
            // The hub's own process may what nobody denies it.
            assert!(!is_forbidden(call(&hub, &get)));
            assert!(is_forbidden(call(&hub, &set)));
        }
    });
}

#[test]
fn who_may_not_serve_a_topic_gets_none_of_its_requests() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let acl = Acl::new().allow(Rule::requests()).allow(
            Rule::serving()
                .caller("bob")
                .unwrap()
                .topic("orders")
                .unwrap(),
        );
        let [_hub, ada, bob] = company(runtime, &directory, acl);
        for (bus, topic) in [(&ada, "orders"), (&bob, "payments")] {
            let error = serve(bus, topic).unwrap_err();
            let ServeError::NotRegistered { reason, .. } = &error else {
                panic!("{error}")
            };
            assert!(is_forbidden(Err(reason.clone())));
        }
        let _server = serve(&bob, "orders").unwrap();
        assert!(!is_forbidden(call(&ada, "orders.get")));
        let nobody = call(&ada, "payments.get").unwrap_err();
        let nobody = matches!(nobody.kind(), CallErrorKind::NoServer { .. });
        assert!(nobody);
    });
}

#[test]
fn who_may_not_call_does_not_learn_what_is_served() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let acl = Acl::new()
            .allow(Rule::serving())
            .allow(Rule::requests().caller("bob").unwrap());
        let [_hub, ada, bob] = company(runtime, &directory, acl);
        let _server = serve(&bob, "orders").unwrap();
        let told = |path| match call(&ada, path).unwrap_err().kind() {
            CallErrorKind::Forbidden(reason) => reason.clone(),
            other => panic!("{other}"),
        };
        let there = told("orders.get");
        for path in ["orders.no_such_method", "no_such_topic.get"] {
            assert_eq!(told(path), there); // S8
        }
        // Who may, learns it, but no names of others.
        let missing = call(&bob, "order.get").unwrap_err();
        let CallErrorKind::NoServer { near, .. } = missing.kind() else {
            panic!("{missing}")
        };
        assert_eq!(near.as_deref(), None);
    });
}

#[test]
fn each_process_on_the_way_is_asked_once_with_the_same_caller() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let watch = |place: &'static str| {
            let seen = seen.clone();
            move |asked: &Asked<'_>| {
                let caller = asked.caller.and_then(|caller| caller.name.as_deref());
                let what = (asked.action, asked.method.unwrap_or("").to_owned());
                seen.lock().unwrap().push((
                    place,
                    what,
                    caller.unwrap_or("nobody").to_owned(),
                    asked.local,
                ));
                Verdict::Allow
            }
        };
        let [hub, ada, _bob] = company(runtime, &directory, watch("hub"));
        let address = directory.address("?connect");
        let bob = open(runtime, &address, |bus| {
            bus.token(token("bob")).authorise(watch("bob"))
        });
        let take = || std::mem::take(&mut *seen.lock().unwrap());
        let entry = |place, action, method: &str, caller: &str, local| {
            (place, (action, method.to_owned()), caller.to_owned(), local)
        };
        let _server = serve(&bob, "orders").unwrap();
        assert_eq!(take(), [entry("hub", Action::Serve, "", "bob", false)]);
        call(&ada, "orders.get").unwrap();
        let way = ["hub", "bob"].map(|place| entry(place, Action::Call, "get", "ada", false));
        assert_eq!(take(), way);
        call(&hub, "orders.set").unwrap();
        let at_hub = entry("hub", Action::Call, "set", "hub", true);
        let at_bob = entry("bob", Action::Call, "set", "hub", false);
        assert_eq!(take(), [at_hub, at_bob]);
        let _at_hub = serve(&hub, "hub").unwrap();
        ada.cast("hub.get", &()).unwrap();
        until("the cast has come", || !seen.lock().unwrap().is_empty());
        assert_eq!(take(), [entry("hub", Action::Cast, "get", "ada", false)]);
    });
}

#[test]
fn a_list_without_a_rule_for_it_denies_other_processes() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let uid = rustix::process::geteuid().as_raw();
        for (acl, allowed) in [
            (Acl::new(), false),
            (Acl::new().allow(Rule::requests().uid(uid)), true),
            (
                Acl::new().allow(Rule::requests().uid(uid.wrapping_add(1))),
                false,
            ),
        ] {
            let hub = open(runtime, &directory.address("?listen"), |bus| {
                bus.authorise(acl)
            });
            let _server = serve(&hub, "hub").unwrap();
            let member = open(runtime, &directory.address("?connect"), |bus| bus);
            assert_eq!(is_forbidden(call(&member, "hub.get")), !allowed); // S9
            assert!(!is_forbidden(call(&hub, "hub.get")));
        }
    });
}

#[test]
fn what_reaches_every_server_is_denied_like_what_reaches_one() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let acl = Acl::new()
            .allow(Rule::serving())
            .allow(Rule::requests().caller("bob").unwrap());
        let [hub, ada, bob] = company(runtime, &directory, acl);
        let ran = Arc::new(Mutex::new(Vec::new()));
        let serve = |bus: &Bus, name: &'static str| {
            let ran = ran.clone();
            let note = move |(): ()| ran.lock().unwrap().push(name);
            bus.listen("all").on("note", note).start().unwrap()
        };
        let _servers = [serve(&hub, "hub"), serve(&bob, "bob")];
        let note = |bus: &Bus| bus.request::<()>("all.note", &());
        note(&ada).fanout().cast().unwrap(); // Dropped on arrival: nobody hears of it.
        let refused = note(&ada).fanout().gather().wait().err().unwrap();
        assert!(
            is_forbidden(Err(refused)),
            "a list of who serves is for who may call"
        );
        let listed = ada.servers("all").wait().map(|_| ());
        assert!(is_forbidden(listed));
        assert_eq!(bob.servers("all").wait().unwrap().len(), 2);
        note(&bob).fanout().cast().unwrap();
        until("both have their copy", || ran.lock().unwrap().len() >= 2);
        let mut names = ran.lock().unwrap().clone();
        names.sort_unstable();
        assert_eq!(names, ["bob", "hub"]);
    });
}

#[test]
fn who_may_not_call_does_not_wait_for_a_server_either() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let acl = Acl::new().deny(Rule::requests().topic("soon").unwrap());
        let [_hub, ada, _bob] = company(runtime, &directory, acl);
        let request = ada.request::<()>("soon.get", &()).no_timeout();
        assert!(is_forbidden(request.wait_for_server().wait()));
    });
}
