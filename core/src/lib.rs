//! Placeholder.

#[cfg(not(tidings_loom))]
pub mod blocking;
#[cfg(not(tidings_loom))]
pub mod runtime;
#[cfg(not(tidings_loom))]
pub mod timer;
