//! A bug planted a few branches deep. A run of the fuzzer that does not find it finds nothing else
//! either: `run.sh` fails when this target survives.
#![no_main]

use std::hint::black_box;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Blind, one input in four billion gets through; led by coverage, one byte after the other. The black
    // boxes keep the compiler from making one condition, and one branch to cover, of the four.
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    if at(0) == b'b' {
        black_box(0);
        if at(1) == b'i' {
            black_box(1);
            if at(2) == b'r' {
                black_box(2);
                if at(3) == b'd' {
                    panic!("the planted bug");
                }
            }
        }
    }
});
