//! A few bytes may stand for much memory, time or stack: the attacks that were measured against
//! plain postcard (FAULTS D1, D2, D4), and the edges of the budget.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tidings_core::codec::{Budget, DecodeError, decode, encode};

/// Counts what the current thread has allocated.
struct Counting;

thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

fn note(now: usize) {
    NOW.set(now);
    PEAK.set(PEAK.get().max(now));
}

// SAFETY: every call goes to `System` unchanged; the counters are plain cells of this thread.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(NOW.get().saturating_add(layout.size()));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        note(NOW.get().saturating_sub(layout.size()));
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The outcome of a decoding, and the most memory that it held at a time.
fn measured<T: DeserializeOwned>(bytes: &[u8], budget: &Budget) -> (Result<T, DecodeError>, usize) {
    let before = NOW.get();
    PEAK.set(before);
    let decoded = decode::<T>(bytes, budget);
    (decoded, PEAK.get() - before)
}

fn refused<T: DeserializeOwned>(bytes: &[u8], budget: &Budget) -> (DecodeError, usize) {
    match measured::<T>(bytes, budget) {
        (Err(error), peak) => (error, peak),
        (Ok(_), _) => panic!("{} was decoded", std::any::type_name::<T>()),
    }
}

fn frame_budget() -> Budget {
    Budget {
        bytes: 8 * 64 * 1024,
        ..Budget::default()
    }
}

