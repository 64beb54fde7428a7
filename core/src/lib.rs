//! Placeholder.

#[cfg(not(tidings_loom))]
pub mod session;
