//! What can go wrong.

use crate::promise::PromiseError;

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct CallError(#[from] PromiseError);
