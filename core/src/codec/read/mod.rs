//! A serde deserializer of postcard's format, in which depth and memory are counted, and kinds are noted.
//!
//! What a peer says of lengths is believed only as far as its bytes go: nothing is allocated for more. Only what nests is
//! counted beside that: a scalar sits in a place already paid for, and the strings of a message are no longer than the
//! message.
//!
//! In reading order: the reader of bytes, the place in the value where it stands, what is given out of a place that has parts
//! and of one that has elements, and the deserializer that asks for all of that.

mod deserializer;
mod elements;
mod parts;
mod place;
mod reader;

pub(super) use reader::Reader;
