//! The bus, in reading order from what a user holds to what travels: [`Bus`] and its builder;
//! [`Request`] and its verbs ([`Call`], [`CastWhenRoom`]); the draft that they share and the
//! [`InFlight`] record and [`Delivery`] that it becomes.

mod address;
mod backlog;
mod builder;
mod call;
mod cast;
mod client;
mod delivery;
mod draft;
mod drain;
mod handle;
mod head;
mod in_flight;
mod request;
mod room;

pub use address::Address;
pub(crate) use address::escaped;
pub use builder::BusBuilder;
pub use call::Call;
pub use cast::CastWhenRoom;
pub use client::ServiceClient;
pub use delivery::Delivery;
pub use draft::Args;
pub use handle::Bus;
pub(crate) use handle::Phase;
pub use head::{Caller, Head, MAX_DEPTH, Verb};
pub(crate) use in_flight::Claim;
pub use in_flight::{Forwarded, InFlight, ReplyTo, Withdraw};
pub use request::Request;
pub use room::Room;
