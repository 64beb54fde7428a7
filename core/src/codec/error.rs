//! Why a value could not be encoded or decoded.

use thiserror::Error;

/// A value was not encoded. Nothing of it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The encoding passed the limit and was given up there.
    #[error(
        "the encoded value takes {at_least} bytes or more, over the limit of {limit} bytes; \
         raise the maximum message size on both sides, or send it in parts"
    )]
    TooLarge {
        /// Bytes needed up to the point where encoding stopped: a lower bound, since the rest of
        /// the value was not looked at.
        at_least: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The value's `Serialize` implementation, or the format, refused it.
    #[error("the value cannot be encoded: {0}")]
    Failed(String),
    /// The value's `Serialize` implementation panicked.
    #[error("the value's Serialize implementation panicked")]
    Panicked,
}

/// Bytes were not decoded. Only the message that carried them is affected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The value nests more deeply than allowed.
    #[error(
        "the value nests deeper than {limit} levels; raise `Budget::depth` on the receiving side"
    )]
    TooDeep {
        /// The limit, in levels: see [`Budget::depth`](super::Budget::depth).
        limit: u16,
    },
    /// The value would take more memory than allowed.
    #[error(
        "the value takes more than {limit} bytes once decoded; raise `Budget::bytes` on the \
         receiving side, or send it in parts"
    )]
    Budget {
        /// The limit, in bytes: see [`Budget::bytes`](super::Budget::bytes).
        limit: usize,
    },
    /// The value was read and bytes are left over: it was sent as another type.
    #[error(
        "{count} bytes are left over after the value: sender and receiver disagree on its type"
    )]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// A value of another type was sent, and nobody has compared types beforehand.
    #[error(
        "it was not sent as `{expected}`: the kinds of numbers count (write `&3_u64`, for `&3` is an \
         `i32`), and an array is no list (write `&[1, 2][..]`); a client made by `#[service]` has \
         the method's own types"
    )]
    Kinds {
        /// The type that was to be read.
        expected: &'static str,
    },
    /// The bytes are not an encoding of the type, or its `Deserialize` implementation refused them.
    #[error("the bytes are not a value of the expected type: {0}")]
    Malformed(String),
    /// The type's `Deserialize` implementation panicked.
    #[error("the type's Deserialize implementation panicked")]
    Panicked,
}
