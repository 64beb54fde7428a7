//! A call to every server on a topic, and who is on one (C-AD-4).

use std::time::Duration;

use serde::Serialize;
use tidings_core::{
    Answers, Bus, Bytes, CallError, CallErrorKind, Context, Fate, MethodError, Server, ServerName,
};

use crate::World;
use crate::stage::{Gate, Journal, NotDivisible, NoteOnDrop, eventually};

/// Long enough to begin, short enough to wait for.
const SHORT: Duration = Duration::from_millis(300);

/// A server on topic `poll` at `bus` whose method `ask` waits at `gate` and answers with the server's name.
fn asked(bus: &Bus, name: &'static str, gate: &Gate) -> Server {
    let gate = gate.clone();
    bus.listen("poll")
        .name(name)
        .on_async("ask", move |(): ()| {
            let gate = gate.clone();
            async move {
                gate.pass().await;
                name
            }
        })
        .start()
        .unwrap()
}

fn open() -> Gate {
    let gate = Gate::new();
    gate.open();
    gate
}

fn ask(bus: &Bus) -> Answers<String> {
    let everybody = bus.request::<String>("poll.ask", &()).fanout();
    everybody.gather().wait().unwrap()
}

type Answer<T = String, E = CallError> = (ServerName, Result<T, E>);

fn sorted<T, E>(answers: impl IntoIterator<Item = Answer<T, E>>) -> Vec<Answer<T, E>> {
    let mut answers: Vec<_> = answers.into_iter().collect();
    answers.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
    answers
}

/// C-AD-4: at one bus and at others.
pub fn a_gather_brings_every_servers_answer_once(world: &World) {
    let (third, gate) = (world.another(), open());
    let _servers = [
        asked(world.server(), "a", &gate),
        asked(world.server(), "b", &gate),
        asked(world.client(), "c", &gate),
        asked(&third, "d", &gate),
    ];
    for _ in 0..5 {
        let answers = ask(world.client());
        assert_eq!(answers.remaining(), 4);
        for ((server, result), name) in sorted(answers).into_iter().zip(["a", "b", "c", "d"]) {
            assert_eq!((server.as_str(), result.unwrap().as_str()), (name, name));
        }
    }
}

/// C-AD-4: as they arrive, whoever was asked first.
pub fn answers_come_in_the_order_in_which_they_arrive(world: &World) {
    let gates = ["a", "b", "c"].map(|name| (name, Gate::new()));
    let _servers = gates
        .each_ref()
        .map(|(name, gate)| asked(world.server(), name, gate));
    let mut answers = ask(world.client()).into_iter();
    for at in [2, 0, 1] {
        let (name, gate) = &gates[at];
        gate.wait_for(1);
        gate.open();
        let (server, result) = answers.next().unwrap();
        assert_eq!((server.as_str(), result.unwrap().as_str()), (*name, *name));
    }
    assert!(answers.next().is_none());
    assert!(answers.next().is_none());
}

/// C-AD-4, as for `invoke` (C-VB-2): nobody looks, and the calls run.
pub fn a_gather_is_on_its_way_when_it_returns(world: &World) {
    let gate = Gate::new();
    let _servers = ["a", "b", "c"].map(|name| asked(world.server(), name, &gate));
    let request = world.client().request::<String>("poll.ask", &());
    let gather = request.fanout().gather();
    gate.wait_for(3);
    gate.open();
    let answers = sorted(gather.wait().unwrap());
    assert!(answers.len() == 3 && answers.iter().all(|(_, result)| result.is_ok()));
}

