//! A server: its methods, its queue, its limits. It knows no transport.
//!
//! A request is *started* by one task per server, in the order of the queue (C-VB-4); what does not end at its first
//! poll goes on concurrently, up to the server's limit. Where the caller would only wait, the request may start on the
//! caller's thread instead, when nothing queued could be overtaken.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::time::Instant;

use crate::authorise::Policy;
use crate::bus::{Backlog, Delivery, Head, InFlight, Reach, Room, Standing, Verb, Withdraw};
use crate::codec::Budget;
use crate::doorbell::Doorbell;
use crate::error::{CallError, CallErrorKind, Fate, ServeError, Stage};
use crate::mailbox::{Bounds, Limits, Mailbox, PushError, Ticket};
use crate::name::{Exchange, ServerName, Topic};
use crate::overload::{Charge, MemoryBudget, Tally, WhenFull, retry_after};
use crate::reply::Reply;
use crate::runtime::Runtime;
use crate::server::acceptance::{Mode, NotAccepted, Sent};
use crate::server::at_work::AtWork;
use crate::server::drain::Draining;
use crate::server::driver::{self, LARGE};
use crate::server::drops::Counters;
use crate::server::endpoint::Endpoints;
use crate::server::handler::{MethodId, Registered};
use crate::server::life::{Duty, Epoch, Life};
use crate::server::load::{Count, Load};
use crate::server::offers::Offers;
use crate::server::seen::Seen;
use crate::server::stats::{Expected, Stats};
use crate::server::{inline, once, running};
use crate::timer::Ticks;

/// The limits of one server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerLimits {
    /// Handlers that run at the same time.
    pub(crate) concurrency: usize,
    /// Requests that wait.
    pub(crate) queue: usize,
    /// Bytes that wait.
    pub(crate) queue_bytes: usize,
    /// What happens to a request that finds it full.
    pub(crate) when_full: WhenFull,
}

/// A request in the queue, with the method it is for.
pub(crate) struct Waiting {
    pub(crate) delivery: Delivery,
    pub(crate) method: MethodId,
    /// What it counts against the memory of the bus while it waits.
    _charge: Option<Charge>,
}

/// A server, as transports see it.
pub struct ServerCore {
    exchange: Exchange,
    topic: Topic,
    name: ServerName,
    endpoints: Endpoints,
    limits: ServerLimits,
    /// Who may call it.
    policy: Policy,
    pub(crate) queue: Mailbox<Waiting>,
    load: Load,
    /// As `life` says, for a look without its lock.
    stopping: AtomicBool,
    epoch: AtomicU64,
    life: Mutex<Life>,
    /// How many transports send it what is on its way.
    retiring: AtomicUsize,
    pub(crate) at_work: AtWork,
    pub(crate) doorbell: Doorbell,
    room: Room,
    backlog: Backlog,
    /// Copies of fanout casts that it had no room for.
    missed: AtomicU64,
    /// Who waits for the server to have nothing to do.
    idle: Room,
    pub(crate) runtime: Arc<dyn Runtime>,
    /// For heartbeats, and to forget.
    ticks: Arc<Ticks>,
    seen: Arc<Seen>,
    pub(crate) stats: Stats,
    /// Which of the application's errors are no failures.
    expects: Vec<Expected>,
    pub(crate) drops: Counters,
    memory: Option<Arc<MemoryBudget>>,
}

impl ServerCore {
    pub(crate) fn start(
        (exchange, topic, name): (Exchange, Topic, ServerName),
        endpoints: Endpoints,
        limits: ServerLimits,
        (policy, runtime): (Policy, Arc<dyn Runtime>),
        (ticks, seen): (Arc<Ticks>, Arc<Seen>),
        expects: Vec<Expected>,
        (tally, memory): (Arc<Tally>, Option<Arc<MemoryBudget>>),
    ) -> Arc<Self> {
        let server = Arc::new(ServerCore {
            exchange,
            topic,
            name,
            endpoints,
            limits,
            policy,
            queue: Mailbox::new(Limits {
                items: limits.queue,
                bytes: limits.queue_bytes,
            }),
            load: Load::default(),
            stopping: AtomicBool::new(false),
            epoch: AtomicU64::new(Life::FIRST.0),
            life: Mutex::new(Life::new()),
            retiring: AtomicUsize::new(0),
            at_work: AtWork::default(),
            doorbell: Doorbell::new(),
            room: Room::new(),
            backlog: Backlog::default(),
            missed: AtomicU64::new(0),
            idle: Room::new(),
            runtime,
            ticks,
            seen,
            stats: Stats::default(),
            expects,
            drops: Counters::new(tally),
            memory,
        });
        driver::spawn(&server, Life::FIRST);
        server
    }

