//! A handler from its start to its end.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Instant;

use crate::blocking;
use crate::bus::{Delivery, Head, InFlight};
use crate::codec::Budget;
use crate::context;
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::payload::Payload;
use crate::promise::seam::Asked;
use crate::reply::Reply;
use crate::runtime::BoxFuture;
use crate::server::acceptance::{Answered, NoPlace, Sent};
use crate::server::core::ServerCore;
use crate::server::handler::{Registered, Started, drop_quietly, guarded};
use crate::server::seats;
use crate::server::slots::Claimed;

/// Who has a handler started.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The server's own task, out of the queue.
    Queue,
    /// Who brings the request: the task of the connection that it came by, or its caller, who would only wait meanwhile.
    Here,
}

/// Starts the handler of `method` on this thread, in a slot that was claimed for it: up to its first wait.
pub(crate) fn start(server: &Arc<ServerCore>, mut delivery: Delivery, method: &Registered, by: By) {
    let (in_flight, payload) = delivery.parts();
    let slot = |in_flight| Slot {
        server,
        in_flight: Some(in_flight),
        unstarted: by == By::Queue,
        at_work: false,
        outcome: None,
    };
    let head: &Head = in_flight.head();
    if head.is_late(Instant::now()) {
        let kind = head.too_late();
        return slot(in_flight).end(failed(kind, Fate::NotExecuted, Stage::Accepted));
    }
    // A cast of this process is in nobody's hands but these, before its handler goes on elsewhere.
    let is_ours = !in_flight.may_be_given_up();
    if !is_ours && !in_flight.started() {
        return drop(slot(in_flight));
    }
    let watch = Watch::new(method, by);
    let begin = || begin(method, payload, &server.budget(), &mut NoPlace);
    let (started, in_flight) = context::enter(in_flight, begin);
    watch.stop(method);
    match started {
        Started::Done(reply) => slot(in_flight).end(reply),
        later => {
            if is_ours {
                in_flight.started();
            }
            slot(in_flight).kept().go_on(later);
        }
    }
}

/// Starts the handler of a call on the thread of its caller, who has a place for the value; as [`start_here`].
pub(super) fn answer(
    server: &Arc<ServerCore>,
    claimed: Claimed<'_>,
    call: &mut Delivery,
    method: &Registered,
    place: &mut dyn Any,
) -> Answered {
    if call.in_flight().is_adopted() {
        let in_flight = call.in_flight().clone();
        claimed.keep();
        start(server, call.take(), method, By::Here);
        return match in_flight.try_take() {
            Some(Ok(reply)) => Answered::Here(in_flight, Some(reply)),
            _ => Answered::GoesOn(in_flight),
        };
    }
    let place: &mut dyn Any = match call.in_flight().encodes_reply() {
        Some(_) => &mut NoPlace,
        None => place,
    };
    match start_here(server, claimed, call, method, Watch(None), place) {
        (in_flight, Here::Ended(reply)) => Answered::Here(in_flight, Some(reply)),
        (in_flight, Here::Placed) => Answered::Here(in_flight, None),
        (in_flight, Here::GoesOn) => Answered::GoesOn(in_flight),
    }
}

/// Starts the handler of a request `now`, on the task of the connection that it came by; as [`start_here`].
pub(super) fn take_turn(
    server: &Arc<ServerCore>,
    claimed: Claimed<'_>,
    mut delivery: Delivery,
    method: &Registered,
    now: Instant,
) -> Sent {
    if delivery.in_flight().is_adopted() {
        claimed.keep();
        start(server, delivery, method, By::Here);
        return Sent::OnItsWay;
    }
    let watch = Watch(Some(now));
    match start_here(server, claimed, &mut delivery, method, watch, &mut NoPlace).1 {
        Here::Ended(reply) => Sent::Answered(reply),
        Here::Placed | Here::GoesOn => Sent::OnItsWay,
    }
}

/// How a handler was started that may have been answered at once.
enum Here {
    /// This is the outcome; the record is not told.
    Ended(Reply),
    /// The same, and the value lies in the caller's place.
    Placed,
    /// The record is told the outcome.
    GoesOn,
}

