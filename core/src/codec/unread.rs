//! Why bytes were not read.
//!
//! One byte: an error with the text that a type gives with its refusal was measured at two to five times the cost of
//! decoding.

use std::fmt::{self, Display};

use serde::de::Error;

/// Why bytes were not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// The type's `Deserialize` implementation refused a value, or the budget is spent.
    Refused,
    /// There are fewer than the value needs.
    End,
    Number,
    Bool,
    Char,
    Text,
    Option,
    /// The type asks for the name of what comes.
    Name,
}

impl Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unread::Refused => {
                "its Deserialize implementation refused a value (an unknown enum variant, a zero or a \
                 text that is not allowed there)"
            }
            Unread::End => "they end before the value does",
            Unread::Number => "a number is larger than its type",
            Unread::Bool => "a bool is neither 0 nor 1",
            Unread::Char => "a char is none",
            Unread::Text => "a text is not UTF-8",
            Unread::Option => "an option is neither 0 nor 1",
            Unread::Name => "its type asks for the name of a field, which postcard does not write",
        })
    }
}

impl std::error::Error for Unread {}

impl Error for Unread {
    fn custom<T: Display>(_text: T) -> Self {
        Unread::Refused
    }
}
