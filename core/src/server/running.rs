//! A handler from its start to its end.

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
use crate::reply::Reply;
use crate::runtime::BoxFuture;
use crate::server::acceptance::{Mode, Sent};
use crate::server::core::ServerCore;
use crate::server::handler::{Registered, Started, drop_quietly, guarded};
use crate::server::seats;

/// Starts the handler of `method` on this thread, in a slot that the caller has claimed: up to its first wait.
/// `mode` is how it came.
pub(crate) fn start(server: &Arc<ServerCore>, delivery: Delivery, method: &Registered, mode: Mode) {
    let (in_flight, payload) = delivery.into_parts();
    let slot = |in_flight| Slot {
        server,
        in_flight: Some(in_flight),
        unstarted: mode == Mode::Queue,
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
    let watch = Watch::new(method, mode);
    let (started, in_flight) =
        context::enter(in_flight, || begin(method, payload, &server.budget()));
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

/// Starts the handler of a request that nobody else knows of yet, on the thread that delivers it, in a slot that the
/// caller has claimed. How long it takes is told to the method, where it is `timed` from then on.
///
/// Where it answers at once and nobody else knows of the request, that answer is returned and the record is not asked
/// for anything: it cannot have been cancelled, and its deadline has just been looked at.
pub(crate) fn start_inline(
    server: &Arc<ServerCore>,
    delivery: Delivery,
    method: &Registered,
    timed: Option<Instant>,
) -> Sent {
    if delivery.in_flight().is_adopted() {
        start(server, delivery, method, Mode::Inline);
        return Sent::OnItsWay;
    }
    let (in_flight, payload) = delivery.into_parts();
    let watch = Watch(timed);
    let (begun, in_flight) = context::enter(in_flight, || begin(method, payload, &server.budget()));
    match begun {
        Started::Done(reply) => {
            let claimed = Claimed(server);
            server.note(in_flight.head(), &reply);
            drop(claimed);
            let outcome = in_flight.as_outcome(reply);
            watch.stop(method);
            Sent::Answered(outcome)
        }
        later => {
            watch.stop(method);
            in_flight.started();
            let slot = Slot {
                server: server.clone(),
                in_flight: Some(in_flight),
                unstarted: false,
                at_work: false,
                outcome: None,
            };
            slot.go_on(later);
            Sent::OnItsWay
        }
    }
}

/// Times a start, where it may tell something new of how quick the method is.
struct Watch(Option<Instant>);

impl Watch {
    fn new(method: &Registered, mode: Mode) -> Watch {
        let asks = match mode {
            Mode::Queue | Mode::Over => !method.quickness.is_quick(),
            Mode::Inline | Mode::Turn(_) => false,
        };
        Watch(asks.then(Instant::now))
    }

    fn stop(self, method: &Registered) {
        if let Watch(Some(start)) = self {
            method.quickness.took(start.elapsed());
        }
    }
}

/// A slot without anybody in it, free again when this is dropped: even if a logger has panicked.
struct Claimed<'a>(&'a ServerCore);

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        self.0.slots.release();
    }
}

/// Has the handler of `method` read its arguments and run to its first wait; a panic is its answer.
fn begin(method: &Registered, payload: Payload, budget: &Budget) -> Started {
    let started = guarded(|| blocking::forbid(|| method.handler.start(payload, budget)));
    let mut future = match started {
        Ok(Started::Future(future)) => future,
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
