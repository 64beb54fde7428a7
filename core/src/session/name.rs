//! Names that travel: of exchanges, topics, servers, methods, namespaces.

use std::fmt;
use std::sync::Arc;

/// The longest name in bytes (PR-NAME-1).
pub const NAME_MAX: usize = 255;

/// A name that is known to be safe on every wire: 1 to 255 bytes of `[A-Za-z0-9_.-]`
/// (PR-NAME-1). It is checked once, here, when sent and when received, so that nothing can be
/// injected into the subjects of a broker (FAULTS P28). Cloning costs one reference count.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// The text is not a [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// A name has at least one byte.
    #[error("a name must not be empty")]
    Empty,
    /// The name has more than [`NAME_MAX`] bytes.
    #[error("a name of {0} bytes exceeds the limit of {NAME_MAX}")]
    TooLong(usize),
    /// A byte outside `[A-Za-z0-9_.-]`.
    #[error("a name holds only A-Z a-z 0-9 _ . - and not the byte {0:#04x}")]
    Byte(u8),
}

impl Name {
    /// Checks `text` and keeps a copy of it.
    ///
    /// # Errors
    /// [`InvalidName`] when the text is empty, too long or has a byte outside the set.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        check(text.as_bytes())?;
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The shared text itself, without a copy.
    #[must_use]
    pub fn into_arc(self) -> Arc<str> {
        self.0
    }
}

impl TryFrom<Arc<str>> for Name {
    type Error = InvalidName;

    fn try_from(text: Arc<str>) -> Result<Self, InvalidName> {
        check(text.as_bytes())?;
        Ok(Self(text))
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// Whether the bytes are a name; what passes is ASCII, hence UTF-8.
pub(super) fn check(bytes: &[u8]) -> Result<(), InvalidName> {
    if bytes.is_empty() {
        return Err(InvalidName::Empty);
    }
    if bytes.len() > NAME_MAX {
        return Err(InvalidName::TooLong(bytes.len()));
    }
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    match bytes.iter().find(|b| !allowed(b)) {
        Some(&bad) => Err(InvalidName::Byte(bad)),
        None => Ok(()),
    }
}
