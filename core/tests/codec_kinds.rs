//! What is written as one type is never read as another: the checksum of kinds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tidings_core::codec::{Budget, DecodeError, decode_checked, encode, encode_checked};

fn sent<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    encode_checked(value, 1 << 20).unwrap()
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    decode_checked(bytes, &Budget::default())
}

/// `value` comes back as itself, and as itself within other values.
fn returns<T: Serialize + DeserializeOwned + PartialEq + Debug + Clone>(value: T) {
    assert_eq!(read::<T>(&sent(&value)).as_ref(), Ok(&value));
    let list = vec![value.clone(), value.clone()];
    assert_eq!(read::<Vec<T>>(&sent(&list)).as_ref(), Ok(&list));
    let nested = (1_u8, Some(value.clone()), value);
    assert_eq!(read(&sent(&nested)).as_ref(), Ok(&nested));
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Named {
    id: u64,
    #[serde(rename = "label")]
    name: String,
    #[serde(skip)]
    cached: u8,
    inner: Option<Box<Named>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Pair(u8, i64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Id(u64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Dot,
    Circle(f64),
    Line(i32, i32),
    Box { width: u16, height: u16 },
    Group(Vec<Shape>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Word(String);

impl TryFrom<String> for Word {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text.contains(' ') {
            Err("several words".into())
        } else {
            Ok(Word(text))
        }
    }
}

impl From<Word> for String {
    fn from(Word(text): Word) -> String {
        text
    }
}

/// Bytes as serde knows them, which a `Vec<u8>` does not use.
#[derive(Debug, Clone, PartialEq)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Bytes;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}

/// Written by `Display`, as many crates do it.
#[derive(Debug, Clone, PartialEq)]
struct Shown(String);

impl Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("<{}>", self.0))
    }
}

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Shown(text.trim_matches(['<', '>']).to_owned()))
    }
}

#[test]
fn every_shape_comes_back_as_itself() {
    returns(());
    returns(Unit);
    returns(true);
    returns('ß');
    returns((1_u8, 2_i8, 3_u16, 4_i16, 5_u32, 6_i32));
    returns((7_u64, 8_i64, 9_u128, 10_i128, 11_usize, 12_isize));
    returns((1.5_f32, -0.0_f64));
    returns(String::new());
    returns("text".to_owned());
    returns(None::<u8>);
    returns(Some(Some(0_u8)));
    returns(Vec::<u64>::new());
    returns((0..300).collect::<Vec<u64>>());
    returns(vec![Some(1_u8), None, None, Some(2)]);
    returns(vec![vec![1_i32], vec![], vec![2, 3]]);
    returns([1_u8, 2, 3]);
    returns([0_u64; 0]);
    returns(Pair(1, -2));
    returns(Id(3));
    returns(Bytes(vec![1, 2]));
    returns(Bytes(Vec::new()));
    returns(Shown("shown".into()));
    returns(Word("word".into()));
    returns(Named {
        id: 1,
        name: "a".into(),
        cached: 0,
        inner: Some(Box::new(Named {
            id: 2,
            name: String::new(),
            cached: 0,
            inner: None,
        })),
    });
    returns(Shape::Group(vec![
        Shape::Dot,
        Shape::Circle(1.0),
        Shape::Line(1, -1),
        Shape::Line(2, -2),
        Shape::Box {
            width: 1,
            height: 2,
        },
        Shape::Group(Vec::new()),
    ]));
    returns(BTreeMap::from([
        (1_u8, "one".to_owned()),
        (2, String::new()),
    ]));
    returns(HashMap::from([("key".to_owned(), Some(1_i16))]));
    returns(BTreeMap::<u8, u8>::new());
    returns(BTreeSet::from([3_u32, 4]));
    returns(Ok::<u8, String>(1));
    returns(Err::<u8, String>("no".into()));
    returns(Duration::from_millis(1500));
    returns(PathBuf::from("/tmp"));
    returns(IpAddr::from([127, 0, 0, 1]));
    returns(Range {
        start: 1_u8,
        end: 9,
    });
    returns(NonZeroU16::MIN);
    returns(Box::new(5_u32));
    returns(Arc::<str>::from("shared").to_string());
    returns(std::cell::Cell::new(1_u8));
    returns(std::num::Wrapping(1_i64));
    returns(std::time::SystemTime::UNIX_EPOCH);
}