/// A length as postcard writes it.
fn length(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

#[derive(Clone, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant)]
enum Fat {
    Ping,
    Data(Block, Block, Block, Block),
}

#[derive(Clone, Serialize, Deserialize)]
struct Block([[u64; 8]; 4]);

/// FAULTS D4: plain postcard takes 201 MB for these 65,539 bytes.
#[test]
fn a_vector_of_fat_enums_is_refused_before_it_is_allocated() {
    assert!(size_of::<Fat>() >= 1024);
    let mut attack = length(65_536);
    attack.resize(attack.len() + 65_536, 0);
    assert_eq!(attack.len(), 65_539);
    let (plain, peak) = {
        let before = NOW.get();
        PEAK.set(before);
        (
            postcard::from_bytes::<Vec<Fat>>(&attack).unwrap().len(),
            PEAK.get() - before,
        )
    };
    assert!(
        plain == 65_536 && peak > 100 << 20,
        "the attack works: {peak}"
    );
    let budget = frame_budget();
    let (error, peak) = refused::<Vec<Fat>>(&attack, &budget);
    assert_eq!(
        error,
        DecodeError::Budget {
            limit: budget.bytes
        }
    );
    assert!(peak <= 8 << 20, "{peak}");
}

/// The same behind pointers, where the element itself is small.
#[test]
fn fat_values_behind_boxes_are_charged() {
    let mut attack = length(60_000);
    attack.resize(attack.len() + 60_000, 0);
    let budget = frame_budget();
    let (error, peak) = refused::<Vec<Box<Fat>>>(&attack, &budget);
    assert_eq!(
        error,
        DecodeError::Budget {
            limit: budget.bytes
        }
    );
    assert!(peak <= 2 * budget.bytes, "{peak}");
    let mut attack = length(30_000);
    attack.extend((0..30_000).flat_map(|_| [1, 0]));
    let (error, peak) = refused::<Vec<Option<Box<Fat>>>>(&attack, &budget);
    assert_eq!(
        error,
        DecodeError::Budget {
            limit: budget.bytes
        }
    );
    assert!(peak <= 2 * budget.bytes, "{peak}");
}

/// FAULTS D1: 5 bytes that say 2^32 - 1 elements.
#[test]
fn a_length_that_nothing_follows_allocates_nothing_to_speak_of() {
    let attack = length(u64::from(u32::MAX));
    let budget = Budget::default();
    let peaks = [
        refused::<Vec<u64>>(&attack, &budget).1,
        refused::<Vec<Fat>>(&attack, &budget).1,
        refused::<HashMap<u64, u64>>(&attack, &budget).1,
        refused::<HashMap<u64, Fat>>(&attack, &budget).1,
        refused::<HashSet<String>>(&attack, &budget).1,
        refused::<BTreeMap<u64, Fat>>(&attack, &budget).1,
        refused::<String>(&attack, &budget).1,
        refused::<Vec<Vec<Fat>>>(&attack, &budget).1,
    ];
    assert!(peaks.iter().all(|&peak| peak <= 64 * 1024), "{peaks:?}");
}

/// Five bytes that keep plain postcard busy for a minute.
#[test]
fn elements_that_take_no_bytes_are_limited_in_number() {
    #[derive(Deserialize, PartialEq, Eq, Hash, PartialOrd, Ord)]
    struct Nothing;
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Skipped {
        #[serde(skip)]
        memory: [u64; 4],
    }
    let started = Instant::now();
    for attack in [length(u64::from(u32::MAX)), length(u64::MAX >> 1)] {
        let budget = Budget::default();
        let limit = budget.bytes;
        assert_eq!(
            refused::<Vec<()>>(&attack, &budget).0,
            DecodeError::Budget { limit }
        );
        assert_eq!(
            refused::<Vec<Nothing>>(&attack, &budget).0,
            DecodeError::Budget { limit }
        );
        assert_eq!(
            refused::<HashSet<Nothing>>(&attack, &budget).0,
            DecodeError::Budget { limit }
        );
        assert_eq!(
            refused::<BTreeMap<(), ()>>(&attack, &budget).0,
            DecodeError::Budget { limit }
        );
        assert_eq!(
            refused::<Vec<[u64; 0]>>(&attack, &budget).0,
            DecodeError::Budget { limit }
        );
        let (error, peak) = refused::<Vec<Skipped>>(&attack, &budget);
        assert_eq!(error, DecodeError::Budget { limit });
        assert!(peak <= 32 << 20, "{peak}");
    }
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn a_larger_budget_admits_more_elements_of_no_bytes() {
    let budget = Budget {
        bytes: 1024 * 1000,
        ..Budget::default()
    };
    let bytes = encode(&vec![(); 1000], 16).unwrap();
    assert_eq!(decode::<Vec<()>>(&bytes, &budget).unwrap().len(), 1000);
    let bytes = encode(&vec![(); 1003], 16).unwrap();
    assert!(matches!(
        decode::<Vec<()>>(&bytes, &budget),
        Err(DecodeError::Budget { .. })
    ));
    let larger = Budget {
        bytes: 2 * budget.bytes,
        ..budget
    };
    assert_eq!(decode::<Vec<()>>(&bytes, &larger).unwrap().len(), 1003);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum List {
    End,
    Next(Box<List>),
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Chain {
    next: Option<Box<Chain>>,
}

#[derive(Serialize, Deserialize)]
struct Nest(Vec<Nest>);

#[derive(Deserialize)]
#[allow(dead_code)]
struct MapNest {
    inner: HashMap<u8, MapNest>,
}

/// FAULTS D2: plain postcard overflows the stack and the process aborts.
#[test]
fn a_million_levels_are_refused_at_the_limit() {
    let deep = vec![1_u8; 1_000_000];
    let budget = Budget::default();
    let limit = budget.depth;
    assert_eq!(
        refused::<List>(&deep, &budget).0,
        DecodeError::TooDeep { limit }
    );
    assert_eq!(
        refused::<Chain>(&deep, &budget).0,
        DecodeError::TooDeep { limit }
    );
    assert_eq!(
        refused::<Nest>(&deep, &budget).0,
        DecodeError::TooDeep { limit }
    );
    assert_eq!(
        refused::<MapNest>(&deep, &budget).0,
        DecodeError::TooDeep { limit }
    );
    assert_eq!(
        refused::<Vec<Option<List>>>(&deep, &budget).0,
        DecodeError::TooDeep { limit }
    );
}

#[test]
fn depth_is_counted_to_the_level() {
    let list = |levels: usize| (1..levels).fold(List::End, |rest, _| List::Next(Box::new(rest)));
    for limit in [1_u16, 2, 64, 100] {
        let budget = Budget {
            depth: limit,
            ..Budget::default()
        };
        for levels in [limit - 1, limit] {
            let value = list(usize::from(levels.max(1)));
            let bytes = encode(&value, 1000).unwrap();
            assert_eq!(decode::<List>(&bytes, &budget).unwrap(), value);
        }
        let bytes = encode(&list(usize::from(limit) + 1), 1000).unwrap();
        assert_eq!(
            decode::<List>(&bytes, &budget),
            Err(DecodeError::TooDeep { limit })
        );
    }
    let flat = Budget {
        depth: 0,
        ..Budget::default()
    };
    assert_eq!(decode::<u8>(&[1], &flat), Ok(1));
    assert_eq!(
        decode::<Option<u8>>(&[0], &flat),
        Err(DecodeError::TooDeep { limit: 0 })
    );
}

#[test]
fn the_budget_is_counted_to_the_byte() {
    let bytes = encode(&vec![1_u64; 100], 1000).unwrap();
    let needed = bytes.len() + 100 * size_of::<u64>();
    for (limit, fits) in [(needed - 1, false), (needed, true), (needed + 1, true)] {
        let budget = Budget {
            bytes: limit,
            ..Budget::default()
        };
        let decoded = decode::<Vec<u64>>(&bytes, &budget);
        assert_eq!(decoded.is_ok(), fits, "{limit}");
        if let Err(error) = decoded {
            assert_eq!(error, DecodeError::Budget { limit });
        }
    }
    let text = encode("a text", 100).unwrap();
    let tight = Budget {
        bytes: text.len() - 1,
        ..Budget::default()
    };
    assert_eq!(
        decode::<String>(&text, &tight),
        Err(DecodeError::Budget { limit: tight.bytes })
    );
    let enough = Budget {
        bytes: text.len(),
        ..Budget::default()
    };
    assert_eq!(decode::<String>(&text, &enough).unwrap(), "a text");
}

/// All collections of a value draw on one budget.
#[test]
fn many_small_collections_count_together() {
    let value = vec![vec![7_u64; 10]; 1000];
    let bytes = encode(&value, 1 << 20).unwrap();
    let needed = bytes.len() + 1000 * size_of::<Vec<u64>>() + 10_000 * size_of::<u64>();
    let enough = Budget {
        bytes: needed,
        ..Budget::default()
    };
    assert_eq!(decode::<Vec<Vec<u64>>>(&bytes, &enough).unwrap(), value);
    let tight = Budget {
        bytes: needed - 1,
        ..Budget::default()
    };
    assert!(matches!(
        refused::<Vec<Vec<u64>>>(&bytes, &tight).0,
        DecodeError::Budget { .. }
    ));
}

/// A type that takes the refusal of its part for a success.
struct Careless;

impl<'de> Deserialize<'de> for Careless {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let _ignored = Vec::<Fat>::deserialize(from);
        Ok(Self)
    }
}

#[test]
fn a_breach_that_the_type_ignores_is_still_an_error() {
    let mut attack = length(10_000);
    attack.resize(attack.len() + 10_000, 0);
    let budget = frame_budget();
    let error = refused::<Careless>(&attack, &budget).0;
    assert_eq!(
        error,
        DecodeError::Budget {
            limit: budget.bytes
        }
    );
}

/// What is documented of [`Budget::bytes`]: containers hold at most four times their elements.
#[test]
fn the_peak_stays_within_four_budgets_when_just_admitted() {
    fn admitted<T: DeserializeOwned>(bytes: &[u8]) {
        let mut budget = Budget {
            bytes: 1 << 10,
            ..Budget::default()
        };
        let (peak, limit) = loop {
            match measured::<T>(bytes, &budget) {
                (Ok(_), peak) => break (peak, budget.bytes),
                (Err(DecodeError::Budget { .. }), _) => budget.bytes += budget.bytes / 16,
                (Err(error), _) => panic!("{error}"),
            }
        };
        assert!(
            peak <= 4 * limit,
            "{peak} of {limit} for {}",
            std::any::type_name::<T>()
        );
    }
    for count in [4096_u64, 4097, 8193, 14_337, 20_000] {
        admitted::<Vec<u64>>(&encode(&(0..count).collect::<Vec<_>>(), 1 << 20).unwrap());
        admitted::<Vec<Fat>>(&encode(&vec![Fat::Ping; count as usize], 1 << 20).unwrap());
        admitted::<HashMap<u64, [u64; 9]>>(
            &encode(
                &(0..count).map(|key| (key, [key; 9])).collect::<Vec<_>>(),
                4 << 20,
            )
            .unwrap(),
        );
        admitted::<HashSet<u16>>(&encode(&(0..count as u16).collect::<Vec<_>>(), 1 << 20).unwrap());
    }
}
