//! Who may do what: the policy is asked before every handler, and what it denies does not run.

use std::sync::Arc;

use tidings_core::authorise::{Acl, Action, Asked, Rule, Verdict};
use tidings_core::bus::ServiceClient;
use tidings_core::name::Method;
use tidings_core::server::{Endpoint, MethodSpec, Service, handler};
use tidings_core::{CallError, CallErrorKind, Caller, Context, Fate, Request, Server, Version};

use crate::World;
use crate::stage::Journal;

/// Denies all methods that begin with `no`.
fn no(asked: &Asked<'_>) -> Verdict {
    match asked.method {
        Some(method) if method.starts_with("no") => Verdict::Deny,
        _ => Verdict::Allow,
    }
}

/// A server of the topic `guarded` with a method of each kind, allowed and not, which write down that they ran.
fn guarded(world: &World) -> (Server, Journal<&'static str>) {
    let ran = Journal::new();
    let notes = |name: &'static str| {
        let ran = ran.clone();
        move || ran.note(name)
    };
    let [quick, later, blocking] = ["quick", "async", "blocking"].map(notes);
    let [no_quick, no_later, no_blocking] = ["no_quick", "no_async", "no_blocking"].map(notes);
    let server = world
        .listen("guarded")
        .authorise(no)
        .on("quick", move |(): ()| quick())
        .on("no_quick", move |(): ()| no_quick())
        .on_async("async", move |(): ()| {
            later();
            async {}
        })
        .on_async("no_async", move |(): ()| {
            no_later();
            async {}
        })
        .on_blocking("blocking", move |(): ()| blocking())
        .on_blocking("no_blocking", move |(): ()| no_blocking())
        .start()
        .unwrap();
    (server, ran)
}

fn request(world: &World, method: &str) -> Request<()> {
    world.client().request(&format!("guarded.{method}"), &())
}

fn forbidden(error: &CallError) -> &str {
    assert_eq!(error.fate(), Fate::NotExecuted, "{error}");
    match error.kind() {
        CallErrorKind::Forbidden(reason) => reason,
        other => panic!("not forbidden: {other}"),
    }
}

/// C-VE-5: the policy sees each request, whatever its verb, and before its handler.
pub fn every_request_is_asked_about_before_its_handler(world: &World) {
    let journal = Journal::new();
    let (ran, asked) = (journal.clone(), journal.clone());
    let _server = world
        .listen("topic")
        .authorise(move |what: &Asked<'_>| {
            assert_eq!((what.exchange, what.topic), ("tidings", "topic"));
            let method = what.method.unwrap_or_default();
            asked.note(format!("{:?} {method}", what.action));
            Verdict::Allow
        })
        .on("say", move |text: String| ran.note(text))
        .start()
        .unwrap();
    let say = |text: &str| world.client().request::<()>("topic.say", text);
    let told = |action: Action, text: &str| [format!("{action:?} say"), text.to_owned()];
    say("call").wait().unwrap();
    assert_eq!(journal.take(), told(Action::Call, "call"));
    say("invoke").invoke().wait().unwrap();
    assert_eq!(journal.take(), told(Action::Call, "invoke"));
    let awaited = say("await").call();
    world.run(awaited).unwrap();
    assert_eq!(journal.take(), told(Action::Call, "await"));
    say("cast").cast().unwrap();
    journal.wait_for(2);
    assert_eq!(journal.take(), told(Action::Cast, "cast"));
    say("when there is room").cast_when_room().wait().unwrap();
    journal.wait_for(2);
    assert_eq!(journal.take(), told(Action::Cast, "when there is room"));
}

/// A service with two methods, one of which the policy denies.
struct Typed(Journal<u32>);

impl Service for Typed {
    fn into_endpoint(self) -> Endpoint {
        let method = |name| {
            let ran = self.0.clone();
            let run = handler::quick(move |n: u32| {
                ran.note(n);
                n
            });
            MethodSpec::new(name, run).fingerprint(|| 1)
        };
        Endpoint::new("typed", Version::DEFAULT, vec![method("yes"), method("no")])
    }
}

