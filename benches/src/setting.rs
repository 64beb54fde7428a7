//! What is measured: the same words for tidings and for its peers.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a case has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// A one-shot cell alone.
    Promise(Use),
    /// Within one process, on one thread unless the case says otherwise.
    Memory(Load),
    /// Between processes.
    Socket(Wire, Load),
}

/// How a one-shot cell is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Create, complete, take.
    Taken,
    /// Create, poll, complete, wake, take.
    Awaited,
    /// So many at a time: they pend first, and are completed then.
    Joined(u64),
}

/// What carries the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    Unix,
    Tcp,
    /// TCP, encrypted.
    Tls,
}

/// What is sent, how much of it, and how many at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    pub verb: Verb,
    pub size: Size,
    pub in_flight: u64,
}

/// What is done with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// There and back.
    Call,
    /// One way.
    Cast,
}

/// What a message carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// A `u64`.
    Number,
    /// A [`Block`], 64 bytes.
    Block,
    /// A [`Blob`] of so many bytes.
    Blob(usize),
}

pub const KIB: usize = 1024;
pub const MIB: usize = 1024 * KIB;

impl Size {
    /// In bytes.
    pub fn bytes(self) -> usize {
        match self {
            Size::Number => 8,
            Size::Block => 64,
            Size::Blob(bytes) => bytes,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bytes() {
            8 => write!(f, "u64"),
            bytes if bytes >= MIB => write!(f, "{} MiB", bytes / MIB),
            bytes if bytes >= KIB => write!(f, "{} KiB", bytes / KIB),
            bytes => write!(f, "{bytes} B"),
        }
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Wire::Unix => "Unix socket",
            Wire::Tcp => "TCP",
            Wire::Tls => "TLS",
        })
    }
}

/// 64 bytes in every encoding that is compared, and no allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block([u8; 32], [u8; 32]);

pub const BLOCK: Block = Block([0x5a; 32], [0xa5; 32]);
pub const BLOCK_BYTES: usize = 64;

/// Bytes, which encodings that can do so copy as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

impl Blob {
    pub fn of(bytes: usize) -> Self {
        Blob(vec![0x5a; bytes])
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl<'de> serde::de::Visitor<'de> for Bytes {
            type Value = Blob;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }

            fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Blob, E> {
                Ok(Blob(bytes))
            }
        }

        deserializer.deserialize_byte_buf(Bytes)
    }
}
