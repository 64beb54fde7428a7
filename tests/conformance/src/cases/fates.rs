//! What is told of a handler, against the handler's own journal (C-OC).

use std::panic::resume_unwind;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidings_core::authorise::{Asked, Verdict};
use tidings_core::bus::ServiceClient;
use tidings_core::name::Method;
use tidings_core::server::{Endpoint, MethodSpec, Service, handler};
use tidings_core::{
    Bus, CallError, CallErrorKind, Context, Fate, IdempotencyKey, MethodError, Promise, Request,
    Server, Version,
};

use crate::World;
use crate::stage::{Gate, Journal, NotDivisible, Unencodable, eventually};

/// What the handlers wrote down: which request, and whether it was its start or its end.
type Log = Journal<(u32, Mark)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Started,
    Ended,
}

/// What is served beside the methods of the scene, in a namespace: one that knows the fingerprint of its types.
struct Typed(Log);

impl Service for Typed {
    fn into_endpoint(self) -> Endpoint {
        let run = handler::quick(move |id: u32| {
            self.0.note((id, Mark::Started));
            self.0.note((id, Mark::Ended));
        });
        let methods = vec![MethodSpec::new("fine", run).fingerprint(|| 1)];
        Endpoint::new("topic", Version::DEFAULT, methods).namespaces(vec![Some(TYPED)])
    }
}

const TYPED: &str = "typed";

/// One server with a method for each way to end, each of which notes what it runs.
struct Scene {
    bus: Bus,
    server: Server,
    log: Log,
    gate: Gate,
}

impl Scene {
    fn new(world: &World) -> Self {
        let (log, gate) = (Log::new(), Gate::new());
        let noting = |log: &Log| {
            let log = log.clone();
            move |id: u32| {
                log.note((id, Mark::Started));
                log.note((id, Mark::Ended));
            }
        };
        let (fine, denied, large, fails, falls, odd, shape) = (
            noting(&log),
            noting(&log),
            noting(&log),
            noting(&log),
            noting(&log),
            noting(&log),
            noting(&log),
        );
        let (stays, pass) = (log.clone(), gate.clone());
        let (blocks, wait) = (log.clone(), gate.clone());
        let server = world
            .listen("topic")
            .version(Version::new(1, 2, 0))
            .serial()
            .queue(2)
            .authorise(|asked: &Asked<'_>| match asked.method {
                Some("denied") => Verdict::Deny,
                _ => Verdict::Allow,
            })
            .on("fine", fine)
            .on("denied", denied)
            .on("large", move |(id, bytes): (u32, usize)| {
                large(id);
                "x".repeat(bytes)
            })
            .try_on("fail", move |id: u32| {
                fails(id);
                Err::<(), _>(NotDivisible {
                    dividend: id.into(),
                })
            })
            .on_async("fall", move |id: u32| {
                falls(id);
                async { resume_unwind(Box::new("on purpose")) as () }
            })
            .on("odd", move |id: u32| {
                odd(id);
                Unencodable
            })
            .on("shape", move |id: u32| {
                shape(id);
                (id, String::from("and a text"))
            })
            .on_async("stay", move |id: u32| {
                let (log, gate) = (stays.clone(), pass.clone());
                log.note((id, Mark::Started));
                async move {
                    gate.pass().await;
                    log.note((id, Mark::Ended));
                }
            })
            .on_blocking("block", move |id: u32| {
                blocks.note((id, Mark::Started));
                wait.pass_blocking();
                blocks.note((id, Mark::Ended));
            })
            .and(Typed(log.clone()))
            .start()
            .unwrap();
        Scene {
            bus: world.client().clone(),
            server,
            log,
            gate,
        }
    }

    fn ask<T>(&self, method: &str, id: u32) -> Request<T> {
        self.bus.request(&format!("topic.{method}"), &id)
    }

    /// The typed service's method, by a client that takes its types for those of `fingerprint`.
    fn ask_typed(&self, fingerprint: fn() -> u64, id: u32) -> Request<()> {
        let client = ServiceClient::new(&self.bus, "topic", Some(TYPED));
        client.request(Method::literal("fine"), Version::DEFAULT, fingerprint, id)
    }

    /// A call that runs until the gate opens, in the server's only slot.
    fn occupy(&self, id: u32) -> Promise<()> {
        let before = self.gate.arrived();
        let promise = self.ask("stay", id).invoke();
        self.gate.wait_for(before + 1);
        promise
    }

    /// What was given up before may still be on its way to the server.
    fn has_load(&self, load: usize) {
        let what = format!("it has {load} requests");
        eventually(&what, || self.server.load() == load);
    }

    /// Lets go what waits, and compares what was told of each request with what was noted.
    fn settle(self, told: &[(u32, Result<(), CallError>)]) {
        self.gate.open();
        eventually("nothing runs any more", || self.server.load() == 0);
        let log = self.log.take();
        for (id, outcome) in told {
            let count = |mark| log.iter().filter(|entry| **entry == (*id, mark)).count();
            let (started, ended) = (count(Mark::Started), count(Mark::Ended));
            let is_true = match outcome.as_ref().map_err(CallError::fate) {
                Ok(()) | Err(Fate::Executed) => (started, ended) == (1, 1),
                Err(Fate::NotSent | Fate::NotExecuted) => started == 0,
                Err(Fate::Unknown) => started <= 1,
            };
            assert!(is_true, "{id}: {outcome:?}, but {started} and {ended}");
        }
    }
}

