//! The cases, one file for each part of the contract.

pub mod addressing;
pub mod authorisation;
pub mod cancellation;
pub mod context;
pub mod deadlines;
pub mod draining;
pub mod fanout;
pub mod fanout_offers;
pub mod fates;
pub mod gather;
pub mod handles;
pub mod heartbeats;
pub mod idempotency;
pub mod kinds;
pub mod lifecycle;
pub mod namespaces;
pub mod numbers;
pub mod outcome;
pub mod overload;
pub mod policies;
pub mod reconnect;
pub mod retries;
pub mod sizes;
pub mod values;
pub mod verbs;
pub mod versions;
