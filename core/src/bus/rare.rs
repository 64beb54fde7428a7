//! What few requests say: kept apart, so that the others carry one empty pointer for it.

use std::time::Duration;

use crate::bus::{IdempotencyKey, Verb};
use crate::error::CallErrorKind;
use crate::name::Namespace;

/// What few requests say of themselves.
#[derive(Debug, Clone, Default)]
pub struct Rare {
    /// The namespace of the endpoint that it is for; `None` is for those without one.
    pub namespace: Option<Namespace>,
    /// What the caller adds, in its order.
    pub headers: Vec<(String, String)>,
    /// Under which key its repetitions are known as one (C-VB-5).
    pub idempotency_key: Option<IdempotencyKey>,
    /// How long it may be without a sign of life from its server (C-DL-6).
    pub heartbeat: Option<Duration>,
}

/// The shortest heartbeat: below it, a busy machine's own delays would look like a server's end.
pub(crate) const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(10);

impl Rare {
    /// Of what says no more than for which namespace it is.
    pub(crate) fn of_namespace(namespace: Option<&Namespace>) -> Option<Box<Rare>> {
        let namespace = namespace?.clone();
        Some(Box::new(Rare {
            namespace: Some(namespace),
            ..Rare::default()
        }))
    }

    /// Whether a request of `verb` may say this.
    pub(super) fn check(&self, verb: Verb) -> Result<(), CallErrorKind> {
        let unsupported = |what, advice| Err(CallErrorKind::Unsupported { what, advice });
        match (self.heartbeat, verb) {
            (Some(_), Verb::Cast) => {
                let what = "a heartbeat of a cast";
                unsupported(
                    what,
                    "nobody waits for a cast: use `.call()` or `.invoke()`",
                )
            }
            (Some(heartbeat), Verb::Call) if heartbeat < SHORTEST_HEARTBEAT => {
                let what = "a heartbeat below 10 ms";
                unsupported(what, "give `.heartbeat(duration)` 10 ms or more")
            }
            _ => Ok(()),
        }
    }
}
