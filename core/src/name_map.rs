//! A map from names, which are short, were checked, and are looked up for every request.
//!
//! Hashed eight letters at a time, by multiplications, from a start that differs from process to
//! process: a few instructions where the standard map's hasher costs hundreds for a short name.
//! How many names a peer can add is limited where it adds them, so that the worst it could do by
//! choosing them is a short list to search.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

/// A map whose keys are names.
pub(crate) type NameMap<K, V> = HashMap<K, V, NameHash>;

/// A map from ids and other numbers, of which there are as few.
pub(crate) type IdMap<K, V> = HashMap<K, V, NameHash>;

/// Makes the hashers of [`NameMap`].
#[derive(Clone, Debug)]
pub(crate) struct NameHash {
    start: u64,
}

impl Default for NameHash {
    fn default() -> Self {
        static START: OnceLock<u64> = OnceLock::new();
        NameHash {
            start: *START.get_or_init(|| RandomState::new().hash_one(FACTOR)),
        }
    }
}

impl BuildHasher for NameHash {
    type Hasher = NameHasher;

    fn build_hasher(&self) -> NameHasher {
        NameHasher(self.start)
    }
}

/// Mixes in a word by a multiplication, whose high half is folded into the low one.
pub(crate) struct NameHasher(u64);

/// Odd, with its bits spread: from the fraction of the golden ratio.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl NameHasher {
    fn mix(&mut self, word: u64) {
        let product = (self.0 ^ word).wrapping_mul(FACTOR);
        self.0 = product ^ (product >> 32);
    }
}

fn half(bytes: &[u8; 4]) -> u64 {
    u64::from(u32::from_le_bytes(*bytes))
}

impl Hasher for NameHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            let mut eight = [0; 8];
            eight.copy_from_slice(word);
            self.mix(u64::from_le_bytes(eight));
        }
        // What is left is read with some of what is before it, for that takes no loop; the length tells how much.
        let rest = match (bytes.last_chunk(), bytes.first_chunk(), bytes.last_chunk()) {
            (Some(last), _, _) => u64::from_le_bytes(*last),
            (None, Some(first), Some(last)) => half(first) << 32 | half(last),
            _ => bytes
                .iter()
                .fold(0, |rest, byte| rest << 8 | u64::from(*byte)),
        };
        self.mix(rest ^ (bytes.len() as u64).wrapping_mul(FACTOR));
    }

    fn write_u8(&mut self, byte: u8) {
        // Else it is the end of a text, which the text's length has told already.
        if byte != 0xff {
            self.mix(u64::from(byte));
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_a_letter_or_in_length_differ_in_their_hash() {
        let names = [
            "",
            "a",
            "b",
            "aa",
            "aaa",
            "aaaa",
            "aaaaaaa",
            "aaaaaaaa",
            "aaaaaaaaa",
            "ab",
            "ba",
            "abcdefg",
            "abcdefgh",
            "abcdefgi",
            "abcdefghi",
        ];
        let hashes: std::collections::HashSet<u64> = names
            .iter()
            .map(|name| NameHash::default().hash_one(name))
            .collect();
        assert_eq!(hashes.len(), names.len());
    }
}
