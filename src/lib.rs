//! An embedded message bus: one API from a function call in a test to a broker in production.
//!
//! A program opens a [`Bus`] by address and does three things on it: `cast` (send, no reply),
//! `call` (send, wait for the reply) and `invoke` (send now, get a [`Promise`] for the reply at
//! once).

mod open;

pub use open::{Bus, BusBuilder};
#[doc(hidden)]
pub use tidings_core as __core;
/// Promises, and what can be done with several of them.
pub use tidings_core::promise;
/// What runs the tasks of a bus: tokio, smol, or the built-in pool.
pub use tidings_core::runtime;
pub use tidings_core::{
    Address, ApplicationError, Call, CallError, CallErrorKind, Caller, CastWhenRoom, Completer,
    Context, DrainReport, Error, Fate, MethodError, OpenError, Promise, PromiseError, PromiseSet,
    RemoteError, ReplyError, Request, Result, ServeError, Server, ServerBuilder, Shared, Stage,
    Version, VersionError, WaitExt,
};
#[cfg(feature = "macros")]
pub use tidings_macros::service;

/// The README's programs, compiled and run.
#[cfg(all(doctest, feature = "memory", feature = "macros"))]
#[doc = include_str!("../README.md")]
struct Readme;
