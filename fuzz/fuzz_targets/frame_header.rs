//! The codec of numbers, Hello and request heads against any bytes.

#![no_main]

use tidings_core::session::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::frame_header(bytes));
