//! The ways on which there is no room, as the senders see them. Usually there are none, and then nobody looks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;

use super::outbox::To;
use super::ways::Place;
use crate::bus::{Head, Room};
use crate::session::BindId;

/// Ways whose set-aside requests take as much room as they may.
#[derive(Default)]
pub(super) struct FullWays {
    any: AtomicBool,
    ways: Mutex<Vec<(Place, Arc<Room>)>>,
}

impl FullWays {
    /// Whether there is no room for a request.
    pub(super) fn has(&self, to: To, head: &Head) -> bool {
        self.any.load(Ordering::Acquire) && self.lock().iter().any(|(way, _)| way.is_of(to, head))
    }

    /// Whether there is no room for requests to a registration.
    pub(super) fn has_bound(&self, id: BindId) -> bool {
        let bound = Place::Bound(id);
        self.any.load(Ordering::Acquire) && self.lock().iter().any(|(way, _)| *way == bound)
    }

    /// Wakes the waker of `cx` when there is room for a request; `false` when there is.
    pub(super) fn wait(&self, to: To, head: &Head, cx: &mut Context<'_>) -> bool {
        let ways = self.lock();
        let full = ways.iter().find(|(way, _)| way.is_of(to, head));
        // Under the lock, under which the way is taken out before it is woken.
        full.inspect(|(_, room)| room.register(0, cx)).is_some()
    }

    pub(super) fn add(&self, way: &Place) {
        let mut ways = self.lock();
        if ways.iter().all(|(known, _)| known != way) {
            ways.push((way.clone(), Arc::default()));
        }
        self.any.store(true, Ordering::Release);
    }

    pub(super) fn remove(&self, way: &Place) {
        let mut ways = self.lock();
        let at = ways.iter().position(|(known, _)| known == way);
        let removed = at.map(|at| ways.swap_remove(at));
        self.any.store(!ways.is_empty(), Ordering::Release);
        drop(ways);
        if let Some((_, room)) = removed {
            room.wake();
        }
    }

    pub(super) fn clear(&self) {
        let removed = std::mem::take(&mut *self.lock());
        self.any.store(false, Ordering::Release);
        for (_, room) in removed {
            room.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Place, Arc<Room>)>> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
