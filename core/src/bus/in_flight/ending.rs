//! A request ends: its outcome is decided once, by whoever comes first, and told.

use std::sync::{MutexGuard, PoisonError};

use super::place::Place;
use super::port::Port;
use super::record::{InFlight, State, disarm};
use crate::error::{CallError, CallErrorKind};
use crate::reply::Reply;

impl InFlight {
    /// Decides the outcome. The first to decide wins; later ones are dropped (C-DL-5).
    pub fn finish(&self, reply: Reply) {
        let reply = self.as_outcome(reply);
        self.settle(self.lock(), reply);
    }

    /// Its handler has ended with `reply`, which is the outcome unless that was decided before. Says whether the reply
    /// is late: nobody waits for it any more.
    pub(crate) fn ended(&self, reply: Reply) -> bool {
        let reply = self.as_outcome(reply);
        let mut state = self.lock();
        let late = state.cancelled && !matches!(reply, Reply::Failed(_));
        // The pulses are left to be ended before anybody learns the outcome.
        let others = state.more.as_mut().map(|more| {
            let children = std::mem::take(&mut more.children);
            (children, std::mem::take(&mut more.watchers))
        });
        self.settle(state, reply);
        drop(others);
        late
    }

    /// It was answered to the connection that it came by, which is not to be told again.
    pub(crate) fn was_answered(&self) {
        let mut state = self.lock();
        let port = std::mem::replace(&mut state.port, Port::Closed);
        drop(state);
        drop(port);
    }

    /// Ends the lock with `reply` as the outcome, unless there is one.
    fn settle<'a>(&'a self, mut state: MutexGuard<'a, State>, reply: Reply) {
        if let Some(more) = &mut state.more {
            let pulses = std::mem::take(&mut more.pulses);
            drop(state);
            drop(pulses);
            state = self.lock();
        }
        // Nothing is to be withdrawn any more; a promise that is kept keeps no server or connection alive.
        let place = std::mem::replace(&mut state.place, Place::Ended);
        let timer = state.timer.take();
        // Whoever learns the outcome finds the request no longer outstanding.
        let emptied = timer.as_ref().map(|(timers, key)| timers.take_out(*key));
        let mut decided = Err(reply);
        let mut port = Port::Closed;
        match &mut state.port {
            Port::Kept(outcome) => {
                decided = decided.or_else(|reply| outcome.decide(reply));
            }
            Port::Remote(..) => std::mem::swap(&mut port, &mut state.port),
            Port::Failing(_) | Port::Closed => {}
        }
        drop(state);
        drop((place, timer));
        if let Some(emptied) = emptied {
            emptied.tell();
        }
        match decided {
            Ok(Some(waiter)) => waiter.wake(),
            Ok(None) => {}
            // Without a way to go it is late, and dropped here: it holds a user's value (C-DL-5).
            Err(reply) => port.deliver(reply),
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        // A peer's request that nobody answered: its connection must still learn that it has ended.
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        disarm(state.timer.take());
        if let Port::Remote(connection, id) = &state.port {
            let (fate, stage) = state.place.fate();
            connection.reply(
                *id,
                Reply::Failed(CallError::new(CallErrorKind::NoReply, fate, stage)),
            );
        }
    }
}
