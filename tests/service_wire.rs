//! Where typed and untyped sides meet, and services that differ: what travels is the same for all of them.
#![cfg(all(feature = "macros", feature = "memory"))]

use std::fmt;

use serde::{Deserialize, Serialize};
use tidings::__core::server::Service;
use tidings::{Bus, CallErrorKind, Fate, MethodError, Promise, Version};

/// Moved, and encoded.
const BUSES: [&str; 2] = ["mem:", "mem:?codec=strict"];

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct DivError {
    dividend: i64,
}

impl fmt::Display for DivError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} divided by zero", self.dividend)
    }
}

/// A method with each number of arguments.
#[tidings::service]
trait Calculator {
    fn zero(&self) -> i64;
    fn negate(&self, a: i64) -> i64;
    async fn div(&self, a: i64, b: i64) -> Result<i64, DivError>;
    #[blocking]
    fn nothing(&self, a: (i64, i64), b: Option<Vec<u8>>, c: String);
}

struct Exact;

impl Calculator for Exact {
    fn zero(&self) -> i64 {
        0
    }

    fn negate(&self, a: i64) -> i64 {
        -a
    }

    async fn div(&self, a: i64, b: i64) -> Result<i64, DivError> {
        a.checked_div(b).ok_or(DivError { dividend: a })
    }

    fn nothing(&self, a: (i64, i64), b: Option<Vec<u8>>, c: String) {
        assert_eq!((a, b, c.as_str()), ((1, 2), Some(vec![3]), "four"));
    }
}

#[test]
fn an_untyped_caller_reaches_a_typed_server() -> tidings::Result<()> {
    for address in BUSES {
        let bus = Bus::open(address)?;
        let _server = bus.serve(CalculatorServer::new(Exact))?;
        assert_eq!(bus.call::<i64>("calculator.zero", &()).wait()?, 0);
        assert_eq!(bus.call::<i64>("calculator.negate", &5i64).wait()?, -5);
        let half: Promise<i64> = bus.invoke("calculator.div", &(4i64, 2i64));
        assert_eq!(half.wait()?, 2);
        let arguments = ((1i64, 2i64), Some([3u8].as_slice()), "four");
        bus.call::<()>("calculator.nothing", &arguments).wait()?;

        let told = bus.call::<i64>("calculator.div", &(4i64, 0i64)).wait();
        let told = told.unwrap_err();
        assert_eq!(told.fate(), Fate::Executed);
        assert!(matches!(told.kind(), CallErrorKind::Remote(remote) if remote.kind == "DivError"));
        let typed = bus.call::<i64>("calculator.div", &(4i64, 0i64));
        let typed = typed.with_error::<DivError>().wait().unwrap_err();
        assert_eq!(typed.application(), Some(&DivError { dividend: 4 }));
    }
    Ok(())
}

#[test]
fn a_typed_caller_reaches_an_untyped_server() -> tidings::Result<()> {
    for address in BUSES {
        let bus = Bus::open(address)?;
        let _server = bus
            .listen("calculator")
            .on("zero", |(): ()| 0i64)
            .on("negate", |a: i64| -a)
            .try_on("div", |(a, b): (i64, i64)| {
                a.checked_div(b).ok_or(DivError { dividend: a })
            })
            .on_blocking(
                "nothing",
                |(a, b, c): ((i64, i64), Option<Vec<u8>>, String)| {
                    assert_eq!((a, b, c.as_str()), ((1, 2), Some(vec![3]), "four"));
                },
            )
            .start()?;
        let client = CalculatorClient::new(&bus);
        assert_eq!(client.zero().wait()?, 0);
        assert_eq!(client.negate(5).wait()?, -5);
        assert_eq!(client.div(4, 2).wait()?, 2);
        client.nothing((1, 2), Some(vec![3]), "four").wait()?;
        let error = client.div(4, 0).wait().unwrap_err();
        assert_eq!(error.application(), Some(&DivError { dividend: 4 }));
    }
    Ok(())
}

/// What is easily taken for "nothing".
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Empty {
    none: Option<u8>,
    zero: f64,
    no: bool,
    text: String,
    list: Vec<u8>,
    unit: (),
}

/// Gives back what it is given.
#[tidings::service]
trait Echo {
    fn option(&self, value: Option<u8>) -> Option<u8>;
    async fn number(&self, value: u64) -> u64;
    #[blocking]
    fn flag(&self, value: bool) -> bool;
    fn text(&self, value: String) -> String;
    async fn list(&self, value: Vec<u8>) -> Vec<u8>;
    async fn unit(&self, value: ());
    #[blocking]
    fn all(&self, value: Empty) -> Empty;
    fn outcome(&self, value: Option<String>) -> Result<Option<String>, String>;
    /// Where a list is in memory.
    fn place(&self, value: Vec<u8>) -> u64;
}

struct Same;

