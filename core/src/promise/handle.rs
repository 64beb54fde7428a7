use super::cell::{self, Exclusive};
use super::seam::{Asked, CallError, Reply};
use super::source::{Mapped, ReplySource, Source, State};
use super::{Completer, PromiseError, Shared, WaitError, callback, wait};
use crate::sync::Instant;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// How long after a request's deadline its waiter waits for the bus to say so.
const SLACK: Duration = Duration::from_millis(20);

/// The outcome, sooner or later, of something that is already on its way.
///
/// It is a [`Future`], and can equally be waited on from any thread with no runtime. Polling,
/// waiting, taking and dropping are legal in any order and none of them panics; after the outcome
/// was handed out, every call says [`PromiseError::Taken`].
///
/// * **Dropped** before it resolved, it cancels the request behind it;
///   [`detach`](Promise::detach) lets the request run.
/// * **A timeout** leaves it usable and cancels nothing; an outcome that is there beats the
///   timeout.
/// * **Never completed**, because its [`Completer`] was dropped, it resolves to
///   [`PromiseError::Broken`] at once.
///
/// The error type `E` of a promise takes in the promise's own errors, hence the bound
/// `E: From<PromiseError>` wherever there may be one.
///
/// ```
/// use std::{thread, time::Duration};
/// use tidings_core::promise::{Promise, PromiseError};
///
/// let (completer, mut promise) = Promise::<String, PromiseError>::channel();
/// assert!(promise.wait_timeout(Duration::ZERO).is_none());
/// thread::spawn(move || completer.complete("done".to_owned()));
/// assert_eq!(promise.wait().as_deref(), Ok("done"));
/// ```
#[must_use = "a promise that is dropped cancels its request; use `detach()` to let it run"]
pub struct Promise<T, E = CallError> {
    state: State<T, E>,
}

// The outcome is only ever moved, never pinned.
impl<T, E> Unpin for Promise<T, E> {}

impl<T, E> Promise<T, E> {
    /// A promise that is kept already: held in the handle, with no allocation.
    ///
    /// ```
    /// # use tidings_core::promise::{Promise, PromiseError};
    /// assert_eq!(Promise::<_, PromiseError>::ready(5).wait(), Ok(5));
    /// ```
    #[inline]
    pub fn ready(value: T) -> Self {
        Promise::from(Ok(value))
    }

    /// A promise that has failed already.
    ///
    /// ```
    /// # use tidings_core::promise::{Promise, PromiseError};
    /// let failed = Promise::<u8, _>::failed(PromiseError::Broken);
    /// assert_eq!(failed.wait(), Err(PromiseError::Broken));
    /// ```
    pub fn failed(error: E) -> Self {
        Promise::from(Err(error))
    }

    /// A promise, and what completes it: one allocation for both.
    ///
    /// ```
    /// # use tidings_core::promise::{Promise, PromiseError};
    /// let (completer, promise) = Promise::<u32, PromiseError>::channel();
    /// drop(completer);
    /// assert_eq!(promise.wait(), Err(PromiseError::Broken));
    /// ```
    #[inline]
    pub fn channel() -> (Completer<T, E>, Self) {
        let (sender, receiver) = cell::channel();
        (
            Completer::new(sender),
            Promise {
                state: State::Cell(receiver),
            },
        )
    }

    /// The promise of a request's reply, decoded by whoever takes it. `request` is told when the
    /// promise is dropped or cancelled before it resolved.
    #[doc(hidden)]
    pub fn of_reply(
        decode: fn(Reply, &dyn Asked) -> Result<T, E>,
        request: Arc<dyn Asked>,
    ) -> Self {
        Promise {
            state: State::Reply(ReplySource::new(decode, request)),
        }
    }

    pub(super) fn taken() -> Self {
        Promise {
            state: State::Taken,
        }
    }

