//! Several promises as one future, all built on [`PromiseSet`]: one wake-up per completion.
//!
//! Each can be awaited, waited on, or waited on with a timeout that leaves it usable. Dropping one
//! drops the promises that are left in it, which cancels their requests.

use super::cell::Exclusive;
use super::seam::CallError;
use super::{Promise, PromiseError, PromiseSet, WaitError, wait};
use crate::sync::Instant;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// All values, in the order of the promises; the first failure ends it and cancels the rest.
///
/// ```
/// use tidings_core::promise::{Promise, PromiseError, all};
/// let two = [1, 2].map(Promise::<_, PromiseError>::ready);
/// assert_eq!(all(two).wait(), Ok(vec![1, 2]));
/// ```
pub fn all<T, E>(promises: impl IntoIterator<Item = Promise<T, E>>) -> All<T, E> {
    let set = as_completed(promises);
    All {
        values: vacancies(set.len()),
        set: Some(set),
    }
}

/// All outcomes, in the order of the promises, once every one has completed.
///
/// ```
/// use tidings_core::promise::{Promise, PromiseError, all_settled};
/// let mixed = [Promise::ready(1), Promise::failed(PromiseError::Broken)];
/// assert_eq!(all_settled(mixed).wait(), [Ok(1), Err(PromiseError::Broken)]);
/// ```
pub fn all_settled<T, E>(promises: impl IntoIterator<Item = Promise<T, E>>) -> AllSettled<T, E> {
    let set = as_completed(promises);
    AllSettled {
        outcomes: vacancies(set.len()),
        set,
    }
}

/// The first outcome, good or bad; the rest are cancelled. Of no promises at all it is
/// [`PromiseError::Broken`].
///
/// ```
/// use tidings_core::promise::{Promise, PromiseError, race};
/// let (_never, slow) = Promise::<_, PromiseError>::channel();
/// assert_eq!(race([slow, Promise::ready(2)]).wait(), Ok(2));
/// ```
pub fn race<T, E>(promises: impl IntoIterator<Item = Promise<T, E>>) -> Race<T, E> {
    Race {
        set: Some(as_completed(promises)),
    }
}

/// The first value; the rest are cancelled. When all have failed, their errors in the order of the
/// promises.
///
/// ```
/// use tidings_core::promise::{Promise, PromiseError, any};
/// let mixed = [Promise::failed(PromiseError::Broken), Promise::ready(2)];
/// assert_eq!(any(mixed).wait(), Ok(2));
/// ```
pub fn any<T, E>(promises: impl IntoIterator<Item = Promise<T, E>>) -> Any<T, E> {
    let set = as_completed(promises);
    Any {
        errors: vacancies(set.len()),
        set: Some(set),
    }
}

/// The outcomes one by one as they come, each with its promise's position.
///
/// ```
/// use tidings_core::promise::{Promise, PromiseError, as_completed};
/// let mut outcomes = as_completed(["a", "b"].map(Promise::<_, PromiseError>::ready));
/// while let Some((position, outcome)) = outcomes.next().wait().unwrap() {
///     assert_eq!(outcome, Ok(["a", "b"][position]));
/// }
/// ```
pub fn as_completed<T, E>(
    promises: impl IntoIterator<Item = Promise<T, E>>,
) -> PromiseSet<usize, T, E> {
    promises.into_iter().enumerate().collect()
}

/// Made by [`all`].
#[must_use = "a future does nothing until it is awaited or waited on"]
pub struct All<T, E = CallError> {
    values: Exclusive<Vec<Option<T>>>,
    /// None when the outcome was handed out.
    set: Option<PromiseSet<usize, T, E>>,
}

/// Made by [`all_settled`].
#[must_use = "a future does nothing until it is awaited or waited on"]
pub struct AllSettled<T, E = CallError> {
    outcomes: Exclusive<Vec<Option<Result<T, E>>>>,
    set: PromiseSet<usize, T, E>,
}

/// Made by [`race`].
#[must_use = "a future does nothing until it is awaited or waited on"]
pub struct Race<T, E = CallError> {
    /// None when the outcome was handed out.
    set: Option<PromiseSet<usize, T, E>>,
}

/// Made by [`any`].
#[must_use = "a future does nothing until it is awaited or waited on"]
pub struct Any<T, E = CallError> {
    errors: Exclusive<Vec<Option<E>>>,
    /// None when the outcome was handed out.
    set: Option<PromiseSet<usize, T, E>>,
}

impl<T, E: From<PromiseError>> Future for All<T, E> {
    type Output = Result<Vec<T>, E>;

