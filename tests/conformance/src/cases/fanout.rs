//! One message for every server on a topic, and none for anybody else (C-AD-4, C-AD-5).

use std::time::Duration;

use tidings_core::{Bus, CallError, CallErrorKind, Context, Fate, Server};

use crate::World;
use crate::stage::{Gate, Journal, eventually};

/// What servers took, each entry with the server's name.
type Took = Journal<(&'static str, u32)>;

/// A server at `bus` that writes down what it takes.
fn taking(bus: &Bus, name: &'static str, took: &Took) -> Server {
    let took = took.clone();
    bus.listen("news")
        .name(name)
        .on("take", move |n: u32| took.note((name, n)))
        .start()
        .unwrap()
}

/// Sends `item` to everybody.
fn tell(bus: &Bus, item: impl serde::Serialize) -> Result<(), CallError> {
    let everybody = bus.request::<()>("news.take", &item).fanout();
    everybody.cast_when_room().wait()
}

/// C-AD-4: at one bus and at others.
pub fn a_fanout_cast_reaches_every_server_once(world: &World) {
    const EACH: u32 = 20;
    let took = Journal::new();
    let (third, fourth) = (world.another(), world.another());
    let _servers = [
        taking(world.server(), "a", &took),
        taking(world.server(), "b", &took),
        taking(world.client(), "c", &took),
        taking(&third, "d", &took),
        taking(&fourth, "e", &took),
    ];
    for n in 0..EACH {
        let everybody = world.client().request::<()>("news.take", &n).fanout();
        everybody.cast().unwrap();
    }
    took.wait_for(5 * EACH as usize);
    // What comes behind all of them, so that a copy too many would have been seen.
    for server in ["a", "b", "c", "d", "e"] {
        let request = world.client().request::<()>("news.take", &EACH);
        request.to(server).wait().unwrap();
    }
    let mut took = took.take();
    took.sort_unstable();
    let expected = ["a", "b", "c", "d", "e"].map(|name| (0..=EACH).map(move |n| (name, n)));
    assert_eq!(took, expected.into_iter().flatten().collect::<Vec<_>>());
}

/// C-AD-4: "at that moment".
pub fn a_server_that_comes_later_or_went_before_gets_no_copy(world: &World) {
    let took = Journal::new();
    let _stays = taking(world.server(), "stays", &took);
    let goes = taking(world.server(), "goes", &took);
    tell(world.client(), 1_u32).unwrap();
    took.wait_for(2);
    drop(goes);
    // The hub knows: a request by name finds nobody.
    eventually("it is known that it went", || {
        let request = world.client().request::<()>("news.take", &0_u32);
        let outcome = request.to("goes").wait();
        matches!(outcome, Err(error) if matches!(error.kind(), CallErrorKind::NoServer { .. }))
    });
    tell(world.client(), 2_u32).unwrap();
    took.wait_for(3);
    let _comes = taking(world.server(), "comes", &took);
    tell(world.client(), 3_u32).unwrap();
    took.wait_for(5);
    let mut took = took.take();
    took.sort_unstable();
    assert_eq!(
        took,
        [
            ("comes", 3),
            ("goes", 1),
            ("stays", 1),
            ("stays", 2),
            ("stays", 3)
        ]
    );
}

/// C-AD-5
pub fn a_fanout_stays_in_its_exchange(world: &World) {
    let took = Journal::new();
    let exchange = |bus: &Bus, name| bus.with_exchange(name);
    let _servers = [
        taking(&exchange(world.server(), "red"), "red", &took),
        taking(&exchange(world.server(), "blue"), "blue", &took),
        taking(world.server(), "plain", &took),
    ];
    for (name, n) in [("red", 1_u32), ("blue", 2), ("tidings", 3)] {
        tell(&exchange(world.client(), name), n).unwrap();
    }
    took.wait_for(3);
    let mut seen = took.take();
    seen.sort_unstable();
    assert_eq!(seen, [("blue", 2), ("plain", 3), ("red", 1)]);
    let gathered = exchange(world.client(), "red").request::<()>("news.take", &4_u32);
    let servers: Vec<_> = gathered
        .fanout()
        .gather()
        .wait()
        .unwrap()
        .into_iter()
        .collect();
    assert_eq!(servers.len(), 1);
    assert_eq!(took.take(), [("red", 4)]);
}

/// C-VB-6: what one server does to its copy is not seen by another, nor by the caller.
pub fn each_server_gets_a_value_of_its_own(world: &World) {
    let took = Journal::new();
    let serve = |name: &'static str| {
        let took = took.clone();
        world
            .listen("news")
            .name(name)
            .on("take", move |mut items: Vec<String>| {
                items.push(name.to_owned());
                took.note(items);
            })
            .start()
            .unwrap()
    };
    let _servers = [serve("a"), serve("b"), serve("c")];
    let items = vec!["x".to_owned(), String::new()];
    tell(world.client(), &items).unwrap();
    took.wait_for(3);
    let mut took = took.take();
    took.sort();
    let with = |name: &str| [items.clone(), vec![name.to_owned()]].concat();
    assert_eq!(took, [with("a"), with("b"), with("c")]);
}