/// C-AD-4: the same as a stream.
pub fn a_gather_is_a_stream_for_async_code(world: &World) {
    let gate = open();
    let _servers = ["a", "b", "c"].map(|name| asked(world.server(), name, &gate));
    let request = world.client().request::<String>("poll.ask", &());
    let came = world.run(async move {
        let mut answers = request.fanout().gather().await.unwrap();
        let mut came = Vec::new();
        while let Some((server, result)) = answers.next().await {
            came.push((server, result));
        }
        assert!(answers.next().await.is_none());
        came
    });
    let names = sorted(came).into_iter();
    let names = names.map(|(server, result)| (server.to_string(), result.unwrap()));
    let expected = ["a", "b", "c"].map(|name| (name.to_owned(), name.to_owned()));
    assert_eq!(names.collect::<Vec<_>>(), expected);
}

/// C-AD-4, C-OC: each one's own outcome, with its fate.
pub fn a_server_that_fails_is_an_answer_among_the_others(world: &World) {
    type Ask = Result<u32, NotDivisible>;
    let serve = |name: &'static str, answer: fn() -> Ask| {
        world
            .listen("poll")
            .name(name)
            .try_on("ask", move |(): ()| answer())
            .start()
            .unwrap()
    };
    let _servers = [
        serve("fails", || Err(NotDivisible { dividend: 7 })),
        serve("good", || Ok(5)),
        serve("panics", || panic!("as it should")),
    ];
    let _lacks = world
        .listen("poll")
        .name("lacks")
        .on("other", |(): ()| ())
        .start()
        .unwrap();
    let request = world.client().request::<u32>("poll.ask", &());
    let request = request.with_error::<NotDivisible>().fanout();
    let answers = sorted(request.gather().wait().unwrap());
    let [(_, fails), (_, good), (_, lacks), (_, panics)] = answers.try_into().unwrap();
    assert_eq!(
        fails.unwrap_err().application(),
        Some(&NotDivisible { dividend: 7 })
    );
    assert_eq!(good.unwrap(), 5);
    let bus_error = |error| match error {
        MethodError::Call(error) => error,
        MethodError::Application(error) => panic!("{error}"),
    };
    let lacks = bus_error(lacks.unwrap_err());
    assert_eq!(lacks.fate(), Fate::NotExecuted, "{lacks}");
    assert!(lacks.to_string().contains("poll.ask"), "{lacks}");
    let panics = bus_error(panics.unwrap_err());
    assert!(matches!(panics.kind(), CallErrorKind::Panicked), "{panics}");
    assert_eq!(panics.fate(), Fate::Executed);
}

/// C-AD-4, C-OC-4. Without a deadline, so that nothing but an answer can end it.
pub fn a_gather_of_nobody_is_told_at_once(world: &World) {
    let _server = asked(world.server(), "a", &open());
    let everybody = || {
        let request = world.client().request::<String>("pol.ask", &());
        request.no_timeout().fanout().gather()
    };
    let request = everybody();
    for error in [
        everybody().wait().unwrap_err(),
        world.run(async move { request.await.map(drop).unwrap_err() }),
    ] {
        let CallErrorKind::NoServer { topic, near, .. } = error.kind() else {
            panic!("{error}");
        };
        assert_eq!((topic.as_str(), near.as_deref()), ("pol", Some("poll")));
        assert_eq!(error.fate(), Fate::NotExecuted);
        assert_eq!(error.target(), "pol.ask");
    }
}

/// C-AD-4, C-DL-1: one deadline for all; who has not answered by then is told so.
pub fn the_deadline_ends_a_gather(world: &World) {
    let (gate, closed) = (open(), Gate::new());
    let _servers = [
        asked(world.server(), "a", &gate),
        asked(world.server(), "b", &closed),
        asked(world.server(), "c", &closed),
    ];
    let request = world.client().request::<String>("poll.ask", &());
    let gather = request.timeout(SHORT).fanout().gather();
    let answers = sorted(gather.wait().unwrap());
    assert_eq!(answers.len(), 3);
    for (server, result) in answers {
        if server.as_str() == "a" {
            assert_eq!(result.unwrap(), "a");
            continue;
        }
        let error = result.unwrap_err();
        assert!(
            matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. }),
            "{server}: {error}"
        );
        assert_ne!(error.fate(), Fate::Executed, "{error}");
    }
    let request = world.client().request::<String>("poll.ask", &());
    let late = request.timeout(Duration::ZERO).fanout().gather();
    let error = late.wait().unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. }),
        "{error}"
    );
    assert_eq!(error.fate(), Fate::NotSent);
}

