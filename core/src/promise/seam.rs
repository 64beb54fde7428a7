//! What a promise needs of the bus: the type of a raw reply, a way to withdraw a request, and the
//! one gate to blocking.

#[cfg(not(tidings_loom))]
use crate::error::{CallErrorKind, Fate, Stage};
#[cfg(not(tidings_loom))]
pub use crate::{blocking::block, error::CallError, reply::Reply};
#[cfg(tidings_loom)]
pub use model::{CallError, Reply, block};

use crate::promise::PromiseError;
use crate::sync::Instant;
use std::task::{Context, Poll, Waker};

/// The request behind a promise, which has its outcome.
pub trait Asked: Send + Sync {
    /// The outcome, or the waker of `cx` is woken when there is one. The last waker wins.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<Reply, PromiseError>>;

    /// The outcome, if there is one.
    fn try_take(&self) -> Option<Result<Reply, PromiseError>>;

    /// Whether [`try_take`](Asked::try_take) would say something.
    fn is_ready(&self) -> bool;

    /// Takes the registered waker back, unless there is none.
    fn withdraw(&self) -> Option<Waker>;

    /// A failure of this request.
    #[cfg(not(tidings_loom))]
    fn report(&self, kind: CallErrorKind, fate: Fate, stage: Stage) -> CallError;

    /// The promise was dropped or cancelled before it resolved. Nothing happens when there is an outcome after all.
    ///
    /// Called at most once with [`CancelCause::Dropped`], never under a lock of the promise.
    fn cancel(&self, by: CancelCause);

    /// When its time is over, if ever.
    fn deadline(&self) -> Option<Instant> {
        None
    }
}

/// Why a request is withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelCause {
    /// Nobody is left to hear the outcome.
    Dropped,
    /// Asked for by `cancel()`; the promise still listens and wants to resolve.
    Asked,
    /// Its deadline has passed before the eyes of a waiter, and nobody else noticed.
    Late,
}

/// Stand-ins for the rest of the crate, which a model does not compile.
#[cfg(tidings_loom)]
mod model {
    use crate::promise::PromiseError;

    /// A reply that a model can recognise.
    #[derive(Debug, PartialEq, Eq)]
    pub struct Reply(pub u32);

    /// The default error of a promise.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct CallError(pub PromiseError);

    impl From<PromiseError> for CallError {
        fn from(error: PromiseError) -> Self {
            CallError(error)
        }
    }

    /// A model may block anywhere.
    pub fn block<R>(wait: impl FnOnce() -> R) -> Result<R, std::convert::Infallible> {
        Ok(wait())
    }
}
