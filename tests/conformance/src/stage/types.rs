//! Types that travel in the cases.

use std::fmt;

use serde::de::Deserializer;
use serde::ser::{Error, Serializer};
use serde::{Deserialize, Serialize};

/// An application's error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotDivisible {
    /// What could not be divided.
    pub dividend: i64,
}

impl fmt::Display for NotDivisible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be divided", self.dividend)
    }
}

/// A value that nests as deep as it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nested {
    /// The end.
    Leaf,
    /// One level more.
    Level(Box<Nested>),
}

impl Nested {
    /// A value of `levels` levels above its leaf.
    pub fn new(levels: usize) -> Self {
        (0..levels).fold(Nested::Leaf, |inner, _| Nested::Level(Box::new(inner)))
    }
}

/// A value that cannot be encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unencodable;

impl Serialize for Unencodable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("this value does not travel"))
    }
}

impl<'de> Deserialize<'de> for Unencodable {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Unencodable)
    }
}
