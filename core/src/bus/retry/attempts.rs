//! Requests made one after the other until one is answered, or another would be of no use.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use super::repeat::Repeat;
use super::{Retry, RetryBudget, fate_of_all};
use crate::bus::dispatched::Dispatched;
use crate::bus::draft::Draft;
use crate::context::Context;
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::promise::Promise;
use crate::reply::Reply;
use crate::server::NoPlace;
use crate::timer::{self, Ticks};

/// A request with retries that has begun.
pub(super) struct Attempts {
    repeat: Repeat,
    policy: Retry,
    budget: RetryBudget,
    /// They end with the bus.
    ticks: Arc<Ticks>,
    deadline: Option<Instant>,
    /// The call that it is made in. What the handler asks for ends with it, its pauses too.
    parent: Option<Context>,
    made: Made,
    fate: Option<Fate>,
}

impl Attempts {
    /// Of `draft`, made here and now.
    pub(super) fn of(draft: Draft, policy: Retry) -> Self {
        let parent = Context::current();
        let own = policy.budget.clone();
        let budget = own.unwrap_or_else(|| draft.bus.retry_budget().clone());
        let now = Instant::now();
        let deadline = draft.deadline(now, parent.as_ref());
        let ticks = draft.bus.ticks().clone();
        budget.call();
        Attempts {
            repeat: Repeat::of(draft, now),
            policy,
            budget,
            ticks,
            deadline,
            parent,
            made: Made::default(),
            fate: None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn parent(&self) -> Option<&Context> {
        self.parent.as_ref()
    }

    /// How a failure of the whole is told.
    pub(super) fn teller(&self) -> Teller {
        Teller {
            target: self.repeat.target(),
            begun: self.repeat.begun,
            idempotent: self.repeat.is_idempotent(),
            made: self.made.clone(),
        }
    }

    /// Sends the request once.
    pub(super) fn send(&mut self) -> Answer {
        self.once(Dispatched::sent)
    }

    /// The same for somebody who would only wait.
    pub(super) fn ask(&mut self) -> Answer {
        self.once(|mut draft| Dispatched::asked(&mut draft, &mut NoPlace))
    }

    fn once(&mut self, send: impl FnOnce(Draft) -> Dispatched) -> Answer {
        self.made.one_more();
        let Some(draft) = self.repeat.draft() else {
            let closed = CallErrorKind::Closed;
            let error = CallError::new(closed, Fate::NotSent, Stage::Preparing);
            return Answer::Came(Reply::Failed(self.teller().told(error)));
        };
        match send(draft) {
            Dispatched::Failed(error) => Answer::Came(Reply::Failed(error)),
            Dispatched::Answered(Some(reply), _) => Answer::Came(reply),
            Dispatched::Answered(None, _) => unreachable!("there is no place for a value"),
            Dispatched::Pending(in_flight) => {
                Answer::Comes(Promise::of_reply(|reply, _| Ok(reply), in_flight))
            }
        }
    }

    /// Goes on from what was sent first.
    pub(super) async fn run(mut self, mut sent: Answer) -> Reply {
        loop {
            let reply = match sent {
                Answer::Came(reply) => reply,
                Answer::Comes(promise) => promise.await.unwrap_or_else(Reply::Failed),
            };
            let error = match reply {
                Reply::Failed(error) => error,
                answered => return answered,
            };
            let fate = fate_of_all(self.fate, error.fate());
            self.fate = Some(fate);
            let Some(pause) = self.next_pause(&error) else {
                return Reply::Failed(error.after(self.made.count(), fate));
            };
            match self.pauses(pause).await {
                Paused::ToItsEnd => {}
                Paused::Cancelled => return Reply::Failed(error.after(self.made.count(), fate)),
                Paused::Closed => return self.closed(fate),
            }
            sent = self.ask();
        }
    }

    /// The pause before the next attempt, if there is to be one: within the deadline, and paid for.
    fn next_pause(&self, error: &CallError) -> Option<Duration> {
        let pause = self.policy.pause(self.made.count(), error)?;
        let now = Instant::now();
        let in_time = match (self.deadline, now.checked_add(pause)) {
            (Some(deadline), Some(at)) => at < deadline,
            (None, at) => at.is_some(),
            (Some(_), None) => false,
        };
        (in_time && self.budget.take(now)).then_some(pause)
    }

    async fn pauses(&self, pause: Duration) -> Paused {
        let mut sleep = timer::sleep(pause);
        let mut closed = timer::abandoned(self.ticks.timers().clone());
        let parent = self.parent.as_ref();
        let mut cancelled = pin!(async {
            match parent {
                Some(parent) => parent.cancelled().await,
                None => pending().await,
            }
        });
        poll_fn(|cx| {
            if closed.as_mut().poll(cx).is_ready() {
                Poll::Ready(Paused::Closed)
            } else if cancelled.as_mut().poll(cx).is_ready() {
                Poll::Ready(Paused::Cancelled)
            } else {
                sleep.as_mut().poll(cx).map(|()| Paused::ToItsEnd)
            }
        })
        .await
    }

    /// The bus has gone, as it would be told of a request that is outstanding.
    fn closed(&self, fate: Fate) -> Reply {
        let error = CallError::new(CallErrorKind::Closed, fate, Stage::Preparing);
        Reply::Failed(self.teller().told(error))
    }
}

/// How a pause ended.
enum Paused {
    ToItsEnd,
    /// The handler that the request is made in was cancelled.
    Cancelled,
    /// The bus was closed.
    Closed,
}

/// The outcome of one attempt. Dropped before it came, it cancels that.
pub(super) enum Answer {
    Came(Reply),
    Comes(Promise<Reply>),
}

/// How many attempts were made: also for whoever does not wait for the last one to end.
#[derive(Clone, Default)]
struct Made(Arc<AtomicU32>);

impl Made {
    fn one_more(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Tells a failure of a request that is made of several.
#[derive(Clone)]
pub(super) struct Teller {
    target: String,
    begun: Instant,
    idempotent: bool,
    made: Made,
}

impl Teller {
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    pub(super) fn told(&self, error: CallError) -> CallError {
        let fate = error.fate();
        error
            .of_request(self.target.clone(), self.begun.elapsed(), self.idempotent)
            .after(self.made.count(), fate)
    }
}

/// Polls `future` as part of the handler of `parent`.
pub(super) fn poll_within<F: Future + ?Sized>(
    parent: Option<&Context>,
    future: Pin<&mut F>,
    cx: &mut TaskContext<'_>,
) -> Poll<F::Output> {
    match parent {
        Some(parent) => {
            let request = Arc::clone(parent.in_flight());
            crate::context::enter(request, || future.poll(cx)).0
        }
        None => future.poll(cx),
    }
}
