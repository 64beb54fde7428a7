//! A session as member against the bytes of any hub.

#![no_main]

use tidings_core::session::{Role, fuzzing};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::drive(Role::Member, bytes));
