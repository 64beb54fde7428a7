//! A request that was sent, before anybody reads its reply.

use std::any::Any;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::bus::core::BusCore;
use crate::bus::draft::Draft;
use crate::bus::{Delivery, InFlight, Verb};
use crate::error::{CallError, ReplyError};
use crate::promise::Promise;
use crate::promise::seam::Asked;
use crate::reply::{self, Reply};
use crate::server::{Answered, Mode, Sent};

/// What became of sending a request.
pub(super) enum Dispatched {
    /// It could not be sent.
    Failed(CallError),
    /// It is answered already. Without a reply, the value lies in the place that its caller has for it.
    Answered(Option<Reply>, Arc<InFlight>),
    /// Its reply will come; until then its deadline is kept.
    Pending(Arc<InFlight>),
}

impl Dispatched {
    /// Sends the request of `draft`.
    pub(super) fn sent(draft: Draft) -> Self {
        match draft.into_delivery(Verb::Call) {
            Ok((bus, delivery)) => Dispatched::queued(&bus, delivery),
            Err(error) => Dispatched::Failed(error),
        }
    }

    /// The same for a caller who would only wait, so that it may be answered right here: its value in `place`, if that
    /// is an `Option` of the value's type.
    pub(super) fn asked(draft: &mut Draft, place: &mut dyn Any) -> Self {
        // Where it lies: a call that is answered here is not moved.
        let answered = match draft.make(Verb::Call) {
            Ok((bus, call)) => bus.answer(call, place),
            Err(error) => return Dispatched::Failed(error),
        };
        match answered {
            Answered::Here(in_flight, reply) => Dispatched::Answered(reply, in_flight),
            Answered::Refused(error) => Dispatched::Failed(error),
            Answered::GoesOn(in_flight) => Dispatched::pending(&draft.bus, in_flight),
            Answered::NotHere => {
                let call = draft.message();
                Dispatched::queued(&draft.bus, call)
            }
        }
    }

    /// Sends a call.
    pub(super) fn queued(bus: &BusCore, delivery: Delivery) -> Self {
        let in_flight = delivery.in_flight().clone();
        match bus.send(delivery, Mode::Queue) {
            Ok(Sent::Answered(reply)) => Dispatched::Answered(Some(reply), in_flight),
            Ok(Sent::OnItsWay) => Dispatched::pending(bus, in_flight),
            Err(refused) => Dispatched::Failed(refused.into_error()),
        }
    }

    /// What brings the reply; the value may lie in its `place` already.
    pub(super) fn promise<T, E>(self, place: Option<T>) -> Promise<T, E>
    where
        T: DeserializeOwned + Send + 'static,
        E: ReplyError,
    {
        let (reply, in_flight) = match self {
            Dispatched::Answered(Some(reply), in_flight) => (reply, in_flight),
            Dispatched::Answered(None, _) => match place {
                Some(value) => return Promise::ready(value),
                None => unreachable!("what was put into its place is there"),
            },
            Dispatched::Pending(in_flight) => {
                return Promise::of_reply(read_for::<T, E>, in_flight);
            }
            Dispatched::Failed(error) => return Promise::failed(error.into()),
        };
        Promise::from(read_for(reply, &*in_flight))
    }

    fn pending(bus: &BusCore, in_flight: Arc<InFlight>) -> Self {
        in_flight.arm(bus.timers());
        if let Some(heartbeat) = in_flight.head().heartbeat() {
            in_flight.watch_server(bus.ticks().timers(), heartbeat);
        }
        Dispatched::Pending(in_flight)
    }
}

/// Reads a reply as what its caller asked for; what cannot be read is a failure of `request`.
pub(super) fn read_for<T, E>(reply: Reply, request: &dyn Asked) -> Result<T, E>
where
    T: DeserializeOwned + 'static,
    E: ReplyError,
{
    reply::read(reply, &|kind, fate, stage| {
        request.report(kind, fate, stage)
    })
}