/// A server whose method `ask` stays until it is dropped, and writes that down.
fn staying(bus: &Bus, name: &'static str, began: &Gate, ended: &Journal<&'static str>) -> Server {
    let (began, ended) = (began.clone(), ended.clone());
    bus.listen("poll")
        .name(name)
        .on_async("ask", move |(): ()| {
            let (began, ended) = (began.clone(), NoteOnDrop::new(&ended, name));
            async move {
                let _ended = ended;
                began.pass().await;
            }
        })
        .start()
        .unwrap()
}

/// C-DL-3: at every server.
pub fn a_gather_that_is_dropped_cancels_every_call(world: &World) {
    let (gate, ended) = (Gate::new(), Journal::new());
    let elsewhere = world.another();
    let _servers = [
        staying(world.server(), "a", &gate, &ended),
        staying(world.server(), "b", &gate, &ended),
        staying(&elsewhere, "c", &gate, &ended),
    ];
    let _quick = asked(world.server(), "quick", &open());
    let gather = || {
        let request = world.client().request::<String>("poll.ask", &());
        request.no_timeout().fanout().gather()
    };
    // Before anybody looked.
    let unseen = gather();
    gate.wait_for(3);
    drop(unseen);
    ended.wait_for(3);
    // With some of the answers taken.
    let mut answers = gather().wait().unwrap().into_iter();
    gate.wait_for(6);
    let (server, _) = answers.next().unwrap();
    assert_eq!(server.as_str(), "quick");
    drop(answers);
    ended.wait_for(6);
    eventually("nothing is in flight", || world.client().in_flight() == 0);
    let mut ended = ended.take();
    ended.sort_unstable();
    assert_eq!(ended, ["a", "a", "b", "b", "c", "c"]);
    // At once: the list may not even have come, and nobody is asked or everybody is told.
    for _ in 0..20 {
        drop(gather());
    }
    eventually("nothing is in flight", || world.client().in_flight() == 0);
}

/// C-DL-2, C-DL-3: what a handler gathers ends with the handler.
pub fn a_gather_in_a_handler_ends_with_it(world: &World) {
    let (gate, ended) = (Gate::new(), Journal::new());
    let _servers = [
        staying(world.client(), "a", &gate, &ended),
        staying(world.client(), "b", &gate, &ended),
    ];
    let bus = world.server().clone();
    let left = Journal::new();
    let note = left.clone();
    let _outer = world
        .listen("outer")
        .on_async("ask", move |(): ()| {
            let request = bus.request::<()>("poll.ask", &()).no_timeout();
            note.note(Context::current().unwrap().remaining());
            async move {
                let mut answers = request.fanout().gather().await.unwrap();
                while answers.next().await.is_some() {}
            }
        })
        .start()
        .unwrap();
    let outer = world.client().invoke::<()>("outer.ask", &());
    gate.wait_for(2);
    drop(outer);
    ended.wait_for(2);
    // By its deadline as well, though the inner request has none of its own.
    let request = world.client().request::<()>("outer.ask", &());
    let outer = request.timeout(SHORT).invoke();
    gate.wait_for(4);
    drop(outer.wait());
    ended.wait_for(4);
}

