//! The same bytes as postcard's, and the same refusals: whatever random bytes and damaged values are read as, postcard's
//! own serializer and deserializer say it as well.

mod random;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::marker::PhantomData;

use random::Random;
use serde::de::{DeserializeOwned, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tidings_core::Bytes;
use tidings_core::codec::{Budget, DecodeError, EncodeError, decode, decode_checked};
use tidings_core::codec::{encode, encode_checked};

/// More than any value here takes.
const ENOUGH: Budget = Budget {
    bytes: 1 << 30,
    depth: 1000,
};

impl Random {
    /// Mostly what means something: small numbers, and those at which varints end or go on.
    fn byte(&mut self) -> u8 {
        match self.below(8) {
            0..4 => self.below(4) as u8,
            4 => [0x7f, 0x80, 0x81, 0xff, 0xfe, 0xc3, 0xa9, 0xed][self.below(8)],
            5 => b'a' + self.below(26) as u8,
            _ => self.next() as u8,
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        (0..self.below(48)).map(|_| self.byte()).collect()
    }

    fn damage(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        match self.below(4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, self.byte()),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = self.byte();
                }
            }
        }
    }
}

/// Compares what `bytes` are read as; gives them as they are written again, if they are read.
fn compare<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<Vec<u8>> {
    let kind = std::any::type_name::<T>();
    let theirs = postcard::take_from_bytes::<T>(bytes);
    match (decode::<T>(bytes, &ENOUGH), theirs) {
        (Ok(ours), Ok((theirs, []))) => {
            // NaNs are not equal, their bytes are.
            let written = encode(&ours, usize::MAX).unwrap();
            let expected = postcard::to_stdvec(&theirs).unwrap();
            assert_eq!(written, expected, "{bytes:?} as {kind}");
            let checked = encode_checked(&ours, usize::MAX).unwrap();
            assert_eq!(checked[..checked.len() - 4], expected);
            let again: T = decode_checked(&checked, &ENOUGH).unwrap();
            assert_eq!(postcard::to_stdvec(&again).unwrap(), expected);
            Some(written)
        }
        (Err(DecodeError::TrailingBytes { count }), Ok((_, rest))) => {
            assert_eq!(count, rest.len(), "{bytes:?} as {kind}");
            None
        }
        // A map of more entries than there are bytes is refused before the first of them is read.
        (Err(DecodeError::Malformed(_) | DecodeError::Budget { .. }), Err(_)) => None,
        (ours, theirs) => panic!(
            "{bytes:?} as {kind}: {:?}, and postcard {:?}",
            ours.map(drop),
            theirs.map(|(_, rest)| rest.len())
        ),
    }
}

/// Random bytes as a `T`, and each value that they are once more, damaged.
fn agree<T: Serialize + DeserializeOwned>() {
    let mut random = Random::new(std::any::type_name::<T>().len() as u64);
    let mut values = 0;
    for _ in 0..3000 {
        let mut bytes = random.bytes();
        for _ in 0..4 {
            let Some(written) = compare::<T>(&bytes) else {
                // The bytes behind a value are rarely none.
                let rest = postcard::take_from_bytes::<T>(&bytes).map(|(_, rest)| rest.len());
                let Ok(rest @ 1..) = rest else { break };
                bytes.truncate(bytes.len() - rest);
                continue;
            };
            values += 1;
            bytes = written;
            random.damage(&mut bytes);
        }
    }
    assert!(values > 10, "{values} of {}", std::any::type_name::<T>());
}

#[derive(Serialize, Deserialize)]
struct Unit;

#[derive(Serialize, Deserialize)]
struct Newtype(u64);

#[derive(Serialize, Deserialize)]
struct Pair(i16, Option<Newtype>);

#[derive(Serialize, Deserialize)]
enum Shape {
    None,
    One(u16),
    Tuple(i8, String),
    Named { a: bool, b: f32 },
    Deep(Box<Shape>),
    Unit(Unit),
}

#[derive(Serialize, Deserialize)]
struct Digest([u8; 4]);

#[derive(Serialize, Deserialize)]
enum Key {
    Short([u8; 2]),
    Long([u8; 3], [u8; 1]),
    Named { salt: [u8; 2], key: Digest },
}

#[derive(Serialize, Deserialize)]
struct Arrays {
    digest: Digest,
    keys: Vec<Key>,
    #[serde(with = "whole")]
    other: [u8; 3],
}

