//! A flag that others watch, raised when its owner is done: by then, or because an assertion has failed.

use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) struct RaisedAtEnd<'a>(pub(crate) &'a AtomicBool);

impl Drop for RaisedAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