    /// Whether there is an outcome, so that no call would wait. Once true, always true.
    ///
    /// ```
    /// # use tidings_core::promise::{Promise, PromiseError};
    /// let (completer, promise) = Promise::<u32, PromiseError>::channel();
    /// assert!(!promise.is_ready());
    /// completer.complete(1).unwrap();
    /// assert!(promise.is_ready());
    /// # drop(promise);
    /// ```
    #[must_use]
    #[inline]
    pub fn is_ready(&self) -> bool {
        match &self.state {
            State::Taken | State::Ready(_) => true,
            State::Cell(receiver) => receiver.is_ready(),
            State::Reply(reply) => reply.is_ready(),
            State::Boxed(source) => source.is_ready(),
        }
    }

    /// Gives the outcome up but lets the work run: nothing is cancelled, and
    /// [`Completer::is_cancelled`] stays false.
    ///
    /// ```
    /// # use tidings_core::promise::{Promise, PromiseError};
    /// let (completer, promise) = Promise::<u32, PromiseError>::channel();
    /// promise.detach();
    /// assert!(!completer.is_cancelled());
    /// assert_eq!(completer.complete(3), Err(3), "but nobody listens");
    /// ```
    pub fn detach(mut self) {
        match mem::replace(&mut self.state, State::Taken) {
            State::Cell(receiver) => receiver.detach(),
            State::Reply(mut reply) => reply.detach(),
            State::Boxed(mut source) => source.detach(),
            State::Taken | State::Ready(_) => {}
        }
    }

    /// Takes the registered waker back, so that it is dropped promptly.
    pub(super) fn withdraw(&mut self) -> Option<Waker> {
        match &mut self.state {
            State::Taken | State::Ready(_) => None,
            State::Cell(receiver) => receiver.withdraw(),
            State::Reply(reply) => reply.withdraw(),
            State::Boxed(source) => source.withdraw(),
        }
    }
}

impl<T, E: From<PromiseError>> Promise<T, E> {
    /// Blocks the thread until there is an outcome, with no runtime.
    ///
    /// # Errors
    /// Those of the work itself, [`PromiseError::Broken`], and [`PromiseError::WouldBlock`] where
    /// blocking would stop a runtime's worker thread and there is no outcome yet; the request is
    /// then cancelled as by dropping.
    #[inline]
    pub fn wait(self) -> Result<T, E> {
        // By value and case by case: what is there already is moved once.
        match self.state {
            State::Ready(outcome) => outcome.into_inner(),
            State::Cell(mut receiver) => match receiver.try_take() {
                Some(outcome) => outcome.unwrap_or_else(|error| Err(error.into())),
                None => Promise {
                    state: State::Cell(receiver),
                }
                .wait_blocking(),
            },
            state => Promise { state }.wait_blocking(),
        }
    }

    #[cold]
    fn wait_blocking(mut self) -> Result<T, E> {
        // The deadline of a request is kept by the bus's runtime, which may be driven by nobody
        // just now (a current-thread one, beside its `block_on`): so the waiter looks as well.
        let deadline = match &self.state {
            State::Reply(reply) => reply.deadline(),
            _ => None,
        };
        let patience = deadline.and_then(|at| at.checked_add(SLACK));
        match wait::park_until_ready(Pin::new(&mut self), patience) {
            Ok(outcome) => return outcome,
            Err(WaitError::WouldBlock) => return Err(E::from(PromiseError::WouldBlock)),
            Err(WaitError::Elapsed) => {}
        }
        if let State::Reply(reply) = &mut self.state {
            reply.expire();
        }
        // Only a refusal to block ends this wait without an outcome.
        wait::park_until_ready(Pin::new(&mut self), None)
            .unwrap_or_else(|_| Err(E::from(PromiseError::WouldBlock)))
    }

    /// Waits for `timeout` at the longest. None when the time was over first: the promise can
    /// then be waited on again, and nothing was cancelled.
    ///
    /// # Errors
    /// As for [`wait`](Promise::wait), but `WouldBlock` cancels nothing here.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidings_core::promise::{Promise, PromiseError};
    /// let (completer, mut promise) = Promise::<u32, PromiseError>::channel();
    /// assert_eq!(promise.wait_timeout(Duration::from_millis(1)), None);
    /// completer.complete(1).unwrap();
    /// assert_eq!(promise.wait_timeout(Duration::ZERO), Some(Ok(1)));
    /// ```
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<Result<T, E>> {
        self.try_take()
            .or_else(|| self.wait_pending(Instant::now().checked_add(timeout)))
    }

