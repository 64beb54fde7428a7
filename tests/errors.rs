//! What fails, fails as `docs/errors.md` says: with a fate of its row, safe to send again or not as in its row, and tried
//! again by a policy where its row has a star. (That each variant has a row is tested in the core, where the variants are.)
#![cfg(all(feature = "macros", feature = "memory"))]

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use tidings::authorise::{Acl, Rule};
use tidings::{Bus, CallError, Fate, IdempotencyKey, Request, Retry, Server};

const PAGE: &str = include_str!("../docs/errors.md");

/// Those that this test cannot bring about by a request alone, and where they are shown:
/// `ConnectionLost`, `NotConnected`, `ServerLost`, which take another process: `tests/faults`, `transports/*/tests`, the
/// cases of reconnecting;
/// `ShuttingDown`, `Cancelled`: the cases of fates;
/// `NoReply`, `ReplyDropped`, `UnknownCodec`, `Other`, which take a peer that misbehaves or a newer one:
/// `core/src/error/travel.rs`;
/// `Promise`, `TooDeep`: the test below.
const ELSEWHERE: [&str; 11] = [
    "Cancelled",
    "ConnectionLost",
    "NoReply",
    "NotConnected",
    "Other",
    "Promise",
    "ReplyDropped",
    "ServerLost",
    "ShuttingDown",
    "TooDeep",
    "UnknownCodec",
];

/// A row of the page: the variant, its fates, what is said of sending again.
struct Row {
    variant: &'static str,
    fates: &'static str,
    again: &'static str,
}

fn rows() -> Vec<Row> {
    let (_, section) = PAGE.split_once("\n## `CallErrorKind`\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        Row {
            variant: cells[0].trim_matches('`'),
            fates: cells[2],
            again: cells[3],
        }
    })
    .collect()
}

fn variant(error: &CallError) -> String {
    let shown = format!("{:?}", error.kind());
    let end = shown.find(|c: char| !c.is_alphanumeric());
    shown[..end.unwrap_or(shown.len())].to_owned()
}

/// The row for `error`, which is as that says.
fn row_of<'a>(rows: &'a [Row], error: &CallError) -> &'a Row {
    let row = rows.iter().find(|row| row.variant == variant(error));
    let row = row.unwrap_or_else(|| panic!("no row for {error:?}"));
    let fate = format!("`{:?}`", error.fate());
    assert!(row.fates.contains(&fate), "{error}");
    let again = match row.again.trim_end_matches('*') {
        "yes" => true,
        "no" => false,
        "by fate" => matches!(error.fate(), Fate::NotSent | Fate::NotExecuted),
        other => panic!("{}: {other}", row.variant),
    };
    assert_eq!(error.is_retryable(), again, "{error}");
    row
}

#[test]
fn what_fails_does_so_as_the_page_says() {
    let scene = Scene::new();
    let rows = rows();
    let mut shown = BTreeSet::new();
    for (expected, request) in FAILURES {
        let error = request(&scene).wait().unwrap_err();
        let row = row_of(&rows, &error);
        assert_eq!(row.variant, *expected, "{error}");
        shown.insert(row.variant);

        // The same with a policy that would try again once.
        let moment = Duration::from_millis(1);
        let policy = Retry::new().attempts(2).backoff(moment, moment);
        let error = request(&scene).retry(policy).wait().unwrap_err();
        assert_eq!(variant(&error), *expected, "{error}");
        let starred = row.again.ends_with('*') && error.is_retryable();
        let attempts = if starred { 2 } else { 1 };
        assert_eq!(error.attempts(), attempts, "{expected}: {error}");
    }
    // A cast is told of a full queue by other means than a call.
    let full = scene.bus.cast("full.stay", &1_u32).unwrap_err();
    shown.insert(row_of(&rows, &full).variant);
    let left: BTreeSet<&str> = rows.iter().map(|row| row.variant).collect();
    let left: Vec<&str> = left.difference(&shown).copied().collect();
    assert_eq!(left, ELSEWHERE, "is shown by no request of this test");
}

type Failing = fn(&Scene) -> Request<String>;

const FAILURES: &[(&str, Failing)] = &[
    ("Name", |scene| scene.bus.request("no path", &1_u32)),
    ("Version", |scene| scene.fine().version("one")),
    ("VersionCap", |scene| {
        let capped = scene.bus.client("topic").version_cap("1.0");
        capped.request("fine", &1_u32).version("1.1")
    }),
    ("Encode", |scene| {
        scene.bus.request("topic.fine", &Unencodable)
    }),
    ("TooLarge", |scene| {
        let text = "x".repeat(LIMIT + 1);
        scene.bus.request("topic.text", &text)
    }),
    ("Unsupported", |scene| scene.fine().header("bus.mine", "x")),
    ("DeadlineExceeded", |scene| {
        scene.fine().timeout(Duration::ZERO)
    }),
    ("NoServer", |scene| scene.fine().to("nobody")),
    ("NoSuchMethod", |scene| {
        scene.bus.request("topic.fin", &1_u32)
    }),
    ("NoSuchNamespace", |scene| scene.fine().namespace("north")),
    ("UnsupportedVersion", |scene| scene.fine().version("2.0")),
    ("SchemaMismatch", |scene| {
        // The generated client of another build of the trait.
        other::WordClient::new(&scene.bus).length(7)
    }),
    ("BadRequest", |scene| {
        scene.bus.request("topic.fine", &"text")
    }),
    ("Busy", |scene| scene.bus.request("full.stay", &1_u32)),
    ("Forbidden", |scene| {
        scene.bus.request("topic.secret", &1_u32)
    }),
    ("Remote", |scene| scene.bus.request("topic.fail", &1_u32)),
    ("Panicked", |scene| scene.bus.request("topic.panic", &1_u32)),
    ("ReplyEncode", |scene| {
        scene.bus.request("topic.odd", &1_u32)
    }),
    ("ReplyTooLarge", |scene| {
        scene.bus.request("topic.large", &1_u32)
    }),
    ("BadReply", |scene| {
        scene.bus.request("topic.number", &1_u32)
    }),
    ("KeyConflict", |scene| {
        scene.fine().idempotent(scene.key).wait().unwrap();
        let other = scene.bus.request("topic.fine", &2_u32);
        other.idempotent(scene.key)
    }),
    ("Closed", |scene| scene.closed.request("topic.fine", &1_u32)),
];

