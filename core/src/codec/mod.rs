//! Values to bytes and back, with bounds on both ways.
//!
//! The format is postcard's, written and read here with what a peer's bytes need: a budget for the memory
//! and the depth that decoding may take ([`decode()`], C-OV-3), a cap on what encoding may produce
//! ([`encode()`]), and panics of a user's serde implementation turned into errors (FAULTS D11).
//! Strings, byte strings and vectors of bytes are written by one copy each, and [`Bytes`](crate::Bytes) by none.
//!
//! postcard is not self-describing and would read a `String` as a `Vec<i8>` without a word
//! (FAULTS rule 2). So there is a [`fingerprint`] of a type's shape, which both sides compare
//! beforehand, and for those who cannot, because one of them has a value and no type, a checksum
//! over the kinds of what was written ([`encode_checked()`]).
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
//! Reading order: `encode`, `write` (the serializer), `decode`, `read` (the deserializer), `unread` (its errors), `watch` (what it counts),
//! `kinds` (what both note), [`fingerprint`].

mod decode;
mod encode;
mod error;
pub mod fingerprint;
mod kinds;
mod octets;
mod one_byte;
mod read;
#[cfg(test)]
mod sharing;
mod unread;
mod watch;
mod write;

pub use decode::{Budget, decode, decode_checked};
pub(crate) use decode::{decode_owned, decode_shared};
pub(crate) use encode::encode_in;
pub use encode::{encode, encode_checked};
pub use error::{DecodeError, EncodeError};

/// The largest encoded message, in bytes, unless a transport is told otherwise.
pub const DEFAULT_MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// Which encoding a payload is in: one byte on the wire (PR-REQ-5). A reply is in that of its request.
///
/// Ids are given out here and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct CodecId(u8);

impl CodecId {
    /// [postcard](https://postcard.jamesmunns.com/wire-format), the default: for types that were compared.
    pub const POSTCARD: Self = Self(0);

    /// The same with a checksum of kinds behind it: for types that were not.
    pub const CHECKED: Self = Self(1);

    /// The codec that `byte` stands for; whoever passes payloads on need not know it.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    /// The byte that stands for this codec on the wire.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        self.0
    }

    /// Whether this build can read it.
    #[must_use]
    pub const fn is_known(self) -> bool {
        self.0 <= Self::CHECKED.0
    }
}