    /// The exchange it is in.
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// The topic it serves.
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Its name on the topic.
    pub fn name(&self) -> &ServerName {
        &self.name
    }

    /// Whether a request may be for this server, or for it as well.
    #[cfg(unix)]
    pub(crate) fn serves(&self, head: &Head) -> bool {
        let named = head.server.as_ref().is_none_or(|name| *name == self.name);
        let served = head.reach != Reach::Registry && named;
        served && (&head.topic, &head.exchange) == (&self.topic, &self.exchange)
    }

    /// What it offers.
    pub fn offers(&self) -> &Offers {
        self.endpoints.offers()
    }

    /// Requests that it has and has not ended: those that wait and those that run.
    pub fn load(&self) -> usize {
        self.load.len()
    }

    /// Takes a request, or says why not.
    ///
    /// # Errors
    /// [`NotAccepted::Refused`] when it is not for this server or the server is stopping: the request has failed.
    /// [`NotAccepted::Full`] or [`NotAccepted::Later`] when the queue is full.
    pub fn deliver(self: &Arc<Self>, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        let method = match self.admit(delivery.in_flight()) {
            Ok(method) => method,
            Err(kind) => {
                self.stats.refused();
                return Err(NotAccepted::Refused(delivery.refuse(
                    kind,
                    Fate::NotExecuted,
                    Stage::Accepted,
                )));
            }
        };
        if delivery.in_flight().head().asks_for_more() {
            return self.deliver_rare(delivery, method, mode);
        }
        self.take(delivery, method, mode)
    }

