//! Addresses of this host for tests over TCP.

use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// An address of this host that no other test uses, of whatever process: all of `127.0.0.0/8` is this host, so that
/// the process is in the address, and the port counts within it.
pub(crate) fn fresh() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    let port = NEXT.fetch_add(1, Ordering::Relaxed);
    let [_, high, middle, low] = process::id().to_be_bytes();
    format!("tcp:127.{}.{middle}.{low}:{port}", 64 + high % 64)
}