/// Something that is done to a server, and what is expected to be told of it.
type Row = (
    &'static str,
    fn(&Scene, u32) -> CallError,
    fn(&CallErrorKind) -> bool,
    &'static [Fate],
);

fn failed(
    request: Request<impl for<'de> Deserialize<'de> + Send + 'static>,
    what: &str,
) -> CallError {
    match request.invoke().wait() {
        Ok(_) => panic!("{what}: it did not fail"),
        Err(error) => error,
    }
}

macro_rules! is {
    ($kind:pat) => {
        |kind: &CallErrorKind| matches!(kind, $kind)
    };
}

use CallErrorKind as K;

/// What fails with an idle server.
const IDLE: &[Row] = &[
    (
        "a path that names no method",
        |scene, id| failed(scene.bus.request::<()>("no path", &id), "path"),
        is!(K::Name(_)),
        &[Fate::NotSent],
    ),
    (
        "arguments that cannot be encoded",
        |scene, _| failed(scene.bus.request::<()>("topic.fine", &Unencodable), "args"),
        is!(K::Encode(_)),
        &[Fate::NotSent],
    ),
    (
        "arguments above the limit",
        |scene, _| {
            let text = "x".repeat(scene.bus.capabilities().max_message);
            failed(scene.bus.request::<()>("topic.fine", &text), "large")
        },
        is!(K::TooLarge { .. }),
        &[Fate::NotSent],
    ),
    (
        "a header of the bus's own",
        |scene, id| failed(scene.ask::<()>("fine", id).header("bus.x", "y"), "header"),
        is!(K::Unsupported { .. }),
        &[Fate::NotSent],
    ),
    (
        "a time of zero",
        |scene, id| failed(scene.ask::<()>("fine", id).timeout(Duration::ZERO), "zero"),
        is!(K::DeadlineExceeded { .. }),
        &[Fate::NotSent, Fate::NotExecuted],
    ),
    (
        "a topic that nobody serves",
        |scene, id| failed(scene.bus.request::<()>("nowhere.fine", &id), "topic"),
        is!(K::NoServer { .. }),
        &[Fate::NotExecuted],
    ),
    (
        "a server that is not there",
        |scene, id| failed(scene.ask::<()>("fine", id).to("nobody"), "server"),
        is!(K::NoServer { .. }),
        &[Fate::NotExecuted],
    ),
    (
        "a method that is not there",
        |scene, id| failed(scene.ask::<()>("fin", id), "method"),
        is!(K::NoSuchMethod { .. }),
        &[Fate::NotExecuted],
    ),
    (
        "a version that is not served",
        |scene, id| {
            let client = ServiceClient::new(&scene.bus, "topic", None);
            let since = Version::new(1, 3, 0);
            failed(
                client.request::<_, (), _>(Method::literal("fine"), since, || 0, id),
                "version",
            )
        },
        is!(K::UnsupportedVersion { .. }),
        &[Fate::NotExecuted],
    ),
    (
        "a major version that is not served",
        |scene, id| failed(scene.ask::<()>("fine", id).version("2.0"), "major"),
        is!(K::UnsupportedVersion { .. }),
        &[Fate::NotExecuted],
    ),
    (
        "a version above the cap",
        |scene, id| {
            let capped = scene.bus.client("topic").version_cap("1.1");
            let request = capped.request::<()>("fine", &id);
            failed(request.version("1.2"), "cap")
        },
        is!(K::VersionCap { .. }),
        &[Fate::NotSent],
    ),
    (
        "a namespace that is not there",
        |scene, id| failed(scene.ask::<()>("fine", id).namespace("type"), "namespace"),
        is!(K::NoSuchNamespace { .. }),
        &[Fate::NotExecuted],
    ),
    (
        "a method that is denied",
        |scene, id| failed(scene.ask::<()>("denied", id), "denied"),
        is!(K::Forbidden(_)),
        &[Fate::NotExecuted],
    ),
    (
        "types of another build",
        |scene, id| failed(scene.ask_typed(|| 99, id), "types"),
        is!(K::SchemaMismatch { .. }),
        &[Fate::NotExecuted],
    ),
    (
        "arguments of another type",
        |scene, _| failed(scene.bus.request::<()>("topic.fine", &"text"), "shape"),
        is!(K::BadRequest(_)),
        &[Fate::NotExecuted],
    ),
    (
        "an error of the method's own",
        |scene, id| failed(scene.ask::<()>("fail", id), "own"),
        is!(K::Remote(_)),
        &[Fate::Executed],
    ),
    (
        "a panic",
        |scene, id| failed(scene.ask::<()>("fall", id), "panic"),
        is!(K::Panicked),
        &[Fate::Executed],
    ),
    (
        "a reply of another type",
        |scene, id| failed(scene.ask::<bool>("shape", id), "reply"),
        is!(K::BadReply { .. }),
        &[Fate::Executed],
    ),
    (
        "a key that was used before",
        |scene, id| {
            let key = IdempotencyKey::unique();
            // Under another number, which is not looked at.
            let first = scene.ask::<()>("fine", id + 1_000_000);
            first.idempotent(key).invoke().wait().unwrap();
            failed(scene.ask::<()>("fine", id).idempotent(key), "conflict")
        },
        is!(K::KeyConflict { .. }),
        &[Fate::NotExecuted],
    ),
];

