//! A request's way into a server: admitted, and started on the thread that delivers it or put into the queue.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use crate::bus::{Delivery, Reach, Standing};
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::mailbox::{Bounds, PushError};
use crate::overload::{Charge, MemoryBudget, WhenFull, retry_after};
use crate::server::acceptance::{Answered, Mode, NotAccepted, Sent};
use crate::server::core::ServerCore;
use crate::server::driver::LARGE;
use crate::server::handler::MethodId;
use crate::server::queue::Waiting;
use crate::server::running;
use crate::server::slots::Claimed;
use crate::server::{inline, once};

impl ServerCore {
    /// Answers a call whose caller would only wait, where its handler may start right here and nothing queued would be
    /// overtaken.
    pub fn answer(self: &Arc<Self>, call: &mut Delivery, place: &mut dyn Any) -> Answered {
        let asks_for_more = call.in_flight().head().asks_for_more();
        if asks_for_more || !self.queue.holds(call.weight()) {
            return Answered::NotHere;
        }
        let Some(claimed) = self.claim_here() else {
            return Answered::NotHere;
        };
        // Asked last: a policy is the user's, and hears of each request once.
        match self.admission.admit(call.in_flight(), &self.life) {
            Ok(method) => {
                let method = self.method(method);
                inline::enter(|| running::answer(self, claimed, call, method, place))
            }
            Err(kind) => {
                drop(claimed);
                Answered::Refused(self.refuse(call.take(), kind))
            }
        }
    }

    /// Fails a request that this server will not run.
    #[cold]
    fn refuse(&self, delivery: Delivery, kind: CallErrorKind) -> CallError {
        self.stats.refused();
        delivery.refuse(kind, Fate::NotExecuted, Stage::Accepted)
    }

    /// Takes a request, or says why not.
    ///
    /// # Errors
    /// [`NotAccepted::Refused`] when it is not for this server or the server is stopping: the request has failed.
    /// [`NotAccepted::Full`] or [`NotAccepted::Later`] when the queue is full.
    pub fn deliver(self: &Arc<Self>, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        let method = match self.admission.admit(delivery.in_flight(), &self.life) {
            Ok(method) => method,
            Err(kind) => return Err(NotAccepted::Refused(self.refuse(delivery, kind))),
        };
        if delivery.in_flight().head().asks_for_more() {
            return self.deliver_rare(delivery, method, mode);
        }
        self.take(delivery, method, mode)
    }

    /// Takes a request that asks for more than most do.
    fn deliver_rare(
        self: &Arc<Self>,
        delivery: Delivery,
        method: MethodId,
        mode: Mode,
    ) -> Result<Sent, NotAccepted> {
        let in_flight = delivery.in_flight().clone();
        // The task of a connection sends the beats as well: none would leave while it runs the handler.
        let mode = match (mode, in_flight.head().heartbeat()) {
            (Mode::Turn(_), Some(_)) => Mode::Queue,
            _ => mode,
        };
        let take = |delivery| self.take(delivery, method, mode);
        let sent = match in_flight.head().idempotency_key() {
            Some(key) => once::take((&self.seen, &self.stats), delivery, key, take),
            None => take(delivery),
        };
        if let Ok(Sent::OnItsWay) = sent {
            self.beat_for(&in_flight);
        }
        sent
    }

    /// Takes a request that this server will run.
    fn take(
        self: &Arc<Self>,
        delivery: Delivery,
        method: MethodId,
        mode: Mode,
    ) -> Result<Sent, NotAccepted> {
        let weight = delivery.weight();
        if !self.queue.holds(weight) {
            // It would never fit: not a matter of waiting.
            return Err(NotAccepted::Refused(self.queue.too_large(delivery, weight)));
        }
        let is_quick = || weight < LARGE && self.method(method).quickness.is_quick();
        let turn = match mode {
            Mode::Turn(until) if is_quick() => Some(Instant::now()).filter(|now| *now < until),
            _ => None,
        };
        if let Some((now, claimed)) = turn.and_then(|now| Some((now, self.claim_here()?))) {
            let start = || running::take_turn(self, claimed, delivery, self.method(method), now);
            return Ok(inline::enter(start));
        }
        let (delivery, charge) = match &self.memory {
            Some(memory) if weight >= CHARGED => self.charge(delivery, weight, memory)?,
            _ => (delivery, None),
        };
        self.enqueue(Waiting::new(delivery, method, charge), weight, mode)?;
        Ok(Sent::OnItsWay)
    }

