//! Values to bytes and back: what comes back, and what is refused with which error.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde::ser::{Error as _, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use tidings_core::codec::{
    Budget, CodecId, DecodeError, EncodeError, decode, decode_checked, encode, encode_checked,
};

const LIMIT: usize = 1 << 20;

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: T) {
    let bytes = encode(&value, LIMIT).unwrap();
    assert_eq!(bytes, postcard::to_stdvec(&value).unwrap());
    assert_eq!(decode::<T>(&bytes, &Budget::default()).unwrap(), value);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Event {
    Started,
    Line(String),
    Moved { x: f64, y: f64 },
    Pair(u8, Box<Event>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Report {
    id: u64,
    name: String,
    note: Option<String>,
    events: Vec<Event>,
    counts: BTreeMap<String, i64>,
    tags: BTreeSet<char>,
    raw: Vec<u8>,
    took: Duration,
    unit: (),
    grid: [[u16; 2]; 3],
}

fn report() -> Report {
    Report {
        id: u64::MAX,
        name: "größe".to_owned(),
        note: None,
        events: vec![
            Event::Started,
            Event::Line(String::new()),
            Event::Moved {
                x: -0.0,
                y: f64::INFINITY,
            },
            Event::Pair(7, Box::new(Event::Pair(8, Box::new(Event::Started)))),
        ],
        counts: [("a".to_owned(), i64::MIN), ("b".to_owned(), 0)].into(),
        tags: ['x', '€'].into(),
        raw: (0..=255).collect(),
        took: Duration::new(3, 4),
        unit: (),
        grid: [[0, 1], [2, 3], [u16::MAX, 5]],
    }
}

#[test]
fn values_come_back_equal_in_plain_postcard() {
    comes_back(report());
    comes_back(Some(report()));
    comes_back(vec![report(); 20]);
    comes_back((1_u8, -1_i128, u128::MAX, 'z', true, 1.5_f32));
    comes_back(HashMap::from([(1_u32, vec![Some("a".to_owned()), None])]));
    comes_back(Ok::<u8, String>(3));
    comes_back(Err::<u8, String>("no".to_owned()));
    comes_back((0..100_000).collect::<Vec<u64>>());
    comes_back(std::net::SocketAddr::from(([127, 0, 0, 1], 80)));
}

/// D7: payloads of an earlier build, with the checksum of their kinds behind them. This one must read them, and write the
/// same; a change here means that those who are out there cannot be spoken with.
#[test]
fn a_value_that_an_earlier_build_has_written_is_read_and_written_the_same() {
    const RECORDED: &str = "ffffffffffffffffff01076772c3b6c39f650004000100020000000000000080000000000000f07f0307030800020161ffffffffffffffffff0101620002017803e282ac030102ff030400010203ffff0305a64659a3";
    let value = Report {
        raw: vec![1, 2, 255],
        ..report()
    };
    let bytes = encode_checked(&value, LIMIT).unwrap();
    let hexadecimal: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hexadecimal, RECORDED);
    let digits: Vec<char> = RECORDED.chars().collect();
    let byte = |two: &[char]| u8::from_str_radix(&String::from_iter(two), 16).unwrap();
    let recorded: Vec<u8> = digits.chunks(2).map(byte).collect();
    let read: Report = decode_checked(&recorded, &Budget::default()).unwrap();
    assert_eq!(read, value);
    let (plain, _checksum) = recorded.split_at(recorded.len() - 4);
    assert_eq!(decode::<Report>(plain, &Budget::default()).unwrap(), value);
}

#[test]
fn empty_values_are_values() {
    comes_back(());
    comes_back(None::<u8>);
    comes_back(String::new());
    comes_back(Vec::<u8>::new());
    comes_back(HashMap::<u8, u8>::new());
    comes_back(vec![(); 1000]);
}

/// FAULTS D10.
#[test]
fn a_not_a_number_passes_with_its_bits() {
    let odd = f64::from_bits(0x7ff8_0000_dead_beef);
    let bytes = encode(&odd, LIMIT).unwrap();
    assert_eq!(
        decode::<f64>(&bytes, &Budget::default()).unwrap().to_bits(),
        odd.to_bits()
    );
}

/// FAULTS D9.
#[test]
fn of_duplicate_keys_the_last_wins() {
    let bytes = encode(&vec![(1_u8, 'a'), (1, 'b')], LIMIT).unwrap();
    let map: HashMap<u8, char> = decode(&bytes, &Budget::default()).unwrap();
    assert_eq!(map, HashMap::from([(1, 'b')]));
}

/// FAULTS D13: limit - 1, limit, limit + 1.
#[test]
fn encoding_ends_at_the_limit() {
    let value = "x".repeat(98);
    assert_eq!(encode(&value, 100).unwrap().len(), 99);
    assert_eq!(encode(&value, 99).unwrap().len(), 99);
    assert_eq!(
        encode(&value, 98),
        Err(EncodeError::TooLarge {
            at_least: 99,
            limit: 98
        })
    );
    assert_eq!(
        encode(&value, 0),
        Err(EncodeError::TooLarge {
            at_least: 99,
            limit: 0
        })
    );
    assert_eq!(encode(&(), 0).unwrap(), []);
}

/// Elements without end, under a length that says two.
struct Endless;

impl Serialize for Endless {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut seq = to.serialize_seq(Some(2))?;
        loop {
            seq.serialize_element(&1_u8)?;
        }
    }
}

/// FAULTS D12.
#[test]
fn a_value_without_end_is_stopped_at_the_limit() {
    let error = encode(&Endless, 1000).unwrap_err();
    assert_eq!(
        error,
        EncodeError::TooLarge {
            at_least: 1025,
            limit: 1000
        }
    );
}

/// Takes the refusal of its bytes for a success.
struct Careless;

impl Serialize for Careless {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut seq = to.serialize_seq(Some(3))?;
        let _ignored = seq.serialize_element(&"a long text");
        let _ignored = seq.serialize_element(&1_u8);
        seq.end()
    }
}

