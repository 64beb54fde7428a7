//! Names on the bus, checked once where they enter.
//!
//! A name is 1 to 255 bytes of `A-Z a-z 0-9 _ . -` (C-AD-1): nothing that a broker's subject, a log line or a
//! terminal would read as something else.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::session;

/// The longest name, in bytes.
pub const MAX_NAME: usize = 255;

/// Why a text cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing was given.
    #[error("{what} is empty: give it at least one character")]
    Empty {
        /// What the name was for: "topic", "method", ...
        what: &'static str,
    },
    /// More than [`MAX_NAME`] bytes.
    #[error("{what} of {length} bytes is too long: at most {MAX_NAME} are allowed")]
    TooLong {
        /// What the name was for.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
    },
    /// A character that no name may have.
    #[error(
        "{what} `{name}` has the character {character:?}: use letters, digits, `_`, `.` and `-`"
    )]
    Character {
        /// What the name was for.
        what: &'static str,
        /// The text, escaped.
        name: String,
        /// The first character that is not allowed.
        character: char,
    },
    /// A name that the bus keeps for itself.
    #[error("{what} `{name}` is the bus's own: choose one that does not start with `bus.`")]
    Reserved {
        /// What the name was for.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A path such as `"greeter.hello"` was expected.
    #[error("`{path}` names no method: write `topic.method`, for example `greeter.hello`")]
    NoMethod {
        /// The text, escaped.
        path: String,
    },
}

/// A text that is cheap to clone: static, or shared.
#[derive(Clone)]
enum Text {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Text {
    fn as_str(&self) -> &str {
        match self {
            Text::Static(text) => text,
            Text::Shared(text) => text,
        }
    }
}

/// How names begin that the bus keeps for itself: of methods, and of headers (S10).
pub(crate) const RESERVED: &str = "bus.";

/// Says whether `text` may be a name; `what` is told in the error.
pub(crate) fn check(what: &'static str, text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { what });
    }
    if text.len() > MAX_NAME {
        return Err(NameError::TooLong {
            what,
            length: text.len(),
        });
    }
    // By bytes, because each request has names to check; only what is refused is looked at as text.
    if text.bytes().all(|byte| ALLOWED[usize::from(byte)]) {
        return Ok(());
    }
    let refused = |c: &char| u8::try_from(*c).map_or(true, |byte| !ALLOWED[usize::from(byte)]);
    Err(NameError::Character {
        what,
        name: text.escape_debug().to_string(),
        character: text.chars().find(refused).unwrap_or_default(),
    })
}

/// The same, where there is nobody to be told why not.
const fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() && ALLOWED[bytes[at] as usize] {
        at += 1;
    }
    at == bytes.len() && at > 0 && at <= MAX_NAME
}

/// The bytes that a name may have.
const ALLOWED: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let c = byte as u8;
        allowed[byte] = c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-');
        byte += 1;
    }
    allowed
};

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Text);

        impl $name {
            /// Checks `text` and makes it a name.
            ///
            /// # Errors
            /// [`NameError`] when it is empty, longer than [`MAX_NAME`] bytes, or has a character that no name may have.
            pub fn new(text: impl AsRef<str>) -> Result<Self, NameError> {
                check($what, text.as_ref())?;
                Ok(Self(Text::Shared(Arc::from(text.as_ref()))))
            }

            /// The same for a text that lives as long as the program; nothing is allocated.
            ///
            /// # Errors
            /// As [`new`](Self::new).
            pub fn from_static(text: &'static str) -> Result<Self, NameError> {
                check($what, text)?;
                Ok(Self(Text::Static(text)))
            }

            /// The same for a text in the program's source, checked when the program is compiled: use it in a
            /// `const { .. }`.
            ///
            /// # Panics
            /// Where [`new`](Self::new) fails.
            pub const fn literal(text: &'static str) -> Self {
                assert!(is_name(text), "not a name: 1 to 255 of A-Z a-z 0-9 _ . -");
                Self(Text::Static(text))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            /// The name as a text that others can share.
            pub fn to_shared(&self) -> Arc<str> {
                match &self.0 {
                    Text::Static(text) => Arc::from(*text),
                    Text::Shared(text) => text.clone(),
                }
            }
        }

        impl From<session::Name> for $name {
            /// A name that came by a connection, where the same rule holds for it (PR-NAME-1).
            fn from(name: session::Name) -> Self {
                Self(Text::Shared(name.into_arc()))
            }
        }
        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                self.as_str()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                let (ours, theirs) = (self.as_str(), other.as_str());
                // Often it is the same text in the same place.
                ours.len() == theirs.len()
                    && (std::ptr::eq(ours.as_ptr(), theirs.as_ptr()) || ours == theirs)
            }
        }
        impl Eq for $name {}
        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.as_str().hash(state);
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }
    )*};
}