    /// [`wait_timeout`](Promise::wait_timeout) until a moment of the monotonic clock.
    ///
    /// # Errors
    /// As for [`wait_timeout`](Promise::wait_timeout).
    pub fn wait_deadline(&mut self, deadline: Instant) -> Option<Result<T, E>> {
        self.try_take()
            .or_else(|| self.wait_pending(Some(deadline)))
    }

    fn wait_pending(&mut self, deadline: Option<Instant>) -> Option<Result<T, E>> {
        let error = match wait::park_until_ready(Pin::new(&mut *self), deadline) {
            Ok(outcome) => return Some(outcome),
            Err(error) => error,
        };
        drop(self.withdraw());
        self.try_take().or_else(|| match error {
            WaitError::Elapsed => None,
            WaitError::WouldBlock => Some(Err(E::from(PromiseError::WouldBlock))),
        })
    }

    /// The outcome if there is one, without waiting.
    ///
    /// # Errors
    /// Those of the work itself, [`PromiseError::Broken`], and [`PromiseError::Taken`] when it was
    /// handed out before.
    #[inline]
    pub fn try_take(&mut self) -> Option<Result<T, E>> {
        // A source that has handed its outcome out says so itself from then on.
        match &mut self.state {
            State::Cell(receiver) => {
                let outcome = receiver.try_take()?;
                Some(outcome.unwrap_or_else(|error| Err(error.into())))
            }
            State::Reply(reply) => reply.try_take(),
            State::Boxed(source) => source.try_take(),
            State::Taken | State::Ready(_) => Some(self.take_inline()),
        }
    }

    #[inline]
    pub(super) fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, E>> {
        match &mut self.state {
            State::Cell(receiver) => receiver
                .poll(cx)
                .map(|outcome| outcome.unwrap_or_else(|error| Err(error.into()))),
            State::Reply(reply) => reply.poll(cx),
            State::Boxed(source) => source.poll(cx),
            State::Taken | State::Ready(_) => Poll::Ready(self.take_inline()),
        }
    }

    #[inline]
    fn take_inline(&mut self) -> Result<T, E> {
        match mem::replace(&mut self.state, State::Taken) {
            State::Ready(outcome) => outcome.into_inner(),
            _ => Err(E::from(PromiseError::Taken)),
        }
    }

