//! The runtime-agnostic core of tidings.
#![deny(unsafe_code)]

#[cfg(not(tidings_loom))]
pub mod blocking;
#[doc(hidden)]
pub mod doorbell;
#[cfg(not(tidings_loom))]
pub mod error;
#[doc(hidden)]
pub mod mailbox;
pub mod promise;
#[cfg(not(tidings_loom))]
pub mod reply;
mod sync;
