//! The runtime seam: what the bus needs from whatever polls its tasks.
//!
//! A [`Runtime`] is a value, captured once when a bus is opened and never looked up again. The
//! cargo features `tokio` and `smol` only add constructors; with neither, the built-in handler
//! pool serves the in-memory bus. [`choose()`] has the order in which a runtime is picked.

mod choose;
mod pool;
mod seam;
#[cfg(feature = "smol")]
pub mod smol;
mod task;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use choose::{NoRuntime, choose};
pub use pool::pool;
#[cfg(unix)]
pub use seam::Descriptor;
pub use seam::{BoxFuture, Interest, Readiness, Runtime};