/// C-VB-4, for fanouts among casts and calls to one server.
pub fn fanouts_of_one_handle_start_in_the_order_sent(world: &World) {
    const ROUNDS: u32 = 60;
    let (at_a, at_b) = (Journal::new(), Journal::new());
    let _servers = [
        taking(world.server(), "a", &at_a),
        taking(world.server(), "b", &at_b),
    ];
    let client = world.client();
    for n in 0..ROUNDS {
        tell(client, 3 * n).unwrap();
        let to_a = |n: u32| client.request::<()>("news.take", &n).to("a");
        to_a(3 * n + 1).cast_when_room().wait().unwrap();
        if n % 10 == 0 {
            to_a(3 * n + 2).wait().unwrap();
        }
    }
    let calls = ROUNDS.div_ceil(10);
    for (took, expected) in [(at_a, 2 * ROUNDS + calls), (at_b, ROUNDS)] {
        took.wait_for(expected as usize);
        let took = took.take();
        assert_eq!(took.len(), expected as usize);
        assert!(took.is_sorted(), "{took:?}");
    }
}

/// C-AD-4, C-OC: contradictions and names that are none are told before anything is sent.
pub fn a_fanout_that_cannot_be_sent_is_told_before(world: &World) {
    let took = Journal::new();
    let _server = taking(world.server(), "a", &took);
    let request = |path: &str| world.client().request::<()>(path, &1_u32);
    let unsupported = |error: CallError| {
        assert_eq!(error.fate(), Fate::NotSent, "{error}");
        assert!(
            matches!(error.kind(), CallErrorKind::Unsupported { .. }),
            "{error}"
        );
        assert!(error.to_string().contains(".to(server)"), "{error}");
    };
    let both = || request("news.take").to("a").fanout();
    unsupported(both().cast().unwrap_err());
    unsupported(both().cast_when_room().wait().unwrap_err());
    unsupported(both().gather().wait().unwrap_err());
    for path in ["news", "ne ws.take", "news."] {
        let error = request(path).fanout().cast().unwrap_err();
        assert!(matches!(error.kind(), CallErrorKind::Name(_)), "{error}");
        let error = request(path).fanout().gather().wait().unwrap_err();
        assert!(matches!(error.kind(), CallErrorKind::Name(_)), "{error}");
        assert_eq!(error.fate(), Fate::NotSent);
    }
    let late = request("news.take").timeout(Duration::ZERO).fanout();
    let error = late.cast().unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. }),
        "{error}"
    );
    // Values are encoded for a fanout, also where they are moved else.
    let unencodable = world
        .client()
        .request::<()>("news.take", &crate::stage::Unencodable);
    let error = unencodable.fanout().cast().unwrap_err();
    assert!(matches!(error.kind(), CallErrorKind::Encode(_)), "{error}");
    assert_eq!(error.fate(), Fate::NotSent);
    assert!(took.is_empty());
}

/// C-OC-4, for casts: told where this process knows who serves.
pub fn a_fanout_cast_to_nobody_runs_nowhere(world: &World) {
    let took = Journal::new();
    let server = taking(world.server(), "a", &took);
    let nobody = world.client().request::<()>("nws.take", &1_u32).fanout();
    match nobody.cast() {
        Err(error) => {
            let CallErrorKind::NoServer { near, .. } = error.kind() else {
                panic!("{error}");
            };
            assert_eq!(near.as_deref(), Some("news"));
            assert_eq!(error.fate(), Fate::NotExecuted);
        }
        // It left for where that is known, and a cast has no answer.
        Ok(()) => assert!(!world.shares_queues()),
    }
    // The connection lives, and nothing is left on it.
    tell(world.client(), 2_u32).unwrap();
    took.wait_for(1);
    assert_eq!(took.take(), [("a", 2)]);
    drop(server);
}

