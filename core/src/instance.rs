//! This process among all others.

use std::hash::{BuildHasher, RandomState};
use std::process;
use std::sync::OnceLock;
use std::time::SystemTime;

/// Names this process among all others, also across restarts.
pub(crate) fn id() -> [u8; 16] {
    static INSTANCE: OnceLock<[u8; 16]> = OnceLock::new();
    *INSTANCE.get_or_init(|| {
        let seed = (process::id(), SystemTime::now());
        let half = |_| RandomState::new().hash_one(seed).to_le_bytes();
        let mut instance = [0; 16];
        instance[..8].copy_from_slice(&half(0));
        instance[8..].copy_from_slice(&half(1));
        instance
    })
}