#[test]
fn an_overflow_that_the_value_ignores_is_still_an_error() {
    let error = encode(&Careless, 5).unwrap_err();
    assert_eq!(
        error,
        EncodeError::TooLarge {
            at_least: 14,
            limit: 5
        }
    );
}

struct Refuses;

impl Serialize for Refuses {
    fn serialize<S: Serializer>(&self, _to: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("not today"))
    }
}

impl<'de> Deserialize<'de> for Refuses {
    fn deserialize<D: Deserializer<'de>>(_from: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("not today"))
    }
}

struct Panics;

impl Serialize for Panics {
    fn serialize<S: Serializer>(&self, _to: S) -> Result<S::Ok, S::Error> {
        panic!("in the user's Serialize")
    }
}

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: Deserializer<'de>>(_from: D) -> Result<Self, D::Error> {
        panic!("in the user's Deserialize")
    }
}

/// FAULTS D11.
#[test]
fn a_panic_in_a_serde_implementation_is_an_error() {
    assert_eq!(encode(&vec![Panics], LIMIT), Err(EncodeError::Panicked));
    let decoded = decode::<Vec<Panics>>(&[1], &Budget::default());
    assert!(matches!(decoded, Err(DecodeError::Panicked)));
}

#[test]
fn a_refusal_by_the_type_says_that_the_type_refused() {
    let error = encode(&Refuses, LIMIT).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("Serialize implementation refused")
    );
    let Err(error) = decode::<(u8, Vec<Option<Refuses>>)>(&[0, 1, 1], &Budget::default()) else {
        panic!("not refused");
    };
    assert!(
        error
            .to_string()
            .contains("Deserialize implementation refused")
    );
}

#[test]
fn a_value_that_postcard_cannot_carry_says_why() {
    #[derive(Serialize, Deserialize)]
    struct Flat {
        #[serde(flatten)]
        event: BTreeMap<String, u8>,
    }
    let error = encode(
        &Flat {
            event: BTreeMap::new(),
        },
        LIMIT,
    )
    .unwrap_err();
    assert!(error.to_string().contains("flatten"), "{error}");
    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    #[allow(dead_code)]
    enum Untagged {
        Number(u8),
    }
    let error = decode::<Untagged>(&[1], &Budget::default()).unwrap_err();
    assert!(error.to_string().contains("untagged"), "{error}");
}

/// FAULTS D5.
#[test]
fn bytes_left_over_are_counted() {
    let decoded = decode::<u8>(&[1, 2, 3], &Budget::default());
    assert_eq!(decoded, Err(DecodeError::TrailingBytes { count: 2 }));
}

/// FAULTS D8, and every truncation.
#[test]
fn bytes_that_are_no_value_of_the_type_are_malformed() {
    fn malformed<T: DeserializeOwned>(bytes: &[u8]) {
        let decoded = decode::<T>(bytes, &Budget::default());
        let kind = std::any::type_name::<T>();
        assert!(
            matches!(decoded, Err(DecodeError::Malformed(_))),
            "{bytes:?} as {kind}"
        );
    }
    malformed::<String>(&[2, 0xff, 0xfe]);
    malformed::<bool>(&[2]);
    malformed::<char>(&[3, 0xed, 0xa0, 0x80]);
    malformed::<Option<u8>>(&[2, 1]);
    malformed::<Event>(&[4]);
    malformed::<u64>(&[0xff; 11]);
    malformed::<std::num::NonZeroU8>(&[0]);
    let bytes = encode(&report(), LIMIT).unwrap();
    for end in 0..bytes.len() {
        malformed::<Report>(&bytes[..end]);
    }
}

#[test]
fn errors_name_the_limit_and_the_setting() {
    let texts = [
        EncodeError::TooLarge {
            at_least: 17,
            limit: 16,
        }
        .to_string(),
        DecodeError::TooDeep { limit: 64 }.to_string(),
        DecodeError::Budget { limit: 1024 }.to_string(),
    ];
    for (text, (limit, setting)) in texts.iter().zip([
        ("16", "maximum message"),
        ("64", "Budget::depth"),
        ("1024", "Budget::bytes"),
    ]) {
        assert!(text.contains(limit) && text.contains(setting), "{text}");
    }
}

#[test]
fn a_codec_has_one_byte_and_may_be_unknown() {
    for byte in 0..=255 {
        let codec = CodecId::from_byte(byte);
        assert_eq!(codec.to_byte(), byte);
        assert_eq!(codec.is_known(), byte < 2);
    }
    assert_eq!(CodecId::default(), CodecId::POSTCARD);
    assert_eq!(CodecId::CHECKED.to_byte(), 1);
}
