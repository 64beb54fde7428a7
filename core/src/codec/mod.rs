//! Values to bytes and back, with bounds on both ways.
//!
//! postcard does the format; this module adds what a peer's bytes need: a budget for the memory
//! and the depth that decoding may take ([`decode()`], C-OV-3), a cap on what encoding may produce
//! ([`encode()`]), panics of a user's serde implementation turned into errors (FAULTS D11), and a
//! [`fingerprint`] of a type's shape, because postcard is not self-describing and would read a
//! `String` as a `Vec<i8>` without a word.
//!
//! ```
//! use tidings_core::codec::{Budget, decode, encode};
//!
//! let bytes = encode(&("Ada", 36), 1024)?;
//! let (name, age): (String, i32) = decode(&bytes, &Budget::default())?;
//! assert_eq!((name.as_str(), age), ("Ada", 36));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Reading order: `encode`, `decode`, `guard` (the wrapper round a serde deserializer), `watch`
//! (what it counts), [`fingerprint`].

mod decode;
mod encode;
mod error;
pub mod fingerprint;
mod guard;
mod watch;

pub use decode::{Budget, decode};
pub use encode::encode;
pub use error::{DecodeError, EncodeError};

/// The largest encoded message, in bytes, unless a transport is told otherwise.
pub const DEFAULT_MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// Which encoding a payload is in. One byte on the wire.
///
/// Ids are given out here and never reused. 0 is not a codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CodecId(u8);

impl CodecId {
    /// [postcard](https://postcard.jamesmunns.com/wire-format), the default.
    pub const POSTCARD: Self = Self(1);

    /// The codec that `byte` stands for, or `None` where this build has no such codec.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::POSTCARD),
            _ => None,
        }
    }

    /// The byte that stands for this codec on the wire.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        self.0
    }
}