/// What they are asked of.
struct Scene {
    bus: Bus,
    closed: Bus,
    key: IdempotencyKey,
    _servers: [Server; 3],
    /// What takes the room of the one that is full.
    _held: [tidings::Promise<String>; 2],
}

const LIMIT: usize = 4096;

impl Scene {
    fn new() -> Self {
        let address = format!("mem:errors?codec=strict&max_message={LIMIT}");
        let acl = Acl::new()
            .allow(Rule::requests())
            .deny(Rule::requests().method("secret").unwrap());
        let bus = Bus::builder().authorise(acl).open(&address).unwrap();
        let server = bus
            .listen("topic")
            .on("fine", |n: u32| n.to_string())
            .on("text", |text: String| text)
            .try_on("fail", |_: u32| {
                Err::<String, _>(String::from("of its own"))
            })
            .on("panic", |_: u32| -> String {
                std::panic::resume_unwind(Box::new("on purpose"))
            })
            .on("odd", |_: u32| Unencodable)
            .on("large", |_: u32| "x".repeat(LIMIT + 1))
            .on("number", |n: u32| n);
        let word = bus.serve(WordServer::new(Words)).unwrap();
        let (started, has_started) = mpsc::channel();
        let stay = move |_: u32| {
            started.send(()).unwrap();
            std::future::pending::<String>()
        };
        let full = bus.listen("full").serial().queue(1).on_async("stay", stay);
        let servers = [server.start().unwrap(), word, full.start().unwrap()];
        let running = bus.invoke("full.stay", &0_u32);
        has_started.recv().unwrap();
        let held = [running, bus.invoke("full.stay", &0_u32)];
        let closed = Bus::open(&address).unwrap();
        closed.close();
        Scene {
            bus,
            closed,
            key: IdempotencyKey::unique(),
            _servers: servers,
            _held: held,
        }
    }

    fn fine(&self) -> Request<String> {
        self.bus.request("topic.fine", &1_u32)
    }
}

#[tidings::service]
trait Word {
    fn length(&self, word: String) -> String;
}

struct Words;

impl Word for Words {
    fn length(&self, word: String) -> String {
        word.len().to_string()
    }
}

/// The same service as another build has it.
mod other {
    #[tidings::service]
    #[allow(dead_code)]
    pub(super) trait Word {
        fn length(&self, word: u64) -> String;
    }
}

/// A type that says no when it is to be encoded.
#[derive(Debug, Deserialize)]
struct Unencodable;

impl Serialize for Unencodable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("on purpose"))
    }
}

/// What is asked for by a handler, which gets the error.
#[test]
fn what_fails_in_a_handler_does_so_as_the_page_says() {
    let bus = Bus::open("mem:").unwrap();
    let (tell, told) = mpsc::channel();
    let (inner, tell_of_wait) = (bus.clone(), tell.clone());
    let wait = move |(): ()| {
        let waited = inner.call::<()>("topic.wait", &()).wait();
        tell_of_wait.send(("Promise", waited)).unwrap();
    };
    let inner = bus.clone();
    let deeper = move |(): ()| {
        let (deeper, tell) = (inner.call::<()>("topic.deeper", &()), tell.clone());
        async move {
            if let Err(error) = deeper.await {
                tell.send(("TooDeep", Err(error))).unwrap();
            }
        }
    };
    let server = bus.listen("topic").on("wait", wait);
    let _server = server.on_async("deeper", deeper).start().unwrap();
    bus.call::<()>("topic.wait", &()).wait().unwrap();
    bus.call::<()>("topic.deeper", &()).wait().unwrap();
    let rows = rows();
    let mut shown = Vec::new();
    for (expected, outcome) in told.try_iter() {
        let error = outcome.unwrap_err();
        assert_eq!(row_of(&rows, &error).variant, expected, "{error}");
        assert_eq!(error.fate(), Fate::NotSent);
        shown.push(expected);
    }
    assert_eq!(shown, ["Promise", "TooDeep"]);
}

/// What a `main` that returns an error prints is its text, with what to do.
#[test]
fn a_main_that_fails_prints_what_to_do() {
    let error = tidings::Error::from(Bus::open("carrier-pigeon:home").unwrap_err());
    assert_eq!(format!("{error:?}"), error.to_string());
    assert!(
        error.to_string().contains("this build has `mem:`"),
        "{error}"
    );
    assert!(format!("{error:#?}").contains("UnknownScheme"));
}
