//! The queue of requests to one connection, bounded in messages and in bytes (R5, R6).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;

use crate::bus::{Delivery, Room, Verb, Withdraw};
use crate::doorbell::Doorbell;
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::mailbox::{Limits, Mailbox, PushError, Ticket};
use crate::server::NotAccepted;
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
    queue: Mailbox<Outgoing>,
    limits: Limits,
    room: Room,
    pub(super) bell: Arc<Doorbell>,
}

/// The end of the task that owns the connection.
pub(super) struct Intake {
    outbox: Arc<Outbox>,
}

pub(super) fn outbox(messages: usize, bytes: usize) -> (Arc<Outbox>, Intake) {
    let limits = Limits {
        items: messages.max(1),
        bytes: bytes.max(1),
    };
    let outbox = Arc::new(Outbox {
        queue: Mailbox::new(limits),
        limits,
        room: Room::new(),
        bell: Arc::default(),
    });
    let intake = Intake {
        outbox: outbox.clone(),
    };
    (outbox, intake)
}

impl Outbox {
    /// Queues a request and wakes the task.
    pub(super) fn push(self: &Arc<Self>, outgoing: Outgoing) -> Result<(), NotAccepted> {
        let in_flight = outgoing.delivery.in_flight().clone();
        let weight = self.charged(outgoing.delivery.weight());
        in_flight.into_outbox();
        match self.queue.try_push(outgoing, weight) {
            Ok(ticket) => {
                self.bell.ring();
                if !in_flight.waits_in(self, ticket) {
                    self.withdraw(ticket);
                }
                Ok(())
            }
            Err(PushError::Full(outgoing)) => Err(self.full(outgoing.delivery)),
            Err(PushError::Closed(outgoing)) => {
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
            limit: format!(
                "{} messages or {} bytes",
                self.limits.items, self.limits.bytes
            ),
        };
        let error = CallError::new(kind, Fate::NotSent, Stage::QueuedHere);
        let error = delivery.in_flight().told(error);
        NotAccepted::Full(delivery, error)
    }

    /// Wakes the waker of `cx` when half of the queue is free again, and as much as a request of `weight` bytes needs;
    /// at once, when it is.
    pub(super) fn wait_for_room(&self, weight: usize, cx: &mut Context<'_>) {
        self.room.register(self.charged(weight), cx);
        self.wake_for_room();
    }

    fn wake_for_room(&self) {
        if self.room.is_awaited() && self.queue.len() <= self.limits.items / 2 {
            let (bytes, limit) = (self.queue.bytes(), self.limits.bytes);
            self.room
                .wake_where(|weight| bytes <= (limit / 2).min(limit - weight));
        }
    }

    /// What a request counts against the limit. One message alone may be larger than that: it is bounded by
    /// `max_message`.
    fn charged(&self, weight: usize) -> usize {
        weight.min(self.limits.bytes)
    }

    pub(super) fn is_disconnected(&self) -> bool {
        self.queue.is_closed()
    }
}

impl Withdraw for Outbox {
    fn withdraw(&self, ticket: Ticket) {
        let withdrawn = self.queue.remove(ticket);
        drop(withdrawn);
        self.wake_for_room();
    }
}

impl Intake {
    /// The payload size of the next request.
    pub(super) fn next_weight(&mut self) -> Option<usize> {
        self.outbox.queue.peek(|next| next.delivery.weight())
    }

    /// The next request.
    pub(super) fn take(&mut self) -> Option<Outgoing> {
        let next = self.outbox.queue.try_pop()?;
        self.outbox.wake_for_room();
        Some(next)
    }

    /// Fails all that waits.
    pub(super) fn refuse_all(&mut self, kind: &CallErrorKind) {
        while let Some(outgoing) = self.take() {
            let delivery = outgoing.delivery;
            delivery.refuse(kind.clone(), Fate::NotSent, Stage::QueuedHere);
        }
    }

    pub(super) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        for outgoing in self.outbox.queue.close() {
            let (closed, delivery) = (CallErrorKind::Closed, outgoing.delivery);
            delivery.refuse(closed, Fate::NotSent, Stage::QueuedHere);
        }
        self.outbox.room.wake();
    }
}
