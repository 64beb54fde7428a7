//! [`Bytes`] on their way into a message and out of it: what is shared, and that nobody notices but by the time it takes.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Budget, CodecId, EncodeError, decode_owned, decode_shared, encode, encode_in};
use crate::bytes::{Body, Bytes, LEAST};
use crate::payload::Payload;

const CODECS: [CodecId; 2] = [CodecId::POSTCARD, CodecId::CHECKED];

fn bytes(count: usize) -> Bytes {
    (0..count).map(|n| n as u8).collect()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Film {
    title: String,
    frames: Vec<(u32, Bytes)>,
    rest: Option<Bytes>,
}

fn film() -> Film {
    let frame = |n: usize| (n as u32, bytes(LEAST - 1 + n));
    Film {
        title: "night mail".into(),
        frames: (0..4).map(frame).collect(),
        rest: Some(bytes(3)),
    }
}

#[test]
fn they_are_read_as_they_were_written_and_as_vectors() {
    for codec in CODECS {
        let body = encode_in(codec, &film(), 1 << 20).unwrap();
        assert!(matches!(body, Body::Shared(_)));
        let whole = body.into_vec();
        let back: Film = decode_owned(codec, whole.clone(), &Budget::default()).unwrap();
        assert_eq!(back, film());
        type Copied = (String, Vec<(u32, Vec<u8>)>, Option<Vec<u8>>);
        let copied: Copied = decode_owned(codec, whole.clone(), &Budget::default()).unwrap();
        assert_eq!(
            encode_in(codec, &copied, 1 << 20).unwrap().into_vec(),
            whole
        );
    }
    assert_eq!(
        encode(&film(), 1 << 20),
        Ok(encode_in(CodecId::POSTCARD, &film(), 1 << 20)
            .unwrap()
            .into_vec())
    );
}

#[test]
fn what_is_sent_is_the_senders_own_memory_until_it_is_gone() {
    let sent = bytes(100_000);
    let Body::Shared(pieces) = encode_in(CodecId::POSTCARD, &(1_u8, &sent), 1 << 20).unwrap()
    else {
        panic!("they were copied");
    };
    let places: Vec<_> = pieces
        .within(0..pieces.len())
        .map(|piece| piece.as_ptr())
        .collect();
    assert_eq!(places.len(), 2);
    assert_eq!(places[1], sent.as_ptr());
    drop(pieces);
    let place = sent.as_ptr();
    let back = sent.into_vec();
    assert_eq!(back.as_ptr(), place, "nobody else holds them");
}

#[test]
fn what_is_received_is_the_memory_of_its_message() {
    let message = Bytes::from(encode(&(7_u8, bytes(100_000)), 1 << 20).unwrap());
    let (_, one): (u8, Bytes) =
        decode_shared(CodecId::POSTCARD, &message, &Budget::default()).unwrap();
    assert_eq!(one.as_ptr().addr(), message.as_ptr().addr() + 4);
    assert_eq!(one, bytes(100_000));
    let few = Bytes::from(encode(&(bytes(LEAST), vec![1_u8; 5 * LEAST]), 1 << 20).unwrap());
    let (one, _): (Bytes, Vec<u8>) =
        decode_shared(CodecId::POSTCARD, &few, &Budget::default()).unwrap();
    assert_ne!(
        one.as_ptr().addr(),
        few.as_ptr().addr() + 3,
        "too few of them"
    );
    assert_eq!(one, bytes(LEAST));
}

#[test]
fn the_limit_counts_what_is_shared() {
    for codec in CODECS {
        let whole = encode_in(codec, &film(), 1 << 20).unwrap().len();
        assert_eq!(encode_in(codec, &film(), whole).unwrap().len(), whole);
        for limit in [whole - 1, whole / 2, 10, 0] {
            let refused = encode_in(codec, &film(), limit);
            let Err(EncodeError::TooLarge { at_least, .. }) = refused else {
                panic!("{refused:?}");
            };
            assert!(at_least > limit && at_least <= whole);
        }
    }
}

#[test]
fn of_many_only_some_are_left_where_they_are() {
    let many: Vec<Bytes> = (0..100).map(|n| bytes(LEAST + n)).collect();
    let body = encode_in(CodecId::POSTCARD, &many, 1 << 24).unwrap();
    let Body::Shared(pieces) = &body else {
        panic!("they were copied");
    };
    assert!(pieces.within(0..pieces.len()).count() < 70);
    assert_eq!(body.into_vec(), encode(&many, 1 << 24).unwrap());
}

/// Shows other bytes than those that were offered.
struct Liar(Bytes);

impl Serialize for Liar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Other<S>(S);

        impl<S: Serializer> Other<S> {
            fn show(self) -> Result<S::Ok, S::Error> {
                self.0.serialize_bytes(&[9; LEAST])
            }
        }

        // Something else is written while these are offered: by a serializer around the codec's own.
        crate::bytes::offering(&self.0, || Other(serializer).show())
    }
}

