//! A request that was sent, before anybody reads its reply.

use std::sync::Arc;

use crate::bus::core::BusCore;
use crate::bus::draft::Draft;
use crate::bus::{Delivery, InFlight, Verb};
use crate::error::CallError;
use crate::promise::seam::Asked;
use crate::reply::Reply;
use crate::server::{Mode, Sent};

/// What became of sending a request.
pub(super) enum Dispatched {
    /// It could not be sent.
    Failed(CallError),
    /// It is answered already.
    Answered(Reply, Arc<InFlight>),
    /// Its reply will come; until then its deadline is kept.
    Pending(Arc<InFlight>),
}

impl Dispatched {
    /// Sends the request of `draft`.
    pub(super) fn of_draft(draft: Draft, mode: Mode) -> Self {
        match draft.into_delivery(Verb::Call) {
            Ok((bus, delivery)) => Dispatched::of(&bus, delivery, mode),
            Err(error) => Dispatched::Failed(error),
        }
    }

    /// Sends a call.
    pub(super) fn of(bus: &BusCore, delivery: Delivery, mode: Mode) -> Self {
        let in_flight = delivery.in_flight().clone();
        match bus.send(delivery, mode) {
            Ok(Sent::Answered(reply)) => return Dispatched::Answered(reply, in_flight),
            Ok(Sent::OnItsWay) => {}
            Err(refused) => return Dispatched::Failed(refused.into_error()),
        }
        if mode == Mode::Inline {
            if let Some(Ok(reply)) = in_flight.try_take() {
                return Dispatched::Answered(reply, in_flight);
            }
        }
        in_flight.arm(bus.timers());
        if let Some(heartbeat) = in_flight.head().heartbeat() {
            in_flight.watch_server(bus.ticks().timers(), heartbeat);
        }
        Dispatched::Pending(in_flight)
    }
}
