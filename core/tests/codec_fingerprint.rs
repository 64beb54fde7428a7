//! The fingerprint of a type tells shapes apart, and nothing but shapes (C-VE-4, FAULTS D6).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroI64, NonZeroU8};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize};
use tidings_core::Bytes;
use tidings_core::codec::fingerprint::{cached, combine, of};

macro_rules! all_differ {
    ($($ty:ty),* $(,)?) => {{
        let found = [$((stringify!($ty), of::<$ty>())),*];
        for (index, (name, print)) in found.iter().enumerate() {
            assert_ne!(*print, 0, "{name}");
            for (other, same) in &found[..index] {
                assert_ne!(print, same, "{name} has the fingerprint of {other}");
            }
        }
    }};
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Point {
    x: i32,
    y: i32,
}

mod elsewhere {
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[allow(dead_code)]
    pub(crate) struct Place {
        x: i32,
        y: i32,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    pub(crate) enum Form {
        Dot,
        Circle(u32),
        Box { width: u32, height: u32 },
    }
}

mod changed {
    use super::*;

    #[derive(Deserialize)]
    #[allow(dead_code)]
    pub(crate) struct Retyped {
        x: i32,
        y: i64,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    pub(crate) struct Longer {
        x: i32,
        y: i32,
        z: i32,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    pub(crate) struct Renamed {
        x: i32,
        #[serde(rename = "why")]
        y: i32,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    pub(crate) struct Reordered {
        y: i32,
        x: i32,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    pub(crate) struct Skipping {
        x: i32,
        #[serde(skip)]
        y: i32,
    }
}

#[test]
fn a_struct_changed_in_any_field_differs() {
    all_differ!(
        Point,
        changed::Retyped,
        changed::Longer,
        changed::Renamed,
        changed::Reordered,
        changed::Skipping,
        (i32, i32),
        [i32; 3],
    );
}

#[test]
fn the_same_shape_elsewhere_is_the_same() {
    assert_eq!(of::<Point>(), of::<elsewhere::Place>());
    assert_eq!(of::<Shape>(), of::<elsewhere::Form>());
    assert_eq!(of::<(Point, Point)>(), of::<(Point, elsewhere::Place)>());
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Shape {
    Dot,
    Circle(u32),
    Box { width: u32, height: u32 },
}

mod variants {
    use serde::Deserialize;

    macro_rules! shapes {
        ($($name:ident { $($body:tt)* })*) => {$(
            #[derive(Deserialize)]
            #[allow(dead_code)]
            pub(crate) enum $name { $($body)* }
        )*};
    }

    shapes! {
        Added { Dot, Circle(u32), Box { width: u32, height: u32 }, Line }
        Repaid { Dot, Circle(u64), Box { width: u32, height: u32 } }
        LastRepaid { Dot, Circle(u32), Box { width: u32, height: u8 } }
        Renamed { Point, Circle(u32), Box { width: u32, height: u32 } }
        Reordered { Circle(u32), Dot, Box { width: u32, height: u32 } }
        Filled { Dot(u8), Circle(u32), Box { width: u32, height: u32 } }
        Unnamed { Dot, Circle(u32), Box(u32, u32) }
    }
}

#[test]
fn an_enum_changed_in_any_variant_differs() {
    all_differ!(
        Shape,
        variants::Added,
        variants::Repaid,
        variants::LastRepaid,
        variants::Renamed,
        variants::Reordered,
        variants::Filled,
        variants::Unnamed,
    );
}

#[test]
fn a_change_deep_inside_reaches_the_whole() {
    type Deep<T> = Vec<Option<HashMap<String, (u8, Result<Vec<T>, Shape>)>>>;
    all_differ!(
        Deep<Point>,
        Deep<changed::Retyped>,
        Deep<Shape>,
        Deep<variants::LastRepaid>,
        Deep<()>
    );
    assert_eq!(of::<Deep<Point>>(), of::<Deep<elsewhere::Place>>());
}

#[test]
fn kinds_of_values_differ() {
    all_differ!(
        (), bool, i8, i16, i32, i64, i128, u8, u16, u32, u64, u128, f32, f64, char, String,
        Option<u8>, Vec<u8>, (u8,), (u8, u8), [u8; 3], BTreeMap<u8, u8>, Vec<Option<u8>>,
        Option<Vec<u8>>, Result<u8, u8>,
    );
}

#[test]
fn what_is_one_thing_on_the_wire_is_the_same() {
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Id(u64);

    #[derive(Deserialize)]
    #[serde(transparent)]
    #[allow(dead_code)]
    struct Wrapped {
        inner: Point,
    }

    assert_eq!(of::<Id>(), of::<u64>());
    assert_eq!(of::<usize>(), of::<u64>());
    assert_eq!(of::<Wrapped>(), of::<Point>());
    assert_eq!(of::<Box<Point>>(), of::<Point>());
    assert_eq!(of::<Box<str>>(), of::<String>());
    assert_eq!(of::<PathBuf>(), of::<String>());
    assert_eq!(of::<HashSet<u8>>(), of::<Vec<u8>>());
    assert_eq!(of::<Bytes>(), of::<Vec<u8>>());
    assert_eq!(of::<Tree<Bytes>>(), of::<Tree<Vec<u8>>>());
    assert_eq!(of::<HashMap<u8, bool>>(), of::<BTreeMap<u8, bool>>());
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Tree<T> {
    value: T,
    left: Option<Box<Tree<T>>>,
    right: Option<Box<Tree<T>>>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Forest<T>(Vec<Forest<T>>, T);

#[derive(Deserialize)]
#[allow(dead_code)]
enum Term<T> {
    Not(Box<Term<T>>),
    And(Box<Term<T>>, Box<Term<T>>),
    Any(Vec<Term<T>>),
    Value(T),
    Named {
        name: String,
        term: Option<Box<Term<T>>>,
    },
}

#[derive(Deserialize)]
#[serde(transparent)]
#[allow(dead_code)]
struct Chain {
    next: Option<Box<Chain>>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Endless {
    Again(Box<Endless>),
}

#[test]
fn recursion_ends_and_what_it_carries_counts() {
    all_differ!(
        Tree<u8>,
        Tree<u16>,
        Tree<Shape>,
        Tree<variants::Repaid>,
        Forest<u8>,
        Forest<u16>,
        Term<u8>,
        Term<u16>,
        Term<Tree<u8>>,
        Term<Tree<Shape>>,
        Term<Tree<variants::Added>>,
        Chain,
        Endless,
    );
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Ping<T> {
    Back(Box<Pong<T>>),
    End,
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Pong<T> {
    Back(Box<Ping<T>>),
    Pair(Box<Ping<T>>, Box<Pong<T>>),
    End(T),
}

#[test]
fn every_variant_of_enums_within_each_other_is_reached() {
    all_differ!(
        Ping<u8>,
        Ping<u16>,
        Pong<u8>,
        Pong<u16>,
        Ping<Shape>,
        Ping<variants::LastRepaid>
    );
}

#[test]
fn the_types_of_std_are_told_apart() {
    all_differ!(
        Duration,
        SystemTime,
        IpAddr,
        SocketAddr,
        NonZeroU8,
        NonZeroI64,
        std::ops::Range<u8>,
        std::cell::Cell<bool>,
        std::ops::Bound<u8>,
        std::ffi::OsString,
    );
    assert_eq!(of::<NonZeroU8>(), of::<u8>());
}

/// Refuses every text that is not a date of a certain century.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Picky;

impl TryFrom<String> for Picky {
    type Error = &'static str;

    fn try_from(_text: String) -> Result<Self, Self::Error> {
        Err("not of the century")
    }
}

#[test]
fn fields_behind_one_that_refuses_every_value_still_count() {
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Dated<T> {
        before: T,
        date: Picky,
        after: T,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Outer<T> {
        id: NonZeroU8,
        inner: Dated<u8>,
        after: T,
    }

    all_differ!(Dated<u8>, Dated<u16>, Dated<Shape>, Dated<variants::Repaid>);
    all_differ!(Outer<u8>, Outer<u16>, Outer<Shape>, Outer<variants::Repaid>);
}

#[test]
fn fields_behind_a_text_that_must_parse_still_count() {
    #[derive(Deserialize)]
    #[serde(try_from = "String")]
    struct Address;

    impl TryFrom<String> for Address {
        type Error = std::net::AddrParseError;

        fn try_from(text: String) -> Result<Self, Self::Error> {
            text.parse::<IpAddr>().map(|_| Self)
        }
    }

    all_differ!(
        (Address, u8),
        (Address, u16),
        (Address, Shape),
        (Address, variants::Added)
    );
}

#[derive(Deserialize)]
#[serde(untagged)]
#[allow(dead_code)]
enum Untagged {
    Number(u8),
    Text(String),
}

#[derive(Deserialize)]
#[serde(tag = "kind")]
#[allow(dead_code)]
enum Tagged {
    Number { value: u8 },
    Nothing,
}

#[derive(Deserialize)]
#[serde(tag = "kind", content = "of")]
#[allow(dead_code)]
enum Adjacent {
    Number(u8),
    Nothing,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Flat {
    name: String,
    #[serde(flatten)]
    point: Point,
}

#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(dead_code)]
struct Defaulted {
    x: i32,
    y: i32,
}

struct Panics;

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: Deserializer<'de>>(_from: D) -> Result<Self, D::Error> {
        panic!("a user's implementation")
    }
}

#[derive(Deserialize)]
enum Nobody {}

/// Asks for more elements than anyone has.
struct Greedy;

impl<'de> Deserialize<'de> for Greedy {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_tuple(usize::MAX, serde::de::IgnoredAny)
            .map(|_| Self)
    }
}

#[test]
fn what_serde_can_be_made_to_do_is_survived() {
    for print in [
        of::<Untagged>(),
        of::<Tagged>(),
        of::<Adjacent>(),
        of::<Flat>(),
        of::<Panics>(),
        of::<(u8, Panics, u8)>(),
        of::<Nobody>(),
        of::<Option<Nobody>>(),
        of::<Greedy>(),
        of::<Vec<Greedy>>(),
        of::<serde::de::IgnoredAny>(),
        of::<std::marker::PhantomData<u8>>(),
    ] {
        assert_ne!(print, 0);
    }
    assert_eq!(of::<Defaulted>(), of::<Point>());
}

#[test]
fn types_of_exponential_size_end_in_time() {
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Thrice<T> {
        a: Vec<T>,
        b: Option<T>,
        c: Vec<Option<T>>,
    }
    type Four<T> = Thrice<Thrice<Thrice<Thrice<T>>>>;
    type Twelve<T> = Four<Four<Four<T>>>;
    all_differ!(Four<u8>, Four<u16>, Twelve<Shape>, Twelve<variants::Repaid>);
}

#[derive(Serialize, Deserialize)]
struct Argument {
    name: String,
    tags: Vec<Option<u32>>,
}

/// Committed numbers: another build, platform or run finds the same (C-VE-4 across machines).
#[test]
fn the_numbers_are_the_same_in_every_build() {
    assert_eq!(
        [
            of::<Argument>(),
            of::<Shape>(),
            of::<Term<u8>>(),
            combine(&[1, 2])
        ],
        [
            8680959387302036063,
            14436434712291936826,
            3860685259779850102,
            4768729763816426308
        ],
    );
}

#[test]
fn a_cached_fingerprint_is_the_fingerprint() {
    assert_eq!([cached::<Term<u8>>(); 2], [of::<Term<u8>>(); 2]);
    assert_ne!(cached::<Term<u8>>(), cached::<Term<u16>>());
}

#[test]
fn a_combination_depends_on_each_part_and_on_their_order() {
    let all = [
        combine(&[]),
        combine(&[0]),
        combine(&[1]),
        combine(&[1, 2]),
        combine(&[2, 1]),
    ];
    for (index, print) in all.iter().enumerate() {
        assert!(*print != 0 && !all[..index].contains(print));
    }
}