    /// After the outcome was handed out: [`PromiseError::Taken`].
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(set) = &mut this.set else {
            return Poll::Ready(Err(E::from(PromiseError::Taken)));
        };
        let outcome = loop {
            match set.poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some((position, Ok(value)))) => {
                    this.values.get_mut()[position] = Some(value)
                }
                Poll::Ready(Some((_, Err(error)))) => break Err(error),
                Poll::Ready(None) => break Ok(filled(this.values.get_mut())),
            }
        };
        this.set = None;
        this.values.get_mut().clear();
        Poll::Ready(outcome)
    }
}

impl<T, E: From<PromiseError>> Future for AllSettled<T, E> {
    type Output = Vec<Result<T, E>>;

    /// After the outcomes were handed out: none.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            match this.set.poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some((position, outcome))) => {
                    this.outcomes.get_mut()[position] = Some(outcome)
                }
                Poll::Ready(None) => return Poll::Ready(filled(this.outcomes.get_mut())),
            }
        }
    }
}

impl<T, E: From<PromiseError>> Future for Race<T, E> {
    type Output = Result<T, E>;

    /// After the outcome was handed out: [`PromiseError::Taken`].
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(set) = &mut self.set else {
            return Poll::Ready(Err(E::from(PromiseError::Taken)));
        };
        let Poll::Ready(first) = set.poll_next(cx) else {
            return Poll::Pending;
        };
        self.set = None;
        Poll::Ready(first.map_or_else(
            || Err(E::from(PromiseError::Broken)),
            |(_, outcome)| outcome,
        ))
    }
}

impl<T, E: From<PromiseError>> Future for Any<T, E> {
    type Output = Result<T, Vec<E>>;

    /// After the outcome was handed out: [`PromiseError::Taken`].
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(set) = &mut this.set else {
            return Poll::Ready(Err(vec![E::from(PromiseError::Taken)]));
        };
        let outcome = loop {
            match set.poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some((position, Err(error)))) => {
                    this.errors.get_mut()[position] = Some(error)
                }
                Poll::Ready(Some((_, Ok(value)))) => break Ok(value),
                Poll::Ready(None) => break Err(filled(this.errors.get_mut())),
            }
        };
        this.set = None;
        this.errors.get_mut().clear();
        Poll::Ready(outcome)
    }
}

/// The same three ways to wait for each.
macro_rules! waits {
    ($name:ident, $output:ty, $refused:expr) => {
        // Promises and outcomes are only ever moved, never pinned.
        impl<T, E> Unpin for $name<T, E> {}

        impl<T, E: From<PromiseError>> $name<T, E> {
            /// Blocks the thread until there is an outcome, with no runtime. Where blocking would
            /// stop a runtime's worker thread: [`PromiseError::WouldBlock`].
            pub fn wait(mut self) -> $output {
                let refused: fn(E) -> $output = $refused;
                wait::drive(Pin::new(&mut self), None)
                    .unwrap_or_else(|_| refused(E::from(PromiseError::WouldBlock)))
            }

            /// Waits for `timeout` at the longest. None when the time was over first: nothing is
            /// lost or cancelled then.
            pub fn wait_timeout(&mut self, timeout: Duration) -> Option<$output> {
                self.wait_until(Instant::now().checked_add(timeout))
            }

            /// As `wait_timeout`, until a moment of the monotonic clock.
            pub fn wait_deadline(&mut self, deadline: Instant) -> Option<$output> {
                self.wait_until(Some(deadline))
            }

            fn wait_until(&mut self, deadline: Option<Instant>) -> Option<$output> {
                let refused: fn(E) -> $output = $refused;
                match wait::drive(Pin::new(self), deadline) {
                    Ok(outcome) => Some(outcome),
                    Err(WaitError::Elapsed) => None,
                    Err(WaitError::WouldBlock) => Some(refused(E::from(PromiseError::WouldBlock))),
                }
            }
        }

        impl<T, E> fmt::Debug for $name<T, E> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("left", &self.set)
                    .finish_non_exhaustive()
            }
        }
    };
}

waits!(All, Result<Vec<T>, E>, Err);
waits!(AllSettled, Vec<Result<T, E>>, |refused| vec![Err(refused)]);
waits!(Race, Result<T, E>, Err);
waits!(Any, Result<T, Vec<E>>, |refused| Err(vec![refused]));

fn vacancies<V>(count: usize) -> Exclusive<Vec<Option<V>>> {
    Exclusive::new(std::iter::repeat_with(|| None).take(count).collect())
}

/// What was collected; every position was filled by the promise at it.
fn filled<V>(collected: &mut Vec<Option<V>>) -> Vec<V> {
    mem::take(collected).into_iter().flatten().collect()
}
