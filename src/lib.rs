//! An embedded message bus: one API from a function call in a test to a broker in production.
//!
//! A program opens a [`Bus`] by address and does three things on it: `cast` (send, no reply),
//! `call` (send, wait for the reply) and `invoke` (send now, get a [`Promise`] for the reply at
//! once).

mod open;

pub use open::{Bus, BusBuilder};
#[doc(hidden)]
pub use tidings_core as __core;
/// Who may do what: policies, and lists of rules.
pub use tidings_core::authorise;
/// Whether a bus is connected, and what changes.
pub use tidings_core::connection;
/// Promises, and what can be done with several of them.
pub use tidings_core::promise;
/// What runs the tasks of a bus: tokio, smol, or the built-in pool.
pub use tidings_core::runtime;
/// The seam to transports, for those who write one.
pub use tidings_core::transport;
pub use tidings_core::{
    Address, Answers, ApplicationError, BusStats, Call, CallError, CallErrorKind, Caller,
    CastWhenRoom, Client, Completer, Context, DrainReport, Drops, Error, FanoutRequest, Fate,
    Gather, IdempotencyKey, IdempotencyWindow, MethodError, NameError, OpenError, Promise,
    PromiseError, PromiseSet, RemoteError, ReplyError, Request, Result, Retry, RetryBudget,
    RetryCall, Retrying, ServeError, Server, ServerBuilder, ServerName, ServerStats, Shared, Stage,
    Token, TokenError, Version, VersionError, WaitExt, WhenDisconnected, WhenFull,
};
/// ```
/// use serde::{Deserialize, Serialize};
/// use tidings::Bus;
///
/// #[tidings::service(version = "1.0")] // topic "greeter"
/// pub trait Greeter {
///     /// Greets by name.
///     async fn hello(&self, name: String) -> String;
///     /// Divides; the application's error travels typed.
///     fn div(&self, a: i64, b: i64) -> Result<i64, DivError>;
/// }
///
/// #[derive(Debug, Serialize, Deserialize)]
/// pub struct DivError;
/// # impl std::fmt::Display for DivError {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("divided by zero") }
/// # }
///
/// struct Polite;
/// impl Greeter for Polite {
///     async fn hello(&self, name: String) -> String {
///         format!("hello, {name}")
///     }
///     fn div(&self, a: i64, b: i64) -> Result<i64, DivError> {
///         a.checked_div(b).ok_or(DivError)
///     }
/// }
///
/// fn main() -> tidings::Result<()> {
///     let bus = Bus::open("mem:")?;
///     let _server = bus.serve(GreeterServer::new(Polite))?; // dropped: stops
///     let greeter = GreeterClient::new(&bus);
///     println!("{}", greeter.hello("Ada").wait()?); // call, blocking, no runtime needed
///     let later = greeter.hello("Bob").invoke(); // a Promise: already on its way
///     greeter.hello("Eve").cast()?; // no reply
///     println!("{}", later.wait()?); // or later.await
///     assert!(greeter.div(1, 0).wait().is_err_and(|error| error.application().is_some()));
///     Ok(())
/// }
/// ```
#[cfg(feature = "macros")]
pub use tidings_macros::service;
/// The TCP transport: its options, and certificates from memory.
#[cfg(feature = "tcp")]
pub use tidings_tcp as tcp;

/// The README's programs, compiled and run.
#[cfg(all(doctest, feature = "memory", feature = "macros"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// The programs of the page about security.
#[cfg(all(doctest, feature = "memory"))]
#[doc = include_str!("../docs/security.md")]
struct Security;

/// Those of the page on delivery, compiled.
#[cfg(doctest)]
#[doc = include_str!("../docs/delivery.md")]
struct Delivery;

/// The same of the page on moving from one process to several.
#[cfg(all(doctest, feature = "memory", feature = "macros"))]
#[doc = include_str!("../docs/from-one-to-many.md")]
struct FromOneToMany;
