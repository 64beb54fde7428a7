//! Ctrl-C, and the polite way to be killed.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Failure;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From here on an interrupt leaves a mark: the run sees it within a moment, and ends in order. A second one does not
/// wait for that; the children then tidy up, as they do after a `kill -9`.
///
/// # Errors
/// When the system refuses the signal handler.
pub fn catch() -> Result<(), Failure> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(Failure::INTERRUPTED_STATUS.into());
        }
    })
    .map_err(Failure::Signals)
}

/// Fails once there was an interrupt.
pub fn check() -> Result<(), Failure> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        return Err(Failure::Interrupted);
    }
    Ok(())
}
