//! What became of a server's requests, in numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One request whose caller is sent heartbeats, for as long as it lives.
pub(crate) struct Beating(Arc<AtomicUsize>);

impl Beating {
    pub(crate) fn one_more(beating: &Arc<AtomicUsize>) -> Self {
        beating.fetch_add(1, Ordering::Relaxed);
        Beating(beating.clone())
    }
}

impl Drop for Beating {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