impl Echo for Same {
    fn option(&self, value: Option<u8>) -> Option<u8> {
        value
    }
    async fn number(&self, value: u64) -> u64 {
        value
    }
    fn flag(&self, value: bool) -> bool {
        value
    }
    fn text(&self, value: String) -> String {
        value
    }
    async fn list(&self, value: Vec<u8>) -> Vec<u8> {
        value
    }
    async fn unit(&self, (): ()) {}
    fn all(&self, value: Empty) -> Empty {
        value
    }
    fn outcome(&self, value: Option<String>) -> Result<Option<String>, String> {
        match value.as_deref() {
            Some("error") => Err(String::new()),
            _ => Ok(value),
        }
    }
    fn place(&self, value: Vec<u8>) -> u64 {
        address_of(&value)
    }
}

fn address_of(list: &[u8]) -> u64 {
    list.as_ptr().addr() as u64
}

/// C-VB-6.
#[test]
fn empty_values_are_answers() -> tidings::Result<()> {
    for address in BUSES {
        let bus = Bus::open(address)?;
        let _server = bus.serve(EchoServer::new(Same))?;
        let echo = EchoClient::new(&bus);
        assert_eq!(echo.option(None).wait()?, None);
        assert_eq!(echo.option(Some(0)).wait()?, Some(0));
        assert_eq!(echo.number(0).wait()?, 0);
        assert_eq!(echo.number(u64::MAX).wait()?, u64::MAX);
        assert!(!echo.flag(false).wait()?);
        assert_eq!(echo.text("").wait()?, "");
        assert_eq!(echo.list(Vec::new()).wait()?, []);
        echo.unit(()).wait()?;
        assert_eq!(echo.all(Empty::default()).wait()?, Empty::default());
        assert_eq!(echo.outcome(None).wait()?, None);
        let empty_error = echo.outcome(Some("error".into())).wait().unwrap_err();
        assert_eq!(empty_error.application().map(String::as_str), Some(""));
    }
    Ok(())
}

#[test]
fn in_memory_an_argument_is_moved() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    let _server = bus.serve(EchoServer::new(Same))?;
    let list = vec![1, 2, 3];
    let place = address_of(&list);
    assert_eq!(EchoClient::new(&bus).place(list).wait()?, place);
    Ok(())
}

/// The next build of [`Calculator`], in which a type has changed.
mod next {
    /// A calculator of fewer numbers.
    #[tidings::service]
    pub(super) trait Calculator {
        fn zero(&self) -> i64;
        fn negate(&self, a: i32) -> i32;
        async fn div(&self, a: i64, b: i64) -> Result<i64, String>;
    }
}

/// C-VE-4, D6.
#[test]
fn a_method_whose_types_differ_is_refused_and_the_others_work() -> tidings::Result<()> {
    for address in BUSES {
        let bus = Bus::open(address)?;
        let _server = bus.serve(CalculatorServer::new(Exact))?;
        let client = next::CalculatorClient::new(&bus);
        assert_eq!(client.zero().wait()?, 0);
        let error = client.negate(5).wait().unwrap_err();
        assert_eq!(error.fate(), Fate::NotExecuted);
        assert!(
            matches!(error.kind(), CallErrorKind::SchemaMismatch { method, .. } if method == "negate")
        );
        // The error's type counts as well.
        let MethodError::Call(error) = client.div(4, 2).wait().unwrap_err() else {
            panic!("an application error of a method that was not run");
        };
        assert!(matches!(error.kind(), CallErrorKind::SchemaMismatch { .. }));
    }
    Ok(())
}

/// The service of another version.
mod newer {
    #[tidings::service(version = "1.4.2", topic = "calculator")]
    pub(super) trait Newer {
        fn zero(&self) -> i64;
        /// Came later.
        #[since = "1.4"]
        fn one(&self) -> i64;
    }
    pub(super) struct Units;
    impl Newer for Units {
        fn zero(&self) -> i64 {
            0
        }
        fn one(&self) -> i64 {
            1
        }
    }
}

/// C-VE-1: what a new client asks for that was always there, an old server gives it.
#[test]
fn a_request_asks_for_the_version_in_which_its_method_came() -> tidings::Result<()> {
    for address in BUSES {
        let bus = Bus::open(address)?;
        let client = newer::NewerClient::new(&bus);
        {
            let _older = bus.serve(CalculatorServer::new(Exact))?;
            assert_eq!(client.zero().wait()?, 0);
            let error = client.one().wait().unwrap_err();
            assert_eq!(error.fate(), Fate::NotExecuted);
            let told = matches!(
                error.kind(),
                CallErrorKind::UnsupportedVersion { requested, .. } if requested == "1.4"
            );
            assert!(told, "{error}");
        }
        let _newer = bus.serve(newer::NewerServer::new(newer::Units))?;
        assert_eq!(client.one().wait()?, 1);
        assert_eq!(CalculatorClient::new(&bus).zero().wait()?, 0);
        // The request may ask for more than the method does.
        client.zero().version("1.4.2").wait()?;
        let error = client.zero().version("1.5").wait().unwrap_err();
        assert!(matches!(
            error.kind(),
            CallErrorKind::UnsupportedVersion { .. }
        ));
    }
    Ok(())
}

