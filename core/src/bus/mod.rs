//! The bus, in reading order from what a user holds to what travels: [`Bus`] and its builder;
//! [`Client`], [`Request`] and its verbs ([`Call`], [`CastWhenRoom`]), for one server or, as
//! [`FanoutRequest`], for every one ([`Gather`]); the draft that they share and the [`InFlight`]
//! record and [`Delivery`] that it becomes.

mod address;
mod backlog;
mod builder;
mod call;
mod caller;
mod cast;
mod client;
mod core;
mod delivery;
mod dispatched;
mod draft;
mod drain;
mod fanout;
mod gather;
mod handle;
mod head;
mod idempotency_key;
mod in_flight;
mod open;
mod rare;
mod request;
mod retry;
mod room;
mod waiting_room;
mod when_disconnected;

pub use address::Address;
pub(crate) use address::escaped;
pub use backlog::Standing;
pub(crate) use backlog::{Backlog, PATIENCE};
pub use builder::BusBuilder;
pub use call::Call;
pub use caller::{Caller, CallerRef};
pub use cast::CastWhenRoom;
pub use client::{Client, ServiceClient};
pub use delivery::Delivery;
pub use draft::Args;
pub use fanout::FanoutRequest;
pub use gather::{Answers, Gather};
pub use handle::Bus;
pub use head::{Head, MAX_DEPTH, Reach, Verb};
pub use idempotency_key::IdempotencyKey;
pub use in_flight::{Forwarded, InFlight, ReplyTo, Withdraw};
pub(crate) use open::Phase;
pub use rare::Rare;
pub use request::Request;
pub use retry::{Retry, RetryBudget, RetryCall, Retrying};
pub use room::Room;
pub use when_disconnected::WhenDisconnected;
