//! Serving: from the methods that a user writes to the task that runs them.

mod at_work;
mod builder;
mod core;
mod drain;
mod driver;
mod drops;
mod endpoint;
mod handle;
pub mod handler;
mod life;
mod load;
mod offers;
mod quickness;
mod retiring;
mod run;
mod running;
mod seats;
mod seen;
mod stats;
mod window;

pub use builder::{ServerBuilder, Service};
pub use core::{Mode, NotAccepted, Sent, ServerCore};
pub use drain::DrainReport;
pub(crate) use drain::finish;
pub use drops::Drops;
pub use endpoint::Endpoint;
pub use handle::Server;
pub use handler::{Handler, MethodSpec, Started};
pub(crate) use offers::refusal;
pub use offers::{MAX_OFFERS, Offer, Offers};
pub use retiring::Retiring;
pub(crate) use stats::Beating;
pub use stats::ServerStats;
pub use window::IdempotencyWindow;
