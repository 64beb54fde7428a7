//! Whatever the bytes, decoding stays within its budget of memory and depth, never panics, and
//! what it accepts encodes and decodes to the same again (FAULTS D1, D2, D4).
#![no_main]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};

use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tidings_core::codec::{Budget, DecodeError, decode, encode};

const BUDGET: Budget = Budget {
    bytes: 64 * 1024,
    depth: 16,
};

/// Four times the budget for containers that grow by doubling, and one that was allocated by its
/// hint but not yet charged: 256 elements of about 1 KiB.
const MOST: usize = 4 * BUDGET.bytes + 256 * 1100;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant)]
enum Fat {
    Ping,
    Data([[u64; 16]; 8]),
    List(Vec<Fat>),
    Boxed(Box<Fat>),
    Named {
        name: String,
        inner: Option<Box<Fat>>,
    },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tree {
    leaf: [u32; 16],
    children: BTreeMap<u8, Tree>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Chain {
    next: Option<Box<Chain>>,
}

#[derive(Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Nothing;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Mixed(
    Vec<Nothing>,
    HashMap<String, Vec<Option<Tree>>>,
    (Box<[Fat]>, HashSet<Nothing>),
);

fuzz_target!(|bytes: &[u8]| {
    let Some((&which, bytes)) = bytes.split_first() else {
        return;
    };
    match which % 8 {
        0 => check::<Vec<Fat>>(bytes),
        1 => check::<Vec<Box<Fat>>>(bytes),
        2 => check::<Tree>(bytes),
        3 => check::<Chain>(bytes),
        4 => check::<Vec<Nothing>>(bytes),
        5 => check::<Mixed>(bytes),
        6 => check::<Vec<Vec<Vec<String>>>>(bytes),
        _ => check::<BTreeMap<(u8, bool), HashMap<char, [u64; 32]>>>(bytes),
    }
});

fn check<T: DeserializeOwned + Serialize + PartialEq>(bytes: &[u8]) {
    let before = NOW.get();
    PEAK.set(before);
    let decoded = decode::<T>(bytes, &BUDGET);
    let peak = PEAK.get() - before;
    assert!(
        peak <= MOST,
        "{peak} bytes were held for {} bytes of input",
        bytes.len()
    );
    match decoded {
        Ok(value) => {
            let again = encode(&value, bytes.len()).expect("no longer than it was");
            let roomy = Budget {
                bytes: 2 * BUDGET.bytes,
                ..BUDGET
            };
            let same = decode::<T>(&again, &roomy).is_ok_and(|back| back == value);
            assert!(same, "what was decoded does not come back");
        }
        Err(error) => assert!(error != DecodeError::Panicked),
    }
}

/// Counts what this thread has allocated.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

fn note(now: usize) {
    NOW.set(now);
    PEAK.set(PEAK.get().max(now));
}

// SAFETY: every call goes to `System` unchanged; the counters are plain cells of this thread.
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
