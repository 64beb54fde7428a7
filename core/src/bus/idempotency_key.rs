//! The key under which the repetitions of one request are known as one.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::instance;

/// Names one piece of work, however often it is asked for: a server that has seen the key does not
/// do it again, but gives the same answer (C-VB-5). See [`Request::idempotent`](crate::Request::idempotent).
///
/// Sixteen bytes: a UUID fits, and so does what a good hash makes of anything longer. Keys of
/// different callers are apart, see [`IdempotencyWindow`](crate::IdempotencyWindow); those of one
/// caller are one space for each method.
///
/// ```
/// use tidings_core::IdempotencyKey;
/// let (order, same) = (IdempotencyKey::from("order 17"), IdempotencyKey::from("order 17"));
/// assert_eq!(order, same);
/// assert_ne!(IdempotencyKey::unique(), IdempotencyKey::unique());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdempotencyKey([u8; 16]);

impl IdempotencyKey {
    /// A key that no other request has, of this process or another: for work that is known by
    /// nothing but this request and its repetitions.
    pub fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut key = instance::id();
        for (byte, mixed) in key.iter_mut().zip(serial.to_le_bytes()) {
            *byte ^= mixed;
        }
        IdempotencyKey(key)
    }

    /// Its bytes.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl From<[u8; 16]> for IdempotencyKey {
    fn from(bytes: [u8; 16]) -> Self {
        IdempotencyKey(bytes)
    }
}

impl From<u128> for IdempotencyKey {
    fn from(number: u128) -> Self {
        IdempotencyKey(number.to_be_bytes())
    }
}

/// The key of a text: the same one in every process and every release (FNV-1a of 128 bits). Two
/// texts do not meet by accident; somebody who chooses both can make them meet, so hash texts of
/// people who are not trusted by a cryptographic function, and give its first sixteen bytes.
impl From<&str> for IdempotencyKey {
    fn from(text: &str) -> Self {
        const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        let mix = |hash: u128, byte: u8| (hash ^ u128::from(byte)).wrapping_mul(PRIME);
        text.bytes().fold(OFFSET, mix).into()
    }
}

impl From<&String> for IdempotencyKey {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdempotencyKey({:032x})", u128::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_text_never_changes() {
        // The published values of FNV-1a.
        let known = [
            ("", 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128),
            ("a", 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964),
            ("foobar", 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18),
        ];
        for (text, key) in known {
            assert_eq!(IdempotencyKey::from(text), key.into(), "{text}");
        }
    }

    #[test]
    fn the_bytes_of_a_number_are_those_of_a_uuid() {
        let number = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff_u128;
        assert_eq!(
            IdempotencyKey::from(number).to_bytes()[..3],
            [0, 0x11, 0x22]
        );
    }
}
