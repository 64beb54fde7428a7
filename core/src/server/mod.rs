//! Serving: from the methods that a user writes to the task that runs them.

mod builder;
mod core;
mod driver;
mod endpoint;
mod handle;
pub mod handler;
mod offers;
mod run;
mod running;
mod seen;
mod stats;
mod window;

pub use builder::{ServerBuilder, Service};
pub use core::{Mode, NotAccepted, Sent, ServerCore};
pub use endpoint::Endpoint;
pub use handle::{DrainReport, Server};
pub use handler::{Handler, MethodSpec, Started};
pub(crate) use offers::refusal;
pub use offers::{MAX_OFFERS, Offer, Offers};
pub(crate) use stats::Beating;
pub use stats::ServerStats;
pub use window::IdempotencyWindow;