/// FAULTS-A13: told, and not hung.
pub fn a_blocking_gather_in_an_async_handler_is_told(world: &World) {
    let gate = Gate::new();
    let _servers = ["a", "b"].map(|name| asked(world.client(), name, &gate));
    let bus = world.server().clone();
    let _outer = world
        .listen("outer")
        .on_async("ask", move |(): ()| {
            let bus = bus.clone();
            async move {
                let gather = || bus.request::<String>("poll.ask", &()).fanout().gather();
                // The list may be there already; the answers cannot.
                let blocked = match gather().wait() {
                    Err(error) => vec![error.to_string()],
                    Ok(answers) => answers
                        .into_iter()
                        .map(|(_, result)| result.unwrap_err().to_string())
                        .collect(),
                };
                let answers = gather().await.unwrap();
                let each = answers.into_iter();
                let each = each
                    .map(|(server, result)| (server.to_string(), result.unwrap_err().to_string()));
                (blocked, each.collect::<Vec<_>>())
            }
        })
        .start()
        .unwrap();
    type Told = (Vec<String>, Vec<(String, String)>);
    let told = world.client().call::<Told>("outer.ask", &()).wait();
    let (blocked, each) = told.unwrap();
    assert!(!blocked.is_empty());
    assert!(
        blocked.iter().all(|text| text.contains(".await")),
        "{blocked:?}"
    );
    assert_eq!(each.len(), 2);
    for (_, text) in each {
        assert!(text.contains(".await"), "{text}");
    }
    gate.open();
}

/// C-AD-4, C-LC: who goes in mid-call is told with what is known of it; the others answer.
pub fn a_server_that_goes_in_mid_call_is_told_by_its_name(world: &World) {
    let (closed, gate) = (Gate::new(), Gate::new());
    let client = world.client(); // First, so that who goes is not the hub.
    let goes = world.passing(|builder| builder);
    let server = asked(&goes, "goes", &closed);
    let _stays = asked(world.server(), "stays", &gate);
    let mut answers = ask(client).into_iter();
    closed.wait_for(1);
    gate.wait_for(1);
    goes.close();
    let first = if world.shares_queues() {
        // Its handler runs on in this process, and its answer is as good as any.
        closed.open();
        answers.next().unwrap()
    } else {
        let (name, result) = answers.next().unwrap();
        let error = result.unwrap_err();
        assert_eq!(error.fate(), Fate::Unknown, "{error}");
        (name, Err(error))
    };
    assert_eq!(first.0.as_str(), "goes");
    gate.open();
    let (name, result) = answers.next().unwrap();
    assert_eq!(
        (name.as_str(), result.unwrap().as_str()),
        ("stays", "stays")
    );
    assert!(answers.next().is_none());
    closed.open();
    drop(server);
}

/// C-AD-4, C-OV-1: more servers than are asked at a time.
pub fn a_gather_asks_hundreds_of_servers(world: &World) {
    const SERVERS: usize = 600;
    let names: Vec<_> = (0..SERVERS).map(|n| format!("server-{n}")).collect();
    let servers: Vec<_> = names
        .iter()
        .map(|name| {
            let answer = name.clone();
            world
                .listen("poll")
                .name(name)
                .on("ask", move |(): ()| answer.clone())
                .start()
                .unwrap()
        })
        .collect();
    let mut came: Vec<_> = ask(world.client())
        .into_iter()
        .map(|(server, result)| {
            assert_eq!(result.unwrap(), server.as_str());
            server.to_string()
        })
        .collect();
    came.sort_unstable();
    let mut names = names;
    names.sort_unstable();
    assert_eq!(came, names);
    drop(servers);
}

/// C-AD-4: large arguments and answers are those of any call.
pub fn a_gather_carries_large_values(world: &World) {
    let _servers = ["a", "b", "c"].map(|name| {
        world
            .listen("poll")
            .name(name)
            .on("ask", |bytes: Vec<u8>| bytes)
            .start()
            .unwrap()
    });
    let large = vec![7_u8; 300_000];
    let request = world.client().request::<Vec<u8>>("poll.ask", &large);
    let answers = sorted(request.fanout().gather().wait().unwrap());
    assert_eq!(answers.len(), 3);
    for (_, result) in answers {
        assert_eq!(result.unwrap(), large);
    }
    let large = Bytes::from(large);
    let request = world.client().request::<Bytes>("poll.ask", &large);
    for (_, result) in request.fanout().gather().wait().unwrap() {
        assert_eq!(result.unwrap(), large);
    }
    #[derive(Serialize)]
    struct TooLarge(Vec<u8>);
    let limit = world.client().capabilities().max_message;
    let request = world
        .client()
        .request::<Vec<u8>>("poll.ask", &TooLarge(vec![0; limit]));
    let error = request.fanout().gather().wait().unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::TooLarge { .. }),
        "{error}"
    );
    assert_eq!(error.fate(), Fate::NotSent);
}

