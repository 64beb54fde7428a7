//! An embedded message bus: one API from a function call in a test to a broker in production.
//!
//! A program opens a [`Bus`] by address and does three things on it: `cast` (send, no reply),
//! `call` (send, wait for the reply) and `invoke` (send now, get a [`Promise`] for the reply at
//! once). A `#[tidings::service]` is a trait; servers and clients without one are made by
//! `bus.listen(topic)` and `bus.call(path, arguments)`.
//!
//! ```
//! # #[cfg(feature = "memory")]
//! # fn main() -> tidings::Result<()> {
//! use tidings::Bus;
//!
//! let bus = Bus::open("mem:")?; // "unix:/run/app/bus": nothing else changes
//! let _server = bus.listen("math").on("square", |n: u64| n * n).start()?;
//! let nine = bus.invoke::<u64>("math.square", &3_u64); // on its way already
//! let four: u64 = bus.call("math.square", &2_u64).wait()?; // in async code: .await
//! assert_eq!((four, nine.wait()?), (4, 9));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "memory"))]
//! # fn main() {}
//! ```
//!
//! # Where to read on
//!
//! * What a failure says, and how to ask again without harm: [`CallError`], [`Fate`], [`Retry`],
//!   [`Request::idempotent`], [`Request::heartbeat`]; [delivery] and [errors].
//! * One message for all: [`Request::fanout`]. Old and new servers at a time: [`Client::version_cap`];
//!   [upgrading].
//! * More than can be taken, and leaving in good order: [`WhenFull`], [`Server::drain`], [overload].
//! * Several processes and hosts: [`connection`], [`WhenDisconnected`], [from one to many]. Who may do
//!   what: [`authorise`], [`Token`], [security].
//! * All that is promised, and what was shown where: [the contract], [conformance], [faults].
//! * For those who know [oslo.messaging]. For those who write a transport: [`transport`].
//!
//! [delivery]: https://github.com/tidings-rs/tidings/blob/main/docs/delivery.md
//! [errors]: https://github.com/tidings-rs/tidings/blob/main/docs/errors.md
//! [overload]: https://github.com/tidings-rs/tidings/blob/main/docs/overload.md
//! [upgrading]: https://github.com/tidings-rs/tidings/blob/main/docs/upgrading.md
//! [from one to many]: https://github.com/tidings-rs/tidings/blob/main/docs/from-one-to-many.md
//! [security]: https://github.com/tidings-rs/tidings/blob/main/docs/security.md
//! [the contract]: https://github.com/tidings-rs/tidings/blob/main/docs/contract.md
//! [conformance]: https://github.com/tidings-rs/tidings/blob/main/docs/conformance.md
//! [faults]: https://github.com/tidings-rs/tidings/blob/main/docs/faults.md
//! [oslo.messaging]: https://github.com/tidings-rs/tidings/blob/main/docs/from-oslo-messaging.md

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
    Address, Answers, ApplicationError, BusStats, Bytes, Call, CallError, CallErrorKind, Caller,
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

/// The same of the list of errors.
#[cfg(all(doctest, feature = "memory"))]
#[doc = include_str!("../docs/errors.md")]
struct Errors;

/// And of the page for those who know oslo.messaging.
#[cfg(all(doctest, feature = "memory", feature = "macros"))]
#[doc = include_str!("../docs/from-oslo-messaging.md")]
struct FromOsloMessaging;

/// And of that on changing a service.
#[cfg(all(doctest, feature = "memory", feature = "macros"))]
#[doc = include_str!("../docs/upgrading.md")]
struct Upgrading;