/// C-AD-4: a server that cannot take its copy takes nothing from the others.
pub fn servers_that_refuse_a_fanout_leave_it_to_the_others(world: &World) {
    let took = Journal::new();
    let _good = taking(world.server(), "good", &took);
    let _other = world
        .listen("news")
        .name("other")
        .on("read", |_: u32| ())
        .start()
        .unwrap();
    let note = took.clone();
    let _panics = world
        .listen("news")
        .name("panics")
        .on("take", move |n: u32| {
            note.note(("panics", n));
            assert!(n > 99, "as it should");
        })
        .start()
        .unwrap();
    for n in 0..3_u32 {
        tell(world.client(), n).unwrap();
    }
    took.wait_for(6);
    let nowhere = world.client().request::<()>("news.write", &1_u32).fanout();
    match nowhere.cast() {
        Err(error) => assert!(
            matches!(error.kind(), CallErrorKind::NoSuchMethod { .. }),
            "{error}"
        ),
        Ok(()) => assert!(!world.shares_queues()),
    }
}

/// A serial server whose queue is this long and whose handler waits at the gate.
fn stuck(bus: &Bus, queue: usize, gate: &Gate, took: &Took) -> Server {
    let (gate, took) = (gate.clone(), took.clone());
    bus.listen("news")
        .name("stuck")
        .serial()
        .queue(queue)
        .on_async("take", move |n: u32| {
            let (gate, took) = (gate.clone(), took.clone());
            async move {
                gate.pass().await;
                took.note(("stuck", n));
            }
        })
        .start()
        .unwrap()
}

/// C-OV-2, C-AD-4: it misses copies and counts them; the others get every one, in order, and soon.
pub fn a_server_that_stands_still_misses_copies_and_delays_nobody(world: &World) {
    // What a queue holds unless it is told otherwise: the others never have to be waited for.
    const ALL: u32 = 1000;
    const QUEUE: usize = 4;
    let (gate, took) = (Gate::new(), Journal::new());
    let stuck = stuck(world.server(), QUEUE, &gate, &took);
    let elsewhere = world.another();
    let quick = Journal::new();
    let _quick = [
        taking(world.server(), "a", &quick),
        taking(&elsewhere, "b", &quick),
    ];
    for n in 0..ALL {
        tell(world.client(), n).unwrap();
    }
    // The gate is closed all the time: nobody waited for it to open.
    quick.wait_for(2 * ALL as usize);
    let got = quick.take();
    for name in ["a", "b"] {
        let own = got.iter().filter(|(server, _)| *server == name);
        let own: Vec<_> = own.map(|(_, n)| *n).collect();
        assert_eq!(own, (0..ALL).collect::<Vec<_>>(), "{name}");
    }
    eventually("it misses copies", || stuck.missed() > 0);
    assert!(stuck.load() <= QUEUE + 1, "{} wait", stuck.load());
    gate.open();
    // Nothing is lost that is not counted.
    eventually("each copy was taken or missed", || {
        took.len() as u64 + stuck.missed() == u64::from(ALL)
    });
    let kept: Vec<_> = took.take().into_iter().map(|(_, n)| n).collect();
    assert!(kept.is_sorted(), "{kept:?}");
    // Half of its queue is free again: it is one of them like before.
    eventually("it is idle", || stuck.load() == 0);
    let before = stuck.missed();
    tell(world.client(), ALL).unwrap();
    took.wait_for(1);
    assert_eq!(stuck.missed(), before);
}

/// C-AD-4: a burst that a server works off in time costs it no copy.
pub fn a_server_that_is_a_moment_behind_is_waited_for(world: &World) {
    const BURST: u32 = 100;
    let took = Journal::new();
    let note = took.clone();
    let small = world
        .listen("news")
        .name("small")
        .serial()
        .queue(8)
        .on("take", move |n: u32| note.note(("small", n)))
        .start()
        .unwrap();
    let _other = taking(world.server(), "other", &took);
    // A machine that stands still for the 100 ms of a wait makes it miss some: hence several tries, each of which a
    // server that is not waited for would fail.
    let burst = || {
        let before = small.missed();
        for n in 0..BURST {
            tell(world.client(), n).unwrap();
        }
        eventually("each copy was taken or missed", || {
            took.len() as u64 + small.missed() - before == u64::from(2 * BURST)
        });
        took.take();
        small.missed() == before
    };
    assert!((0..30).any(|_| burst()), "it missed some of each burst");
}

