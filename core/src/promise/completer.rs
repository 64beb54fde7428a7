use super::cell::Sender;
use std::fmt;

/// The completing end of [`Promise::channel`](super::Promise::channel).
///
/// Dropped without completing it breaks the promise: whoever waits gets
/// [`PromiseError::Broken`](super::PromiseError::Broken) at once.
#[must_use = "dropping a completer breaks its promise"]
pub struct Completer<T, E> {
    sender: Sender<Result<T, E>>,
}

impl<T, E> Completer<T, E> {
    pub(super) fn new(sender: Sender<Result<T, E>>) -> Self {
        Completer { sender }
    }

    /// Keeps the promise. Wakes whoever waits, and runs an `on_ready` callback, on this thread
    /// before it returns.
    ///
    /// # Errors
    /// Gives the value back when the promise was dropped, cancelled or detached.
    ///
    /// ```
    /// use tidings_core::promise::{Promise, PromiseError};
    /// let (completer, promise) = Promise::<u32, PromiseError>::channel();
    /// assert_eq!(completer.complete(7), Ok(()));
    /// assert_eq!(promise.wait(), Ok(7));
    /// ```
    #[inline]
    pub fn complete(self, value: T) -> Result<(), T> {
        match self.sender.send(Ok(value)) {
            Err(Ok(value)) => Err(value),
            // What comes back is what was sent.
            Err(Err(_)) | Ok(()) => Ok(()),
        }
    }

    /// Resolves the promise with an error, as [`complete`](Completer::complete) does with a value.
    ///
    /// # Errors
    /// Gives the error back when the promise was dropped, cancelled or detached.
    pub fn fail(self, error: E) -> Result<(), E> {
        match self.sender.send(Err(error)) {
            Err(Err(error)) => Err(error),
            Err(Ok(_)) | Ok(()) => Ok(()),
        }
    }

    /// Whether the promise was dropped or cancelled, so that going on is in vain. Once true,
    /// always true; a detached promise does not count.
    ///
    /// ```
    /// use tidings_core::promise::{Promise, PromiseError};
    /// let (completer, promise) = Promise::<u32, PromiseError>::channel();
    /// assert!(!completer.is_cancelled());
    /// drop(promise);
    /// assert!(completer.is_cancelled());
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.sender.is_cancelled()
    }
}

impl<T, E> fmt::Debug for Completer<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completer")
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}
