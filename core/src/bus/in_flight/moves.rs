//! A request goes from place to place, to where its handler runs.

use std::sync::{Arc, Weak};
use std::task::Waker;

use super::place::{Forwarded, Place, Withdraw};
use super::record::InFlight;
use crate::mailbox::Ticket;
use crate::router::Waiting;
use crate::server::ServerCore;

impl InFlight {
    /// It waits in a queue to a connection. `false` when nobody waits for it any more.
    pub fn into_outbox(&self) -> bool {
        let mut state = self.lock();
        if !state.cancelled {
            state.place = Place::Outbox;
        }
        !state.cancelled
    }

    /// It comes into `outbox`, by this ticket. Gives back what is to be dropped outside the lock of that queue, or `None`
    /// when nobody waits for it any more.
    pub(crate) fn waits_in<Q: Withdraw + 'static>(
        &self,
        outbox: &Arc<Q>,
        ticket: Ticket,
    ) -> Option<impl Sized + use<Q>> {
        let mut state = self.lock();
        if state.cancelled {
            return None;
        }
        let outboxed = Place::Outboxed(outbox.clone(), ticket);
        Some(std::mem::replace(&mut state.place, outboxed))
    }

    /// It is handed to `connection`, which knows it as `id`. `false` when nobody waits for it any more.
    pub fn forwarded(&self, connection: Arc<dyn Forwarded>, id: u64) -> bool {
        let mut state = self.lock();
        if !state.cancelled {
            state.place = Place::Forwarded(connection, id);
        }
        !state.cancelled
    }

    /// It was not taken by whom it was handed to.
    pub(crate) fn back_here(&self) {
        let mut state = self.lock();
        let place = std::mem::replace(&mut state.place, Place::Here);
        drop(state);
        drop(place);
    }

    /// It waits for a server, in a line of `waiting`.
    pub(crate) fn waits(&self, waiting: Weak<Waiting>, ticket: u64) {
        let mut state = self.lock();
        if !state.cancelled {
            state.place = Place::Waiting(waiting, ticket);
        }
    }

    /// It comes into a server's queue, by this ticket. Gives back what is to be dropped outside the queue's lock.
    pub(crate) fn queued(&self, server: &Arc<ServerCore>, ticket: Ticket) -> impl Sized + use<> {
        let mut state = self.lock();
        let comes = matches!(
            state.place,
            Place::Here | Place::Outbox | Place::Outboxed(..) | Place::Waiting(..)
        );
        if state.cancelled || !comes {
            return None; // It is not started, and leaves the queue when it comes to that.
        }
        let queued = Place::Queued(server.clone(), ticket);
        Some(std::mem::replace(&mut state.place, queued))
    }

    /// Its handler starts now. `false` when nobody waits for it any more: then it must not start.
    pub(crate) fn started(&self) -> bool {
        let mut state = self.lock();
        let previous = if state.cancelled {
            None
        } else {
            Some(std::mem::replace(&mut state.place, Place::Running(None)))
        };
        drop(state);
        previous.is_some()
    }

    /// The task that runs its handler is woken by `waker`. `false` when nobody waits for it any more.
    pub(crate) fn running_as(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        if state.cancelled {
            return false;
        }
        let old = match &mut state.place {
            Place::Running(Some(current)) if current.will_wake(waker) => None,
            Place::Running(current) => current.replace(waker.clone()),
            _ => None,
        };
        drop(state);
        drop(old);
        true
    }
}
