//! Serving: from the methods that a user writes to the task that runs them.

mod builder;
mod core;
mod driver;
mod drops;
mod handle;
pub mod handler;
mod running;

pub use builder::{ServerBuilder, Service};
pub use core::{Mode, NotAccepted, Sent, ServerCore};
pub use drops::Drops;
pub use handle::{DrainReport, Server};
pub use handler::{Endpoint, Handler, MethodSpec, Started};
