//! Typed clients that address every server, and handles with defaults of their own, by the facade's types.
#![cfg(all(feature = "macros", feature = "memory"))]

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidings::{
    Answers, Bus, CallError, CallErrorKind, Context, Fate, MethodError, Server, WaitExt,
};

/// Moved, and encoded.
const BUSES: [&str; 2] = ["mem:", "mem:?codec=strict"];

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct OutOfStock(String);

impl fmt::Display for OutOfStock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {} in stock", self.0)
    }
}

/// What each depot of a company does.
#[tidings::service(version = "1.0")]
trait Depot {
    /// How many there are.
    fn count(&self, article: String) -> Result<u32, OutOfStock>;
    /// Whose request it is.
    async fn tenant(&self) -> Option<String>;
    /// The prices have changed.
    fn prices(&self, list: Vec<(String, u32)>);
}

struct Shelf {
    bolts: u32,
    changes: Arc<AtomicU32>,
}

impl Depot for Shelf {
    fn count(&self, article: String) -> Result<u32, OutOfStock> {
        match (article.as_str(), self.bolts) {
            ("bolts", 1..) => Ok(self.bolts),
            _ => Err(OutOfStock(article)),
        }
    }

    async fn tenant(&self) -> Option<String> {
        let context = Context::current()?;
        context.header("tenant").map(str::to_owned)
    }

    fn prices(&self, list: Vec<(String, u32)>) {
        self.changes.fetch_add(list.len() as u32, Ordering::SeqCst);
    }
}

fn depots(bus: &Bus, changes: &Arc<AtomicU32>) -> Vec<Server> {
    [("north", 5), ("south", 0), ("west", 7)]
        .map(|(name, bolts)| {
            let changes = changes.clone();
            let server = bus.server(DepotServer::new(Shelf { bolts, changes }));
            server.name(name).start().unwrap()
        })
        .into()
}

#[test]
fn a_typed_gather_brings_values_and_the_methods_own_errors() {
    for address in BUSES {
        let bus = Bus::open(address).unwrap();
        let _depots = depots(&bus, &Arc::default());
        let depot = DepotClient::new(&bus);
        let answers: Answers<u32, MethodError<OutOfStock>> =
            depot.count("bolts").fanout().gather().wait().unwrap();
        let mut found: Vec<_> = answers
            .into_iter()
            .map(|(server, result)| (server.to_string(), result))
            .collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        let [(north, five), (south, none), (west, seven)] = found.try_into().unwrap();
        assert_eq!([north, south, west], ["north", "south", "west"]);
        assert_eq!((five.unwrap(), seven.unwrap()), (5, 7));
        let expected = OutOfStock("bolts".into());
        assert_eq!(none.unwrap_err().application(), Some(&expected));
    }
}

#[test]
fn a_typed_fanout_reaches_every_server() {
    for address in BUSES {
        let bus = Bus::open(address).unwrap();
        let changes = Arc::new(AtomicU32::new(0));
        let _depots = depots(&bus, &changes);
        let depot = DepotClient::new(&bus);
        let list = vec![("bolts".to_owned(), 3), ("nuts".to_owned(), 2)];
        depot.prices(list.clone()).fanout().cast().unwrap();
        let sent = depot.prices(list).fanout().cast_when_room();
        sent.wait().unwrap();
        // Whoever answers has taken what was sent before (C-VB-4).
        let all = depot.tenant().fanout().gather().wait().unwrap();
        assert_eq!(all.into_iter().count(), 3);
        assert_eq!(changes.load(Ordering::SeqCst), 2 * 2 * 3);
    }
}

#[test]
fn a_typed_client_has_the_defaults_of_the_handle_that_it_is_made_from() {
    for address in BUSES {
        let bus = Bus::open(address).unwrap();
        let _depots = depots(&bus, &Arc::default());
        let acme: Bus = bus.with_header("tenant", "acme");
        let (plain, ours) = (DepotClient::new(&bus), DepotClient::new(&acme));
        let hasty = DepotClient::new(&acme.with_timeout(Duration::ZERO));
        let patient = DepotClient::new(&acme.with_timeout(Duration::ZERO).with_no_timeout());
        let elsewhere = DepotClient::new(&acme.with_exchange("elsewhere"));
        let bare = DepotClient::new(&acme.with_no_header("tenant"));
        assert_eq!(plain.tenant().wait().unwrap(), None);
        assert_eq!(ours.tenant().wait().unwrap().as_deref(), Some("acme"));
        assert_eq!(patient.tenant().wait().unwrap().as_deref(), Some("acme"));
        assert_eq!(bare.tenant().wait().unwrap(), None);
        let error: CallError = hasty.tenant().wait().unwrap_err();
        assert!(
            matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. }),
            "{error}"
        );
        let in_time = hasty.tenant().timeout(Duration::from_secs(20));
        assert_eq!(in_time.wait().unwrap().as_deref(), Some("acme"));
        let error = elsewhere.tenant().wait().unwrap_err();
        assert!(
            matches!(error.kind(), CallErrorKind::NoServer { exchange, .. } if exchange == "elsewhere"),
            "{error}"
        );
        // Gathering has the handle's headers as well.
        for (_, tenant) in ours.tenant().fanout().gather().wait().unwrap() {
            assert_eq!(tenant.unwrap().as_deref(), Some("acme"));
        }
    }
}

#[test]
fn services_in_two_exchanges_know_nothing_of_each_other() {
    let bus = Bus::open("mem:").unwrap();
    let red = bus.with_exchange("red");
    let changes = Arc::new(AtomicU32::new(0));
    let _red = depots(&red, &changes);
    let nobody = DepotClient::new(&bus).prices(Vec::new()).fanout().cast();
    let error = nobody.unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::NoServer { .. }),
        "{error}"
    );
    assert_eq!(error.fate(), Fate::NotExecuted);
    let list = vec![("bolts".to_owned(), 1)];
    DepotClient::new(&red).prices(list).fanout().cast().unwrap();
    let count = DepotClient::new(&red).count("bolts").to("west");
    assert_eq!(count.wait().unwrap(), 7);
    assert_eq!(
        red.servers("depot").wait().unwrap(),
        ["north", "south", "west"]
    );
    assert!(bus.servers("depot").wait().is_err());
}

#[test]
fn answers_can_be_taken_in_a_task_and_on_a_thread() {
    let bus = Bus::open("mem:").unwrap();
    let _depots = depots(&bus, &Arc::default());
    let depot = DepotClient::new(&bus);
    let seen = Mutex::new(Vec::new());
    let gather = async {
        let mut answers = depot.count("bolts").fanout().gather().await?;
        assert_eq!(answers.remaining(), 3);
        while let Some((server, _)) = answers.next().await {
            seen.lock().unwrap().push(server.to_string());
        }
        Ok::<_, CallError>(())
    };
    Box::pin(gather).wait().unwrap();
    let answers = depot.count("bolts").fanout().gather().wait().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let names = answers.into_iter().map(|(server, _)| server.to_string());
            seen.lock().unwrap().extend(names);
        });
    });
    let mut seen = seen.into_inner().unwrap();
    seen.sort();
    assert_eq!(seen, ["north", "north", "south", "south", "west", "west"]);
}