/// An array that is made of something else, asked for as a tuple all the same.
mod texts {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8; 2], to: S) -> Result<S::Ok, S::Error> {
        bytes.map(|byte| byte.to_string()).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 2], D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = [u8; 2];

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("two numbers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<[u8; 2], A::Error> {
                let mut next = || {
                    let text = seq.next_element::<String>()?.unwrap_or_default();
                    text.parse()
                        .map_err(|_| serde::de::Error::custom("no number"))
                };
                Ok([next()?, next()?])
            }
        }

        from.deserialize_tuple(2, Texts)
    }
}

/// Another encoding of an array than serde's.
mod whole {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8; 3], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 3], D::Error> {
        let bytes = Vec::<u8>::deserialize(from)?;
        bytes
            .try_into()
            .map_err(|_| serde::de::Error::custom("another length"))
    }
}

#[derive(Serialize, Deserialize)]
struct Record {
    id: u32,
    pair: Pair,
    shapes: Vec<Shape>,
    table: BTreeMap<u8, Vec<i32>>,
    raw: Vec<u8>,
}

/// Bytes that a type writes as such, and reads as lent or as its own.
struct Raw<const OWN: bool>(Vec<u8>);

impl<const OWN: bool> Serialize for Raw<OWN> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

impl<'de, const OWN: bool> Deserialize<'de> for Raw<OWN> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        let bytes = if OWN {
            from.deserialize_byte_buf(Bytes)
        } else {
            from.deserialize_bytes(Bytes)
        };
        bytes.map(Raw)
    }
}

/// A sequence of which each element is asked for as something else, and of which the end need not be asked for.
struct Mixed(Vec<u64>);

impl Serialize for Mixed {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(&self.0)
    }
}

impl<'de> Deserialize<'de> for Mixed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Elements;
        impl<'de> Visitor<'de> for Elements {
            type Value = Mixed;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Mixed, A::Error> {
                let mut all = Vec::new();
                for turn in 0..12 {
                    let next = if [3, 4, 9].contains(&turn) {
                        seq.next_element::<u16>()?.map(u64::from)
                    } else {
                        seq.next_element::<u8>()?.map(u64::from)
                    };
                    let Some(next) = next else { break };
                    all.push(next);
                }
                Ok(Mixed(all))
            }
        }
        from.deserialize_seq(Elements)
    }
}

#[test]
fn the_same_bytes_are_read_as_the_same_value_or_refused() {
    agree::<bool>();
    agree::<(u8, i8)>();
    agree::<(u16, i16)>();
    agree::<(u32, i32)>();
    agree::<(u64, i64)>();
    agree::<(u128, i128)>();
    agree::<(usize, isize)>();
    agree::<(f32, Option<f64>)>();
    agree::<String>();
    agree::<Box<str>>();
    agree::<Vec<u8>>();
    agree::<Box<[u8]>>();
    agree::<Cow<'static, [u8]>>();
    agree::<VecDeque<u8>>();
    agree::<BTreeSet<u8>>();
    agree::<Vec<i8>>();
    agree::<Vec<bool>>();
    agree::<Vec<Vec<u8>>>();
    agree::<[u8; 5]>();
    agree::<Vec<[u8; 2]>>();
    agree::<([u8; 1], u8, [u8; 3], i8, [u8; 0])>();
    agree::<[[u8; 3]; 2]>();
    agree::<Option<[u8; 32]>>();
    agree::<BTreeMap<[u8; 2], [u8; 3]>>();
    agree::<Arrays>();
    agree::<Bytes>();
    agree::<(u8, Vec<Bytes>)>();
    agree::<Raw<false>>();
    agree::<Raw<true>>();
    agree::<Vec<(u8, Vec<u8>)>>();
    agree::<Option<Option<Vec<Option<u8>>>>>();
    agree::<Result<u16, String>>();
    agree::<BTreeMap<String, u64>>();
    agree::<BTreeMap<u8, ()>>();
    agree::<(Unit, (), Newtype, PhantomData<u8>)>();
    agree::<Shape>();
    agree::<Vec<Shape>>();
    agree::<Record>();
    agree::<std::time::Duration>();
    agree::<std::net::IpAddr>();
    agree::<std::num::NonZeroU16>();
    agree::<std::ops::Range<i32>>();
}

#[test]
fn an_array_of_bytes_may_be_made_of_something_else() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Version {
        #[serde(with = "texts")]
        numbers: [u8; 2],
        build: [u8; 3],
    }

    let version = Version {
        numbers: [12, 255],
        build: [1, 2, 3],
    };
    let bytes = encode(&version, 100).unwrap();
    assert_eq!(bytes, postcard::to_stdvec(&version).unwrap());
    assert_eq!(bytes, b"\x0212\x03255\x01\x02\x03");
    assert_eq!(decode(&bytes, &ENOUGH), Ok(version));
}

