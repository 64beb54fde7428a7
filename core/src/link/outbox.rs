//! The queue of requests to one connection, bounded in messages and in bytes (R5, R6).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;

use crate::bus::{Delivery, Room, Verb};
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
    bytes: AtomicUsize,
    room: Room,
    pub(super) bell: Arc<Doorbell>,
}

/// The end of the task that owns the connection.
pub(super) struct Intake {
    queue: flume::Receiver<Outgoing>,
    /// Looked at and not taken yet.
    next: Option<Outgoing>,
    outbox: Arc<Outbox>,
}

pub(super) fn outbox(messages: usize, bytes: usize) -> (Arc<Outbox>, Intake) {
    let (sender, queue) = flume::bounded(messages.max(1));
    let outbox = Arc::new(Outbox {
        queue: sender,
        messages,
        most_bytes: bytes,
        bytes: AtomicUsize::new(0),
        room: Room::new(),
        bell: Arc::default(),
    });
    let intake = Intake {
        queue,
        next: None,
        outbox: outbox.clone(),
    };
    (outbox, intake)
}

impl Outbox {
    /// Queues a request and wakes the task.
    pub(super) fn push(&self, outgoing: Outgoing) -> Result<Sent, NotAccepted> {
        let in_flight = outgoing.delivery.in_flight().clone();
        let weight = outgoing.delivery.weight();
        let before = self.bytes.fetch_add(weight, Ordering::AcqRel);
        // One message alone may be larger than the limit: it is bounded by `max_message`.
        if before > 0 && before.saturating_add(weight) > self.most_bytes {
            self.bytes.fetch_sub(weight, Ordering::AcqRel);
            return Err(self.full(outgoing.delivery));
        }
        in_flight.into_outbox();
        match self.queue.try_send(outgoing) {
            Ok(()) => {
                self.bell.ring();
                Ok(Sent::OnItsWay)
            }
            Err(flume::TrySendError::Full(outgoing)) => {
                self.bytes.fetch_sub(weight, Ordering::AcqRel);
                Err(self.full(outgoing.delivery))
            }
            Err(flume::TrySendError::Disconnected(outgoing)) => {
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
        let has_room = self.queue.len() <= self.messages / 2
            && self.bytes.load(Ordering::Acquire) <= self.most_bytes / 2;
        if has_room && self.room.is_awaited() {
            self.room.wake();
        }
    }

    pub(super) fn is_disconnected(&self) -> bool {
        self.queue.is_disconnected()
    }
}

impl Intake {
    /// The payload size of the next request.
    pub(super) fn next_weight(&mut self) -> Option<usize> {
        if self.next.is_none() {
            self.next = self.queue.try_recv().ok();
        }
        self.next.as_ref().map(|next| next.delivery.weight())
    }

    /// The next request.
    pub(super) fn take(&mut self) -> Option<Outgoing> {
        self.next_weight()?;
        let next = self.next.take()?;
        let weight = next.delivery.weight();
        self.outbox.bytes.fetch_sub(weight, Ordering::AcqRel);
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
        self.refuse_all(&CallErrorKind::Closed);
    }
}