/// What is read rightly is taken, though the types are not the same.
#[test]
fn what_reads_the_same_is_taken() {
    // Any width of 16 bits and more, up to what fits.
    assert_eq!(read::<u64>(&sent(&3_u16)), Ok(3));
    assert_eq!(read::<u16>(&sent(&3_u128)), Ok(3));
    assert_eq!(read::<i64>(&sent(&-3)), Ok(-3));
    assert!(read::<u16>(&sent(&70_000_u32)).is_err());
    assert_eq!(read::<usize>(&sent(&3_u64)), Ok(3));
    // Borrowed for owned; a newtype for what it wraps; a tuple for a struct.
    assert_eq!(read::<String>(&sent("text")), Ok("text".into()));
    assert_eq!(read::<Vec<u64>>(&sent(&[1_u64, 2][..])), Ok(vec![1, 2]));
    assert_eq!(read::<Id>(&sent(&3_u64)), Ok(Id(3)));
    assert_eq!(read::<Pair>(&sent(&(1_u8, -2_i64))), Ok(Pair(1, -2)));
    assert_eq!(read::<(u8, u8)>(&sent(&[1_u8, 2])), Ok((1, 2)));
    let (array, tuple) = (("id", [1_u8, 2, 3]), ("id".to_owned(), (1, 2, 3)));
    assert_eq!(
        read::<(String, (u8, u8, u8))>(&sent(&array)),
        Ok(tuple.clone())
    );
    assert_eq!(read(&sent(&tuple)), Ok(("id".to_owned(), [1_u8, 2, 3])));
    assert!(read::<(String, [i8; 3])>(&sent(&array)).is_err());
    assert_eq!(read::<()>(&sent(&Unit)), Ok(()));
    // A list of pairs for a map; bytes for a list of `u8`, be they many or none.
    let map = BTreeMap::from([(1_u8, 2_u64), (3, 4)]);
    assert_eq!(
        read::<Vec<(u8, u64)>>(&sent(&map)),
        Ok(vec![(1, 2), (3, 4)])
    );
    assert_eq!(
        read::<BTreeMap<u8, u64>>(&sent(&[(1_u8, 2_u64), (3, 4)][..])),
        Ok(map)
    );
    for bytes in [vec![], vec![1], vec![1, 2, 3]] {
        assert_eq!(read::<Bytes>(&sent(&bytes)), Ok(Bytes(bytes.clone())));
        assert_eq!(read::<Vec<u8>>(&sent(&Bytes(bytes.clone()))), Ok(bytes));
    }
    // Where there is no element, there is nothing to misread.
    assert_eq!(read::<Vec<String>>(&sent::<[u8]>(&[])), Ok(vec![]));
    assert_eq!(read::<Option<String>>(&sent(&None::<u8>)), Ok(None));
}

fn refused<T: DeserializeOwned + Debug>(bytes: &[u8], what: &str) {
    match read::<T>(bytes) {
        Err(DecodeError::Kinds { expected }) => {
            assert_eq!(expected, std::any::type_name::<T>());
        }
        other => panic!("{what} as {}: {other:?}", std::any::type_name::<T>()),
    }
}

/// Each of these pairs of types, in either direction, where postcard by itself would read a value.
#[test]
fn what_would_be_misread_is_refused() {
    macro_rules! differ {
        ($($one:expr, $other:expr;)*) => {$(
            {
                fn both<A, B>(one: A, other: B)
                where
                    A: Serialize + DeserializeOwned + Debug,
                    B: Serialize + DeserializeOwned + Debug,
                {
                    refused::<B>(&sent(&one), stringify!($one));
                    refused::<A>(&sent(&other), stringify!($other));
                }
                both($one, $other);
            }
        )*};
    }
    differ! {
        3_i32, 3_u64;
        3_u8, 3_u64;
        3_u8, 3_i8;
        3_i8, 3_i64;
        1_u8, true;
        3_u32, Some(3_u8);
        1.5_f64, [1_u8; 8];
        1.5_f32, [1_u8; 4];
        0.0_f32, 0_u8;
        'a', "a".to_owned();
        "abc".to_owned(), vec![97_u8, 98, 99];
        "abc".to_owned(), Bytes(vec![97, 98, 99]);
        [2_i32, 4, 6], vec![2_i32, 3];
        vec![1_u64, 2], vec![1_i64, 2];
        vec![vec![1_u8]], vec![vec![1_i8]];
        (1_u8, 2_u64), (1_u64, 2_u8);
        (1_u8, 2_u8), 1_u8;
        ((), 5_u32), (5_u32, 1_u32);
        Shape::Dot, 0_u32;
        Shape::Line(1, 2), (2_u32, 1_i32, 2_i32);
        BTreeMap::from([(1_u8, 1_u64)]), BTreeMap::from([(1_u64, 1_u8)]);
        Some(1_u64), Some(1_i64);
        Ok::<u8, u8>(1), (0_u32, 1_u8);
        vec![Some(1_u64)], vec![Some(1_i64)];
    }
}