/// C-OC-4
pub fn a_gather_may_wait_for_a_server(world: &World) {
    let request = || world.client().request::<String>("poll.ask", &());
    let gather = request().wait_for_server().fanout().gather();
    let names = world.client().servers("poll").wait_for_server().invoke();
    eventually("both are on their way", || world.client().in_flight() == 2);
    let _server = asked(world.server(), "a", &open());
    let answers = sorted(gather.wait().unwrap());
    let [(server, result)] = answers.try_into().unwrap();
    assert_eq!((server.as_str(), result.unwrap().as_str()), ("a", "a"));
    assert_eq!(names.wait().unwrap(), ["a"]);

    let brief = world.client().request::<String>("nobody.ask", &());
    let brief = brief.timeout(SHORT).wait_for_server().fanout().gather();
    let error = brief.wait().unwrap_err();
    let is_end = matches!(
        error.kind(),
        CallErrorKind::NoServer { .. } | CallErrorKind::DeadlineExceeded { .. }
    );
    assert!(is_end, "{error}");
    assert!(error.fate().is_safe_to_repeat(), "{error}");
}

/// C-AD-1: what asks who serves is answered by the bus, whoever asks for it, and served by nobody.
pub fn the_buss_own_method_is_no_servers(world: &World) {
    let own = |method| world.listen("poll").on(method, |(): ()| ()).start();
    let Err(refused) = own("bus.servers") else {
        panic!("a server got the bus's own method");
    };
    assert!(refused.to_string().contains("bus.servers"), "{refused}");
    let _server = asked(world.server(), "a", &open());
    let client = world.client().client("poll").version("7.3");
    let names = client.call::<Vec<String>>("bus.servers", &()).wait();
    assert_eq!(names.unwrap(), ["a"]);
}

/// C-AD-4: who is on a topic can be asked by itself.
pub fn the_servers_of_a_topic_can_be_listed(world: &World) {
    let gate = open();
    let elsewhere = world.another();
    let first = asked(world.server(), "first", &gate);
    let _second = asked(&elsewhere, "second", &gate);
    let red = world.server().with_exchange("red");
    let _red = asked(&red, "red", &gate);
    let client = world.client();
    let names = |bus: &Bus| bus.servers("poll").wait().unwrap();
    assert_eq!(names(client), ["first", "second"]);
    assert_eq!(names(&client.with_exchange("red")), ["red"]);
    // A handle's headers and its order are nothing to it.
    assert_eq!(names(&client.with_header("tenant", "x")).len(), 2);
    drop(first);
    eventually("it is known that it went", || names(client) == ["second"]);
    let nobody = client.servers("pol").no_timeout().invoke();
    let error = nobody.wait().unwrap_err();
    let CallErrorKind::NoServer {
        exchange,
        topic,
        near,
        ..
    } = error.kind()
    else {
        panic!("{error}");
    };
    assert_eq!((exchange.as_str(), topic.as_str()), ("tidings", "pol"));
    assert_eq!(near.as_deref(), Some("poll"));
    let error = client.servers("po ll").wait().unwrap_err();
    assert!(matches!(error.kind(), CallErrorKind::Name(_)), "{error}");
    let error = client.servers("poll").timeout(Duration::ZERO).wait();
    assert_eq!(error.unwrap_err().fate(), Fate::NotSent);
}