/// What fails only where replies are encoded.
const ENCODED: &[Row] = &[
    (
        "a result that cannot be encoded",
        |scene, id| failed(scene.ask::<Unencodable>("odd", id), "odd"),
        is!(K::ReplyEncode(_)),
        &[Fate::Executed],
    ),
    (
        "a result above the limit",
        |scene, id| {
            let bytes = scene.bus.capabilities().max_message;
            failed(
                scene.bus.request::<String>("topic.large", &(id, bytes)),
                "large",
            )
        },
        is!(K::ReplyTooLarge { .. }),
        &[Fate::Executed],
    ),
];

/// What fails while the server's only slot is taken.
const OCCUPIED: &[Row] = &[
    (
        "a deadline that passes in the queue",
        |scene, id| {
            let request = scene.ask::<()>("fine", id);
            failed(request.timeout(Duration::from_millis(30)), "queue")
        },
        is!(K::DeadlineExceeded { .. }),
        &[Fate::NotExecuted, Fate::Unknown],
    ),
    (
        "a cancellation in the queue",
        |scene, id| {
            scene.has_load(1);
            let mut promise = scene.ask::<()>("fine", id).invoke();
            scene.has_load(2);
            promise.cancel();
            promise.wait().unwrap_err()
        },
        is!(K::Cancelled),
        &[Fate::NotExecuted, Fate::Unknown],
    ),
    (
        "a queue that is full",
        |scene, id| {
            scene.has_load(1);
            let _queued = [0, 1].map(|_| scene.ask::<()>("fine", 2_000_000).invoke());
            scene.has_load(3);
            failed(scene.ask::<()>("fine", id), "busy")
        },
        is!(K::Busy { .. }),
        &[Fate::NotExecuted],
    ),
];

