//! A cast that waits until there is room for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::bus::core::BusCore;
use crate::bus::{Delivery, PATIENCE, Reach};
use crate::error::{CallError, Fate, Stage};
use crate::promise::PromiseError;
use crate::runtime::BoxFuture;
use crate::server::{Mode, NotAccepted};
use crate::timer;

/// A cast that waits for room in the queue. Made by [`Request::cast_when_room`](crate::Request::cast_when_room).
#[must_use = "like any future, it does nothing before it is awaited or waited on"]
pub struct CastWhenRoom {
    /// `None` once it was sent.
    unsent: Option<Result<(Arc<BusCore>, Delivery), CallError>>,
    /// Its deadline, once it waits: nobody else would wake it then.
    alarm: Option<BoxFuture<()>>,
}

impl CastWhenRoom {
    pub(super) fn new(unsent: Result<(Arc<BusCore>, Delivery), CallError>) -> Self {
        CastWhenRoom {
            unsent: Some(unsent),
            alarm: None,
        }
    }

    /// Blocks until the message is accepted; no runtime is needed.
    ///
    /// # Errors
    /// Why it cannot be sent.
    pub fn wait(self) -> Result<(), CallError> {
        crate::WaitExt::wait(self)
    }
}

impl Future for CastWhenRoom {
    type Output = Result<(), CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut registered = None;
        loop {
            let (bus, delivery) = match self.unsent.take() {
                Some(Ok(unsent)) => unsent,
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Err(PromiseError::Taken.into())),
            };
            let head = delivery.in_flight().head();
            if head.is_late(Instant::now()) {
                let kind = head.too_late();
                return Poll::Ready(Err(delivery.refuse(kind, Fate::NotSent, Stage::QueuedHere)));
            }
            // Behind those of its handle that wait already (C-VB-4).
            let behind = bus.waiting().has_of(head.flow);
            let delivery = if behind {
                delivery
            } else {
                match bus.transport().send(delivery, Mode::Queue) {
                    Ok(_) => return Poll::Ready(Ok(())),
                    Err(NotAccepted::Refused(error)) => return Poll::Ready(Err(error)),
                    Err(NotAccepted::Full(delivery, _) | NotAccepted::Later(delivery, _)) => {
                        delivery
                    }
                }
            };
            if registered != Some(behind) {
                // Registered first, tried again after: room that came in between is not missed.
                match behind {
                    true => bus.waiting().wait_for_room(cx),
                    false => bus.transport().wait_for_room(&delivery, cx),
                }
                registered = Some(behind);
                self.unsent = Some(Ok((bus, delivery)));
                continue;
            }
            let in_flight = delivery.in_flight();
            let left = in_flight.remaining(Instant::now());
            // A fanout does not wait for one that is too slow, who does not wake it either.
            let patience = (in_flight.head().reach == Reach::Every).then_some(PATIENCE);
            let least = left.into_iter().chain(patience).min();
            self.unsent = Some(Ok((bus, delivery)));
            let Some(left) = least else {
                return Poll::Pending;
            };
            let alarm = self.alarm.get_or_insert_with(|| timer::sleep(left));
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.alarm = None; // It is late now, or worth another try.
        }
    }
}