/// Starts the handler of a request that nobody else knows of yet, on the thread that delivers it, in a slot that was
/// claimed for it, and gives the record back.
///
/// Where it answers at once, the record is not asked for anything: it cannot have been cancelled, and its deadline has
/// just been looked at.
#[inline]
fn start_here(
    server: &Arc<ServerCore>,
    claimed: Claimed<'_>,
    delivery: &mut Delivery,
    method: &Registered,
    watch: Watch,
    place: &mut dyn Any,
) -> (Arc<InFlight>, Here) {
    let (in_flight, payload) = delivery.parts();
    let begin = || begin(method, payload, &server.budget(), place);
    let (begun, in_flight) = context::enter(in_flight, begin);
    match begun {
        Started::Placed(_) => {
            // Counted first: whoever sees the slot free finds it among those that ran.
            server.stats.completed();
            drop(claimed);
            watch.stop(method);
            (in_flight, Here::Placed)
        }
        Started::Done(reply) => {
            server.note(in_flight.head(), &reply);
            drop(claimed);
            let outcome = in_flight.as_outcome(reply);
            watch.stop(method);
            (in_flight, Here::Ended(outcome))
        }
        later => {
            watch.stop(method);
            in_flight.started();
            claimed.keep();
            let slot = Slot {
                server: server.clone(),
                in_flight: Some(in_flight.clone()),
                unstarted: false,
                at_work: false,
                outcome: None,
            };
            slot.go_on(later);
            (in_flight, Here::GoesOn)
        }
    }
}

/// Times a start, where it may tell something new of how quick the method is.
struct Watch(Option<Instant>);

impl Watch {
    fn new(method: &Registered, by: By) -> Watch {
        let asks = match by {
            By::Queue => !method.quickness.is_quick(),
            By::Here => false,
        };
        Watch(asks.then(Instant::now))
    }

    fn stop(self, method: &Registered) {
        if let Watch(Some(start)) = self {
            method.quickness.took(start.elapsed());
        }
    }
}

/// Has the handler of `method` read its arguments and run to its first wait; a panic is its answer.
fn begin(
    method: &Registered,
    payload: &mut Payload,
    budget: &Budget,
    place: &mut dyn Any,
) -> Started {
    let start = || method.handler.start(payload.take_out(), budget, place);
    let started = guarded(|| blocking::forbid(start));
    let mut future = match started {
        Ok(Started::Future(future)) => future,
        // By itself, for what it does not have is not moved.
        Ok(Started::Placed(in_place)) => return Started::Placed(in_place),
        Ok(other) => return other,
        Err(panicked) => return Started::Done(panicked),
    };
    // Nobody is woken by this first poll: a handler that waits is polled again as a task of its own.
    let mut nobody = TaskContext::from_waker(Waker::noop());
    let reply = match guarded(|| blocking::forbid(|| future.as_mut().poll(&mut nobody))) {
        Ok(Poll::Pending) => return Started::Future(future),
        Ok(Poll::Ready(reply)) | Err(reply) => reply,
    };
    drop_quietly(future);
    Started::Done(reply)
}

fn failed(kind: CallErrorKind, fate: Fate, stage: Stage) -> Reply {
    Reply::Failed(CallError::new(kind, fate, stage))
}

/// One of the server's slots, taken by one request. Dropped, which is when the handler has ended,
/// it is free again and the outcome is told.
struct Slot<S: AsRef<ServerCore>> {
    server: S,
    /// `None` once the slot is kept by another.
    in_flight: Option<Arc<InFlight>>,
    /// It came from the queue and still counts as not started: none may overtake it before its first wait.
    unstarted: bool,
    /// It goes on in a task or on a thread of its own, where it can be told to end.
    at_work: bool,
    outcome: Option<Reply>,
}

impl Slot<&Arc<ServerCore>> {
    /// The same slot for longer than the server's task has its turn.
    fn kept(mut self) -> Slot<Arc<ServerCore>> {
        Slot {
            server: self.server.clone(),
            in_flight: self.in_flight.take(),
            unstarted: self.unstarted,
            at_work: self.at_work,
            outcome: None,
        }
    }
}