fn run_rows(scene: &Scene, rows: &[Row], told: &mut Vec<(u32, Result<(), CallError>)>) {
    for (what, fails, is_kind, fates) in rows {
        let id = told.len() as u32 + 1;
        let error = fails(scene, id);
        assert!(is_kind(error.kind()), "{what}: {error}");
        assert!(fates.contains(&error.fate()), "{what}: {error}");
        told.push((id, Err(error)));
    }
}

/// C-OC: row by row, what was told is true by the handler's own journal.
pub fn every_failure_tells_the_truth_about_its_handler(world: &World) {
    let scene = Scene::new(world);
    let mut told = Vec::new();
    run_rows(&scene, IDLE, &mut told);
    if !world.moves_values() {
        run_rows(&scene, ENCODED, &mut told);
    }
    // And what did not fail.
    let id = told.len() as u32 + 1;
    told.push((id, scene.ask::<()>("fine", id).invoke().wait()));
    told.push((id + 1, scene.ask_typed(|| 1, id + 1).invoke().wait()));
    scene.settle(&told);
}

/// C-OC, C-DL-3
pub fn what_fails_in_the_queue_tells_the_truth(world: &World) {
    let scene = Scene::new(world);
    let running = scene.occupy(0);
    let mut told = Vec::new();
    run_rows(&scene, OCCUPIED, &mut told);
    scene.gate.open();
    told.push((0, running.wait()));
    scene.settle(&told);
}

/// C-OC, C-DL-1, C-DL-3: given up while it runs, nobody knows how far it gets.
pub fn what_is_given_up_while_it_runs_tells_the_truth(world: &World) {
    let scene = Scene::new(world);
    let mut told = Vec::new();
    for (n, method) in ["stay", "block"].into_iter().enumerate() {
        let id = 10 * n as u32;
        let ask = |id| scene.ask::<()>(method, id);
        let late = ask(id).timeout(Duration::from_millis(40)).invoke().wait();
        let error = late.unwrap_err();
        let is_late = matches!(error.kind(), K::DeadlineExceeded { .. });
        assert!(is_late, "{error}");
        told.push((id, Err(error)));
    }
    scene.gate.open();
    eventually("the slot is free", || scene.server.load() == 0);
    scene.settle(&told);
}

/// C-OC, C-LC-1: a server that stops tells those who wait, and lets end what runs.
pub fn what_a_server_that_stops_tells_is_true(world: &World) {
    let scene = Scene::new(world);
    let running = scene.occupy(0);
    let queued = [1, 2].map(|id| (id, scene.ask::<()>("fine", id).invoke()));
    eventually("both are queued", || scene.server.load() == 3);
    scene.server.stop();
    let mut told: Vec<(u32, Result<(), CallError>)> = queued
        .into_iter()
        .map(|(id, promise)| (id, promise.wait()))
        .collect();
    for (_, outcome) in &told {
        let error = outcome.as_ref().unwrap_err();
        assert!(matches!(error.kind(), K::ShuttingDown), "{error}");
        assert_eq!(error.fate(), Fate::NotExecuted);
    }
    scene.gate.open();
    told.push((0, running.wait()));
    assert!(told[2].1.is_ok());
    scene.settle(&told);
}

/// C-OC, C-LC-3: a bus that is closed over what runs and what waits.
pub fn what_a_bus_that_closes_tells_is_true(world: &World) {
    let mut scene = Scene::new(world);
    scene.bus = world.another();
    let running = scene.occupy(0);
    let queued = scene.ask::<()>("fine", 1).invoke();
    eventually("it is queued", || scene.server.load() == 2);
    scene.bus.close();
    let told = [
        (0, running.wait()),
        (1, queued.wait()),
        (2, scene.ask::<()>("fine", 2).invoke().wait()),
    ];
    // The second may just have got the slot of the first, and an answer.
    for (id, outcome) in &told {
        let closed = |error: &CallError| matches!(error.kind(), K::Closed);
        let as_expected = outcome.as_ref().map_or_else(closed, |()| *id == 1);
        assert!(as_expected, "{id}: {outcome:?}");
    }
    assert_eq!(told[2].1.as_ref().unwrap_err().fate(), Fate::NotSent);
    scene.has_load(0);
    scene.settle(&told);
}

