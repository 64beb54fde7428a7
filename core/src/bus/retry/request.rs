//! A request with retries, as a user holds it.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::attempts::{Answer, Attempts, Teller};
use super::{Retry, task};
use crate::blocking;
use crate::bus::dispatched::read_for;
use crate::bus::draft::Draft;
use crate::error::{CallError, CallErrorKind, Fate, ReplyError, Stage};
use crate::promise::{Promise, PromiseError, WaitError, WaitExt};
use crate::reply::{self, Reply};
use crate::runtime::BoxFuture;

/// A request that will be tried again where that is safe. Made by
/// [`Request::retry`](crate::Request::retry); nothing is sent before a verb.
#[must_use = "nothing is sent before a verb: `.call()` or `.invoke()`"]
pub struct Retrying<T, E = CallError> {
    draft: Draft,
    policy: Retry,
    outcome: PhantomData<fn() -> (T, E)>,
}

impl<T, E> Retrying<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: ReplyError,
{
    pub(in crate::bus) fn new(draft: Draft, policy: Retry) -> Self {
        Retrying {
            draft,
            policy,
            outcome: PhantomData,
        }
    }

    /// Sends it now; a task of the bus's runtime tries again. Never blocks. Dropping the promise ends
    /// the attempts and cancels the one that is under way.
    pub fn invoke(self) -> Promise<T, E> {
        let bus = self.draft.bus.clone();
        let mut attempts = Attempts::of(self.draft, self.policy);
        let first = attempts.send();
        if let Answer::Came(reply @ (Reply::Value(_) | Reply::Application(_))) = first {
            return Promise::from(read(reply, &attempts.teller()));
        }
        let runtime = bus.transport().runtime();
        Promise::of_reply(read_for::<T, E>, task::spawn(attempts, first, &**runtime))
    }

    /// A future that sends it when it is first polled, and resolves to the reply. Dropping it ends
    /// the attempts and cancels the one that is under way.
    pub fn call(self) -> RetryCall<T, E> {
        RetryCall(Step::Unsent(Some(self)))
    }

    /// Sends it and blocks until the reply is there, or until trying again is over; no runtime is
    /// needed.
    ///
    /// # Errors
    /// Those of the last attempt, with the fate of all; `WouldBlock` as for
    /// [`Request::wait`](crate::Request::wait).
    pub fn wait(self) -> Result<T, E> {
        self.call().wait()
    }
}

impl<T, E> IntoFuture for Retrying<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: ReplyError,
{
    type Output = Result<T, E>;
    type IntoFuture = RetryCall<T, E>;

    fn into_future(self) -> RetryCall<T, E> {
        self.call()
    }
}

impl<T, E> fmt::Debug for Retrying<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retrying")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// A call with retries. Made by [`Retrying::call`].
#[must_use = "like any future, it does nothing before it is awaited or waited on"]
pub struct RetryCall<T, E = CallError>(Step<T, E>);

enum Step<T, E> {
    Unsent(Option<Retrying<T, E>>),
    Sent(BoxFuture<Reply>, Teller),
}

impl<T, E> Unpin for RetryCall<T, E> {}

/// How long after its deadline a waiter waits for the bus to say so.
const SLACK: Duration = Duration::from_millis(20);

impl<T, E> RetryCall<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: ReplyError,
{
    /// Blocks until the reply is there, or until trying again is over; no runtime is needed.
    ///
    /// # Errors
    /// As [`Retrying::wait`].
    pub fn wait(mut self) -> Result<T, E> {
        let mut deadline = None;
        if let Step::Unsent(Some(_)) = &self.0 {
            if blocking::is_forbidden() {
                let kind = CallErrorKind::Promise(PromiseError::WouldBlock);
                return Err(CallError::new(kind, Fate::NotSent, Stage::Preparing).into());
            }
            deadline = self.start();
        }
        // The runtime that keeps deadlines may be driven by nobody just now.
        let patience = deadline.map_or(Duration::MAX, |at: Instant| {
            at.saturating_duration_since(Instant::now()) + SLACK
        });
        match self.wait_timeout(patience) {
            Ok(outcome) => outcome,
            Err(WaitError::WouldBlock) => Err(E::from(PromiseError::WouldBlock)),
            Err(WaitError::Elapsed) => Err(self.late(deadline)),
        }
    }

    /// Sends the first attempt; gives the deadline of all.
    fn start(&mut self) -> Option<Instant> {
        let Step::Unsent(request) = &mut self.0 else {
            return None;
        };
        let Retrying { draft, policy, .. } = request.take()?;
        let mut attempts = Attempts::of(draft, policy);
        let (deadline, teller) = (attempts.deadline(), attempts.teller());
        let first = attempts.ask();
        self.0 = Step::Sent(Box::pin(attempts.run(first)), teller);
        deadline
    }

    fn late(&self, deadline: Option<Instant>) -> E {
        let Step::Sent(_, teller) = &self.0 else {
            return E::from(PromiseError::Taken);
        };
        let timeout = deadline.map(|at| at.saturating_duration_since(teller.begun()));
        let kind = CallErrorKind::DeadlineExceeded {
            timeout: timeout.unwrap_or_default(),
        };
        let error = CallError::new(kind, Fate::Unknown, Stage::Sent);
        teller.told(error).into()
    }
}

impl<T, E> Future for RetryCall<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: ReplyError,
{
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        loop {
            match &mut self.0 {
                Step::Sent(attempts, teller) => {
                    let teller = teller.clone();
                    return attempts.as_mut().poll(cx).map(|reply| {
                        self.0 = Step::Unsent(None);
                        read(reply, &teller)
                    });
                }
                Step::Unsent(None) => return Poll::Ready(Err(E::from(PromiseError::Taken))),
                Step::Unsent(Some(_)) => drop(self.start()),
            }
        }
    }
}

fn read<T: DeserializeOwned + 'static, E: ReplyError>(
    reply: Reply,
    teller: &Teller,
) -> Result<T, E> {
    let report = |kind, fate, stage| teller.told(CallError::new(kind, fate, stage));
    reply::read(reply, &report)
}
