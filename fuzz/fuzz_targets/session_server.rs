//! A session as hub against the bytes of any member.

#![no_main]

use tidings_core::session::{Role, fuzzing};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::drive(Role::Hub, bytes));
