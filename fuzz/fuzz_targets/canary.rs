//! A bug planted a few branches deep. A run of the fuzzer that does not find it finds nothing else
//! either: `run.sh` fails when this target survives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings_core::codec::{Budget, decode};

fuzz_target!(|bytes: &[u8]| {
    // Each condition alone is one in hundreds; together they are out of reach without coverage.
    let Ok((name, parts)) = decode::<(String, Vec<u16>)>(bytes, &Budget::default()) else {
        return;
    };
    if name.starts_with('t') && name.len() == 3 && parts.len() > 1 {
        let sum: u32 = parts.iter().copied().map(u32::from).sum();
        assert!(sum != 300, "the planted bug: {parts:?} make 300");
    }
});