    /// Takes a request that this server will run.
    fn take(
        self: &Arc<Self>,
        delivery: Delivery,
        method: MethodId,
        mode: Mode,
    ) -> Result<Sent, NotAccepted> {
        let weight = delivery.weight();
        if weight > self.limits.queue_bytes {
            // It would never fit: not a matter of waiting.
            return Err(NotAccepted::Refused(self.too_large(delivery, weight)));
        }
        let may_start = match mode {
            Mode::Queue | Mode::Over => false,
            Mode::Inline => true,
            Mode::Turn => weight < LARGE && self.method(method).quickness.is_quick(),
        };
        if may_start && self.runtime.is_current() && self.claim_inline() {
            if self.is_stopping() {
                self.release_slot();
                return Err(NotAccepted::Refused(shutting_down(delivery)));
            }
            return Ok(inline::enter(|| {
                running::start_inline(self, delivery, self.method(method), mode)
            }));
        }
        let (delivery, charge) = match &self.memory {
            Some(memory) if weight >= CHARGED => self.charge(delivery, weight, memory)?,
            _ => (delivery, None),
        };
        let waiting = Waiting {
            delivery,
            method,
            _charge: charge,
        };
        self.enqueue(waiting, weight, mode)?;
        Ok(Sent::OnItsWay)
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
            (Mode::Turn, Some(_)) => Mode::Queue,
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

    /// Beats for a request that waits or runs here, or waits in front of the queue (PR-BEAT-2).
    pub(crate) fn beat_for(&self, in_flight: &Arc<InFlight>) {
        if let Some(heartbeat) = in_flight.head().heartbeat() {
            if !in_flight.is_beating() {
                let counted = self.stats.beating();
                in_flight.keep_beating(self.ticks.timers(), heartbeat, counted);
            }
        }
    }

    /// The method that a request is for, when this server will run it.
    fn admit(&self, request: &InFlight) -> Result<MethodId, CallErrorKind> {
        // Before anything else: who may not call learns nothing about what there is to call (S8, C-VE-5).
        if let Some(forbidden) = self.policy.refusal(request) {
            return Err(forbidden);
        }
        let head = request.head();
        if self.is_stopping() {
            return Err(CallErrorKind::ShuttingDown);
        }
        let found = self.endpoints.find(head).map_err(|kind| {
            // Where not everybody may call everything, not everybody is told what else there is.
            if self.policy.is_set() {
                kind.without_suggestion()
            } else {
                kind
            }
        })?;
        if let (Some(ours), Some(theirs)) = (self.method(found).fingerprint, head.fingerprint) {
            let ours = ours();
            if ours != theirs {
                return Err(CallErrorKind::SchemaMismatch {
                    method: head.method.to_string(),
                    ours,
                    theirs,
                });
            }
        }
        if !head.codec.is_known() {
            return Err(CallErrorKind::UnknownCodec {
                codec: head.codec.to_byte(),
            });
        }
        // Whether it is too late is asked once, when its handler is to start: a look at the clock is a tenth of a call.
        Ok(found)
    }

    /// A method of this server.
    pub(crate) fn method(&self, id: MethodId) -> &Registered {
        self.endpoints.method(id)
    }

    /// Takes a slot for a handler to be started on this thread, when nothing would be overtaken and the thread's stack
    /// is not deep in such starts already.
    fn claim_inline(&self) -> bool {
        let nothing_waits = |load: Count| load.unstarted() == 0;
        inline::may_enter() && self.load.claim(self.limits.concurrency, nothing_waits)
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

    #[cold]
    fn too_large(&self, delivery: Delivery, size: usize) -> CallError {
        let kind = CallErrorKind::TooLarge {
            size,
            limit: self.limits.queue_bytes,
            set_by: "the server's queue_bytes",
        };
        delivery.refuse(kind, Fate::NotExecuted, Stage::Accepted)
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
        let mut pushed = self.push(waiting, weight, bounds);
        if self.limits.when_full == WhenFull::DropOldest {
            while let Err(PushError::Full(waiting)) = pushed {
                self.drop_oldest();
                pushed = self.push(waiting, weight, Bounds::Kept);
            }
        }
        match pushed {
            Ok(()) => Ok(()),
            Err(PushError::Full(Waiting { delivery, .. })) => {
                self.drops.turned_away();
                let error = self.full(delivery.in_flight());
                Err(match self.limits.when_full {
                    WhenFull::Block => NotAccepted::Later(delivery, error),
                    WhenFull::Reject | WhenFull::DropOldest => NotAccepted::Full(delivery, error),
                })
            }
            Err(PushError::Closed(Waiting { delivery, .. })) => {
                Err(NotAccepted::Refused(shutting_down(delivery)))
            }
        }
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
            self.load.comes();
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
            self.doorbell.ring();
        }
        // Asked once it is counted in: either whoever drains the server has seen it, or this sees the end of the drain.
        if self.is_stopping() {
            let taken_back = entered.and_then(|(ticket, _)| self.queue.remove(ticket));
            if let Some(waiting) = taken_back {
                self.now_started();
                return Err(PushError::Closed(waiting));
            }
        }
        Ok(())
    }

    /// Refuses a copy of a fanout cast for which there is no room.
    fn keeps_up(&self, waiting: Waiting, weight: usize) -> Result<Waiting, NotAccepted> {
        let in_flight = waiting.delivery.in_flight();
        match self.standing(weight) {
            Standing::Free => Ok(waiting),
            Standing::Full => {
                let error = self.full(in_flight);
                Err(NotAccepted::Full(waiting.delivery, error))
            }
            Standing::Behind => {
                // Others got their copies and do not wait for this one (C-OV-2).
                self.missed(1);
                let kind = self.full_kind(in_flight.head().verb);
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
        self.retiring.load(Ordering::SeqCst) > 0
            || (self.queue.len() / 2 < self.limits.queue
                && self.queue.bytes() / 2 < self.limits.queue_bytes)
    }

    /// Takes the place of the request that has waited longest: it is out of date (`WhenFull::DropOldest`).
    fn drop_oldest(&self) {
        if let Some(Waiting { delivery, .. }) = self.queue.try_pop() {
            delivery.refuse(self.busy(), Fate::NotExecuted, Stage::Accepted);
            self.now_started();
            self.drops.dropped();
        }
    }

    fn busy(&self) -> CallErrorKind {
        let oldest = |waiting: &Waiting| waiting.delivery.in_flight().head().made_at;
        CallErrorKind::Busy {
            retry_after: retry_after(self.queue.peek(oldest), Instant::now()),
        }
    }

    fn full(&self, in_flight: &InFlight) -> CallError {
        let kind = self.full_kind(in_flight.head().verb);
        in_flight.told(CallError::new(kind, Fate::NotExecuted, Stage::Accepted))
    }

    fn full_kind(&self, verb: Verb) -> CallErrorKind {
        match verb {
            Verb::Call => self.busy(),
            Verb::Cast => CallErrorKind::QueueFull {
                queue: "the server's queue",
                limit: format!(
                    "{} messages or {} bytes",
                    self.limits.queue, self.limits.queue_bytes
                ),
            },
        }
    }

    /// How its queue stands to one more copy of a fanout cast, of `weight` bytes.
    pub(crate) fn standing(&self, weight: usize) -> Standing {
        let ServerLimits {
            queue, queue_bytes, ..
        } = self.limits;
        if weight > queue_bytes || self.limits.when_full == WhenFull::DropOldest {
            return Standing::Free; // It would never fit, and is refused when it is delivered; or it always does.
        }
        let left = queue_bytes.saturating_sub(self.queue.bytes());
        let has_room = self.queue.len() < queue && weight <= left;
        let half_free = self.queue.len() <= queue / 2 && self.queue.bytes() <= queue_bytes / 2;
        self.backlog.standing(has_room, half_free)
    }

    /// So many copies of fanout casts were not given to it for want of room.
    pub(crate) fn missed(&self, copies: u64) {
        self.missed.fetch_add(copies, Ordering::Relaxed);
    }

    /// Copies of fanout casts that it had no room for.
    pub(crate) fn copies_missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Wakes the waker of `cx` when there may be room in the queue for a request of `weight` bytes.
    pub fn wait_for_room(&self, weight: usize, cx: &mut Context<'_>) {
        self.room.register(weight, cx);
        self.left_queue();
    }

    /// Handlers that run.
    pub(crate) fn running(&self) -> usize {
        self.load.now().running()
    }

    /// Takes a slot for a handler of the queue, if there is one to be started.
    pub(crate) fn claim_slot(&self) -> bool {
        let something_waits = |load: Count| load.unstarted() > 0;
        self.load.claim(self.limits.concurrency, something_waits)
    }

    /// A handler has ended (C-DL-4), or a slot was not needed after all.
    pub(crate) fn release_slot(&self) {
        let left = self.load.release();
        // Either the server's task has seen the free slot, or this sees the request that it found no slot for.
        if left.unstarted() > 0 {
            self.doorbell.ring();
        }
        self.check_idle(left);
    }

    /// How many requests of the queue are on the way to their first wait: the server's task starts one at a time.
    pub(crate) fn is_starting(&self, requests: usize) {
        self.load.is_starting(requests);
    }

    /// A request of the queue has been started, or will not be.
    pub(crate) fn now_started(&self) {
        self.check_idle(self.load.started());
    }

    /// The handler of a request of the queue has ended before its first wait. Who started it looks for more by itself.
    pub(crate) fn started_and_ended(&self) {
        self.load.is_starting(0);
        self.check_idle(self.load.started_and_ended());
    }

    /// A request has left the queue: whoever waits for room may try again once half of it is free, so that producer and
    /// consumer take turns in batches rather than message by message.
    pub(crate) fn left_queue(&self) {
        if !(self.room.is_awaited() || self.backlog.has_begun()) {
            return;
        }
        if self.queue.len() <= self.limits.queue / 2 {
            let (bytes, limit) = (self.queue.bytes(), self.limits.queue_bytes);
            if bytes <= limit / 2 {
                self.backlog.half_free();
            }
            self.room
                .wake_where(|weight| bytes <= (limit / 2).min(limit.saturating_sub(weight)));
        }
    }

    /// In one order with the flag of those who wait: either they see that it is idle, or whoever made it so sees them.
    fn check_idle(&self, left: Count) {
        if left.is_idle() && self.idle.is_awaited() {
            self.idle.wake();
        }
    }

    /// A handler has ended with `outcome`, or was not started after all.
    pub(crate) fn note(&self, head: &Head, outcome: &Reply) {
        self.stats.ended(head, outcome, &self.expects);
    }

    /// Takes no new requests but those that are on their way to it; what is queued and what runs goes on.
    pub(crate) fn drain(self: &Arc<Self>) -> Draining {
        let mut life = self.life();
        Draining {
            server: self.clone(),
            epoch: life.drain(),
            ran: self.stats.ran(),
        }
    }

    /// Something may be on its way to it.
    pub(super) fn retires(&self) {
        self.retiring.fetch_add(1, Ordering::SeqCst);
    }

    /// That has come.
    pub(super) fn has_retired(&self) {
        if self.retiring.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.idle.wake();
        }
    }

    /// Refuses what comes from here on, if nothing is on its way and it still drains since `epoch`; says so.
    pub(crate) fn shuts(&self, epoch: Epoch) -> bool {
        if self.retiring.load(Ordering::SeqCst) > 0 {
            return false;
        }
        let life = self.life();
        if life.epoch == epoch && life.duty == Duty::Draining {
            self.stopping.store(true, Ordering::SeqCst);
        }
        true
    }

    /// Refuses what is queued and lets what runs go on; returns how many were refused. Does nothing when the server was
    /// started again since `epoch`.
    pub(crate) fn refuse_queued(&self, epoch: Option<Epoch>, to: Duty) -> usize {
        let mut life = self.life();
        if !life.stop(epoch, to) {
            return 0;
        }
        self.stopping.store(true, Ordering::SeqCst);
        let waiting = self.queue.close();
        drop(life);
        let refused = waiting.len();
        for Waiting { delivery, .. } in waiting {
            delivery.refuse(
                CallErrorKind::ShuttingDown,
                Fate::NotExecuted,
                Stage::Accepted,
            );
            self.now_started();
        }
        self.room.wake();
        self.doorbell.ring();
        refused
    }

    /// The transport it was bound to is closed: it takes no more requests, and refuses those that wait.
    pub fn close(&self) {
        self.refuse_queued(None, Duty::Closed);
    }

    /// Takes requests again after it was stopped; says whether it did not already.
    ///
    /// # Errors
    /// When it was closed.
    pub(crate) fn begin_again(self: &Arc<Self>) -> Result<bool, ServeError> {
        let mut life = self.life();
        let Some(epoch) = life.begin_again() else {
            return match life.duty {
                Duty::Closed => Err(ServeError::Closed {
                    topic: self.topic.to_string(),
                }),
                _ => Ok(false),
            };
        };
        self.epoch.store(epoch.0, Ordering::Release);
        self.queue.reopen();
        self.at_work.begin_again();
        self.stopping.store(false, Ordering::Release);
        drop(life);
        self.doorbell.ring(); // The task of its last life leaves.
        self.idle.wake(); // Who drained that waits no longer.
        driver::spawn(self, epoch);
        Ok(true)
    }

    /// Whether it takes requests.
    pub(crate) fn is_serving(&self) -> bool {
        self.life().duty == Duty::Serving
    }

    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// Whether it takes no new requests: who is cut off in the middle is so because of that. Asked again once a request is
    /// counted in: either whoever drains the server sees the request, or this sees the end of the drain.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nothing is queued or running.
    pub(crate) fn poll_idle(&self, cx: &mut Context<'_>) -> bool {
        self.idle.register(0, cx);
        self.load.now().is_idle()
    }

    /// What its handlers may decode.
    pub(crate) fn budget(&self) -> Budget {
        Budget::default()
    }
}

impl Withdraw for ServerCore {
    fn withdraw(&self, ticket: Ticket) {
        if let Some(waiting) = self.queue.remove(ticket) {
            drop(waiting);
            self.now_started();
            self.left_queue();
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
