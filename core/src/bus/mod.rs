//! The bus: requests, in reading order from what a user holds to what travels.

mod address;
mod builder;
mod delivery;
mod handle;
mod head;
mod in_flight;
mod request;
mod room;

pub use address::Address;
pub use builder::BusBuilder;
pub use delivery::Delivery;
pub use handle::Bus;
pub use head::{Caller, Head, MAX_DEPTH, Verb};
pub(crate) use in_flight::Claim;
pub use in_flight::{Forwarded, InFlight, ReplyTo};
pub use request::{Args, Call, CastWhenRoom, Request, ServiceClient};
pub use room::Room;