/// C-VE-3.
#[test]
fn a_client_keeps_within_its_cap() -> tidings::Result<()> {
    for address in BUSES {
        let bus = Bus::open(address)?;
        let _newer = bus.serve(newer::NewerServer::new(newer::Units))?;
        let client = newer::NewerClient::new(&bus).version_cap("1.3");
        assert!(client.can_send_version("1.3") && !client.can_send_version("1.4"));
        assert_eq!(client.zero().wait()?, 0);
        let error = client.one().wait().unwrap_err();
        assert_eq!(error.fate(), Fate::NotSent);
        assert!(matches!(error.kind(), CallErrorKind::VersionCap { .. }));
        let raised = client.clone().version_cap(Version::new(1, 4, 0));
        assert_eq!(raised.one().wait()?, 1);
        assert!(!client.can_send_version("1.4"), "its parent is as it was");
    }
    Ok(())
}

/// Two major versions of a service, and another service, on one topic.
mod beside {
    #[tidings::service(version = "1.3", topic = "stock", alias = "old-stock")]
    pub(super) trait StockV1 {
        fn count(&self, item: String) -> u32;
    }
    #[tidings::service(version = "2.0", topic = "stock")]
    pub(super) trait StockV2 {
        fn count(&self, item: String, shelf: u32) -> u64;
    }
    #[tidings::service(topic = "stock", namespace = "admin", alias = "ops", alias = none)]
    pub(super) trait Admin {
        fn reload(&self) -> String;
    }

    pub(super) struct Shelves;
    impl StockV1 for Shelves {
        fn count(&self, item: String) -> u32 {
            item.len() as u32
        }
    }
    impl StockV2 for Shelves {
        fn count(&self, item: String, shelf: u32) -> u64 {
            item.len() as u64 + u64::from(shelf)
        }
    }
    impl Admin for Shelves {
        fn reload(&self) -> String {
            "reloaded".into()
        }
    }
}

/// C-VE-2.
#[test]
fn services_of_several_versions_and_namespaces_share_a_server() -> tidings::Result<()> {
    use beside::{AdminClient, AdminServer, Shelves, StockV1Client, StockV1Server};
    for address in BUSES {
        let bus = Bus::open(address)?;
        let _server = bus
            .server(StockV1Server::new(Shelves))
            .and(beside::StockV2Server::new(Shelves))
            .and(AdminServer::new(Shelves))
            .start()?;
        assert_eq!(StockV1Client::new(&bus).count("nut").wait()?, 3);
        assert_eq!(beside::StockV2Client::new(&bus).count("nut", 4).wait()?, 7);
        assert_eq!(AdminClient::new(&bus).reload().wait()?, "reloaded");
        let reload = |request: tidings::Request<String>| request.wait();
        let untyped = || bus.request::<String>("stock.reload", &());
        assert_eq!(reload(untyped().namespace("ops"))?, "reloaded");
        assert_eq!(reload(untyped())?, "reloaded", "by the alias of none");
        let v1 = bus.request::<u32>("stock.count", &"nut");
        assert_eq!(v1.namespace("old-stock").wait()?, 3);
    }
    Ok(())
}

#[test]
fn an_endpoint_has_the_topic_and_version_of_the_attribute() {
    /// A name of several words.
    #[tidings::service]
    trait FileIndexer {
        fn r#type(&self) -> u8;
    }
    struct One;
    impl FileIndexer for One {
        fn r#type(&self) -> u8 {
            1
        }
    }
    let endpoint = FileIndexerServer::new(One).into_endpoint();
    assert_eq!(
        (endpoint.topic, endpoint.version),
        ("file_indexer", Version::DEFAULT)
    );
    assert_eq!(endpoint.methods[0].name, "type");
    assert_eq!(endpoint.namespaces, [None]);
    let endpoint = newer::NewerServer::new(newer::Units).into_endpoint();
    assert_eq!(
        (endpoint.topic, endpoint.version),
        ("calculator", Version::new(1, 4, 2))
    );
    let endpoint = beside::AdminServer::new(beside::Shelves).into_endpoint();
    assert_eq!(endpoint.namespaces, [Some("admin"), Some("ops"), None]);
}

#[test]
fn a_fingerprint_is_that_of_the_types_alone() {
    let fingerprints = |methods: Vec<tidings::__core::server::MethodSpec>| -> Vec<_> {
        let known = methods
            .into_iter()
            .map(|method| method.fingerprint.unwrap()());
        known.collect()
    };
    let these = fingerprints(CalculatorServer::new(Exact).into_endpoint().methods);
    assert_eq!(
        these,
        fingerprints(CalculatorServer::new(Exact).into_endpoint().methods)
    );
    let newer = fingerprints(
        newer::NewerServer::new(newer::Units)
            .into_endpoint()
            .methods,
    );
    assert_eq!(these[0], newer[0], "the same types in another trait");
    let echo = fingerprints(EchoServer::new(Same).into_endpoint().methods);
    let mut all: Vec<_> = these.iter().chain(&echo).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(
        all.len(),
        these.len() + echo.len(),
        "no two methods have the same types"
    );
}
