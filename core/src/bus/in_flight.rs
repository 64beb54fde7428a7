//! One request in flight, as one process sees it: from being made to the moment its outcome is decided.
//!
//! The record is shared by whoever may decide the outcome or ask for the end of it: the promise (which may be dropped),
//! the timer, the queue it waits in, the handler that runs it, the connection it left by. The outcome is decided once,
//! by whoever comes first. Wakers, promises and users' values are touched outside the lock.
//!
//! At a process that serves a request for another one, the record's port is the connection it came by: there the end
//! is told when the handler has *ended*, not when a cancel arrives, because a slot in a limit is freed only then (C-DL-4).

mod pulse;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use pulse::Pulses;

use crate::bus::head::{Head, Verb};
use crate::codec::CodecId;
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::mailbox::Ticket;
use crate::promise::PromiseError;
use crate::promise::outcome::{self, Look, Outcome};
use crate::promise::seam::{Asked, CancelCause};
use crate::reply::Reply;
use crate::router::Waiting;
use crate::server::ServerCore;
use crate::timer::{Expire, Expiry, TimerKey, Timers};

/// Where an answer goes that leaves this process, and where the end of a delivery is told.
pub trait ReplyTo: Send + Sync {
    /// The delivery that came as `id` has ended with `reply`. Called exactly once for each; for a cast, and for a call
    /// that was cancelled meanwhile, it only says that the room it took is free again.
    fn reply(&self, id: u64, reply: Reply);

    /// The server of the delivery that came as `id` lives and has it still (C-DL-6). Called now and
    /// then for a call that asked for it, never after its `reply`, and not again before
    /// `beat_taken`. Must not block.
    fn beat(&self, id: u64);
}

/// A connection that a request was handed to.
pub trait Forwarded: Send + Sync {
    /// Nobody waits for the request `id` any more: tell the peer.
    fn cancel(&self, id: u64);

    /// Nobody waits for the request `id` here, and the peer is to go on with it.
    fn leave(&self, id: u64);
}

/// A queue to a connection, out of whose middle a request can be taken.
pub trait Withdraw: Send + Sync {
    /// Nobody waits for the request with this ticket any more: its place is free.
    fn withdraw(&self, ticket: Ticket);
}

/// Where the outcome goes.
enum Port {
    /// It stays here, for the promise.
    Kept(Outcome<Reply>),
    /// The same, but it is settled already what it will be: a failure, of which the promise learns when all who still
    /// work on the request have been told.
    Failing(Outcome<Reply>),
    /// To the connection that the request came by.
    Remote(Arc<dyn ReplyTo>, u64),
    /// Delivered; or a cast, which has none.
    Closed,
}

impl Port {
    /// Whether an outcome would still be one.
    fn is_open(&self) -> bool {
        match self {
            Port::Kept(outcome) => !outcome.is_decided(),
            Port::Remote(..) => true,
            Port::Failing(_) | Port::Closed => false,
        }
    }

    fn outcome(&mut self) -> Option<&mut Outcome<Reply>> {
        match self {
            Port::Kept(outcome) | Port::Failing(outcome) => Some(outcome),
            Port::Remote(..) | Port::Closed => None,
        }
    }
}

/// Where the request is.
enum Place {
    /// Being made or sent by this process.
    Here,
    /// On its way into a queue to a connection.
    Outbox,
    /// In a queue to a connection.
    Outboxed(Arc<dyn Withdraw>, Ticket),
    /// Handed to a connection, which knows it by this id.
    Forwarded(Arc<dyn Forwarded>, u64),
    /// In a line of requests that wait for a server.
    Waiting(Weak<Waiting>, u64),
    /// In a server's queue.
    Queued(Arc<ServerCore>, Ticket),
    /// Its handler has been started; the waker is that of its task.
    Running(Option<Waker>),
    /// Its handler has ended.
    Ended,
}

impl Place {
    /// What may honestly be said of the handler when the request ends here without an answer, and where it stood.
    fn fate(&self) -> (Fate, Stage) {
        match self {
            Place::Here => (Fate::NotSent, Stage::Preparing),
            Place::Outbox | Place::Outboxed(..) => (Fate::NotSent, Stage::QueuedHere),
            Place::Forwarded(..) => (Fate::Unknown, Stage::Sent),
            Place::Waiting(..) => (Fate::NotExecuted, Stage::Routing),
            Place::Queued(..) => (Fate::NotExecuted, Stage::Accepted),
            Place::Running(_) => (Fate::Unknown, Stage::Running),
            Place::Ended => (Fate::Executed, Stage::Running),
        }
    }
}