/// postcard 1.1 reads some bytes as a `char` that hold two; every other version refuses them.
#[test]
fn chars_are_one_each() {
    for char in ['a', 'ß', '€', '𝄞', '\0', char::MAX] {
        let bytes = encode(&char, 8).unwrap();
        assert_eq!(bytes, postcard::to_stdvec(&char).unwrap());
        assert_eq!(decode::<char>(&bytes, &ENOUGH), Ok(char));
    }
    for bytes in [
        &b"\x02ab"[..],
        b"\x04a\xe2\x82\xac",
        b"\x00",
        b"\x05aaaaa",
        b"\x01\xc3",
    ] {
        let refused = decode::<char>(bytes, &ENOUGH);
        assert!(
            matches!(refused, Err(DecodeError::Malformed(_))),
            "{bytes:?}"
        );
    }
}

#[test]
fn elements_asked_for_as_different_types_come_in_order() {
    let mut random = Random::new(7);
    for length in 0..20 {
        let numbers: Vec<u64> = (0..length).map(|_| random.next() % 0x80).collect();
        let bytes = encode(&Mixed(numbers.clone()), 100).unwrap();
        let mut behind = (bytes, random.next());
        behind.0.push(9);
        let (theirs, _) = postcard::take_from_bytes::<(Mixed, u8)>(&behind.0).unwrap();
        match decode::<(Mixed, u8)>(&behind.0, &ENOUGH) {
            Ok(ours) => {
                assert!(length <= 12);
                assert_eq!((ours.0.0, ours.1), (numbers, theirs.1));
            }
            Err(error) => {
                let count = length - 12;
                assert_eq!(error, DecodeError::TrailingBytes { count });
                assert_eq!(theirs.0.0, numbers[..12]);
            }
        }
    }
}

/// Reads what it can of a sequence, and goes on behind what it cannot.
struct Lenient(Vec<bool>);

impl<'de> Deserialize<'de> for Lenient {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Elements;
        impl<'de> Visitor<'de> for Elements {
            type Value = Lenient;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Lenient, A::Error> {
                let (mut all, mut turns) = (Vec::new(), 0);
                while let Some(next) = seq.next_element::<bool>().transpose() {
                    all.extend(next);
                    turns += 1;
                    assert!(turns < 100, "there is no end of it");
                }
                Ok(Lenient(all))
            }
        }
        from.deserialize_seq(Elements)
    }
}

#[test]
fn an_element_that_was_refused_counts() {
    for bytes in [
        &[3, 1, 7, 0][..],
        &[2, 7, 7],
        &[3, 1],
        &[1, 0],
        &[2, 2, 1],
        &[0],
    ] {
        let (theirs, rest) = postcard::take_from_bytes::<Lenient>(bytes).unwrap();
        assert!(rest.is_empty());
        let ours = decode::<Lenient>(bytes, &ENOUGH).map(|ours| ours.0);
        assert_eq!(ours, Ok(theirs.0), "{bytes:?}");
    }
}

/// Whatever a visitor makes of errors, a length is no reason to go on for as long.
#[test]
fn a_length_beyond_the_budget_ends_with_it() {
    let small = Budget {
        bytes: 1 << 14,
        depth: 9,
    };
    let bytes = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 7];
    let refused = decode::<Lenient>(&bytes, &small).map(|ours| ours.0);
    assert_eq!(refused, Err(DecodeError::Budget { limit: 1 << 14 }));
}

/// A text of so many bytes that is known only by being displayed.
struct Displayed(usize);

impl fmt::Display for Displayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..self.0).try_for_each(|n| f.write_str(["a", "b", "c"][n % 3]))
    }
}

impl Serialize for Displayed {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[test]
fn what_is_displayed_is_written_as_a_text_within_the_limit() {
    for length in [
        0, 1, 126, 127, 128, 129, 300, 2047, 2048, 16_383, 16_384, 70_000,
    ] {
        let value = (7_u8, Displayed(length), "behind");
        let expected = postcard::to_stdvec(&value).unwrap();
        let written = encode(&value, expected.len()).unwrap();
        assert_eq!(written, expected, "{length}");
        for less in [1, 2, 7, 8, 9] {
            let limit = expected.len().saturating_sub(less);
            let refused = encode(&value, limit);
            assert!(
                matches!(refused, Err(EncodeError::TooLarge { .. })),
                "{length}: {limit}"
            );
        }
    }
}