/// C-VE-5: typed servers and clients are asked about like all others, and types are not looked at before.
pub fn a_typed_request_is_asked_about_like_any_other(world: &World) {
    let ran = Journal::new();
    let server = world.server().server(Typed(ran.clone()));
    let _server = server.authorise(no).start().unwrap();
    let client = ServiceClient::new(world.client(), "typed", None);
    let ask = |method, fingerprint| {
        let method = Method::literal(method);
        client.request::<_, u32, CallError>(method, Version::DEFAULT, fingerprint, 5_u32)
    };
    assert_eq!(ask("yes", || 1).wait().unwrap(), 5);
    forbidden(&ask("no", || 1).wait().unwrap_err());
    forbidden(&ask("no", || 99).wait().unwrap_err());
    let mismatch = ask("yes", || 99).wait().unwrap_err();
    let is_schema = matches!(mismatch.kind(), CallErrorKind::SchemaMismatch { .. });
    assert!(is_schema, "{mismatch}");
    assert_eq!(ran.take(), [5]);
}

/// C-VE-5, C-OC: what is denied fails as such, runs never, and leaves the server as it was.
pub fn what_is_denied_is_not_executed(world: &World) {
    let (server, ran) = guarded(world);
    for kind in ["quick", "async", "blocking"] {
        let denied = format!("no_{kind}");
        forbidden(&request(world, &denied).wait().unwrap_err());
        forbidden(&request(world, &denied).invoke().wait().unwrap_err());
        // A sender that shares memory with the server is told; another one's cast is dropped on arrival.
        for cast in [
            request(world, &denied).cast(),
            request(world, &denied).cast_when_room().wait(),
        ] {
            if let Err(error) = cast {
                forbidden(&error);
            }
        }
        request(world, kind).wait().unwrap();
    }
    // The casts were sent before the calls that were answered, on the same way.
    assert_eq!(ran.take(), ["quick", "async", "blocking"]);
    assert_eq!(server.load(), 0);
}

/// C-VE-5, FAULTS-S8: whether the method exists, or would be served in that version, cannot be told from the refusal.
pub fn a_refusal_does_not_tell_whether_the_method_exists(world: &World) {
    let (_server, _ran) = guarded(world);
    let exists = request(world, "no_quick").wait().unwrap_err();
    let missing = request(world, "no_such_thing").wait().unwrap_err();
    assert_eq!(forbidden(&exists), forbidden(&missing));
    assert_eq!(
        (exists.stage(), exists.fate()),
        (missing.stage(), missing.fate())
    );
    for (namespace, version) in [(None, "9.0"), (Some("elsewhere"), "1.0")] {
        let client = ServiceClient::new(world.client(), "guarded", namespace);
        let version = version.parse().unwrap();
        let other =
            client.request::<_, (), CallError>(Method::literal("no_quick"), version, || 7, ());
        assert_eq!(forbidden(&other.wait().unwrap_err()), forbidden(&exists));
    }
    // Nor is a name suggested that not everybody may know.
    let error = request(world, "quik").wait().unwrap_err();
    let CallErrorKind::NoSuchMethod { near, .. } = error.kind() else {
        panic!("{error}");
    };
    assert_eq!(near.as_deref(), None);
}

/// C-VE-5: of rules that speak of the same request, the one that denies wins.
pub fn deny_wins(world: &World) {
    let everything = || Rule::requests().topic("guard*").unwrap();
    let admin = || Rule::requests().method("admin*").unwrap();
    for acl in [
        Acl::new().allow(everything()).deny(admin()),
        Acl::new().deny(admin()).allow(everything()),
    ] {
        let server = world.listen("guarded").authorise(acl);
        let server = server.on("get", |(): ()| ()).on("admin_stop", |(): ()| ());
        let server = server.start().unwrap();
        request(world, "get").wait().unwrap();
        forbidden(&request(world, "admin_stop").wait().unwrap_err());
        forbidden(&request(world, "administer").wait().unwrap_err());
        drop(server);
    }
}

/// C-AD-6, FAULTS rule 9: the policy and the handler see the same caller, the one that the transport tells.
pub fn the_policy_knows_the_caller_as_the_handler_does(world: &World) {
    let asked = Journal::<Option<Caller>>::new();
    let handled = Journal::<Option<Caller>>::new();
    let (ask, handle) = (asked.clone(), handled.clone());
    let _server = world
        .listen("topic")
        .authorise(move |what: &Asked<'_>| {
            ask.note(what.caller.cloned());
            Verdict::Allow
        })
        .on("who", move |(): ()| {
            handle.note(Context::current().unwrap().caller().cloned());
        })
        .start()
        .unwrap();
    let call = world.client().request::<()>("topic.who", &());
    // What a message says of its sender is not believed.
    call.header("caller", "root").wait().unwrap();
    assert_eq!(asked.take(), handled.take());
}

