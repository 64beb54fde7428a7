//! Attempts that go on by themselves, for an `invoke`.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Instant;

use super::attempts::{Answer, Attempts, Teller, poll_within};
use crate::context::Context;
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::promise::PromiseError;
use crate::promise::outcome::{self, Outcome};
use crate::promise::seam::{Asked, CancelCause};
use crate::reply::Reply;
use crate::runtime::{BoxFuture, Runtime};

/// Has `attempts`, of which the first was sent, go on as a task of `runtime`: where the outcome will
/// be, and what ends it.
pub(super) fn spawn(attempts: Attempts, first: Answer, runtime: &dyn Runtime) -> Arc<dyn Asked> {
    let handle = Arc::new(Handle {
        deadline: attempts.deadline(),
        teller: attempts.teller(),
        state: Mutex::new(State {
            outcome: Outcome::default(),
            waker: None,
        }),
    });
    let parent = attempts.parent().cloned();
    runtime.spawn(Box::pin(Task {
        future: Some(Box::pin(attempts.run(first))),
        parent,
        handle: handle.clone(),
    }));
    handle
}

/// What the promise and the task share.
struct Handle {
    deadline: Option<Instant>,
    teller: Teller,
    state: Mutex<State>,
}

struct State {
    outcome: Outcome<Reply>,
    /// That of the task.
    waker: Option<Waker>,
}

impl Handle {
    /// Decides the outcome, once.
    fn finish(&self, reply: Reply) {
        let mut state = self.lock();
        let decided = state.outcome.decide(reply);
        let task = state.waker.take();
        drop(state);
        if let Ok(Some(waiter)) = decided {
            waiter.wake();
        }
        if let Some(task) = task {
            task.wake(); // It has nothing to do any more.
        }
    }

    /// Leaves `waker`; `false` when the outcome is decided.
    fn is_wanted(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        let old = state.waker.replace(waker.clone());
        let wanted = !state.outcome.is_decided();
        drop(state);
        drop(old);
        wanted
    }

    fn failed(&self, kind: CallErrorKind) -> Reply {
        // Of the attempt that is under way nothing is known here.
        let error = CallError::new(kind, Fate::Unknown, Stage::Sent);
        Reply::Failed(self.teller.told(error))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked for Handle {
    fn poll(&self, cx: &mut TaskContext<'_>) -> Poll<Result<Reply, PromiseError>> {
        outcome::poll(cx.waker(), |waker, clone| {
            self.lock().outcome.look(waker, clone)
        })
    }

    fn try_take(&self) -> Option<Result<Reply, PromiseError>> {
        self.lock().outcome.try_take()
    }

    fn is_ready(&self) -> bool {
        self.lock().outcome.is_decided()
    }

    fn withdraw(&self) -> Option<Waker> {
        self.lock().outcome.withdraw()
    }

    fn report(&self, kind: CallErrorKind, fate: Fate, stage: Stage) -> CallError {
        self.teller.told(CallError::new(kind, fate, stage))
    }

    fn cancel(&self, by: CancelCause) {
        let kind = match by {
            CancelCause::Dropped | CancelCause::Asked => CallErrorKind::Cancelled,
            CancelCause::Late => {
                let begun = self.teller.begun();
                let timeout = self.deadline.map(|at| at.saturating_duration_since(begun));
                CallErrorKind::DeadlineExceeded {
                    timeout: timeout.unwrap_or_default(),
                }
            }
        };
        self.finish(self.failed(kind));
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

/// The attempts on their way. Dropped, by a runtime that ends, it fails the promise.
struct Task {
    future: Option<BoxFuture<Reply>>,
    parent: Option<Context>,
    handle: Arc<Handle>,
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let this = &mut *self;
        let Some(future) = &mut this.future else {
            return Poll::Ready(());
        };
        if !this.handle.is_wanted(cx.waker()) {
            this.future = None; // It cancels the attempt that is under way (C-DL-3).
            return Poll::Ready(());
        }
        match poll_within(this.parent.as_ref(), future.as_mut(), cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(reply) => {
                this.future = None;
                this.handle.finish(reply);
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if self.future.take().is_some() {
            let failed = self.handle.failed(CallErrorKind::Closed);
            self.handle.finish(failed);
        }
    }
}
