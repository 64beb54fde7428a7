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
    }
    pub(super) struct Nil;
    impl Newer for Nil {
        fn zero(&self) -> i64 {
            0
        }
    }
}

#[test]
fn a_client_asks_for_the_version_of_its_trait() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    {
        let _older = bus.serve(CalculatorServer::new(Exact))?;
        let error = newer::NewerClient::new(&bus).zero().wait().unwrap_err();
        assert_eq!(error.fate(), Fate::NotExecuted);
        assert!(matches!(
            error.kind(),
            CallErrorKind::UnsupportedVersion { .. }
        ));
    }
    let _newer = bus.serve(newer::NewerServer::new(newer::Nil))?;
    assert_eq!(CalculatorClient::new(&bus).zero().wait()?, 0);
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
    let endpoint = newer::NewerServer::new(newer::Nil).into_endpoint();
    assert_eq!(
        (endpoint.topic, endpoint.version),
        ("calculator", Version::new(1, 4, 2))
    );
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
    let newer = fingerprints(newer::NewerServer::new(newer::Nil).into_endpoint().methods);
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
