//! What `#[service]` makes, at work: each kind of method, errors, panics, contexts.
#![cfg(all(feature = "macros", feature = "memory"))]

use std::fmt;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidings::__core::server::Service;
use tidings::{
    Bus, CallError, CallErrorKind, Completer, Context, Fate, MethodError, Promise, WaitExt,
};

/// Long enough for anything that is going to happen; a test that gets here has failed.
const FOREVER: Duration = Duration::from_secs(20);

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

/// Greets.
#[tidings::service(version = "1.0")]
trait Greeter {
    /// Greets by name.
    ///
    /// And more.
    async fn hello(&self, name: String) -> String;
    async fn div(&self, a: i64, b: i64) -> Result<i64, DivError>;
}

struct Polite;

impl Greeter for Polite {
    async fn hello(&self, name: String) -> String {
        format!("hello, {name}")
    }

    async fn div(&self, a: i64, b: i64) -> Result<i64, DivError> {
        a.checked_div(b).ok_or(DivError { dividend: a })
    }
}

#[test]
fn the_example_of_the_front_page_runs() -> tidings::Result<()> {
    for address in BUSES {
        let bus = Bus::open(address)?;
        let _server = bus.serve(GreeterServer::new(Polite))?;
        let greeter = GreeterClient::new(&bus);
        assert_eq!(greeter.hello("Ada").wait()?, "hello, Ada");
        let later = greeter.hello("Bob").invoke();
        greeter.hello("Eve").cast()?;
        assert_eq!(later.wait()?, "hello, Bob");
    }
    Ok(())
}

#[test]
fn a_request_can_be_awaited() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    let _server = bus.serve(GreeterServer::new(Polite))?;
    let greeter = GreeterClient::new(&bus);
    let both = async {
        let ada = greeter.hello("Ada").await?;
        let half = greeter.div(4, 2).call().await?;
        Ok::<_, tidings::Error>((ada, half))
    };
    assert_eq!(Box::pin(both).wait()?, ("hello, Ada".to_owned(), 2));
    Ok(())
}

#[test]
fn an_application_error_arrives_as_its_type() -> tidings::Result<()> {
    for address in BUSES {
        let bus = Bus::open(address)?;
        let _server = bus.serve(GreeterServer::new(Polite))?;
        let greeter = GreeterClient::new(&bus);
        let error = greeter.div(4, 0).wait().unwrap_err();
        assert_eq!(error.fate(), Fate::Executed);
        assert!(!error.is_retryable());
        assert_eq!(error.application(), Some(&DivError { dividend: 4 }));
        assert_eq!(greeter.div(4, 2).wait()?, 2);
    }
    Ok(())
}

#[test]
fn a_failure_of_the_bus_is_told_apart_from_one_of_the_application() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    let error = GreeterClient::new(&bus).div(4, 2).wait().unwrap_err();
    assert_eq!(error.fate(), Fate::NotExecuted);
    let MethodError::Call(error) = error else {
        panic!("{error}");
    };
    assert!(matches!(error.kind(), CallErrorKind::NoServer { .. }));
    Ok(())
}

#[test]
fn documentation_reaches_the_method() {
    let endpoint = GreeterServer::new(Polite).into_endpoint();
    let docs: Vec<_> = endpoint
        .methods
        .iter()
        .map(|method| (method.name, method.docs))
        .collect();
    assert_eq!(
        docs,
        [("hello", "Greets by name.\n\nAnd more."), ("div", "")]
    );
}

/// Methods of every kind that meet each other.
#[tidings::service]
trait Meeting {
    fn open(&self);
    async fn opened(&self) -> bool;
    #[blocking]
    fn meet(&self) -> bool;
    /// Has a body, which a server may leave as it is.
    async fn default_of(&self, value: u8, other: String) -> u8 {
        if value == 0 {
            return other.len() as u8;
        }
        value
    }
}

