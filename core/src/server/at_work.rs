//! The handlers that are at work beyond their first wait: those that can be told to end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bus::InFlight;
use crate::error::CallErrorKind;
use crate::name_map::IdMap;

/// The requests whose handlers run in a task or on a thread of their own.
#[derive(Default)]
pub(crate) struct AtWork(Mutex<State>);

#[derive(Default)]
struct State {
    requests: IdMap<usize, Arc<InFlight>>,
    /// All are told to end, those that come now as well.
    cut: bool,
}

impl AtWork {
    pub(crate) fn enter(&self, request: &Arc<InFlight>) {
        let mut state = self.lock();
        // By address: the entry keeps the record alive, so that the address stays its own.
        state.requests.insert(address(request), request.clone());
        let cut = state.cut;
        drop(state);
        if cut {
            request.abandon(CallErrorKind::ShuttingDown);
        }
    }

    pub(crate) fn leave(&self, request: &Arc<InFlight>) {
        let left = self.lock().requests.remove(&address(request));
        drop(left);
    }

    /// Tells all of them to end: an async handler is dropped at its next await, a blocking one sees that it is
    /// cancelled. Their callers learn at once that the server stops, and nothing more is known.
    pub(crate) fn cut(&self) {
        let mut state = self.lock();
        state.cut = true;
        let all: Vec<_> = state.requests.values().cloned().collect();
        drop(state);
        for request in all {
            request.abandon(CallErrorKind::ShuttingDown);
        }
    }

    /// The server serves again: what comes now is not told to end.
    pub(crate) fn begin_again(&self) {
        self.lock().cut = false;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn address(request: &Arc<InFlight>) -> usize {
    Arc::as_ptr(request) as usize
}
