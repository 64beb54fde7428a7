//! Where a promise's outcome comes from.

use super::cell::{Exclusive, Receiver};
use super::seam::{Asked, CancelCause, Reply};
use super::{Promise, PromiseError};
use crate::sync::Instant;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

pub(super) enum State<T, E> {
    /// The outcome was handed out.
    Taken,
    /// Known from the start: held inline, no allocation.
    Ready(Exclusive<Result<T, E>>),
    /// From a [`Completer`](super::Completer).
    Cell(Receiver<Result<T, E>>),
    /// From a request on a bus.
    Reply(ReplySource<T, E>),
    /// From another promise.
    Boxed(Box<dyn Source<T, E>>),
}

/// The outcome of another promise, changed on the way.
pub(super) trait Source<T, E>: Send + Sync {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, E>>;
    fn try_take(&mut self) -> Option<Result<T, E>>;
    fn is_ready(&self) -> bool;
    fn withdraw(&mut self) -> Option<Waker>;
    fn cancel(&mut self);
    fn detach(&mut self);
}

/// A reply that is decoded by whoever takes it, so that a bad one fails its own call only.
pub(super) struct ReplySource<T, E> {
    decode: fn(Reply, &dyn Asked) -> Result<T, E>,
    /// None once the reply was handed out, or nobody wants it.
    request: Option<Arc<dyn Asked>>,
}

impl<T, E> ReplySource<T, E> {
    pub(super) fn new(
        decode: fn(Reply, &dyn Asked) -> Result<T, E>,
        request: Arc<dyn Asked>,
    ) -> Self {
        ReplySource {
            decode,
            request: Some(request),
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.request
            .as_ref()
            .is_none_or(|request| request.is_ready())
    }

    pub(super) fn withdraw(&mut self) -> Option<Waker> {
        self.request.as_ref()?.withdraw()
    }

    /// The request then has an outcome, so the promise resolves.
    pub(super) fn cancel(&mut self) {
        self.give_up(CancelCause::Asked);
    }

    /// When the request's time is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.request.as_ref().and_then(|request| request.deadline())
    }

    /// That time is over: the promise then resolves, as by [`cancel`](Self::cancel).
    pub(super) fn expire(&mut self) {
        self.give_up(CancelCause::Late);
    }

    fn give_up(&mut self, cause: CancelCause) {
        if let Some(request) = self.request.as_ref().filter(|request| !request.is_ready()) {
            request.cancel(cause);
        }
    }

    pub(super) fn detach(&mut self) {
        let _waker = self.withdraw();
        self.request = None;
    }
}

impl<T, E: From<PromiseError>> ReplySource<T, E> {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, E>> {
        match &self.request {
            Some(request) => request.poll(cx).map(|reply| self.decoded(reply)),
            None => Poll::Ready(Err(PromiseError::Taken.into())),
        }
    }

    pub(super) fn try_take(&mut self) -> Option<Result<T, E>> {
        match &self.request {
            Some(request) => {
                let reply = request.try_take()?;
                Some(self.decoded(reply))
            }
            None => Some(Err(PromiseError::Taken.into())),
        }
    }

    fn decoded(&mut self, reply: Result<Reply, PromiseError>) -> Result<T, E> {
        match self.request.take() {
            Some(request) => (self.decode)(reply?, &*request),
            None => Err(PromiseError::Taken.into()),
        }
    }
}

impl<T, E> Drop for ReplySource<T, E> {
    /// C-DL-3: nobody can hear the reply any more, so the request is withdrawn, unless it was
    /// answered in the same instant.
    fn drop(&mut self) {
        let Some(request) = self.request.take() else {
            return;
        };
        let _waker = request.withdraw(); // It is not to be woken by what follows.
        let unresolved = request.try_take().is_none();
        if unresolved {
            request.cancel(CancelCause::Dropped);
        }
    }
}

/// A promise and what is still to be done to its outcome.
pub(super) struct Mapped<T, E, F> {
    inner: Promise<T, E>,
    /// None once it has run.
    change: Exclusive<Option<F>>,
}

impl<T, E, F> Mapped<T, E, F> {
    pub(super) fn new(inner: Promise<T, E>, change: F) -> Self {
        Mapped {
            inner,
            change: Exclusive::new(Some(change)),
        }
    }
}

impl<T, E, U, X, F> Source<U, X> for Mapped<T, E, F>
where
    T: Send,
    E: From<PromiseError> + Send,
    X: From<PromiseError>,
    F: FnOnce(Result<T, E>) -> Result<U, X> + Send,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<U, X>> {
        self.inner
            .poll_outcome(cx)
            .map(|outcome| changed(&mut self.change, outcome))
    }

    fn try_take(&mut self) -> Option<Result<U, X>> {
        let outcome = self.inner.try_take()?;
        Some(changed(&mut self.change, outcome))
    }

    fn is_ready(&self) -> bool {
        self.inner.is_ready()
    }

    fn withdraw(&mut self) -> Option<Waker> {
        self.inner.withdraw()
    }

    fn cancel(&mut self) {
        self.inner.cancel();
    }

    fn detach(&mut self) {
        mem::replace(&mut self.inner, Promise::taken()).detach();
    }
}

fn changed<I, U, X: From<PromiseError>, F: FnOnce(I) -> Result<U, X>>(
    change: &mut Exclusive<Option<F>>,
    outcome: I,
) -> Result<U, X> {
    match change.get_mut().take() {
        Some(change) => change(outcome),
        None => Err(X::from(PromiseError::Taken)),
    }
}