struct Hall {
    door: Mutex<Option<Completer<(), CallError>>>,
    opened: Mutex<Option<Promise<()>>>,
    both: Barrier,
}

impl Hall {
    fn new() -> Self {
        let (completer, promise) = Promise::channel();
        Hall {
            door: Mutex::new(Some(completer)),
            opened: Mutex::new(Some(promise)),
            both: Barrier::new(2),
        }
    }
}

impl Meeting for Hall {
    fn open(&self) {
        let door = self.door.lock().unwrap().take();
        assert!(door.is_some_and(|door| door.complete(()).is_ok()));
    }

    async fn opened(&self) -> bool {
        let promise = self.opened.lock().unwrap().take();
        promise.unwrap().await.is_ok()
    }

    fn meet(&self) -> bool {
        self.both.wait().is_leader()
    }
}

#[test]
fn an_async_method_waits_while_others_run() -> tidings::Result<()> {
    for address in BUSES {
        let bus = Bus::open(address)?;
        let _server = bus.serve(MeetingServer::new(Hall::new()))?;
        let client = MeetingClient::new(&bus);
        let opened = client.opened().timeout(FOREVER).invoke();
        client.open().wait()?;
        assert!(opened.wait()?);
    }
    Ok(())
}

#[test]
fn blocking_methods_block_beside_each_other() -> tidings::Result<()> {
    for address in BUSES {
        let bus = Bus::open(address)?;
        let _server = bus.serve(MeetingServer::new(Hall::new()))?;
        let client = MeetingClient::new(&bus);
        let (one, other) = (client.meet().invoke(), client.meet().invoke());
        assert!(one.wait()? ^ other.wait()?, "one of them is the leader");
    }
    Ok(())
}

#[test]
fn a_quick_method_runs_on_the_thread_of_a_caller_that_waits() -> tidings::Result<()> {
    #[tidings::service]
    trait Threads {
        fn here(&self) -> bool;
        #[blocking]
        fn elsewhere(&self) -> bool;
    }
    struct Of(std::thread::ThreadId);
    impl Threads for Of {
        fn here(&self) -> bool {
            std::thread::current().id() == self.0
        }
        fn elsewhere(&self) -> bool {
            std::thread::current().id() != self.0
        }
    }
    let bus = Bus::open("mem:")?;
    let _server = bus.serve(ThreadsServer::new(Of(std::thread::current().id())))?;
    let client = ThreadsClient::new(&bus);
    assert!(client.here().wait()?);
    assert!(client.elsewhere().wait()?);
    Ok(())
}

#[test]
fn a_default_body_is_what_a_server_does_unless_it_says_otherwise() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    let _server = bus.serve(MeetingServer::new(Hall::new()))?;
    let client = MeetingClient::new(&bus);
    assert_eq!(client.default_of(0, "four").wait()?, 4);
    assert_eq!(client.default_of(7, String::new()).wait()?, 7);
    Ok(())
}

/// A method of each kind that panics, and one that does not.
#[tidings::service]
trait Fragile {
    fn quick(&self, sound: bool) -> u8;
    async fn waits(&self, sound: bool) -> Result<u8, DivError>;
    #[blocking]
    fn blocks(&self, sound: bool) -> u8;
}

struct Glass;

impl Fragile for Glass {
    fn quick(&self, sound: bool) -> u8 {
        assert!(sound, "as the test wants");
        1
    }

    async fn waits(&self, sound: bool) -> Result<u8, DivError> {
        assert!(sound, "as the test wants");
        Ok(2)
    }

    fn blocks(&self, sound: bool) -> u8 {
        assert!(sound, "as the test wants");
        3
    }
}

