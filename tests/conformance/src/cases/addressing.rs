//! Which server a message goes to (C-AD).

use std::time::Duration;

use tidings_core::{CallError, CallErrorKind, Fate, ServeError};

use crate::World;
use crate::stage::{Gate, Journal};

/// C-AD-1
pub fn what_is_no_name_fails_before_anything_is_sent(world: &World) {
    let ran = Journal::new();
    let note = ran.clone();
    let _server = world
        .listen("topic")
        .on("method", move |(): ()| note.note(()))
        .start()
        .unwrap();
    let long = format!("{}.method", "x".repeat(256));
    for path in [
        "",
        "topic",
        ".method",
        "topic.",
        "to\npic.method",
        "topic.\0",
        &long,
    ] {
        let error = world.client().call::<()>(path, &()).wait().unwrap_err();
        assert_eq!(error.fate(), Fate::NotSent, "{path:?}");
        assert!(matches!(error.kind(), CallErrorKind::Name(_)), "{error}");
        let error = world.client().cast(path, &()).unwrap_err();
        assert_eq!(error.fate(), Fate::NotSent, "{path:?}");
    }
    for server in ["", "a b", &"x".repeat(256)] {
        let request = world.client().request::<()>("topic.method", &());
        let error = request.to(server).wait().unwrap_err();
        assert_eq!(error.fate(), Fate::NotSent, "{server:?}");
        assert!(matches!(error.kind(), CallErrorKind::Name(_)), "{error}");
    }
    for topic in ["", "to pic", "to\u{202e}pic"] {
        let refused = world.listen(topic).on("method", |(): ()| ()).start();
        assert!(matches!(refused, Err(ServeError::Name(_))), "{topic:?}");
    }
    assert!(ran.is_empty());
}

/// C-AD-1
pub fn a_name_of_255_bytes_is_a_name(world: &World) {
    let topic = "t".repeat(255);
    let method = "m".repeat(255);
    let server = "s".repeat(255);
    let _server = world
        .listen(&topic)
        .name(&server)
        .on(&method, |n: u8| n)
        .start()
        .unwrap();
    let request = world
        .client()
        .request::<u8>(&format!("{topic}.{method}"), &7_u8);
    assert_eq!(request.to(&server).wait().unwrap(), 7);
}

/// C-AD-1
pub fn a_name_is_taken_once_on_a_topic(world: &World) {
    let listen = |topic: &str| {
        world
            .listen(topic)
            .name("one")
            .on("who", |(): ()| ())
            .start()
    };
    let _first = listen("topic").unwrap();
    let Err(error) = listen("topic") else {
        panic!("a second server got the name");
    };
    assert!(error.to_string().contains("one"), "{error}");
    let _elsewhere = listen("other").unwrap();
}

/// C-AD-1
pub fn servers_without_a_name_get_different_ones(world: &World) {
    let start = || {
        world
            .listen("topic")
            .on("who", |(): ()| ())
            .start()
            .unwrap()
    };
    let (one, other) = (start(), start());
    assert_ne!(one.name(), other.name());
    let request = world.client().request::<()>("topic.who", &());
    request.to(one.name()).wait().unwrap();
}

/// C-AD-2
pub fn a_message_goes_to_exactly_one_server_of_its_topic(world: &World) {
    const MESSAGES: usize = 90;
    let got = Journal::new();
    let servers: Vec<_> = ["a", "b", "c"]
        .map(|name| {
            let got = got.clone();
            world
                .listen("topic")
                .name(name)
                .on("take", move |n: usize| got.note((name, n)))
                .start()
                .unwrap()
        })
        .into();
    for n in 0..MESSAGES {
        let promise = world.client().invoke::<()>("topic.take", &n);
        promise.wait().unwrap();
    }
    let got = got.take();
    let mut numbers: Vec<_> = got.iter().map(|(_, n)| *n).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..MESSAGES).collect::<Vec<_>>());
    for server in &servers {
        let share = got
            .iter()
            .filter(|(name, _)| *name == server.name())
            .count();
        // In turn among equals; a connection may learn a moment late that a server has become idle.
        assert!(share >= MESSAGES / 6, "{} got {share}", server.name());
    }
}

