//! The runtime-agnostic core of tidings: promises, the bus, and the seams to transports and runtimes.
//!
//! Programs use the crate `tidings`, which adds the transports and re-exports what is here. This crate is for those who
//! write a transport or a runtime adapter of their own. In reading order:
//!
//! * [`Bus`], [`Request`], [`Promise`]: what a user holds.
//! * [`server`]: methods, and what starts and runs them.
//! * [`connection`]: whether a bus is connected, and what changes.
//! * [`overload`]: what happens when there is more than can be taken.
//! * [`error`]: what can go wrong, and what is then known of a message.
//! * [`router`], [`transport`]: which server a request goes to, and how it gets there.
//! * [`session`], `link`: the protocol between processes, and the task that drives it over a socket.
//! * [`token`], [`authorise`]: by what processes show each other who they are; who may do what.
//! * [`runtime`]: tokio, smol, or neither.
#![deny(unsafe_code)]

#[cfg(not(tidings_loom))]
pub mod authorise;
#[cfg(not(tidings_loom))]
pub mod blocking;
#[cfg(not(tidings_loom))]
mod buffers;
#[cfg(not(tidings_loom))]
mod bulk;
#[cfg(not(tidings_loom))]
pub mod bus;
#[cfg(not(tidings_loom))]
pub mod bytes;
#[cfg(not(tidings_loom))]
pub mod codec;
#[cfg(not(tidings_loom))]
pub mod connection;
#[cfg(not(tidings_loom))]
mod context;
#[cfg(not(tidings_loom))]
mod copy;
#[doc(hidden)]
pub mod doorbell;
#[cfg(not(tidings_loom))]
pub mod error;
#[cfg(not(tidings_loom))]
mod instance;
#[cfg(all(unix, not(tidings_loom)))]
pub mod link;
#[doc(hidden)]
pub mod mailbox;
#[cfg(not(tidings_loom))]
pub mod name;
#[cfg(not(tidings_loom))]
mod name_map;
#[cfg(not(tidings_loom))]
mod notice;
#[cfg(not(tidings_loom))]
pub mod overload;
#[cfg(not(tidings_loom))]
pub mod payload;
pub mod promise;
#[cfg(not(tidings_loom))]
pub mod reply;
#[cfg(not(tidings_loom))]
pub mod router;
#[cfg(not(tidings_loom))]
pub mod runtime;
#[cfg(not(tidings_loom))]
pub mod server;
#[cfg(not(tidings_loom))]
pub mod session;
mod sync;
#[cfg(not(tidings_loom))]
pub mod timer;
#[cfg(not(tidings_loom))]
pub mod token;
#[cfg(not(tidings_loom))]
pub mod transport;
#[cfg(not(tidings_loom))]
mod version;

#[cfg(not(tidings_loom))]
pub use bus::{
    Address, Answers, Bus, BusBuilder, Call, Caller, CastWhenRoom, Client, FanoutRequest, Gather,
    IdempotencyKey, Request, Retry, RetryBudget, RetryCall, Retrying, WhenDisconnected,
};
#[cfg(not(tidings_loom))]
pub use bytes::Bytes;
#[cfg(not(tidings_loom))]
pub use context::Context;
#[cfg(not(tidings_loom))]
pub use error::{
    ApplicationError, CallError, CallErrorKind, Error, Fate, MethodError, OpenError, RemoteError,
    ReplyError, Result, ServeError, Stage,
};
#[cfg(not(tidings_loom))]
pub use name::{NameError, ServerName};
#[cfg(not(tidings_loom))]
pub use overload::{BusStats, WhenFull};
pub use promise::{Completer, Promise, PromiseError, PromiseSet, Shared, WaitExt};
#[cfg(not(tidings_loom))]
pub use server::{DrainReport, Drops, IdempotencyWindow, Server, ServerBuilder, ServerStats};
#[cfg(not(tidings_loom))]
pub use token::{Token, TokenError};
#[cfg(not(tidings_loom))]
pub use version::{Version, VersionError};