/// C-VB-1, C-OV-1: where nobody has room, a fanout is a cast like any other.
pub fn a_fanout_that_nobody_has_room_for_is_told_so(world: &World) {
    if !world.shares_queues() {
        return world.skip("whether there is room is not known before the message has left");
    }
    let (gate, took) = (Gate::new(), Journal::new());
    let server = stuck(world.server(), 1, &gate, &took);
    let cast = |n: u32| {
        let everybody = world.client().request::<()>("news.take", &n).fanout();
        everybody.cast()
    };
    cast(0).unwrap();
    gate.wait_for(1);
    cast(1).unwrap();
    for _ in 0..2 {
        let error = cast(9).unwrap_err();
        assert!(
            matches!(error.kind(), CallErrorKind::QueueFull { .. }),
            "{error}"
        );
        assert!(error.is_retryable());
        assert!(error.to_string().contains("stuck"), "{error}");
    }
    assert_eq!(server.missed(), 0, "what was told is not missed");
    let brief = world.client().request::<()>("news.take", &9_u32);
    let brief = brief.timeout(Duration::from_millis(250)).fanout();
    let error = brief.cast_when_room().wait().unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. }),
        "{error}"
    );
    assert_eq!(error.fate(), Fate::NotSent);
    gate.open();
    tell(world.client(), 2_u32).unwrap();
    took.wait_for(3);
    assert_eq!(took.take(), [("stuck", 0), ("stuck", 1), ("stuck", 2)]);
}

/// C-DL-2: a copy has its cast's deadline.
pub fn a_copy_whose_deadline_passes_in_the_queue_is_not_started(world: &World) {
    let (gate, took) = (Gate::new(), Journal::new());
    let server = stuck(world.server(), 100, &gate, &took);
    let fanout = |n: u32, timeout| {
        let request = world.client().request::<()>("news.take", &n);
        request.timeout(timeout).fanout().cast().unwrap();
    };
    let (long, short) = (Duration::from_secs(20), Duration::from_millis(50));
    fanout(0, long);
    gate.wait_for(1);
    fanout(1, short);
    fanout(2, long);
    eventually("both wait", || server.load() == 3);
    std::thread::sleep(short);
    gate.open();
    took.wait_for(2);
    assert_eq!(took.take(), [("stuck", 0), ("stuck", 2)]);
}

/// C-AD-6: a handler knows its copy as a request like any other.
pub fn a_copy_carries_what_the_cast_said(world: &World) {
    let saw = Journal::new();
    let serve = |name: &'static str| {
        let saw = saw.clone();
        world
            .listen("news")
            .name(name)
            .on("take", move |(): ()| {
                let context = Context::current().unwrap();
                let tenant = context.header("tenant").map(str::to_owned);
                let in_time = context.remaining().is_some_and(|left| left.as_secs() <= 9);
                saw.note((name, context.method().to_owned(), tenant, in_time));
            })
            .start()
            .unwrap()
    };
    let _servers = [serve("a"), serve("b")];
    let request = world.client().request::<()>("news.take", &());
    let request = request
        .header("tenant", "t1")
        .timeout(Duration::from_secs(9));
    request.fanout().cast().unwrap();
    saw.wait_for(2);
    let mut saw = saw.take();
    saw.sort();
    let expected = |name| (name, "take".to_owned(), Some("t1".to_owned()), true);
    assert_eq!(saw, [expected("a"), expected("b")]);
}

/// C-OC-4, C-VB-4: they wait in line with the others, and go to all who are there then.
pub fn fanouts_may_wait_for_a_server_in_their_order(world: &World) {
    const WAIT: u32 = 20;
    let took = Journal::new();
    let client = world.client();
    for n in 0..WAIT {
        let request = client.request::<()>("news.take", &n).wait_for_server();
        if n % 2 == 0 {
            request.fanout().cast().unwrap();
        } else {
            request.cast().unwrap();
        }
    }
    // A call behind them on the same way, so that they wait where servers are known before one comes.
    client.call::<()>("nobody.take", &()).wait().unwrap_err();
    let _a = taking(world.server(), "a", &took);
    took.wait_for(WAIT as usize);
    let _b = taking(world.server(), "b", &took);
    let last = client.request::<()>("news.take", &WAIT).wait_for_server();
    last.fanout().cast().unwrap();
    took.wait_for(WAIT as usize + 2);
    let (of_a, of_b): (Vec<_>, Vec<_>) =
        took.take().into_iter().partition(|(name, _)| *name == "a");
    assert_eq!(of_a, (0..=WAIT).map(|n| ("a", n)).collect::<Vec<_>>());
    assert_eq!(of_b, [("b", WAIT)]);
}
