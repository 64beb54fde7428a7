//! The requests that wait at a server: how many may, what is said to those that find no room, and who hears of room.

use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Context;
use std::time::Instant;

use crate::bus::{Backlog, Delivery, InFlight, Room, Standing, Verb};
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::mailbox::{Bounds, Limits, Mailbox, PushError, Ticket};
use crate::overload::{Charge, WhenFull, retry_after};
use crate::server::handler::MethodId;

/// A server's queue.
pub(super) struct Queue {
    waiting: Mailbox<Waiting>,
    limits: QueueLimits,
    /// Who waits for room in it.
    room: Room,
    backlog: Backlog,
    /// Copies of fanout casts that it had no room for.
    missed: AtomicU64,
}

/// Its limits.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueLimits {
    /// Requests that wait.
    pub(super) requests: usize,
    /// Bytes that wait.
    pub(super) bytes: usize,
    /// What happens to a request that finds it full.
    pub(super) when_full: WhenFull,
}

/// A request in the queue, with the method it is for.
pub(super) struct Waiting {
    pub(super) delivery: Delivery,
    pub(super) method: MethodId,
    /// What it counts against the memory of the bus while it waits.
    _charge: Option<Charge>,
}

impl Waiting {
    pub(super) fn new(delivery: Delivery, method: MethodId, charge: Option<Charge>) -> Waiting {
        Waiting {
            delivery,
            method,
            _charge: charge,
        }
    }
}

impl Queue {
    pub(super) fn new(limits: QueueLimits) -> Queue {
        Queue {
            waiting: Mailbox::new(Limits {
                items: limits.requests,
                bytes: limits.bytes,
            }),
            limits,
            room: Room::new(),
            backlog: Backlog::default(),
            missed: AtomicU64::new(0),
        }
    }

    /// What happens to a request that finds it full.
    pub(super) fn when_full(&self) -> WhenFull {
        self.limits.when_full
    }

    /// Puts a request of `weight` bytes into it, as `enters` is told under its lock; says whether it was empty.
    ///
    /// # Errors
    /// It is full or closed; the request comes back.
    #[inline]
    pub(super) fn push(
        &self,
        waiting: Waiting,
        weight: usize,
        bounds: Bounds,
        enters: impl FnOnce(&Waiting, Ticket),
    ) -> Result<bool, PushError<Waiting>> {
        self.waiting.push(waiting, weight, bounds, enters)
    }

    /// Takes out the request that has waited longest.
    #[inline]
    pub(super) fn pop(&self) -> Option<Waiting> {
        self.waiting.try_pop()
    }

    /// Takes out the request with this ticket, unless it has left already.
    pub(super) fn remove(&self, ticket: Ticket) -> Option<Waiting> {
        self.waiting.remove(ticket)
    }

    /// Takes in nothing more; gives back what waits.
    pub(super) fn close(&self) -> Vec<Waiting> {
        self.waiting.close()
    }

    /// Takes in requests again.
    pub(super) fn reopen(&self) {
        self.waiting.reopen();
    }

    /// Whether nothing waits, nor will.
    pub(super) fn is_over(&self) -> bool {
        self.waiting.is_closed() && self.waiting.is_empty()
    }

    /// Whether a request of `weight` bytes ever fits.
    #[inline]
    pub(super) fn holds(&self, weight: usize) -> bool {
        weight <= self.limits.bytes
    }

    /// Refuses a request that never fits.
    #[cold]
    pub(super) fn too_large(&self, delivery: Delivery, size: usize) -> CallError {
        let kind = CallErrorKind::TooLarge {
            size,
            limit: self.limits.bytes,
            set_by: "the server's queue_bytes",
        };
        delivery.refuse(kind, Fate::NotExecuted, Stage::Accepted)
    }

    /// The failure of a request that finds it full.
    pub(super) fn full(&self, in_flight: &InFlight) -> CallError {
        let kind = self.full_kind(in_flight.head().verb);
        in_flight.told(CallError::new(kind, Fate::NotExecuted, Stage::Accepted))
    }

    pub(super) fn full_kind(&self, verb: Verb) -> CallErrorKind {
        match verb {
            Verb::Call => self.busy(),
            Verb::Cast => CallErrorKind::QueueFull {
                queue: "the server's queue",
                limit: format!(
                    "{} messages or {} bytes",
                    self.limits.requests, self.limits.bytes
                ),
            },
        }
    }

    pub(super) fn busy(&self) -> CallErrorKind {
        let oldest = |waiting: &Waiting| waiting.delivery.in_flight().head().made_at;
        CallErrorKind::Busy {
            retry_after: retry_after(self.waiting.peek(oldest), Instant::now()),
        }
    }

    /// Whether less than twice as much waits as fits.
    pub(super) fn is_below_twice_its_limits(&self) -> bool {
        self.waiting.len() / 2 < self.limits.requests
            && self.waiting.bytes() / 2 < self.limits.bytes
    }

    /// How it stands to one more copy of a fanout cast, of `weight` bytes.
    pub(super) fn standing(&self, weight: usize) -> Standing {
        let QueueLimits {
            requests,
            bytes,
            when_full,
        } = self.limits;
        if weight > bytes || when_full == WhenFull::DropOldest {
            return Standing::Free; // It would never fit, and is refused when it is delivered; or it always does.
        }
        let left = bytes.saturating_sub(self.waiting.bytes());
        let has_room = self.waiting.len() < requests && weight <= left;
        let half_free = self.waiting.len() <= requests / 2 && self.waiting.bytes() <= bytes / 2;
        self.backlog.standing(has_room, half_free)
    }

    /// So many copies of fanout casts did not come into it for want of room.
    pub(super) fn missed(&self, copies: u64) {
        self.missed.fetch_add(copies, Ordering::Relaxed);
    }

    /// Copies of fanout casts that it had no room for.
    pub(super) fn copies_missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Wakes the waker of `cx` when there may be room for a request of `weight` bytes.
    pub(super) fn wait_for_room(&self, weight: usize, cx: &mut Context<'_>) {
        self.room.register(weight, cx);
        self.one_left();
    }

    /// A request has left: whoever waits for room may try again once half of it is free, so that producer and consumer
    /// take turns in batches rather than message by message.
    pub(super) fn one_left(&self) {
        if !(self.room.is_awaited() || self.backlog.has_begun()) {
            return;
        }
        if self.waiting.len() <= self.limits.requests / 2 {
            let (bytes, limit) = (self.waiting.bytes(), self.limits.bytes);
            if bytes <= limit / 2 {
                self.backlog.half_free();
            }
            self.room
                .wake_where(|weight| bytes <= (limit / 2).min(limit.saturating_sub(weight)));
        }
    }

    /// Wakes all who wait for room: there will be none.
    pub(super) fn wake_all(&self) {
        self.room.wake();
    }
}