struct State {
    port: Port,
    place: Place,
    timer: Option<(Arc<Timers>, TimerKey)>,
    cancelled: bool,
    /// Boxed, for few requests have any.
    more: Option<Box<More>>,
}

/// What few requests have.
#[derive(Default)]
struct More {
    /// Requests made by this one's handler: they end with it.
    children: Vec<Weak<InFlight>>,
    /// Who waits for the cancellation.
    watchers: Vec<Waker>,
    pulses: Pulses,
}

/// One request in flight.
pub struct InFlight {
    head: Head,
    /// The largest encoded reply, where replies are handed over encoded.
    encode_replies: Option<usize>,
    /// Made by another request's handler, or run for several who asked: it may be cancelled at any time.
    adopted: bool,
    /// It came by a connection.
    remote: bool,
    /// A beat waits for the connection that it goes to.
    beat_waits: AtomicBool,
    state: Mutex<State>,
}

/// How a request is sent.
pub(crate) struct Sending<'a> {
    encode_replies: &'a mut Option<usize>,
    adopted: &'a mut bool,
    port: &'a mut Port,
}

impl Sending<'_> {
    /// Its reply is handed over encoded and is at most so many bytes, wherever the handler runs.
    pub(crate) fn encode_replies(&mut self, limit: Option<usize>) {
        *self.encode_replies = limit;
    }

    /// A cast has no outcome. A call that a handler makes ends with that.
    pub(crate) fn by(&mut self, verb: Verb, is_nested: bool) {
        match verb {
            Verb::Call => *self.adopted = is_nested,
            Verb::Cast => *self.port = Port::Closed,
        }
    }
}

/// Where a request came from.
struct Origin {
    /// Out of another request's handler.
    adopted: bool,
    /// By a connection.
    remote: bool,
}

impl InFlight {
    /// A request of this process that is still being made: nobody else knows of it.
    #[inline]
    pub(crate) fn unsent(head: Head) -> Arc<Self> {
        let origin = Origin {
            adopted: false,
            remote: false,
        };
        Self::with_port(head, Port::Kept(Outcome::default()), None, origin)
    }

    /// What may still be changed of a request that is being made.
    pub(crate) fn as_unsent(self: &mut Arc<Self>) -> (&mut Head, Sending<'_>) {
        let Some(this) = Arc::get_mut(self) else {
            unreachable!("nobody else knows of a request before it is sent");
        };
        let state = this.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let sending = Sending {
            encode_replies: &mut this.encode_replies,
            adopted: &mut this.adopted,
            port: &mut state.port,
        };
        (&mut this.head, sending)
    }

    /// A request made in this process. With `encode_replies`, its reply is handed over encoded and
    /// is at most that many bytes, wherever the handler runs. A call that is made by the handler of
    /// `parent` ends with that.
    pub(crate) fn new(
        head: Head,
        encode_replies: Option<usize>,
        parent: Option<&InFlight>,
    ) -> Arc<Self> {
        let (port, parent) = match head.verb {
            Verb::Call => (Port::Kept(Outcome::default()), parent),
            Verb::Cast => (Port::Closed, None),
        };
        let origin = Origin {
            adopted: parent.is_some(),
            remote: false,
        };
        let in_flight = Self::with_port(head, port, encode_replies, origin);
        if let Some(parent) = parent {
            parent.adopt(&in_flight);
        }
        in_flight
    }

    /// A request that came by a connection, which knows it as `id` and is told when it has ended. Its reply is encoded
    /// where its handler ends, for the connection's task has others to serve, and is at most `limit` bytes.
    pub fn from_remote(
        head: Head,
        connection: Arc<dyn ReplyTo>,
        id: u64,
        limit: usize,
    ) -> Arc<Self> {
        let origin = Origin {
            adopted: false,
            remote: true,
        };
        let encode_replies = (head.verb == Verb::Call).then_some(limit);
        Self::with_port(head, Port::Remote(connection, id), encode_replies, origin)
    }

