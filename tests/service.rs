//! What `#[service]` makes, at work.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidings::{Bus, CallErrorKind, Fate, MethodError, Promise};

/// Why a division failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DivError {
    dividend: i64,
}

impl fmt::Display for DivError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} divided by zero", self.dividend)
    }
}

#[tidings::service(version = "1.0")]
/// Greets.
pub trait Greeter {
    /// Greets by name.
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
    let bus = Bus::open("mem:")?;
    let _server = bus.serve(GreeterServer::new(Polite))?;
    let greeter = GreeterClient::new(&bus);
    assert_eq!(greeter.hello("Ada").wait()?, "hello, Ada");
    let later = greeter.hello("Bob").invoke();
    greeter.hello("Eve").cast()?;
    assert_eq!(later.wait()?, "hello, Bob");
    Ok(())
}

#[test]
fn an_application_error_arrives_as_its_type() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    let _server = bus.serve(GreeterServer::new(Polite))?;
    let greeter = GreeterClient::new(&bus);
    assert_eq!(greeter.div(4, 2).wait()?, 2);
    let error = greeter.div(4, 0).wait().unwrap_err();
    assert_eq!(error.fate(), Fate::Executed);
    assert!(matches!(
        error,
        MethodError::Application(DivError { dividend: 4 })
    ));
    Ok(())
}

#[test]
fn an_untyped_caller_reaches_a_typed_server() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    let _server = bus.serve(GreeterServer::new(Polite))?;
    let text: String = bus.call("greeter.hello", &"Ada").wait()?;
    assert_eq!(text, "hello, Ada");
    let half: Promise<i64> = bus.invoke("greeter.div", &(4i64, 2i64));
    assert_eq!(half.wait()?, 2);
    let error = bus
        .call::<i64>("greeter.div", &(4i64, 0i64))
        .wait()
        .unwrap_err();
    assert!(matches!(error.kind(), CallErrorKind::Remote(remote) if remote.kind == "DivError"));
    Ok(())
}
