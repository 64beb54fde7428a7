//! Serving: from the methods that a user writes to the task that runs them.

mod builder;
mod core;
mod driver;
mod handle;
pub mod handler;
mod run;
mod running;
mod seen;
mod stats;
mod window;

pub use builder::{ServerBuilder, Service};
pub use core::{Mode, NotAccepted, Sent, ServerCore};
pub use handle::{DrainReport, Server};
pub use handler::{Endpoint, Handler, MethodSpec, Started};
pub(crate) use stats::Beating;
pub use stats::ServerStats;
pub use window::IdempotencyWindow;
