//! Why there is no token.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::{MAX_SECRET, MIN_SECRET};
use crate::name::NameError;

/// Why there is no token. No secret is in it, nor anything else that a file held.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Its name is none.
    #[error("no token: {0}")]
    Name(#[from] NameError),
    /// Its secret is too short to be safe, or too long.
    #[error(
        "the secret of token `{name}` has {length} bytes: use {MIN_SECRET} to {MAX_SECRET}, for example those that \
         `head -c 32 /dev/urandom | base64` prints"
    )]
    SecretLength {
        /// The token's name.
        name: String,
        /// The secret's length in bytes.
        length: usize,
    },
    /// The file cannot be read.
    #[error("tokens cannot be read from `{}`: {source}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// Others than the file's owner may read or change it.
    #[error("`{}` has mode {mode:03o}, so that others can get at its secrets: `chmod 600` it", path.display())]
    Exposed {
        /// Its path.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A line of the file is no token.
    #[error("line {line} of `{}` is no token: write `name:secret`", path.display())]
    Line {
        /// Its path.
        path: PathBuf,
        /// The line, from 1 on.
        line: usize,
    },
    /// The file holds more tokens than one, or none.
    #[error("`{}` holds {found} tokens, where one is wanted: a line `name:secret` each", path.display())]
    NotOne {
        /// Its path.
        path: PathBuf,
        /// How many there are.
        found: usize,
    },
}
