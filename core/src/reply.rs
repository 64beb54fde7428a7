//! The raw reply to a request.

/// A reply that was not decoded yet.
#[derive(Debug)]
pub struct Reply;