impl Slot<Arc<ServerCore>> {
    /// Takes over from the handler's first wait.
    fn go_on(mut self, started: Started) {
        if std::mem::take(&mut self.unstarted) {
            self.server.slots.is_starting(0);
            self.server.slots.now_started();
        }
        self.server.at_work.enter(self.in_flight());
        self.at_work = true;
        match started {
            Started::Done(reply) => self.end(reply),
            Started::Placed(_) => unreachable!("there was no place for a value"),
            Started::Future(future) => {
                let server = self.server.clone();
                let running = Running {
                    future: Some(future),
                    slot: Some(self),
                };
                server.runtime.spawn(Box::pin(running));
            }
            Started::Blocking(job) => {
                let (server, depth) = (self.server.clone(), self.in_flight().head().depth);
                let run = Box::new(move || self.run(job));
                seats::run(&server.runtime, depth, run);
            }
        }
    }

    fn run(self, job: Box<dyn FnOnce() -> Reply + Send>) {
        let in_flight = self.in_flight();
        if in_flight.is_cancelled() {
            // Cancelled before its first instruction; the reply says so only to whoever still counts the delivery.
            return self.end(failed(
                CallErrorKind::Cancelled,
                Fate::NotExecuted,
                Stage::Accepted,
            ));
        }
        let head = in_flight.head();
        if head.is_late(Instant::now()) {
            // It waited for a thread, and nobody keeps the time of a cast or of another process's call (C-DL-2).
            let late = head.too_late();
            return self.end(failed(late, Fate::NotExecuted, Stage::Accepted));
        }
        let run = || guarded(|| blocking::allow(job));
        let (outcome, _) = context::enter(in_flight.clone(), run);
        self.end(outcome.unwrap_or_else(|panicked| panicked));
    }
}

impl<S: AsRef<ServerCore>> Slot<S> {
    fn in_flight(&self) -> &Arc<InFlight> {
        match &self.in_flight {
            Some(in_flight) => in_flight,
            None => unreachable!("a slot has its request until it is kept or dropped"),
        }
    }

    fn end(mut self, reply: Reply) {
        let head = self.in_flight().head();
        self.server.as_ref().note(head, &reply);
        self.outcome = Some(reply);
    }
}

impl<S: AsRef<ServerCore>> Drop for Slot<S> {
    fn drop(&mut self) {
        let Some(in_flight) = self.in_flight.take() else {
            return;
        };
        let server = self.server.as_ref();
        if self.at_work {
            server.at_work.leave(&in_flight);
        }
        // The slot first: whoever is woken by the reply finds it free, and the server's load
        // without it.
        if self.unstarted {
            server.slots.started_and_ended();
        } else {
            server.slots.release();
        }
        match self.outcome.take() {
            // Nobody is told, and nobody else had it.
            Some(_) if !self.at_work && !in_flight.may_be_given_up() => {}
            Some(reply) => {
                if in_flight.ended(reply) {
                    server.drops.late();
                }
            }
            // Its runtime has ended: started perhaps, and stopped somewhere on its way, so that
            // neither "ran" nor "did not run" would be true.
            None => in_flight.finish(failed(
                CallErrorKind::ShuttingDown,
                Fate::Unknown,
                Stage::Running,
            )),
        }
    }
}

/// An async handler on its way. Dropped unfinished, by a runtime that ends, it fails its request.
struct Running {
    future: Option<BoxFuture<Reply>>,
    slot: Option<Slot<Arc<ServerCore>>>,
}

impl Future for Running {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let this = &mut *self;
        let (Some(future), Some(slot)) = (&mut this.future, &this.slot) else {
            return Poll::Ready(());
        };
        if !slot.in_flight().running_as(cx.waker()) {
            // Cancelled: dropped at this wait (C-DL-3).
            let cut = slot.server.life.is_stopping();
            this.abort(if cut {
                CallErrorKind::ShuttingDown
            } else {
                CallErrorKind::Cancelled
            });
            return Poll::Ready(());
        }
        let poll = || guarded(|| blocking::forbid(|| future.as_mut().poll(cx)));
        let (polled, _) = context::enter(slot.in_flight().clone(), poll);
        let reply = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(reply)) | Err(reply) => reply,
        };
        drop_quietly(this.future.take());
        if let Some(slot) = this.slot.take() {
            slot.end(reply);
        }
        Poll::Ready(())
    }
}

impl Running {
    fn abort(&mut self, kind: CallErrorKind) {
        drop_quietly(self.future.take());
        if let Some(slot) = self.slot.take() {
            slot.end(failed(kind, Fate::Unknown, Stage::Running));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.abort(CallErrorKind::ShuttingDown);
    }
}
