//! A typed service: one trait gives the server, the client, and every verb.

use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};
use tidings::{Bus, Fate, MethodError};

/// Its topic is `greeter`.
#[tidings::service(version = "1.0")]
pub trait Greeter {
    /// Greets by name.
    async fn hello(&self, name: String) -> String;

    /// Divides. Its own error travels as what it is.
    fn div(&self, a: i64, b: i64) -> Result<i64, DivError>;

    /// Counts visitors.
    fn visit(&self) -> u32;
}

/// Why a division has no result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum DivError {
    /// There is nothing to divide by.
    #[error("{0} cannot be divided by zero")]
    ByZero(i64),
}

/// A server is a value with ordinary methods; sync and async may be mixed.
#[derive(Default)]
struct Polite {
    visitors: AtomicU32,
}

impl Greeter for Polite {
    async fn hello(&self, name: String) -> String {
        format!("hello, {name}")
    }

    fn div(&self, a: i64, b: i64) -> Result<i64, DivError> {
        a.checked_div(b).ok_or(DivError::ByZero(a))
    }

    fn visit(&self) -> u32 {
        self.visitors.fetch_add(1, Ordering::Relaxed) + 1
    }
}

fn main() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    let _server = bus.serve(GreeterServer::new(Polite::default()))?;
    let greeter = GreeterClient::new(&bus);

    // A client's method gives a request. Nothing is sent until a verb is named; `.wait()` and `.await` mean `call`.
    let text = greeter.hello("Ada").wait()?;
    println!("{text}");
    assert_eq!(text, "hello, Ada");

    let later = greeter.hello("Bob").invoke(); // on its way
    greeter.visit().cast()?; // no reply
    assert_eq!(later.wait()?, "hello, Bob");
    // Requests of one client start in the order in which they were sent, so the cast came first.
    assert_eq!(greeter.visit().wait()?, 2);

    // The application's own error is apart from the bus's.
    let error = greeter.div(1, 0).wait().unwrap_err();
    println!("{error}");
    assert_eq!(error.application(), Some(&DivError::ByZero(1)));
    assert_eq!(error.fate(), Fate::Executed);

    // Both sides of the bus may be untyped as well: the frames are the same.
    let quotient: i64 = bus.call("greeter.div", &(42_i64, 6_i64)).wait()?;
    assert_eq!(quotient, 7);

    // Options come before the verb. Here a bus error: there is no server of that name.
    let refused = greeter.div(42, 6).to("nobody").wait();
    assert!(matches!(refused, Err(MethodError::Call(error)) if error.fate() == Fate::NotExecuted));
    Ok(())
}
