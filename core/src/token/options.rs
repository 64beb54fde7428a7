//! The tokens of a bus.

use super::Token;

/// The tokens that the builder of a bus was given.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    pub(crate) own: Option<Token>,
    pub(crate) accepted: Option<Vec<Token>>,
}

impl Tokens {
    /// Whether there are any, so that only who proves a token is to be spoken with.
    pub fn are_given(&self) -> bool {
        self.own.is_some() || self.accepted.is_some()
    }
}