    /// Cancels the request behind the promise, unless there is an outcome already. The promise
    /// then resolves: to the request's error, or [`PromiseError::Cancelled`] where there is only a
    /// [`Completer`] behind it.
    ///
    /// ```
    /// # use tidings_core::promise::{Promise, PromiseError};
    /// let (completer, mut promise) = Promise::<u32, PromiseError>::channel();
    /// promise.cancel();
    /// assert!(completer.is_cancelled());
    /// assert_eq!(promise.wait(), Err(PromiseError::Cancelled));
    /// ```
    pub fn cancel(&mut self) {
        match &mut self.state {
            State::Taken | State::Ready(_) => {}
            State::Reply(reply) => reply.cancel(),
            State::Boxed(source) => source.cancel(),
            State::Cell(receiver) => {
                let waker = receiver.withdraw();
                let outcome = match receiver.close() {
                    None => Err(E::from(PromiseError::Cancelled)),
                    Some(outcome) => outcome.unwrap_or_else(|error| Err(error.into())),
                };
                self.state = State::Ready(Exclusive::new(outcome));
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        }
    }
}

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: From<PromiseError> + Send + 'static,
{
    /// Runs `callback` with the outcome: on the completing thread as part of completing, outside
    /// all locks, or here and now if there is an outcome already. Nothing is cancelled any more.
    ///
    /// `callback` must not wait: it may run on the very thread that has to bring what it would wait
    /// for, and is refused with [`PromiseError::WouldBlock`] where that can be told.
    ///
    /// A panic in `callback` ends there. Completing another promise in a callback runs that one's
    /// callback after this one has returned, so chains do not grow the stack.
    ///
    /// ```
    /// # use std::sync::mpsc;
    /// # use tidings_core::promise::{Promise, PromiseError};
    /// let (seen, outcomes) = mpsc::channel();
    /// let (completer, promise) = Promise::<u32, PromiseError>::channel();
    /// promise.on_ready(move |outcome| seen.send(outcome).unwrap());
    /// completer.complete(1).unwrap();
    /// assert_eq!(outcomes.recv(), Ok(Ok(1)));
    /// ```
    pub fn on_ready(self, callback: impl FnOnce(Result<T, E>) + Send + 'static) {
        callback::deliver(self, callback);
    }

    /// A promise of `change` applied to the value. It runs at most once, on the thread that takes
    /// the outcome, or at once when this promise is a [`ready`](Promise::ready) one. Cancelling,
    /// dropping and detaching pass through.
    ///
    /// ```
    /// # use tidings_core::promise::{Promise, PromiseError};
    /// let length = Promise::<_, PromiseError>::ready("four").map(str::len);
    /// assert_eq!(length.wait(), Ok(4));
    /// ```
    pub fn map<U: 'static>(self, change: impl FnOnce(T) -> U + Send + 'static) -> Promise<U, E> {
        self.map_outcome(|outcome| outcome.map(change))
    }

    /// As [`map`](Promise::map), for the error.
    ///
    /// ```
    /// # use tidings_core::promise::{Promise, PromiseError};
    /// # #[derive(Debug, PartialEq)] struct Mine(PromiseError);
    /// # impl From<PromiseError> for Mine { fn from(e: PromiseError) -> Self { Mine(e) } }
    /// let failed = Promise::<u8, _>::failed(PromiseError::Broken).map_err(Mine);
    /// assert_eq!(failed.wait(), Err(Mine(PromiseError::Broken)));
    /// ```
    pub fn map_err<X: From<PromiseError> + 'static>(
        self,
        change: impl FnOnce(E) -> X + Send + 'static,
    ) -> Promise<T, X> {
        self.map_outcome(|outcome| outcome.map_err(change))
    }

    fn map_outcome<U: 'static, X: From<PromiseError> + 'static>(
        mut self,
        change: impl FnOnce(Result<T, E>) -> Result<U, X> + Send + 'static,
    ) -> Promise<U, X> {
        if let State::Taken | State::Ready(_) = self.state {
            return Promise::from(change(self.take_inline()));
        }
        let source: Box<dyn Source<U, X>> = Box::new(Mapped::new(self, change));
        Promise {
            state: State::Boxed(source),
        }
    }

    /// A handle to the outcome that can be cloned: each clone gets a copy of it. The request is
    /// cancelled when the last clone is dropped before there is an outcome.
    ///
    /// ```
    /// # use tidings_core::promise::{Promise, PromiseError};
    /// let (completer, promise) = Promise::<u32, PromiseError>::channel();
    /// let (one, other) = { let shared = promise.shared(); (shared.clone(), shared) };
    /// completer.complete(1).unwrap();
    /// assert_eq!((one.wait(), other.wait()), (Ok(1), Ok(1)));
    /// ```
    pub fn shared(self) -> Shared<T, E>
    where
        T: Clone + Sync,
        E: Clone + Sync,
    {
        Shared::of(self)
    }
}

impl<T, E> From<Result<T, E>> for Promise<T, E> {
    #[inline]
    fn from(outcome: Result<T, E>) -> Self {
        Promise {
            state: State::Ready(Exclusive::new(outcome)),
        }
    }
}

impl<T, E: From<PromiseError>> Future for Promise<T, E> {
    type Output = Result<T, E>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_outcome(cx)
    }
}

impl<T, E> fmt::Debug for Promise<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_ready() {
            "resolved"
        } else {
            "pending"
        };
        f.debug_tuple("Promise").field(&state).finish()
    }
}