names! {
    /// The scope of topics; traffic in one exchange is never seen in another. The default is `tidings`.
    Exchange = "exchange";
    /// What servers serve and clients address.
    Topic = "topic";
    /// One server on a topic.
    ServerName = "server name";
    /// A method of a service.
    Method = "method";
    /// What tells apart services that share a topic.
    Namespace = "namespace";
}

impl Exchange {
    /// The exchange of a bus that was not given one.
    pub const DEFAULT: Exchange = Exchange(Text::Static("tidings"));
}

impl Topic {
    /// Where none was given: of a request that will not be sent.
    pub(crate) const NONE: Topic = Topic(Text::Static(""));

    /// Whether its text is one of the program's own.
    pub(crate) fn is_static(&self) -> bool {
        matches!(self.0, Text::Static(_))
    }
}

impl Method {
    /// Where none was given: of a request that will not be sent.
    pub(crate) const NONE: Method = Method(Text::Static(""));

    /// What the router itself answers: who serves a topic (PR-LIST).
    pub(crate) const SERVERS: Method = Method(Text::Static("bus.servers"));

    /// Whether a server may have it.
    ///
    /// # Errors
    /// [`NameError::Reserved`] when it is the bus's own.
    pub(crate) fn check_not_reserved(&self) -> Result<(), NameError> {
        if self.starts_with(RESERVED) {
            return Err(NameError::Reserved {
                what: "method",
                name: self.to_string(),
            });
        }
        Ok(())
    }
}

impl ServerName {
    /// A name that no other server has: for servers that were not given one.
    pub(crate) fn unique() -> Self {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(Text::Shared(Arc::from(format!(
            "{}-{:08x}-{serial}",
            std::process::id(),
            process_tag()
        ))))
    }
}

/// Tells two processes apart that have had the same id, one after the other or in two namespaces.
fn process_tag() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    static TAG: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *TAG.get_or_init(|| (RandomState::new().hash_one(std::process::id()) & 0xffff_ffff) as u32)
}

/// Splits `"greeter.hello"` at its last dot into topic and method.
pub(crate) fn split_path(path: &str) -> Result<(Topic, Method), NameError> {
    let (topic, method) = path.rsplit_once('.').ok_or_else(|| NameError::NoMethod {
        path: path.escape_debug().to_string(),
    })?;
    Ok((Topic::new(topic)?, Method::new(method)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_splits_at_its_last_dot() {
        let (topic, method) = split_path("a.b.c").unwrap();
        assert_eq!((topic.as_str(), method.as_str()), ("a.b", "c"));
    }

    #[test]
    fn a_path_without_a_method_says_how_to_write_one() {
        assert!(
            split_path("greeter")
                .unwrap_err()
                .to_string()
                .contains("topic.method")
        );
        assert_eq!(
            split_path("greeter.").unwrap_err(),
            NameError::Empty { what: "method" }
        );
    }

    #[test]
    fn the_length_limit_is_exact() {
        assert!(Topic::new("x".repeat(MAX_NAME - 1)).is_ok());
        assert!(Topic::new("x".repeat(MAX_NAME)).is_ok());
        assert_eq!(
            Topic::new("x".repeat(MAX_NAME + 1)).unwrap_err(),
            NameError::TooLong {
                what: "topic",
                length: MAX_NAME + 1
            }
        );
    }

    #[test]
    fn characters_that_could_be_injected_are_refused() {
        for bad in ["a b", "a\0", "a\r\n", "a*", "a>", "é", "\u{202e}a"] {
            assert!(
                matches!(Topic::new(bad), Err(NameError::Character { .. })),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn unique_names_are_valid_and_differ() {
        let (a, b) = (ServerName::unique(), ServerName::unique());
        assert_ne!(a, b);
        assert!(ServerName::new(a.as_str()).is_ok());
    }
}