/// C-AD-2
pub fn the_least_busy_server_gets_the_next_message(world: &World) {
    let (gate, took) = (Gate::new(), Journal::new());
    let servers = ["a", "b", "c"].map(|name| {
        let (gate, took) = (gate.clone(), took.clone());
        world
            .listen("topic")
            .name(name)
            .on_async("hold", {
                move |(): ()| {
                    let gate = gate.clone();
                    async move { gate.pass().await }
                }
            })
            .on("take", move |(): ()| took.note(name))
            .start()
            .unwrap()
    });
    let hold = |server: &str| {
        let request = world.client().request::<()>("topic.hold", &());
        request.to(server).invoke()
    };
    let held = [hold("a"), hold("a"), hold("c")];
    gate.wait_for(held.len());
    for _ in 0..12 {
        world
            .client()
            .invoke::<()>("topic.take", &())
            .wait()
            .unwrap();
    }
    gate.open();
    for promise in held {
        promise.wait().unwrap();
    }
    assert_eq!(took.take(), ["b"; 12]);
    drop(servers);
}

/// C-AD-2: over servers of several buses, with requests in flight all the time.
pub fn under_steady_load_every_server_gets_some(world: &World) {
    const REQUESTS: usize = 300;
    const AT_A_TIME: usize = 6;
    let took = Journal::new();
    let (third, fourth) = (world.another(), world.another());
    let buses = [world.server(), world.client(), &third, &fourth];
    let servers: Vec<_> = ["a", "b", "c", "d"]
        .into_iter()
        .zip(buses)
        .map(|(name, bus)| {
            let took = took.clone();
            let server = bus.listen("topic").name(name);
            let take = move |(): ()| {
                took.note(name);
                std::thread::yield_now();
            };
            server.on_blocking("take", take).start().unwrap()
        })
        .collect();
    let mut in_flight = std::collections::VecDeque::new();
    for _ in 0..REQUESTS {
        if in_flight.len() == AT_A_TIME {
            let oldest: Option<tidings_core::Promise<()>> = in_flight.pop_front();
            oldest.unwrap().wait().unwrap();
        }
        in_flight.push_back(world.client().invoke("topic.take", &()));
    }
    for promise in in_flight {
        promise.wait().unwrap();
    }
    let took = took.take();
    assert_eq!(took.len(), REQUESTS);
    for server in &servers {
        let share = took.iter().filter(|name| **name == server.name()).count();
        assert!(share >= REQUESTS / 20, "{} got {share}", server.name());
    }
}

/// C-AD-3
pub fn a_message_for_one_server_goes_to_no_other(world: &World) {
    let servers = ["a", "b", "c"].map(|name| {
        world
            .listen("topic")
            .name(name)
            .on("who", move |(): ()| name)
            .start()
            .unwrap()
    });
    for name in ["c", "a", "a", "b", "c"] {
        let request = world.client().request::<String>("topic.who", &());
        assert_eq!(request.to(name).wait().unwrap(), name);
    }
    drop(servers);
}

/// C-AD-3, C-OC-4. Without a deadline, so that nothing but an answer can end it.
pub fn a_server_that_is_not_there_is_told_at_once(world: &World) {
    let _server = world
        .listen("topic")
        .name("alpha")
        .on("who", |(): ()| ())
        .start()
        .unwrap();
    let request = || world.client().request::<()>("topic.who", &()).no_timeout();
    let error = request().to("alpa").invoke().wait().unwrap_err();
    assert_eq!(error.fate(), Fate::NotExecuted);
    assert!(error.is_retryable());
    assert_eq!(nearest(&error), Some("alpha"));
    for name in ["`alpa`", "`alpha`"] {
        assert!(error.to_string().contains(name), "{error}");
    }
    // Of names that are all far from it, none is meant.
    let error = request().to("something-else").wait().unwrap_err();
    assert_eq!(nearest(&error), None, "{error}");
}

/// What the failure of a request that found no server tells of the name that was meant.
fn nearest(error: &CallError) -> Option<&str> {
    match error.kind() {
        CallErrorKind::NoServer { near, .. } => near.as_deref(),
        _ => panic!("{error}"),
    }
}