    /// What the handler of a run under a key runs for: it may be cancelled at any time.
    pub(crate) fn of_run(head: Head, run: Arc<dyn ReplyTo>) -> Arc<Self> {
        let origin = Origin {
            adopted: true,
            remote: true,
        };
        Self::with_port(head, Port::Remote(run, 0), None, origin)
    }

    #[inline]
    fn with_port(
        head: Head,
        port: Port,
        encode_replies: Option<usize>,
        origin: Origin,
    ) -> Arc<Self> {
        let state = State {
            port,
            place: Place::Here,
            timer: None,
            cancelled: false,
            more: None,
        };
        Arc::new(InFlight {
            head,
            encode_replies,
            beat_waits: AtomicBool::new(false),
            adopted: origin.adopted,
            remote: origin.remote,
            state: Mutex::new(state),
        })
    }

    /// What was asked of whom.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Whether nobody waits for the outcome any more.
    pub fn is_cancelled(&self) -> bool {
        self.lock().cancelled
    }

    /// The time left, `None` without a deadline, zero once it has passed.
    pub fn remaining(&self, now: Instant) -> Option<Duration> {
        self.head
            .deadline
            .map(|at| at.saturating_duration_since(now))
    }

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

    /// A copy of this one, for one of several servers, from wherever this one came. Nobody is told its outcome.
    pub(crate) fn copy(&self, head: Head) -> Arc<Self> {
        let origin = Origin {
            adopted: false,
            remote: self.remote,
        };
        Self::with_port(head, Port::Closed, None, origin)
    }

    /// Whether somebody may give it up: who waits for its outcome, or the connection that it came by.
    pub(crate) fn may_be_given_up(&self) -> bool {
        self.head.verb == Verb::Call || self.remote
    }

    /// Whether it came by a connection, from another process.
    pub(crate) fn is_remote(&self) -> bool {
        self.remote
    }

    /// Whether the handler that made it may cancel it. Otherwise nobody knows of it before it is
    /// queued or its outcome is asked for.
    pub(crate) fn is_adopted(&self) -> bool {
        self.adopted
    }

    /// The most bytes that its reply is encoded in, and how; `None` where it is handed over as it is.
    pub(crate) fn encodes_reply(&self) -> Option<(usize, CodecId)> {
        self.encode_replies.map(|limit| (limit, self.head.codec))
    }

    /// `reply` as it is handed over: encoded, where that is asked for, and told of this request.
    pub(crate) fn as_outcome(&self, reply: Reply) -> Reply {
        let reply = match self.encodes_reply() {
            Some((limit, codec)) => reply.encoded(limit, codec),
            None => reply,
        };
        match reply {
            Reply::Failed(error) if error.target().is_empty() => Reply::Failed(self.told(error)),
            other => other,
        }
    }

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
        let step = match &mut state.place {
            Place::Forwarded(connection, id) if leave => Step::Part(connection.clone(), *id),
            Place::Forwarded(connection, id) => Step::Forwarded(connection.clone(), *id),
            Place::Running(waker) => waker.take().map_or(Step::None, Step::Wake),
            Place::Queued(..) | Place::Outboxed(..) => {
                match std::mem::replace(&mut state.place, Place::Here) {
                    Place::Queued(server, ticket) => Step::Withdraw(server, ticket),
                    Place::Outboxed(outbox, ticket) => Step::Withdraw(outbox, ticket),
                    _ => Step::None,
                }
            }
            Place::Waiting(line, ticket) => Step::Leave(line.clone(), *ticket),
            Place::Here | Place::Outbox | Place::Ended => Step::None,
        };
        drop(state);

