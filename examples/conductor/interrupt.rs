//! Ctrl-C, and the polite way to be killed.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Failure;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From here on an interrupt only leaves a mark: the run sees it within a moment, and ends in order.
///
/// # Errors
/// When the system refuses the signal handler.
pub fn catch() -> Result<(), Failure> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed)).map_err(Failure::Signals)
}

/// Fails once there was an interrupt.
pub fn check() -> Result<(), Failure> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        return Err(Failure::Interrupted);
    }
    Ok(())
}
