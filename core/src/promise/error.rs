use thiserror::Error;

/// What can go wrong in a promise itself, whatever was promised.
///
/// A promise's own error type `E` takes these in through `From<PromiseError>`.
// As wide as a word: an outcome with it and a number, say, then goes in registers instead of by memory, which halves what
// a promise costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[repr(usize)]
#[non_exhaustive]
pub enum PromiseError {
    /// The completer was dropped without completing, or a callback that makes the value panicked.
    #[error(
        "the promise was broken: its completer was dropped without completing; \
         look for a panic or an early return where it should have been completed"
    )]
    Broken,
    /// The outcome was handed out before, or the promise was polled again after it was.
    #[error(
        "the outcome of this promise was taken already; keep what the first call returned, \
         or use `shared()` where several need it"
    )]
    Taken,
    /// `cancel()` was called before there was an outcome.
    #[error("the promise was cancelled; call again if the result is needed after all")]
    Cancelled,
    /// The calling thread must not block, because it drives other tasks.
    #[error(
        "waiting here would block a thread that runs async tasks; use `.await`, \
         or move the wait to a blocking thread"
    )]
    WouldBlock,
}

/// Why a wait of any future ended without its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The time was over first; the future may be waited on again if it was lent.
    #[error("the time was over before there was a result; wait again, or longer")]
    Elapsed,
    /// The calling thread must not block, because it drives other tasks.
    #[error(
        "waiting here would block a thread that runs async tasks; use `.await`, \
         or move the wait to a blocking thread"
    )]
    WouldBlock,
}