/// C-VE-5: of a bus's policy and a server's, both must allow; a server without one of its own has its bus's.
pub fn a_bus_and_a_server_must_both_allow(world: &World) {
    let at = |method: &'static str| {
        move |asked: &Asked<'_>| match asked.method {
            Some(denied) if denied == method => Verdict::Deny,
            _ => Verdict::Allow,
        }
    };
    let bus = world.another_with(|bus| bus.authorise(at("first")).authorise(at("second")));
    let methods = ["first", "second", "third", "fourth"];
    let serve = |topic: &str| {
        let server = bus.listen(topic);
        methods
            .iter()
            .fold(server, |server, method| server.on(method, |(): ()| ()))
    };
    let _of_bus = serve("bus").start().unwrap();
    let _of_both = serve("both").authorise(at("third")).start().unwrap();
    for (topic, allowed) in [
        ("bus", [false, false, true, true]),
        ("both", [false, false, false, true]),
    ] {
        for (method, allowed) in methods.iter().zip(allowed) {
            let outcome = world.client().call::<()>(&format!("{topic}.{method}"), &());
            match outcome.wait() {
                Ok(()) => assert!(allowed, "{topic}.{method}"),
                Err(error) => {
                    forbidden(&error);
                    assert!(!allowed, "{topic}.{method}");
                }
            }
        }
    }
}

/// C-VE-5: a policy that panics denies, and harms nobody else.
pub fn a_policy_that_panics_denies(world: &World) {
    let secret: Arc<str> = "what is wrong inside".into();
    let server = world.listen("guarded").authorise(move |asked: &Asked<'_>| {
        if asked.method == Some("no") {
            std::panic::resume_unwind(Box::new(secret.clone()));
        }
        Verdict::Allow
    });
    let server = server.on("no", |(): ()| ()).on("yes", |(): ()| ());
    let _server = server.start().unwrap();
    for _ in 0..3 {
        let error = request(world, "no").wait().unwrap_err();
        assert!(!forbidden(&error).contains("wrong inside"), "{error}");
        request(world, "yes").wait().unwrap();
    }
}

/// C-VE-5, C-AD-4: each server of a fanout asks for itself, once, and before its handler.
pub fn every_server_of_a_fanout_asks_its_own_policy(world: &World) {
    const NAMES: [&str; 3] = ["a", "b", "c"];
    let journal = Journal::new();
    let third = world.another();
    let buses = [world.server(), world.client(), &third];
    let _servers: Vec<Server> = NAMES
        .into_iter()
        .zip(buses)
        .map(|(name, bus)| {
            let [asked, ran, never] = [(); 3].map(|()| journal.clone());
            let policy = move |what: &Asked<'_>| {
                let method = what.method.unwrap_or_default();
                asked.note((name, format!("{:?} {method}", what.action)));
                no(what)
            };
            let server = bus.listen("guarded").name(name).authorise(policy);
            server
                .on("quick", move |(): ()| ran.note((name, "ran".into())))
                .on("no_quick", move |(): ()| never.note((name, "ran".into())))
                .start()
                .unwrap()
        })
        .collect();
    // What each server wrote down, in its own order.
    let each = || {
        let entries = journal.take();
        let of = |name| entries.iter().filter(move |(of, _)| *of == name);
        NAMES.map(|name| of(name).map(|(_, what)| what.clone()).collect::<Vec<_>>())
    };
    let gather = |method: &str| {
        let answers = request(world, method).fanout().gather().wait().unwrap();
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        let names: Vec<_> = answers.iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names, NAMES);
        answers.into_iter().map(|(_, result)| result)
    };

    for result in gather("no_quick") {
        forbidden(&result.unwrap_err());
    }
    assert_eq!(each(), NAMES.map(|_| ["Call no_quick"]));

    for result in gather("quick") {
        result.unwrap();
    }
    assert_eq!(each(), NAMES.map(|_| ["Call quick", "ran"]));

    // Where the policy is in the sender's sight, it is told; elsewhere a copy is dropped on arrival.
    for cast in [
        request(world, "no_quick").fanout().cast(),
        request(world, "no_quick").fanout().cast_when_room().wait(),
    ] {
        if let Err(error) = cast {
            forbidden(&error);
        }
    }
    request(world, "quick").fanout().cast().unwrap();
    journal.wait_for(4 * NAMES.len());
    // Behind the casts, on the same way, so that what is asked or run too often would have been seen.
    for result in gather("quick") {
        result.unwrap();
    }
    let expected = [
        "Cast no_quick",
        "Cast no_quick",
        "Cast quick",
        "ran",
        "Call quick",
        "ran",
    ];
    assert_eq!(each(), NAMES.map(|_| expected));
}