/// C-OC-2, A1.
#[test]
fn a_method_that_panics_answers_and_keeps_the_servers_capacity() -> tidings::Result<()> {
    for address in BUSES {
        let bus = Bus::open(address)?;
        let _server = bus.server(FragileServer::new(Glass)).serial().start()?;
        let client = FragileClient::new(&bus);
        // More of them than may run or wait at the same time.
        for _ in 0..3 {
            let panicked = client.quick(false).wait().unwrap_err();
            assert!(matches!(panicked.kind(), CallErrorKind::Panicked));
            assert_eq!(panicked.fate(), Fate::Executed);
            let panicked = client.blocks(false).wait().unwrap_err();
            assert!(matches!(panicked.kind(), CallErrorKind::Panicked));
            let panicked = client.waits(false).wait().unwrap_err();
            assert!(
                matches!(&panicked, MethodError::Call(error) if matches!(error.kind(), CallErrorKind::Panicked))
            );
        }
        assert_eq!(client.quick(true).wait()?, 1);
        assert_eq!(client.waits(true).wait()?, 2);
        assert_eq!(client.blocks(true).wait()?, 3);
    }
    Ok(())
}

/// Methods that ask for the request that they serve.
#[tidings::service]
trait Asking {
    fn quick(&self, #[ctx] context: Context) -> Option<String>;
    async fn waits(&self, name: String, #[ctx] context: Context) -> Option<String>;
    #[blocking]
    fn blocks(&self, a: u8, #[ctx] context: Context, b: u8) -> (u8, String);
}

struct Curious;

impl Asking for Curious {
    fn quick(&self, context: Context) -> Option<String> {
        context.header("colour").map(str::to_owned)
    }

    async fn waits(&self, name: String, context: Context) -> Option<String> {
        context.header(&name).map(str::to_owned)
    }

    fn blocks(&self, a: u8, context: Context, b: u8) -> (u8, String) {
        (a - b, format!("{}.{}", context.topic(), context.method()))
    }
}

#[test]
fn a_context_is_filled_in_and_not_sent() -> tidings::Result<()> {
    for address in BUSES {
        let bus = Bus::open(address)?;
        let _server = bus.serve(AskingServer::new(Curious))?;
        let client = AskingClient::new(&bus);
        assert_eq!(client.quick().wait()?, None);
        let red = client.quick().header("colour", "red").wait()?;
        assert_eq!(red.as_deref(), Some("red"));
        let blue = client.waits("colour").header("colour", "blue").wait()?;
        assert_eq!(blue.as_deref(), Some("blue"));
        let path = "asking.blocks".to_owned();
        assert_eq!(client.blocks(5, 3).wait()?, (2, path.clone()));
        // The wire has the other two.
        let untyped: (u8, String) = bus.call("asking.blocks", &(5u8, 3u8)).wait()?;
        assert_eq!(untyped, (2, path));
    }
    Ok(())
}

#[test]
fn a_service_can_be_shared_with_the_code_that_serves_it() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    let hall = Arc::new(Hall::new());
    let server = bus.serve(MeetingServer::from(hall.clone()))?;
    MeetingClient::new(&bus).open().wait()?;
    assert!(hall.door.lock().unwrap().is_none());
    drop(server);
    drop(bus);
    // The server's task lets go of it as it ends, on a thread of its own.
    let late = std::time::Instant::now() + FOREVER;
    while Arc::strong_count(&hall) > 1 {
        assert!(
            late > std::time::Instant::now(),
            "something keeps the service"
        );
        std::thread::yield_now();
    }
    Ok(())
}

#[test]
fn a_client_is_cheap_to_pass_on() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    let _server = bus.serve(GreeterServer::new(Polite))?;
    let client = GreeterClient::new(&bus);
    assert!(format!("{client:?}").starts_with("GreeterClient"));
    assert!(format!("{:?}", GreeterServer::new(Polite)).starts_with("GreeterServer"));
    let other = client.clone();
    let text = std::thread::spawn(move || other.hello("Ada").wait());
    assert_eq!(text.join().unwrap()?, "hello, Ada");
    Ok(())
}
