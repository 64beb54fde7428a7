//! A call: a request that is sent when somebody waits for it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use serde::de::DeserializeOwned;

use crate::bus::Request;
use crate::error::{CallError, ReplyError};
use crate::promise::{Promise, PromiseError};

/// A request that is sent when it is first polled or waited on. Made by [`Request::call`].
#[must_use = "like any future, it does nothing before it is awaited or waited on"]
pub struct Call<T, E = CallError>(Step<T, E>);

enum Step<T, E> {
    Unsent(Option<Request<T, E>>),
    Sent(Promise<T, E>),
}

impl<T, E> Unpin for Call<T, E> {}

impl<T, E> Call<T, E> {
    pub(super) fn new(request: Request<T, E>) -> Self {
        Call(Step::Unsent(Some(request)))
    }
}

impl<T, E> Call<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: ReplyError,
{
    /// Sends it and blocks until the reply is there; no runtime is needed.
    ///
    /// # Errors
    /// As [`Request::wait`].
    pub fn wait(self) -> Result<T, E> {
        match self.0 {
            Step::Unsent(Some(request)) => request.wait(),
            Step::Unsent(None) => Err(E::from(PromiseError::Taken)),
            Step::Sent(promise) => promise.wait(),
        }
    }
}

impl<T, E> Future for Call<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: ReplyError,
{
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut promise = match &mut self.0 {
            Step::Sent(promise) => return Pin::new(promise).poll(cx),
            Step::Unsent(Some(request)) => request.ask(),
            Step::Unsent(None) => return Poll::Ready(Err(E::from(PromiseError::Taken))),
        };
        let polled = Pin::new(&mut promise).poll(cx);
        self.0 = match polled {
            Poll::Ready(_) => Step::Unsent(None),
            Poll::Pending => Step::Sent(promise),
        };
        polled
    }
}