#[test]
fn nothing_but_the_very_memory_that_was_offered_is_taken() {
    let written = encode_in(CodecId::POSTCARD, &Liar(bytes(LEAST)), 1 << 20).unwrap();
    assert!(matches!(&written, Body::Own(_)));
    assert_eq!(written.into_vec()[3..], [9; LEAST]);
}

/// Panics while its bytes are offered, and while they are lent.
#[derive(Debug)]
struct Panics(Bytes);

impl Serialize for Panics {
    fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        crate::bytes::offering(&self.0, || panic!("as it is written"))
    }
}

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let _bytes = Bytes::deserialize(deserializer)?;
        panic!("as it is read")
    }
}

#[test]
fn nothing_is_held_behind_a_panic() {
    let panics = Panics(bytes(LEAST));
    let place = panics.0.as_ptr();
    let failed = encode_in(CodecId::POSTCARD, &panics, 1 << 20);
    assert!(matches!(failed, Err(EncodeError::Panicked)));
    let back = panics.0.into_vec();
    assert_eq!(back.as_ptr(), place, "nobody else holds them");
    let message = Bytes::from(encode(&bytes(LEAST), 1 << 20).unwrap());
    let place = message.as_ptr();
    let read = || decode_shared::<Panics>(CodecId::POSTCARD, &message, &Budget::default());
    assert!(catch_unwind(AssertUnwindSafe(read)).unwrap().is_err());
    let back = message.into_vec();
    assert_eq!(back.as_ptr(), place, "nobody else holds it");
}

/// Reads a message between the parts of another.
struct Nested(Bytes, Bytes);

impl<'de> Deserialize<'de> for Nested {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;

        impl<'de> Visitor<'de> for Parts {
            type Value = Nested;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("two parts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Nested, A::Error> {
                let message: Bytes = parts.next_element()?.unwrap_or_default();
                let inner = decode_owned(CodecId::POSTCARD, message.into_vec(), &Budget::default());
                let behind = parts.next_element()?.unwrap_or_default();
                Ok(Nested(inner.map_err(de::Error::custom)?, behind))
            }
        }

        deserializer.deserialize_tuple(2, Parts)
    }
}

#[test]
fn a_message_may_be_read_within_another() {
    let inner = Bytes::from(encode(&bytes(LEAST), 1 << 20).unwrap());
    let outer = Bytes::from(encode(&(inner, bytes(2 * LEAST)), 1 << 20).unwrap());
    let Nested(one, other) = decode_shared(CodecId::POSTCARD, &outer, &Budget::default()).unwrap();
    assert_eq!((&one, &other), (&bytes(LEAST), &bytes(2 * LEAST)));
    let behind = &outer[outer.len() - 2 * LEAST..];
    assert_eq!(
        other.as_ptr(),
        behind.as_ptr(),
        "it is the outer one that is read again"
    );
}

#[test]
fn what_a_payload_carries_is_shared_with_it() {
    let (sent, codec) = (bytes(100_000), CodecId::POSTCARD);
    let payload = Payload::value(sent.clone()).encode(1 << 20, codec).unwrap();
    let body = payload.into_body(1 << 20, codec).unwrap();
    let Body::Shared(pieces) = &body else {
        panic!("they were copied");
    };
    let last = pieces.within(3..pieces.len()).next().unwrap();
    assert_eq!(last.as_ptr(), sent.as_ptr());
    let message = body.into_vec();
    let place = message.as_ptr().addr();
    let came = Payload::encoded(message, codec);
    let came: Bytes = came.take(&Budget::default()).unwrap();
    assert_eq!(came.as_ptr().addr(), place + 3);
}

#[test]
fn a_small_part_of_what_would_be_kept_is_copied() {
    let whole = bytes(10 * LEAST);
    let part = whole.slice(..2 * LEAST).unwrap();
    assert_eq!(part.as_ptr(), whole.as_ptr());
    let written = encode_in(CodecId::POSTCARD, &part, 1 << 20).unwrap();
    assert!(matches!(&written, Body::Own(_)));
    let most = whole.slice(..3 * LEAST).unwrap();
    let written = encode_in(CodecId::POSTCARD, &most, 1 << 20).unwrap();
    assert!(matches!(&written, Body::Shared(_)));
}

#[test]
fn another_codec_has_them_as_bytes_of_its_own() {
    let sent = bytes(LEAST);
    let text = postcard::to_stdvec(&sent).unwrap();
    assert_eq!(postcard::from_bytes::<Bytes>(&text), Ok(sent.clone()));
    let list = serde::de::value::SeqDeserializer::<_, serde::de::value::Error>::new(0_u8..4);
    assert_eq!(Bytes::deserialize(list).unwrap(), [0, 1, 2, 3][..]);
}
