//! What a promise asks of the request that it is of.

use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::record::InFlight;
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::promise::PromiseError;
use crate::promise::outcome::{self, Look};
use crate::promise::seam::{Asked, CancelCause};
use crate::reply::Reply;
use crate::timer::{Expire, Expiry};

impl Asked for InFlight {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<Reply, PromiseError>> {
        let look = |waker: &Waker, clone: &mut Option<Waker>| match self.lock().port.outcome() {
            Some(outcome) => outcome.look(waker, clone),
            None => Look::Over(Err(PromiseError::Taken)),
        };
        outcome::poll(cx.waker(), look)
    }

    fn try_take(&self) -> Option<Result<Reply, PromiseError>> {
        match self.lock().port.outcome() {
            Some(outcome) => outcome.try_take(),
            None => Some(Err(PromiseError::Taken)),
        }
    }

    fn is_ready(&self) -> bool {
        let mut state = self.lock();
        state.port.outcome().is_none_or(|o| o.is_decided())
    }

    fn withdraw(&self) -> Option<Waker> {
        self.lock().port.outcome()?.withdraw()
    }

    fn cancel(&self, cause: CancelCause) {
        match cause {
            CancelCause::Dropped | CancelCause::Asked => self.abandon(CallErrorKind::Cancelled),
            CancelCause::Late => self.expire(Expiry::Due),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.head.deadline
    }

    fn report(&self, kind: CallErrorKind, fate: Fate, stage: Stage) -> CallError {
        self.told(CallError::new(kind, fate, stage))
    }
}