/// C-AD-3, C-OC-4
pub fn a_topic_that_nobody_serves_is_told_at_once(world: &World) {
    let request = || world.client().request::<()>("nobody.who", &()).no_timeout();
    let error = request().invoke().wait().unwrap_err();
    assert_eq!(error.fate(), Fate::NotExecuted);
    assert!(
        matches!(error.kind(), CallErrorKind::NoServer { .. }),
        "{error}"
    );
    let error = request().wait().unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::NoServer { .. }),
        "{error}"
    );

    let server = world
        .listen("nobody")
        .on("who", |(): ()| ())
        .start()
        .unwrap();
    request().wait().unwrap();

    let slip = world.client().request::<()>("nobdy.who", &()).no_timeout();
    let error = slip.wait().unwrap_err();
    assert_eq!(nearest(&error), Some("nobody"));
    for name in ["`nobdy`", "`nobody`"] {
        assert!(error.to_string().contains(name), "{error}");
    }

    drop(server);
    let error = request().wait().unwrap_err();
    assert!(error.fate().is_safe_to_repeat(), "{error}");
}

/// C-AD-5
pub fn an_exchange_never_sees_the_traffic_of_another(world: &World) {
    let got = Journal::new();
    let serve = |exchange: &'static str| {
        let got = got.clone();
        let bus = world.another_with(|builder| builder.exchange(exchange));
        bus.listen("topic")
            .name("one")
            .on("take", move |n: u32| got.note((exchange, n)))
            .start()
            .unwrap()
    };
    let (_red, _blue) = (serve("red"), serve("blue"));
    let client = |exchange: &str| world.another_with(|builder| builder.exchange(exchange));
    let (red, blue) = (client("red"), client("blue"));
    for n in 0..20_u32 {
        red.call::<()>("topic.take", &n).wait().unwrap();
        blue.call::<()>("topic.take", &(n + 100)).wait().unwrap();
        red.request::<()>("topic.take", &n)
            .to("one")
            .wait()
            .unwrap();
    }
    for (exchange, n) in got.take() {
        assert_eq!(exchange == "blue", n >= 100);
    }
    // The default exchange is one of its own.
    let error = world
        .client()
        .call::<()>("topic.take", &1_u32)
        .wait()
        .unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::NoServer { .. }),
        "{error}"
    );
}

/// C-AD-6
pub fn a_handler_calls_back_its_caller(world: &World) {
    let _caller = world
        .client()
        .listen("caller")
        .on("price", |piece: String| piece.len() as u64)
        .start()
        .unwrap();
    let bus = world.server().clone();
    let _server = world
        .listen("shop")
        .on_async("total", move |pieces: Vec<String>| {
            let bus = bus.clone();
            async move {
                let mut total = 0;
                for piece in pieces {
                    total += bus.call::<u64>("caller.price", &piece).await.unwrap();
                }
                total
            }
        })
        .start()
        .unwrap();
    let total = world
        .client()
        .invoke::<u64>("shop.total", &vec!["nut", "screw"]);
    assert_eq!(total.wait().unwrap(), 8);
}

/// C-AD-6, C-AD-7: both ends call each other at the same time; nobody waits for the other to be done.
pub fn two_buses_call_each_other_at_once(world: &World) {
    let gate = Gate::new();
    let serve = |topic: &str, bus: &tidings_core::Bus| {
        let gate = gate.clone();
        bus.listen(topic)
            .on_async("meet", move |(): ()| {
                let gate = gate.clone();
                async move { gate.pass().await }
            })
            .start()
            .unwrap()
    };
    let (here, there) = (world.server().clone(), world.client().clone());
    let _here = serve("here", &here);
    let _there = serve("there", &there);
    let calls = [
        there.invoke::<()>("here.meet", &()),
        here.invoke::<()>("there.meet", &()),
    ];
    // Both run before either ends.
    gate.wait_for(2);
    gate.open();
    for call in calls {
        call.wait().unwrap();
    }
}

/// C-AD-7
pub fn an_option_of_the_request_overrides_that_of_the_bus(world: &World) {
    let _server = world
        .listen("topic")
        .on("ask", |(): ()| ())
        .start()
        .unwrap();
    let hasty = world.another_with(|builder| builder.timeout(Duration::ZERO));
    let ask = || hasty.request::<()>("topic.ask", &());
    let error = ask().wait().unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. }),
        "{error}"
    );
    ask().timeout(Duration::from_secs(20)).wait().unwrap();
    // "None" is not "not set".
    ask().no_timeout().wait().unwrap();

    let patient = world.another_with(|builder| builder.no_timeout());
    patient.call::<()>("topic.ask", &()).wait().unwrap();
    let hasty = patient
        .request::<()>("topic.ask", &())
        .timeout(Duration::ZERO);
    let error = hasty.wait().unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. }),
        "{error}"
    );
}