        let More {
            children,
            watchers,
            pulses,
        } = more.map_or_else(More::default, |more| *more);
        drop(pulses);
        disarm(timer);
        match step {
            Step::None => {}
            Step::Wake(waker) => waker.wake(),
            Step::Forwarded(connection, id) => connection.cancel(id),
            Step::Part(connection, id) => connection.leave(id),
            Step::Withdraw(queue, ticket) => queue.withdraw(ticket),
            Step::Leave(line, ticket) => {
                if let Some(line) = line.upgrade() {
                    line.withdraw(self, ticket);
                }
            }
        }
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
            Some(port) => deliver(port, failed),
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
            Err(reply) => deliver(port, reply),
        }
    }

    /// Has `timers` abandon the request at its deadline, unless it is decided already.
    pub(crate) fn arm(self: &Arc<Self>, timers: &Arc<Timers>) {
        let at = self
            .head
            .deadline
            .unwrap_or_else(|| self.head.made_at + NO_DEADLINE);
        let target: Weak<dyn Expire> = Arc::downgrade(self) as _;
        let Ok(key) = timers.arm(at, target) else {
            return self.abandon(CallErrorKind::Closed);
        };
        let mut state = self.lock();
        if state.port.is_open() {
            state.timer = Some((timers.clone(), key));
            return;
        }
        drop(state);
        timers.disarm(key);
    }

    /// It waits in a queue to a connection. `false` when nobody waits for it any more.
    pub fn into_outbox(&self) -> bool {
        let mut state = self.lock();
        if !state.cancelled {
            state.place = Place::Outbox;
        }
        !state.cancelled
    }

    /// It waits in `outbox` by this ticket, unless it was taken out already. `false` when nobody waits for it any more.
    pub(crate) fn waits_in<Q: Withdraw + 'static>(&self, outbox: &Arc<Q>, ticket: Ticket) -> bool {
        let mut state = self.lock();
        if !state.cancelled && matches!(state.place, Place::Outbox) {
            state.place = Place::Outboxed(outbox.clone(), ticket);
        }
        !state.cancelled
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

    /// A failure of this request that its place allows to claim.
    pub(crate) fn failure_here(&self, kind: CallErrorKind) -> CallError {
        let (fate, stage) = self.lock().place.fate();
        self.told(CallError::new(kind, fate, stage))
    }

    /// `error`, told of this request.
    pub(crate) fn told(&self, error: CallError) -> CallError {
        let Head {
            topic,
            method,
            made_at,
            ..
        } = &self.head;
        let idempotent = self.head.idempotency_key().is_some();
        error.of_request(format!("{topic}.{method}"), made_at.elapsed(), idempotent)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No user code runs under this lock: a poisoned one still holds a whole state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far away the deadline of a request without one is: it keeps its place in the table of what is outstanding.
const NO_DEADLINE: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// What giving up a request asks for, done outside its lock.
enum Step {
    None,
    Wake(Waker),
    Forwarded(Arc<dyn Forwarded>, u64),
    Part(Arc<dyn Forwarded>, u64),
    Withdraw(Arc<dyn Withdraw>, Ticket),
    Leave(Weak<Waiting>, u64),
}

fn disarm(timer: Option<(Arc<Timers>, TimerKey)>) {
    if let Some((timers, key)) = timer {
        timers.disarm(key);
    }
}

fn deliver(port: Port, reply: Reply) {
    match port {
        Port::Remote(connection, id) => connection.reply(id, reply),
        Port::Kept(_) | Port::Failing(_) | Port::Closed => {}
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

impl Asked for InFlight {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<Reply, PromiseError>> {
        let look = |waker: &Waker, clone: &mut Option<Waker>| match self.lock().port.outcome() {
            Some(outcome) => outcome.look(waker, clone),
            None => Look::Over(Err(PromiseError::Taken)),
        };
        outcome::poll(cx.waker(), look)
    }

    fn try_take(&self) -> Option<Result<Reply, PromiseError>> {
        match self.lock().port.outcome() {
            Some(outcome) => outcome.try_take(),
            None => Some(Err(PromiseError::Taken)),
        }
    }

    fn is_ready(&self) -> bool {
        let mut state = self.lock();
        state.port.outcome().is_none_or(|o| o.is_decided())
    }

    fn withdraw(&self) -> Option<Waker> {
        self.lock().port.outcome()?.withdraw()
    }

    fn cancel(&self, cause: CancelCause) {
        match cause {
            CancelCause::Dropped | CancelCause::Asked => self.abandon(CallErrorKind::Cancelled),
            CancelCause::Late => self.expire(Expiry::Due),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.head.deadline
    }

    fn report(&self, kind: CallErrorKind, fate: Fate, stage: Stage) -> CallError {
        self.told(CallError::new(kind, fate, stage))
    }
}

impl Expire for InFlight {
    fn expire(&self, why: Expiry) {
        self.abandon(match why {
            Expiry::Due => CallErrorKind::DeadlineExceeded {
                timeout: self.head.timeout().unwrap_or(NO_DEADLINE),
            },
            Expiry::Abandoned => CallErrorKind::Closed,
        });
    }
}
