//! The handlers that are at work beyond their first wait: those that can be told to end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bus::InFlight;
use crate::error::CallErrorKind;
use crate::name_map::IdMap;

/// The requests whose handlers run in a task or on a thread of their own.
#[derive(Default)]
pub(crate) struct AtWork(Mutex<IdMap<usize, Arc<InFlight>>>);

impl AtWork {
    pub(crate) fn enter(&self, request: &Arc<InFlight>) {
        // By address: the entry keeps the record alive, so that the address stays its own.
        self.lock().insert(address(request), request.clone());
    }

    pub(crate) fn leave(&self, request: &Arc<InFlight>) {
        let left = self.lock().remove(&address(request));
        drop(left);
    }

    /// Tells all of them to end: an async handler is dropped at its next await, a blocking one sees that it is
    /// cancelled. Their callers learn at once that the server stops, and nothing more is known.
    pub(crate) fn cut(&self) {
        let all: Vec<_> = self.lock().values().cloned().collect();
        for request in all {
            request.abandon(CallErrorKind::ShuttingDown);
        }
    }

    fn lock(&self) -> MutexGuard<'_, IdMap<usize, Arc<InFlight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn address(request: &Arc<InFlight>) -> usize {
    Arc::as_ptr(request) as usize
}
