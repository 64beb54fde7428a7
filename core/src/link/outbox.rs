//! The queue of requests to one connection, bounded in messages and in bytes (R5, R6).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Context;
use std::time::Instant;

use crate::bus::{Backlog, Delivery, Room, Standing, Verb};
use crate::doorbell::Doorbell;
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::server::{NotAccepted, Sent};
use crate::session::BindId;

/// A request on its way to a connection.
pub(super) struct Outgoing {
    pub(super) delivery: Delivery,
    pub(super) to: To,
    /// Its place in the load of the server that it goes to.
    pub(super) load: Option<Load>,
}

/// Whom a request is for, at the other end.
#[derive(Clone, Copy)]
pub(super) enum To {
    /// Whoever the head names.
    Named,
    /// This registration of the peer.
    Bound(BindId),
}

/// One request in a server's load, for as long as it lives.
pub(super) struct Load(Arc<AtomicUsize>);

impl Load {
    pub(super) fn one_more(load: &Arc<AtomicUsize>) -> Load {
        load.fetch_add(1, Ordering::Relaxed);
        Load(load.clone())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The senders' end.
pub(super) struct Outbox {
    queue: flume::Sender<Outgoing>,
    messages: usize,
    most_bytes: usize,
    /// What waits, in the queue and with the task.
    fill: Fill,
    room: Room,
    backlog: Backlog,
    /// Some server at the other end has missed copies of fanout casts.
    some_missed: AtomicBool,
    pub(super) bell: Arc<Doorbell>,
}

/// The end of the task that owns the connection.
pub(super) struct Intake {
    queue: flume::Receiver<Outgoing>,
    /// Looked at and not taken yet: the next one, or all while there is no connection.
    held: VecDeque<Outgoing>,
    /// See [`keep_behind`](Self::keep_behind).
    keeps_behind: bool,
    outbox: Arc<Outbox>,
}

/// How many requests wait, and how many bytes of payload they have: one word, so that both are counted in one step.
#[derive(Default)]
struct Fill(AtomicU64);

impl Fill {
    const MESSAGE: u64 = 1 << 40;

    fn word(weight: usize) -> u64 {
        Fill::MESSAGE + (weight as u64).min(Fill::MESSAGE - 1)
    }

    /// Counts one more in, and gives what there was before.
    fn add(&self, weight: usize) -> (usize, usize) {
        Fill::both(self.0.fetch_add(Fill::word(weight), Ordering::AcqRel))
    }

    fn remove(&self, weight: usize) {
        self.0.fetch_sub(Fill::word(weight), Ordering::AcqRel);
    }

    fn now(&self) -> (usize, usize) {
        Fill::both(self.0.load(Ordering::Acquire))
    }

    fn both(word: u64) -> (usize, usize) {
        let (messages, bytes) = (word / Fill::MESSAGE, word % Fill::MESSAGE);
        (messages as usize, bytes as usize)
    }
}

pub(super) fn outbox(messages: usize, bytes: usize) -> (Arc<Outbox>, Intake) {
    // Bounded by its fill, which counts what the task has taken out and could not send as well.
    let (sender, queue) = flume::unbounded();
    let messages = messages.max(1);
    let outbox = Arc::new(Outbox {
        queue: sender,
        messages,
        most_bytes: bytes,
        fill: Fill::default(),
        room: Room::new(),
        backlog: Backlog::default(),
        some_missed: AtomicBool::new(false),
        bell: Arc::default(),
    });
    let intake = Intake {
        queue,
        held: VecDeque::new(),
        keeps_behind: false,
        outbox: outbox.clone(),
    };
    (outbox, intake)
}

impl Outbox {
    /// Queues a request and wakes the task.
    pub(super) fn push(&self, outgoing: Outgoing) -> Result<Sent, NotAccepted> {
        let in_flight = outgoing.delivery.in_flight().clone();
        let weight = outgoing.delivery.weight();
        let (messages, bytes) = self.fill.add(weight);
        // One message alone may be larger than the limit: it is bounded by `max_message`.
        let too_heavy = bytes > 0 && bytes.saturating_add(weight) > self.most_bytes;
        if messages >= self.messages || too_heavy {
            self.fill.remove(weight);
            // Without a connection, the task looks who of them is not waited for any more.
            self.bell.ring();
            return Err(self.full(outgoing.delivery));
        }
        in_flight.into_outbox();
        match self.queue.send(outgoing) {
            Ok(()) => {
                self.bell.ring();
                Ok(Sent::OnItsWay)
            }
            Err(flume::SendError(outgoing)) => {
                self.fill.remove(weight);
                let lost = CallErrorKind::ConnectionLost("it was closed".into());
                let delivery = outgoing.delivery;
                Err(NotAccepted::Refused(delivery.refuse(
                    lost,
                    Fate::NotSent,
                    Stage::QueuedHere,
                )))
            }
        }
    }

    fn full(&self, delivery: Delivery) -> NotAccepted {
        let kind = CallErrorKind::QueueFull {
            queue: match delivery.in_flight().head().verb {
                Verb::Call => "the queue of requests to the connection",
                Verb::Cast => "the queue of casts to the connection",
            },
            limit: format!("{} messages or {} bytes", self.messages, self.most_bytes),
        };
        let error = CallError::new(kind, Fate::NotSent, Stage::QueuedHere);
        let error = delivery.in_flight().told(error);
        NotAccepted::Full(delivery, error)
    }

    /// Wakes the waker of `cx` when half of the queue is free again; at once, when it is.
    pub(super) fn wait_for_room(&self, cx: &mut Context<'_>) {
        self.room.register(cx);
        self.wake_for_room();
    }

    fn wake_for_room(&self) {
        if self.is_half_free() && (self.room.is_awaited() || self.backlog.has_begun()) {
            self.backlog.half_free();
            self.room.wake();
        }
    }

    /// How the queue stands to one more copy of a fanout cast, of `weight` bytes.
    pub(super) fn standing(&self, weight: usize) -> Standing {
        let (messages, bytes) = self.fill.now();
        let fits = bytes == 0 || bytes.saturating_add(weight) <= self.most_bytes;
        let has_room = fits && messages < self.messages;
        self.backlog.standing(has_room, self.is_half_free())
    }

    fn is_half_free(&self) -> bool {
        let (messages, bytes) = self.fill.now();
        messages <= self.messages / 2 && bytes <= self.most_bytes / 2
    }

    /// A server at the other end has missed a copy; its process is to be told.
    pub(super) fn some_missed(&self) {
        self.some_missed.store(true, Ordering::Release);
        self.bell.ring();
    }

    /// Whether that happened since this was asked last.
    pub(super) fn take_some_missed(&self) -> bool {
        self.some_missed.load(Ordering::Relaxed) && self.some_missed.swap(false, Ordering::Acquire)
    }

    /// Requests that were pushed and have not gone on.
    pub(super) fn len(&self) -> usize {
        self.fill.now().0
    }

    pub(super) fn is_disconnected(&self) -> bool {
        self.queue.is_disconnected()
    }
}

impl Intake {
    /// The payload size of the next request.
    pub(super) fn next_weight(&mut self) -> Option<usize> {
        if self.held.is_empty() {
            self.held.push_back(self.queue.try_recv().ok()?);
        }
        self.held.front().map(|next| next.delivery.weight())
    }

    /// The next request.
    pub(super) fn take(&mut self) -> Option<Outgoing> {
        self.next_weight()?;
        let next = self.held.pop_front()?;
        self.gone(next.delivery.weight());
        Some(next)
    }

    /// Gives the next request to `send`; until that returns, it counts as one that waits.
    pub(super) fn pass(&mut self, send: impl FnOnce(Delivery)) -> bool {
        let Some(weight) = self.next_weight() else {
            return false;
        };
        if let Some(next) = self.held.pop_front() {
            send(next.delivery);
            self.gone(weight);
        }
        true
    }

    /// Whether requests stay behind what was taken out, though there be nothing left to take: counts as one that waits.
    pub(super) fn keep_behind(&mut self, keep: bool) {
        match (self.keeps_behind, keep) {
            (false, true) => {
                self.outbox.fill.add(0);
            }
            (true, false) => self.gone(0),
            _ => {}
        }
        self.keeps_behind = keep;
    }

    /// There is no connection, since then: takes out what does not wait for one, or not any longer, and what nobody
    /// waits for any more. Says when the next one of the others gives up.
    pub(super) fn review(
        &mut self,
        since: Instant,
        not_connected: impl Fn() -> CallErrorKind,
    ) -> Option<Instant> {
        let now = Instant::now();
        let mut next = None;
        self.held.extend(self.queue.try_iter());
        for _ in 0..self.held.len() {
            let Some(outgoing) = self.held.pop_front() else {
                break;
            };
            let in_flight = outgoing.delivery.in_flight();
            let head = in_flight.head();
            let gives_up = head.when_disconnected.gives_up(since);
            let kind = if head.is_late(now) || in_flight.is_cancelled() {
                let timeout = head.timeout().unwrap_or_default();
                CallErrorKind::DeadlineExceeded { timeout }
            } else if gives_up.is_some_and(|at| at <= now) {
                not_connected()
            } else {
                next = next.into_iter().chain(gives_up).min();
                self.held.push_back(outgoing);
                continue;
            };
            self.gone(outgoing.delivery.weight());
            let (fate, stage) = (Fate::NotSent, Stage::Connecting);
            outgoing.delivery.refuse(kind, fate, stage);
        }
        next
    }

    /// Fails all that waits.
    fn refuse_all(&mut self, kind: &CallErrorKind) {
        while let Some(outgoing) = self.take() {
            let delivery = outgoing.delivery;
            delivery.refuse(kind.clone(), Fate::NotSent, Stage::QueuedHere);
        }
    }

    fn gone(&self, weight: usize) {
        self.outbox.fill.remove(weight);
        self.outbox.wake_for_room();
    }

    pub(super) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.refuse_all(&CallErrorKind::Closed);
    }
}