    /// Takes a slot for a handler to be started on this thread, when it is one of the server's runtime, nothing would be
    /// overtaken, and the thread's stack is not deep in such starts already.
    fn claim_here(&self) -> Option<Claimed<'_>> {
        if !(self.runtime.is_current() && inline::may_enter()) {
            return None;
        }
        let claimed = self.slots.claim_unqueued()?;
        // Asked once the slot is counted: either whoever drains the server has seen it, or this sees the end of the drain.
        (!self.life.is_stopping()).then_some(claimed)
    }

    /// Counts a large request against the memory of the bus. Small ones are bounded by their number.
    #[inline(never)]
    fn charge(
        &self,
        delivery: Delivery,
        weight: usize,
        memory: &Arc<MemoryBudget>,
    ) -> Result<(Delivery, Option<Charge>), NotAccepted> {
        match memory.charge(weight) {
            Some(charge) => Ok((delivery, Some(charge))),
            None => {
                self.drops.turned_away();
                let kind = CallErrorKind::Busy {
                    retry_after: retry_after(None, Instant::now()),
                };
                let refused = delivery.refuse(kind, Fate::NotExecuted, Stage::Accepted);
                Err(NotAccepted::Refused(refused))
            }
        }
    }

    fn enqueue(
        self: &Arc<Self>,
        waiting: Waiting,
        weight: usize,
        mode: Mode,
    ) -> Result<(), NotAccepted> {
        let waiting = match waiting.delivery.in_flight().head().reach {
            Reach::Every if mode != Mode::Over => self.keeps_up(waiting, weight)?,
            _ => waiting,
        };
        let bounds = match mode {
            Mode::Over if self.may_overfill() => Bounds::Lifted,
            _ => Bounds::Kept,
        };
        let when_full = self.queue.when_full();
        let mut pushed = self.push(waiting, weight, bounds);
        if when_full == WhenFull::DropOldest {
            while let Err(PushError::Full(waiting)) = pushed {
                self.drop_oldest();
                pushed = self.push(waiting, weight, Bounds::Kept);
            }
        }
        match pushed {
            Ok(()) => Ok(()),
            Err(PushError::Full(Waiting { delivery, .. })) => {
                self.drops.turned_away();
                let error = self.queue.full(delivery.in_flight());
                Err(match when_full {
                    WhenFull::Block => NotAccepted::Later(delivery, error),
                    WhenFull::Reject | WhenFull::DropOldest => NotAccepted::Full(delivery, error),
                })
            }
            Err(PushError::Closed(Waiting { delivery, .. })) => {
                Err(NotAccepted::Refused(shutting_down(delivery)))
            }
        }
    }

    /// Refuses a copy of a fanout cast for which there is no room.
    fn keeps_up(&self, waiting: Waiting, weight: usize) -> Result<Waiting, NotAccepted> {
        let in_flight = waiting.delivery.in_flight();
        match self.queue.standing(weight) {
            Standing::Free => Ok(waiting),
            Standing::Full => {
                let error = self.queue.full(in_flight);
                Err(NotAccepted::Full(waiting.delivery, error))
            }
            Standing::Behind => {
                // Others got their copies and do not wait for this one (C-OV-2).
                self.queue.missed(1);
                let kind = self.queue.full_kind(in_flight.head().verb);
                let refused = waiting
                    .delivery
                    .refuse(kind, Fate::NotExecuted, Stage::Accepted);
                Err(NotAccepted::Refused(refused))
            }
        }
    }

    /// Whether more may go in than fits. What is on its way to a server that retires is bounded by the credit of the
    /// connections that it comes by; what peers that have gone leave to the others, by as much again as fits.
    fn may_overfill(&self) -> bool {
        self.life.is_retiring() || self.queue.is_below_twice_its_limits()
    }

    /// Puts a request into the queue.
    fn push(
        self: &Arc<Self>,
        waiting: Waiting,
        weight: usize,
        bounds: Bounds,
    ) -> Result<(), PushError<Waiting>> {
        let mut entered = None;
        let enters = |waiting: &Waiting, ticket| {
            self.slots.one_waits();
            let in_flight = waiting.delivery.in_flight();
            // Whom nobody can give up is not to be found.
            let found = in_flight.may_be_given_up();
            let before = found.then(|| in_flight.queued(self, ticket));
            entered = Some((ticket, before));
        };
        let was_empty = self.queue.push(waiting, weight, bounds, enters)?;
        // Behind another one, that one's ring is enough: the server's task does not sleep before it has found the queue
        // empty, or no slot, whose end rings.
        if was_empty {
            self.slots.doorbell.ring();
        }
        // Asked once it is counted in: either whoever drains the server has seen it, or this sees the end of the drain.
        if self.life.is_stopping() {
            let taken_back = entered.and_then(|(ticket, _)| self.queue.remove(ticket));
            if let Some(waiting) = taken_back {
                self.slots.now_started();
                return Err(PushError::Closed(waiting));
            }
        }
        Ok(())
    }

    /// Takes the place of the request that has waited longest: it is out of date (`WhenFull::DropOldest`).
    fn drop_oldest(&self) {
        if let Some(Waiting { delivery, .. }) = self.queue.pop() {
            delivery.refuse(self.queue.busy(), Fate::NotExecuted, Stage::Accepted);
            self.slots.now_started();
            self.drops.dropped();
        }
    }
}

/// The smallest request that counts against the memory of the bus.
const CHARGED: usize = 4096;

fn shutting_down(delivery: Delivery) -> CallError {
    delivery.refuse(
        CallErrorKind::ShuttingDown,
        Fate::NotExecuted,
        Stage::Accepted,
    )
}
