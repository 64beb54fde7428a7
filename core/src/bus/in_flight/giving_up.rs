//! A request is given up: nobody waits for it any more, and all who still work on it are told.

use std::sync::{Arc, Weak};
use std::task::Waker;

use super::place::{Forwarded, Place, Withdraw};
use super::port::Port;
use super::record::{InFlight, More, disarm};
use crate::error::{CallError, CallErrorKind};
use crate::mailbox::Ticket;
use crate::reply::Reply;
use crate::router::Waiting;

impl InFlight {
    /// Gives up the request for `kind`: its promise, if it has one, resolves at once with the fate that its place
    /// allows to claim; what still works on it is told.
    pub(crate) fn abandon(&self, kind: CallErrorKind) {
        // A server that only seemed dead goes on with what will be asked for again.
        let is_left = matches!(kind, CallErrorKind::ServerLost { .. });
        self.give_up(kind, is_left && self.head.idempotency_key().is_some());
    }

    /// The connection that it came by is lost: nobody waits for it, unless it has a key, under which
    /// its caller may come back and ask again.
    pub(crate) fn caller_lost(&self) {
        let is_left = self.head.idempotency_key().is_some();
        self.give_up(CallErrorKind::Cancelled, is_left);
    }

    /// Has `child`, a request made by this one's handler, end with it.
    pub(crate) fn adopt(&self, child: &Arc<InFlight>) {
        let mut state = self.lock();
        if state.cancelled {
            drop(state);
            return child.abandon(CallErrorKind::Cancelled);
        }
        let children = &mut state.more.get_or_insert_default().children;
        if children.len() == children.capacity() {
            children.retain(|child| child.strong_count() > 0);
        }
        children.push(Arc::downgrade(child));
    }

    /// Wakes `waker` on cancellation; `true` when it has come already.
    pub(crate) fn watch(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        if !state.cancelled {
            let watchers = &mut state.more.get_or_insert_default().watchers;
            if !watchers.iter().any(|known| known.will_wake(waker)) {
                watchers.push(waker.clone());
            }
        }
        state.cancelled
    }

    /// With `leave`, who has it is to go on with it though nobody waits here.
    fn give_up(&self, kind: CallErrorKind, leave: bool) {
        let mut state = self.lock();
        let running_for_remote = matches!(state.port, Port::Remote(..))
            && matches!(state.place, Place::Running(_) | Place::Forwarded(..));
        let is_answered = state.port.outcome().is_some_and(|o| o.is_decided());
        if state.cancelled || is_answered {
            return;
        }
        state.cancelled = true;
        let (fate, stage) = state.place.fate();
        let timer = state.timer.take();
        let more = state.more.take();
        // The room that a running handler takes for a peer is free when it has ended, not now (C-DL-4).
        let port = match std::mem::replace(&mut state.port, Port::Closed) {
            port if running_for_remote => {
                state.port = port;
                None
            }
            Port::Kept(outcome) => {
                state.port = Port::Failing(outcome);
                None
            }
            port => Some(port),
        };
        let fails = matches!(state.port, Port::Failing(_));
        let step = Step::out_of(&mut state.place, leave);
        drop(state);

        let More {
            children,
            watchers,
            pulses,
        } = more.map_or_else(More::default, |more| *more);
        drop(pulses);
        disarm(timer);
        step.take(self);
        for watcher in watchers {
            watcher.wake();
        }
        for child in children.iter().filter_map(Weak::upgrade) {
            child.abandon(CallErrorKind::Cancelled);
        }
        if !fails && port.is_none() {
            return;
        }
        let failed = Reply::Failed(self.told(CallError::new(kind, fate, stage)));
        match port {
            Some(port) => port.deliver(failed),
            None => self.fail(failed),
        }
    }

    /// Has the promise learn what it was settled to.
    fn fail(&self, failed: Reply) {
        let mut state = self.lock();
        let Port::Failing(outcome) = &mut state.port else {
            return;
        };
        let decided = outcome.decide(failed);
        state.port = Port::Kept(std::mem::take(outcome));
        drop(state);
        if let Ok(Some(waiter)) = decided {
            waiter.wake();
        }
    }
}

/// What giving up a request asks of who has it, done outside its lock.
enum Step {
    None,
    Wake(Waker),
    Forwarded(Arc<dyn Forwarded>, u64),
    Part(Arc<dyn Forwarded>, u64),
    Withdraw(Arc<dyn Withdraw>, Ticket),
    Leave(Weak<Waiting>, u64),
}

impl Step {
    /// With `leave`, who has it is to go on with it.
    fn out_of(place: &mut Place, leave: bool) -> Step {
        match place {
            Place::Forwarded(connection, id) if leave => Step::Part(connection.clone(), *id),
            Place::Forwarded(connection, id) => Step::Forwarded(connection.clone(), *id),
            Place::Running(waker) => waker.take().map_or(Step::None, Step::Wake),
            Place::Queued(..) | Place::Outboxed(..) => {
                match std::mem::replace(place, Place::Here) {
                    Place::Queued(server, ticket) => Step::Withdraw(server, ticket),
                    Place::Outboxed(outbox, ticket) => Step::Withdraw(outbox, ticket),
                    _ => Step::None,
                }
            }
            Place::Waiting(line, ticket) => Step::Leave(line.clone(), *ticket),
            Place::Here | Place::Outbox | Place::Ended => Step::None,
        }
    }

    /// Outside the lock of `request`: whoever is told may look at it.
    fn take(self, request: &InFlight) {
        match self {
            Step::None => {}
            Step::Wake(waker) => waker.wake(),
            Step::Forwarded(connection, id) => connection.cancel(id),
            Step::Part(connection, id) => connection.leave(id),
            Step::Withdraw(queue, ticket) => queue.withdraw(ticket),
            Step::Leave(line, ticket) => {
                if let Some(line) = line.upgrade() {
                    line.withdraw(request, ticket);
                }
            }
        }
    }
}
