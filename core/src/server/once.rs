//! One run for all requests under one key (C-VB-5).

use std::sync::Arc;

use crate::bus::{Delivery, IdempotencyKey, InFlight};
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::payload::Payload;
use crate::reply::Reply;
use crate::server::acceptance::{NotAccepted, Sent};
use crate::server::run::Run;
use crate::server::seen::{Entered, Seen};
use crate::server::stats::Stats;

/// Has `take` take a request, unless its key was seen before: then it gets the outcome of the first one.
pub(super) fn take(
    (seen, stats): (&Seen, &Stats),
    delivery: Delivery,
    key: IdempotencyKey,
    take: impl FnOnce(Delivery) -> Result<Sent, NotAccepted>,
) -> Result<Sent, NotAccepted> {
    let (in_flight, payload) = delivery.into_parts();
    let refused = |kind| {
        let delivery = Delivery::new(in_flight.clone(), Payload::Bytes(Vec::new()));
        let error = delivery.refuse(kind, Fate::NotExecuted, Stage::Accepted);
        Err(NotAccepted::Refused(error))
    };
    let codec = payload.codec();
    let arguments = match payload.into_bytes(seen.max_message, codec) {
        Ok(bytes) => bytes,
        Err(error) => return refused(CallErrorKind::BadRequest(error.to_string())),
    };
    match seen.enter(&in_flight, key, &arguments) {
        Entered::New(run, record) => {
            run.told_to(&in_flight);
            let taken = take(Delivery::new(record, Payload::encoded(arguments, codec)));
            begun(taken, &in_flight, &run)
        }
        Entered::Done(outcome) => {
            stats.repeated();
            in_flight.finish(outcome.into_reply());
            Ok(Sent::OnItsWay)
        }
        Entered::Runs(run) => {
            stats.repeated();
            match run.attach(&in_flight) {
                Ok(()) => Ok(Sent::OnItsWay),
                Err(busy) => refused(busy),
            }
        }
        Entered::Conflict => refused(CallErrorKind::KeyConflict {
            method: in_flight.head().method.to_string(),
        }),
    }
}

/// What the first request under a key is told, `in_flight`, which is attached to its run: how that was `taken`.
fn begun(
    taken: Result<Sent, NotAccepted>,
    in_flight: &Arc<InFlight>,
    run: &Arc<Run>,
) -> Result<Sent, NotAccepted> {
    match taken {
        Ok(Sent::OnItsWay) => {
            run.limit();
            Ok(Sent::OnItsWay)
        }
        // Others may have attached to it: they hear of it from the run alone.
        Ok(Sent::Answered(reply)) => {
            run.ended(reply);
            Ok(Sent::OnItsWay)
        }
        // The run has told those who attached to it.
        Err(NotAccepted::Refused(error)) => Err(NotAccepted::Refused(error)),
        Err(NotAccepted::Full(delivery, error)) => {
            let delivery = given_back(delivery, &error, in_flight, run);
            Err(NotAccepted::Full(delivery, error))
        }
        Err(NotAccepted::Later(delivery, error)) => {
            let delivery = given_back(delivery, &error, in_flight, run);
            Err(NotAccepted::Later(delivery, error))
        }
    }
}

/// Makes the request under a key again of its run's, for which there was no room: the key is free.
fn given_back(
    of_run: Delivery,
    error: &CallError,
    in_flight: &Arc<InFlight>,
    run: &Run,
) -> Delivery {
    run.let_go(in_flight);
    let (record, arguments) = of_run.into_parts();
    record.finish(Reply::Failed(error.clone()));
    Delivery::new(in_flight.clone(), arguments)
}
