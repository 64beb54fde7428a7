//! Which runtime a bus gets.

use std::sync::Arc;

use super::{Runtime, pool};

/// Picks the runtime of a bus, once, when it is opened.
///
/// 1. `explicit`, what the builder was given.
/// 2. The tokio runtime in whose context the bus is opened.
/// 3. For a bus on sockets (`needs_io`): smol where it is built in, else a background tokio
///    runtime of the library, on a thread named `tidings-tokio`.
/// 4. For a bus in memory: the built-in handler pool. Not smol or tokio, even where they are
///    built in: a feature that another crate turned on must not change where handlers run.
///
/// # Errors
/// [`NoRuntime`] when the bus needs sockets and nothing at hand can watch them. `operation` is
/// what was being done, for the message: "open unix:/run/app.sock".
pub fn choose(
    explicit: Option<Arc<dyn Runtime>>,
    needs_io: bool,
    operation: &str,
) -> Result<Arc<dyn Runtime>, NoRuntime> {
    let chosen = match explicit {
        Some(runtime) => runtime,
        None => match of_the_context() {
            Some(runtime) => runtime,
            None if needs_io => of_the_build(operation)?,
            None => pool(),
        },
    };
    if needs_io && !chosen.has_io() {
        return Err(NoRuntime {
            operation: operation.into(),
            reason: Reason::WithoutIo(chosen.name()),
        });
    }
    Ok(chosen)
}

#[cfg(feature = "tokio")]
fn of_the_context() -> Option<Arc<dyn Runtime>> {
    super::tokio::current()
}

#[cfg(not(feature = "tokio"))]
fn of_the_context() -> Option<Arc<dyn Runtime>> {
    None
}

#[cfg(feature = "smol")]
fn of_the_build(_operation: &str) -> Result<Arc<dyn Runtime>, NoRuntime> {
    Ok(super::smol::global())
}

#[cfg(all(feature = "tokio", not(feature = "smol")))]
fn of_the_build(operation: &str) -> Result<Arc<dyn Runtime>, NoRuntime> {
    super::tokio::background().map_err(|error| NoRuntime {
        operation: operation.into(),
        reason: Reason::Background(error),
    })
}

#[cfg(not(any(feature = "tokio", feature = "smol")))]
fn of_the_build(operation: &str) -> Result<Arc<dyn Runtime>, NoRuntime> {
    Err(NoRuntime {
        operation: operation.into(),
        reason: Reason::NotBuilt,
    })
}

/// There is no runtime that can do what was asked.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot {operation}: {reason}. Sockets need an async runtime: enable the feature `tokio` or \
     `smol` of the crate `tidings`, or pass a runtime to `Bus::builder().runtime(..)`"
)]
pub struct NoRuntime {
    operation: String,
    reason: Reason,
}

#[derive(Debug, thiserror::Error)]
#[cfg_attr(
    any(feature = "tokio", feature = "smol"),
    allow(
        dead_code,
        reason = "which of the reasons can occur depends on the features"
    )
)]
enum Reason {
    #[cfg(not(any(feature = "tokio", feature = "smol")))]
    #[error("no async runtime is built in")]
    NotBuilt,
    #[error("the runtime `{0}` cannot watch sockets")]
    WithoutIo(&'static str),
    #[cfg(all(feature = "tokio", not(feature = "smol")))]
    #[error("the background tokio runtime could not be started ({0})")]
    Background(std::io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explicit_runtime_wins() {
        let mine: Arc<dyn Runtime> = pool();
        let chosen = choose(Some(mine.clone()), false, "open mem:").unwrap();
        assert!(Arc::ptr_eq(&chosen, &mine));
    }

    #[test]
    fn a_bus_in_memory_runs_on_the_pool_whatever_is_built_in() {
        assert_eq!(choose(None, false, "open mem:").unwrap().name(), "none");
    }

    #[test]
    fn sockets_on_a_runtime_without_io_are_refused_with_the_way_out() {
        let error = choose(Some(pool()), true, "open unix:/run/app.sock").unwrap_err();
        let text = error.to_string();
        for part in [
            "open unix:/run/app.sock",
            "`none`",
            "`tokio`",
            "`smol`",
            "runtime(..)",
        ] {
            assert!(text.contains(part), "{part} is missing from: {text}");
        }
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn an_open_inside_tokio_takes_that_runtime() {
        let runtime = ::tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let chosen = runtime.block_on(async { choose(None, false, "open mem:") });
        assert_eq!(chosen.unwrap().name(), "tokio");
    }

    #[test]
    fn sockets_on_a_plain_thread_take_what_the_build_has() {
        let chosen = choose(None, true, "open unix:/run/app.sock");
        if cfg!(feature = "smol") {
            assert_eq!(chosen.unwrap().name(), "smol");
        } else if cfg!(feature = "tokio") {
            assert_eq!(chosen.unwrap().name(), "tokio");
        } else {
            assert!(chosen.unwrap_err().to_string().contains("is built in"));
        }
    }
}
