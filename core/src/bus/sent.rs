//! A request that was sent, before anybody reads its reply.

use std::sync::Arc;

use crate::bus::draft::Draft;
use crate::bus::{Claim, InFlight, Verb};
use crate::error::CallError;
use crate::promise::cell::Receiver;
use crate::reply::Reply;
use crate::server::Mode;

/// What became of sending a request.
pub(super) enum Sent {
    /// It could not be sent.
    Failed(CallError),
    /// It is answered already.
    Answered(Reply, Arc<InFlight>),
    /// Its reply will come; until then its deadline is kept.
    Pending(Receiver<Reply>, Arc<InFlight>),
}

impl Sent {
    /// Sends the request of `draft`.
    pub(super) fn of(draft: Draft, mode: Mode) -> Self {
        let bus = draft.bus.clone();
        let delivery = match draft.into_delivery(Verb::Call) {
            Ok(delivery) => delivery,
            Err(error) => return Sent::Failed(error),
        };
        let in_flight = delivery.in_flight().clone();
        if let Err(refused) = bus.transport().send(delivery, mode) {
            return Sent::Failed(refused.into_error());
        }
        match in_flight.claim() {
            Claim::Answered(reply) => Sent::Answered(reply, in_flight),
            Claim::Pending(receiver) => {
                in_flight.arm(bus.timers());
                if let Some(heartbeat) = in_flight.head().heartbeat() {
                    in_flight.watch_server(bus.ticks().timers(), heartbeat);
                }
                Sent::Pending(receiver, in_flight)
            }
        }
    }
}