/// C-OC-3: the error of a method's own has its kind, its text, and itself.
pub fn an_error_without_its_type_has_kind_text_and_details(world: &World) {
    let scene = Scene::new(world);
    let error = failed(scene.ask::<()>("fail", 41), "own");
    let remote = error.remote().expect("the application's error");
    assert_eq!(remote.kind, "NotDivisible");
    assert_eq!(remote.message, "41 cannot be divided");
    let encoded = tidings_core::codec::encode(&NotDivisible { dividend: 41 }, 100).unwrap();
    assert_eq!(remote.details, encoded);
    scene.settle(&[(41, Err(error))]);
}

/// A service in the middle that passes on whatever its call ended with.
fn middle(world: &World, heard: &Journal<CallError>) -> Server {
    let (bus, note) = (world.server().clone(), heard.clone());
    world
        .listen("middle")
        .try_on_async("pass", move |(path, id): (String, u32)| {
            let nested = bus.request::<()>(&path, &id).invoke();
            let note = note.clone();
            async move { nested.await.inspect_err(|error| note.note(error.clone())) }
        })
        .start()
        .unwrap()
}

/// C-OC-3: over two hops, through a service that does not know its type.
pub fn an_error_passes_through_a_service_that_does_not_know_it(world: &World) {
    let fails = |id: u32| {
        Err::<(), _>(NotDivisible {
            dividend: id.into(),
        })
    };
    let last = world.client().listen("last").try_on("fail", fails);
    let _last = last.start().unwrap();
    let heard = Journal::new();
    let _middle = middle(world, &heard);
    let ask = || {
        world
            .client()
            .request::<()>("middle.pass", &("last.fail", 5_u32))
    };
    // For a caller that knows it, it is what it was.
    let typed = ask().with_error::<NotDivisible>().wait().unwrap_err();
    assert_eq!(typed.application(), Some(&NotDivisible { dividend: 5 }));
    // For one that does not, it has the kind that it had.
    let error = ask().wait().unwrap_err();
    assert_eq!(error.remote().unwrap().kind, "NotDivisible");
    assert_eq!(error.remote().unwrap().message, "5 cannot be divided");
    assert_eq!(
        (error.fate(), error.target()),
        (Fate::Executed, "middle.pass")
    );
    for error in heard.take() {
        assert_eq!(error.remote().unwrap().kind, "NotDivisible");
    }
}

