//! The session: the protocol between a hub and a member as a state machine that does no I/O.
//!
//! Bytes and the time go in; events, bytes to write and the next deadline come out. There is no
//! clock, no waker, no randomness and no user code inside, so the same inputs always give the same
//! outputs, and all of it is tested without a socket. `PROTOCOL.md` of this crate is the normative
//! text; its clauses are cited as PR-….
//!
//! A driver does this, with one lock round the session:
//! ```
//! use std::time::Instant;
//! use tidings_core::session::{Config, Role, Session};
//! let now = Instant::now();
//! let mut hub = Session::new(Role::Hub, Config::new([1; 16]), now);
//! let mut member = Session::new(Role::Member, Config::new([2; 16]), now);
//! for _ in 0..2 {
//!     // Write what there is; say how much of it was written.
//!     let bytes: Vec<u8> = member.transmit(now).flatten().copied().collect();
//!     member.wrote(bytes.len(), now);
//!     // Give what was read; then take the events.
//!     hub.receive(&bytes, now);
//!     let bytes: Vec<u8> = hub.transmit(now).flatten().copied().collect();
//!     hub.wrote(bytes.len(), now);
//!     member.receive(&bytes, now);
//! }
//! assert!(hub.is_open() && member.is_open());
//! ```

// Nothing from a peer may panic (FAULTS rule 7).
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects
    )
)]

// What is said, and the numbers for it.
mod code;
mod config;
mod event;
mod message;
mod name;

// How it is written.
mod frame;
mod head;
mod hello;
mod interning;
mod wire;

// One concern each.
mod answers;
mod auth;
mod beats;
mod chunking;
mod control;
mod credit;
mod liveness;
mod outbound;
mod output;
mod parts;
mod registration;
mod reply_parts;
mod requests;
mod serving;
mod slab;
mod window;

// What ties them.
mod close;
mod inbound;
mod inbound_answers;
#[expect(clippy::module_inception, reason = "it is the session of this module")]
mod session;
mod shown;
mod staging;

#[doc(hidden)]
pub mod fuzzing;

pub use auth::{Accepted, Auth, Nonce, Proof, Secret};
pub use code::{CloseCode, error_code, fate_code};
pub use config::{Config, Limits, OFFERS_MAX, Role, VERSION};
pub use event::{
    BindRefusal, CloseReason, Closed, Event, IncomingId, Refusal, Refused, Rejected, RequestId,
};
pub use hello::PeerHello;
pub use message::{
    BindId, Body, Caller, Destination, Encoded, IdempotencyKey, Method, Offer, RareHeader,
    Registration, Reply, Request, RequestHeader, Target, Verb, WireError,
};
pub use name::{InvalidName, NAME_MAX, Name};
pub use output::Transmit;
pub use parts::Room;
pub use session::Session;
