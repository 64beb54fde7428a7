//! A map from names, which are short, were checked, and are looked up for every request.
//!
//! Hashed by FNV-1a from a start that differs from process to process: a few instructions a
//! letter where the standard map's hasher costs hundreds for a short name. How many names a peer
//! can add is limited where it adds them, so that the worst it could do by choosing them is a
//! short list to search.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

/// A map whose keys are names.
pub(crate) type NameMap<K, V> = HashMap<K, V, NameHash>;

/// Makes the hashers of [`NameMap`].
#[derive(Clone, Debug)]
pub(crate) struct NameHash {
    start: u64,
}

impl Default for NameHash {
    fn default() -> Self {
        static START: OnceLock<u64> = OnceLock::new();
        NameHash {
            start: *START.get_or_init(|| RandomState::new().hash_one(OFFSET)),
        }
    }
}

impl BuildHasher for NameHash {
    type Hasher = Fnv;

    fn build_hasher(&self) -> Fnv {
        Fnv(self.start)
    }
}

/// FNV-1a, with the constants of its specification.
pub(crate) struct Fnv(u64);

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(PRIME);
        }
    }

    fn finish(&self) -> u64 {
        // The map takes its bits from both ends; FNV mixes upwards only.
        self.0 ^ (self.0 >> 32)
    }
}