/// C-OC: a failure of the bus arrives over two hops as it was in the middle: kind, fate, target. What
/// the middle's own handler did is another matter: that was executed.
pub fn a_failure_keeps_its_kind_and_fate_over_two_hops(world: &World) {
    let last = world
        .client()
        .listen("last")
        .on("fall", |_: u32| resume_unwind(Box::new("on purpose")) as ())
        .on("shape", |_: bool| ());
    let _last = last.start().unwrap();
    let heard = Journal::new();
    let _middle = middle(world, &heard);
    /// What is asked for, whether a failure is of its kind, and its fate.
    type Row = (&'static str, fn(&CallErrorKind) -> bool, Fate);
    let rows: [Row; 5] = [
        ("nowhere.fine", is!(K::NoServer { .. }), Fate::NotExecuted),
        ("last.fal", is!(K::NoSuchMethod { .. }), Fate::NotExecuted),
        ("last.shape", is!(K::BadRequest(_)), Fate::NotExecuted),
        ("last.fall", is!(K::Panicked), Fate::Executed),
        ("no path", is!(K::Name(_) | K::Other(_)), Fate::NotSent),
    ];
    for (path, is_kind, fate) in rows {
        let request = world.client().request::<()>("middle.pass", &(path, 7_u32));
        let error = request.with_error::<CallError>().wait().unwrap_err();
        assert_eq!(error.fate(), Fate::Executed, "the middle has run");
        let MethodError::Application(passed) = error else {
            panic!("{path}: {error}");
        };
        let first = heard.take().remove(0);
        // A name that is none is told by its text: its parts mean nothing in another process.
        assert!(is_kind(passed.kind()), "{path}: {passed:?}");
        assert_eq!(passed.kind().to_string(), first.kind().to_string());
        assert_eq!((passed.fate(), first.fate()), (fate, fate), "{path}");
        assert_eq!(passed.stage(), first.stage());
        assert_eq!(passed.target(), first.target());
        // Whoever does not ask for it as such sees an error of the middle's.
        let request = world.client().request::<()>("middle.pass", &(path, 7_u32));
        let error = request.wait().unwrap_err();
        assert_eq!(error.remote().unwrap().kind, "CallError");
        assert!(!error.is_retryable(), "the middle has run");
        heard.take();
    }
}

/// C-OC-3: errors that a service expects are no failures of it.
pub fn expected_errors_are_counted_apart_from_failures(world: &World) {
    #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
    enum Trouble {
        Small,
        Large,
        Weird,
    }
    impl std::fmt::Display for Trouble {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{self:?}")
        }
    }
    let server = world
        .listen("topic")
        .try_on("have", |trouble: Trouble| Err::<(), _>(trouble))
        .try_on_async(
            "wait",
            |trouble: Trouble| async move { Err::<(), _>(trouble) },
        )
        .try_on_blocking("block", |trouble: Trouble| Err::<(), _>(trouble))
        .try_on("other", |_: Trouble| Err::<(), _>(String::from("Small")))
        .expects(|trouble: &Trouble| match trouble {
            Trouble::Small => true,
            Trouble::Large => false,
            Trouble::Weird => resume_unwind(Box::new("on purpose")),
        })
        .start()
        .unwrap();
    let ask = |method: &str, trouble: Trouble| {
        let request = world
            .client()
            .request::<()>(&format!("topic.{method}"), &trouble);
        let error = request.with_error::<Trouble>().wait().unwrap_err();
        error.application().copied()
    };
    for method in ["have", "wait", "block"] {
        for trouble in [Trouble::Small, Trouble::Large, Trouble::Weird] {
            assert_eq!(
                ask(method, trouble),
                Some(trouble),
                "it arrives all the same"
            );
        }
    }
    assert_eq!(ask("other", Trouble::Small), None);
    eventually("all are counted", || {
        let stats = server.stats();
        (stats.expected, stats.failed) == (3, 7)
    });
}

/// What became of its requests is known to a server.
pub fn a_server_counts_what_became_of_its_requests(world: &World) {
    let scene = Scene::new(world);
    for id in 0..5 {
        scene.ask::<()>("fine", id).invoke().wait().unwrap();
    }
    failed(scene.ask::<()>("fail", 10), "own");
    failed(scene.ask::<()>("fall", 11), "panic");
    failed(scene.ask::<()>("fin", 12), "method");
    failed(scene.bus.request::<()>("topic.fine", &"text"), "shape");
    let dropped = scene.occupy(13);
    drop(dropped);
    eventually("its slot is free", || scene.server.load() == 0);
    let stats = scene.server.stats();
    assert_eq!((stats.completed, stats.failed, stats.panicked), (5, 1, 1));
    assert_eq!((stats.refused, stats.cancelled), (2, 1));
    assert_eq!((stats.expected, stats.repeated, stats.beating), (0, 0, 0));
    scene.settle(&[]);
}

/// C-DL-2, C-VB-5: what a handler asks for knows the key and the deadline that it serves.
pub fn a_handler_knows_the_key_that_it_serves(world: &World) {
    let keys = Journal::new();
    let note = keys.clone();
    let server = world.listen("topic").on("ask", move |_: u32| {
        let context = Context::current().unwrap();
        note.note((context.idempotency_key(), context.remaining().is_some()));
    });
    let _server = server.start().unwrap();
    let request = world.client().request::<()>("topic.ask", &1_u32);
    request.idempotent(17_u128).wait().unwrap();
    world
        .client()
        .call::<()>("topic.ask", &1_u32)
        .wait()
        .unwrap();
    let expected = [(Some(IdempotencyKey::from(17_u128)), true), (None, true)];
    assert_eq!(keys.take(), expected);
}
