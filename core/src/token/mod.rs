//! Tokens: a name, and a secret by which a process shows that it may use it.
//!
//! The secret never travels. Each side of a connection proves that it knows it (PR-AUTH), and nothing here shows it: a
//! token prints as its name and `[redacted]` (S12).

mod error;
mod file;
mod options;
#[cfg(feature = "auth")]
mod proof;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

pub use error::TokenError;
pub use options::Tokens;
#[cfg(feature = "auth")]
pub(crate) use proof::{accepted, nonce, secret};

/// The fewest bytes of a secret: whoever hears a proof may try guesses at home.
pub const MIN_SECRET: usize = 16;
/// The most bytes of a secret.
pub const MAX_SECRET: usize = 1024;

/// A name with a secret: who a process is, and how it shows that to a hub.
///
/// Given to the builder of a bus, as its own (`token`) or as one that it takes from others (`accept_tokens`). The name
/// is what handlers and policies see as [`Caller::name`](crate::Caller::name) of the requests of whoever has it.
///
/// Cheap to clone. The secret is wiped from memory when the last clone is dropped; what it was made of is the caller's
/// to wipe.
///
/// ```
/// # use tidings_core::Token;
/// let token = Token::new("worker", "5yvQ2xcnVnqg1mFvyZJ8tS0r")?;
/// assert_eq!(token.name(), "worker");
/// assert_eq!(format!("{token:?}"), "Token { name: \"worker\", secret: [redacted] }");
/// # Ok::<_, tidings_core::TokenError>(())
/// ```
#[derive(Clone)]
pub struct Token {
    name: Arc<str>,
    secret: Arc<SecretBytes>,
}

impl Token {
    /// The token `name` with this secret. Make secrets by chance, not by thought: `head -c 32 /dev/urandom | base64`.
    ///
    /// # Errors
    /// [`TokenError::Name`] when the name is none (1 to 255 of `A-Z a-z 0-9 _ . -`), [`TokenError::SecretLength`] when
    /// the secret has fewer than [`MIN_SECRET`] or more than [`MAX_SECRET`] bytes.
    pub fn new(name: impl AsRef<str>, secret: impl AsRef<[u8]>) -> Result<Token, TokenError> {
        let (name, secret) = (name.as_ref(), secret.as_ref());
        crate::name::check("token name", name)?;
        if !(MIN_SECRET..=MAX_SECRET).contains(&secret.len()) {
            return Err(TokenError::SecretLength {
                name: name.to_owned(),
                length: secret.len(),
            });
        }
        Ok(Token {
            name: name.into(),
            secret: Arc::new(SecretBytes(secret.into())),
        })
    }

    /// The one token in a file, as `name:secret` on a line of its own. Empty lines and lines that begin with `#` are
    /// left out.
    ///
    /// # Errors
    /// [`TokenError`]: the file cannot be read, or not by its owner alone (mode 0600 or less), or does not hold
    /// exactly one token. What is in it is in no error.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Token, TokenError> {
        let path = path.as_ref();
        let tokens = file::read(path)?;
        let found = tokens.len();
        let [token] = tokens.try_into().map_err(|_| TokenError::NotOne {
            path: path.to_owned(),
            found,
        })?;
        Ok(token)
    }

    /// All tokens in a file, one a line: what a hub accepts. See [`from_file`](Self::from_file).
    ///
    /// # Errors
    /// [`TokenError`], as for [`from_file`](Self::from_file); a file may hold any number of tokens but none.
    pub fn all_from_file(path: impl AsRef<Path>) -> Result<Vec<Token>, TokenError> {
        let path = path.as_ref();
        let tokens = file::read(path)?;
        if tokens.is_empty() {
            return Err(TokenError::NotOne {
                path: path.to_owned(),
                found: 0,
            });
        }
        Ok(tokens)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("name", &self.name)
            .field("secret", &self.secret)
            .finish()
    }
}

/// The bytes of a secret.
struct SecretBytes(Box<[u8]>);

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites a secret. A build that can use no token has none to wipe.
fn wipe(bytes: &mut [u8]) {
    #[cfg(feature = "auth")]
    zeroize::Zeroize::zeroize(bytes);
    #[cfg(not(feature = "auth"))]
    bytes.fill(0);
}
