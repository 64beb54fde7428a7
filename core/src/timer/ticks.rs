//! Timers that few need, made when the first one does.

use std::sync::{Arc, OnceLock};

use super::Timers;
use crate::runtime::Runtime;

/// The timers of a bus for what is not a deadline, made when they are first asked for.
pub(crate) struct Ticks {
    runtime: Arc<dyn Runtime>,
    timers: OnceLock<Arc<Timers>>,
}

impl Ticks {
    pub(crate) fn new(runtime: Arc<dyn Runtime>) -> Self {
        Ticks {
            runtime,
            timers: OnceLock::new(),
        }
    }

    pub(crate) fn timers(&self) -> &Arc<Timers> {
        self.timers
            .get_or_init(|| Arc::new(Timers::new(self.runtime.clone())))
    }

    /// Ticks no more. Whoever asks after that, perhaps as the first one, is refused: nobody would tell them of the end,
    /// which has been.
    pub(crate) fn close(&self) {
        let closed = || Arc::new(Timers::stopped(self.runtime.clone()));
        self.timers.get_or_init(closed).close();
    }
}