/// Not only the first element counts, and elements in a row not only once for all.
#[test]
fn an_element_of_another_kind_is_found_wherever_it_is() {
    #[derive(Debug, Serialize)]
    enum Sent {
        Number(u64),
        Text(String),
    }
    #[derive(Debug, PartialEq, Deserialize)]
    enum Read {
        Number(u64),
        Text(Vec<u8>),
    }
    let number = || Sent::Number(1);
    let text = || Sent::Text("a".into());
    assert!(read::<Vec<Read>>(&sent(&[number(), number()][..])).is_ok());
    refused::<Vec<Read>>(&sent(&[number(), number(), text()][..]), "the last");
    refused::<Vec<Read>>(&sent(&[text(), number(), number()][..]), "the first");
    refused::<Vec<Read>>(&sent(&[number(), text(), number()][..]), "the middle");
}

/// Every pair of scalars and pairs of them: whatever is read, is read as what was sent.
#[test]
fn no_pair_of_types_is_misread() {
    macro_rules! matrix {
        ($($value:expr => $type:ty),* $(,)?) => {{
            let all = [$((stringify!($type), sent(&$value), format!("{:?}", $value))),*];
            for (name, bytes, shown) in &all {
                $(
                    if let Ok(value) = read::<$type>(bytes) {
                        let value: $type = value;
                        assert_eq!(&format!("{value:?}"), shown, "{name} as {}", stringify!($type));
                    }
                )*
            }
        }};
    }
    matrix! {
        200_u8 => u8, -56_i8 => i8, 200_u16 => u16, -200_i16 => i16, 200_u32 => u32, -200_i32 => i32,
        200_u64 => u64, -200_i64 => i64, 200_u128 => u128, -200_i128 => i128,
        true => bool, 1.5_f32 => f32, 1.5_f64 => f64, 'x' => char, "x".to_owned() => String,
        vec![120_u8] => Vec<u8>, vec![120_i8] => Vec<i8>, vec![1_u16, 2] => Vec<u16>, vec![-1_i16] => Vec<i16>,
        vec![true] => Vec<bool>, vec!["x".to_owned()] => Vec<String>, Some(1_u8) => Option<u8>,
        Some(1_u16) => Option<u16>, Some(true) => Option<bool>, Some('x') => Option<char>,
        (1_u8, 1_u8) => (u8, u8), (1_u8, true) => (u8, bool), (true, 1_u8) => (bool, u8),
        (1_u16, 1_u16) => (u16, u16), (1_i16, 1_u16) => (i16, u16), (1_u8, vec![1_u8]) => (u8, Vec<u8>),
        (1_u8, 1_u8, vec![1_u8]) => (u8, u8, Vec<u8>), (vec![1_u8], 1_u8) => (Vec<u8>, u8),
        [1_u8, 1, 1] => [u8; 3], [1_u16, 1, 1] => [u16; 3],
    }
}

#[test]
fn a_checksum_takes_four_bytes_and_counts_against_the_limit() {
    let value = "text";
    let plain = encode(value, 100).unwrap();
    let checked = encode_checked(value, plain.len() + 4).unwrap();
    assert_eq!(checked[..plain.len()], plain);
    assert_eq!(checked.len(), plain.len() + 4);
    assert!(encode_checked(value, plain.len() + 3).is_err());
}

/// What a peer sends need not be what an encoder makes.
#[test]
fn bytes_without_a_checksum_or_with_a_wrong_one_are_refused() {
    for short in [&[][..], &[1], &[1, 2, 3]] {
        assert!(matches!(read::<u8>(short), Err(DecodeError::Malformed(_))));
    }
    let mut bytes = sent(&5_u64);
    *bytes.last_mut().unwrap() ^= 1;
    refused::<u64>(&bytes, "a wrong sum");
}

#[test]
fn what_the_type_itself_refuses_is_told_as_before() {
    let error = read::<Word>(&sent("two words")).unwrap_err();
    assert!(matches!(error, DecodeError::Malformed(_)), "{error}");
    let deep = Budget {
        depth: 1,
        ..Budget::default()
    };
    let error = decode_checked::<Vec<Vec<u8>>>(&sent(&vec![vec![1_u8]]), &deep).unwrap_err();
    assert!(matches!(error, DecodeError::TooDeep { .. }), "{error}");
}
