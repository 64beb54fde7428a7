//! A bug planted a few branches deep. A run of the fuzzer that does not find it finds nothing else
//! either: `run.sh` fails when this target survives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings_core::codec::{Budget, decode};

fuzz_target!(|bytes: &[u8]| {
    // Blind, about one input in 2^32 gets through; led by coverage, one condition after the other.
    let Ok((kind, size, word)) = decode::<(u8, u32, String)>(bytes, &Budget::default()) else {
        return;
    };
    if kind == 0xb7 {
        if size > 20_000 {
            if word.starts_with('g') {
                panic!("the planted bug");
            }
        }
    }
});
