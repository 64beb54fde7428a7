//! The one door through which a thread goes to sleep for an answer.
//!
//! Everything that can be awaited can be waited on. What must not happen is that a wait puts to
//! sleep the very thread that has to bring the answer. [`block`] is where every wait passes, and
//! it refuses with [`WouldBlock`] where that can be told: inside an asynchronous handler of the
//! bus, on the thread that drives a current-thread tokio runtime, in a tokio `LocalSet`, and on
//! an executor thread of smol. On a worker of a multi-thread tokio runtime it hands the worker's
//! other tasks to another thread first.

use std::cell::Cell;

/// Runs `wait`, which may put this thread to sleep.
///
/// Callers look whether they have to wait at all before they come here: handing a tokio worker
/// over costs more than the look.
///
/// # Errors
/// [`WouldBlock`], without having run `wait`, where waiting could never end.
pub fn block<R>(wait: impl FnOnce() -> R) -> Result<R, WouldBlock> {
    match MARK.get() {
        Mark::Forbidden => return Err(WouldBlock::AsyncHandler),
        Mark::None | Mark::Allowed => {}
    }
    #[cfg(feature = "smol")]
    if on_a_smol_executor_thread() {
        return Err(WouldBlock::SmolExecutor);
    }
    #[cfg(feature = "tokio")]
    return block_beside_tokio(wait);
    #[cfg(not(feature = "tokio"))]
    return Ok(wait());
}

/// Whether [`block`] would refuse because this is the poll of an asynchronous or quick handler.
pub(crate) fn is_forbidden() -> bool {
    MARK.get() == Mark::Forbidden
}

/// As [`block`], for a wait that is welcome and not needed: `None`, without a trace anywhere, also
/// where it might be allowed and only trying would tell.
pub fn block_where_certain<R>(wait: impl FnOnce() -> R) -> Option<R> {
    #[cfg(feature = "tokio")]
    {
        use ::tokio::runtime::{Handle, RuntimeFlavor};
        let flavor = Handle::try_current().map(|handle| handle.runtime_flavor());
        if matches!(flavor, Ok(RuntimeFlavor::CurrentThread)) {
            return None;
        }
    }
    block(wait).ok()
}

/// Runs `poll`, in which [`block`] refuses: the poll of an asynchronous handler.
pub fn forbid<R>(poll: impl FnOnce() -> R) -> R {
    marked(Mark::Forbidden, poll)
}

/// Runs `handler`, in which [`block`] is free again: a blocking handler, which may itself be run
/// inside the poll of an asynchronous one (dispatch in the caller's thread).
pub fn allow<R>(handler: impl FnOnce() -> R) -> R {
    marked(Mark::Allowed, handler)
}

/// Waiting here would put to sleep the thread that has to bring the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WouldBlock {
    /// Inside an asynchronous handler.
    #[error(
        "a blocking wait inside an asynchronous handler would stall its runtime: use `.await`, \
         or make the handler a blocking one"
    )]
    AsyncHandler,
    /// On the thread that drives a current-thread tokio runtime, or in a `LocalSet`.
    #[error(
        "a blocking wait on the thread that drives a current-thread tokio runtime or a LocalSet \
         would never end: use `.await`, or wait inside `tokio::task::spawn_blocking`"
    )]
    TokioDriver,
    /// On a thread of smol's global executor.
    #[error(
        "a blocking wait on a thread of smol's executor could stall every task: use `.await`, \
         or wait inside `smol::unblock`"
    )]
    SmolExecutor,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    None,
    Forbidden,
    Allowed,
}

thread_local! {
    static MARK: Cell<Mark> = const { Cell::new(Mark::None) };
}

fn marked<R>(mark: Mark, run: impl FnOnce() -> R) -> R {
    struct Restore(Mark);
    impl Drop for Restore {
        fn drop(&mut self) {
            MARK.with(|current| current.set(self.0));
        }
    }
    let _restore = Restore(MARK.with(|current| current.replace(mark)));
    run()
}

/// `block_in_place` knows all of tokio's cases: it runs `wait` at once on a thread that drives
/// nothing (a plain one, one that entered a handle, one of `spawn_blocking`), hands over the
/// tasks of a multi-thread worker, and panics, before it runs anything, on a thread whose tasks
/// nobody else could run. tokio offers no way to ask first, so that panic is caught; tokio's own
/// line on stderr is its only trace. A panic of `wait` goes on its way.
#[cfg(feature = "tokio")]
fn block_beside_tokio<R>(wait: impl FnOnce() -> R) -> Result<R, WouldBlock> {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    if ::tokio::runtime::Handle::try_current().is_err() {
        return Ok(wait());
    }
    let started = Cell::new(false);
    let waited = catch_unwind(AssertUnwindSafe(|| {
        ::tokio::task::block_in_place(|| {
            started.set(true);
            wait()
        })
    }));
    match waited {
        Ok(outcome) => Ok(outcome),
        Err(panic) if started.get() => resume_unwind(panic),
        Err(_refused) => Err(WouldBlock::TokioDriver),
    }
}

/// smol has no way to ask either, but names the threads of its global executor.
#[cfg(feature = "smol")]
fn on_a_smol_executor_thread() -> bool {
    std::thread::current()
        .name()
        .is_some_and(|name| name.starts_with("smol-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_thread_may_wait() {
        assert_eq!(block(|| 7), Ok(7));
    }

    #[test]
    fn an_async_handler_may_not_wait_and_a_blocking_one_inside_it_may() {
        assert_eq!(forbid(|| block(|| ())), Err(WouldBlock::AsyncHandler));
        assert_eq!(forbid(|| allow(|| block(|| 7))), Ok(7));
        assert_eq!(
            forbid(|| (allow(|| ()), block(|| ())).1),
            Err(WouldBlock::AsyncHandler)
        );
        assert_eq!(block(|| 7), Ok(7));
    }

    #[test]
    fn the_mark_is_gone_after_a_panic() {
        let panicked =
            std::panic::catch_unwind(|| forbid(|| std::panic::resume_unwind(Box::new("handler"))));
        assert!(panicked.is_err());
        assert_eq!(block(|| 7), Ok(7));
    }

    #[cfg(feature = "smol")]
    #[test]
    fn on_smol_the_executor_may_not_wait_and_the_others_may() {
        use ::smol::{block_on, spawn, unblock};
        assert_eq!(
            block_on(spawn(async { block(|| ()) })),
            Err(WouldBlock::SmolExecutor)
        );
        assert_eq!(block_on(async { block(|| 7) }), Ok(7));
        assert_eq!(block_on(unblock(|| block(|| 7))), Ok(7));
    }

    #[cfg(feature = "tokio")]
    mod beside_tokio {
        use ::tokio::runtime::{Builder, Runtime};
        use ::tokio::task::{LocalSet, block_in_place, spawn_blocking, spawn_local};

        use super::*;

        fn current_thread() -> Runtime {
            Builder::new_current_thread().enable_all().build().unwrap()
        }

        fn multi_thread() -> Runtime {
            Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap()
        }

        #[test]
        fn the_driver_of_a_current_thread_runtime_may_not_wait() {
            let runtime = current_thread();
            assert_eq!(
                runtime.block_on(async { block(|| ()) }),
                Err(WouldBlock::TokioDriver)
            );
            let task = runtime.spawn(async { block(|| ()) });
            assert_eq!(
                runtime.block_on(task).unwrap(),
                Err(WouldBlock::TokioDriver)
            );
        }

        #[test]
        fn a_wait_that_is_not_needed_is_left_out_on_a_current_thread_runtime() {
            let runtime = current_thread();
            assert_eq!(runtime.block_on(async { block_where_certain(|| ()) }), None);
            let runtime = multi_thread();
            assert_eq!(
                runtime.block_on(async { block_where_certain(|| 7) }),
                Some(7)
            );
            assert_eq!(block_where_certain(|| 7), Some(7));
            assert_eq!(forbid(|| block_where_certain(|| 7)), None);
        }

        #[test]
        fn other_threads_of_a_current_thread_runtime_may_wait() {
            let runtime = current_thread();
            let job = runtime.spawn_blocking(|| block(|| 7));
            assert_eq!(runtime.block_on(job).unwrap(), Ok(7));
            let entered = runtime.enter();
            assert_eq!(block(|| 7), Ok(7));
            drop(entered);
        }

        #[test]
        fn every_thread_of_a_multi_thread_runtime_may_wait() {
            let runtime = multi_thread();
            assert_eq!(runtime.block_on(async { block(|| 7) }), Ok(7));
            assert_eq!(
                runtime
                    .block_on(runtime.spawn(async { block(|| 7) }))
                    .unwrap(),
                Ok(7)
            );
            let nested = runtime.spawn(async { block_in_place(|| block(|| 7)) });
            assert_eq!(runtime.block_on(nested).unwrap(), Ok(7));
            let job = runtime.spawn_blocking(|| block(|| 7));
            assert_eq!(runtime.block_on(job).unwrap(), Ok(7));
        }

        #[test]
        fn a_waiting_worker_hands_its_other_tasks_over() {
            let runtime = multi_thread();
            let handle = runtime.handle().clone();
            let waited = runtime.spawn(async move {
                block(move || {
                    let (done, ended) = std::sync::mpsc::channel();
                    handle.spawn(async move { done.send(7).unwrap() });
                    ended.recv().unwrap()
                })
            });
            assert_eq!(runtime.block_on(waited).unwrap(), Ok(7));
        }

        #[test]
        fn a_local_set_may_not_wait_and_its_spawn_blocking_may() {
            for runtime in [current_thread(), multi_thread()] {
                let local = LocalSet::new();
                let outcome = local.block_on(&runtime, async {
                    let here = spawn_local(async { block(|| ()) }).await.unwrap();
                    let aside = spawn_blocking(|| block(|| 7)).await.unwrap();
                    (here, aside)
                });
                assert_eq!(outcome, (Err(WouldBlock::TokioDriver), Ok(7)));
            }
        }

        #[test]
        fn a_panic_of_the_wait_itself_passes_through() {
            let runtime = multi_thread();
            let _entered = runtime.enter();
            let panicked = std::panic::catch_unwind(|| {
                block(|| -> () { std::panic::resume_unwind(Box::new("mine")) })
            });
            assert_eq!(panicked.unwrap_err().downcast_ref::<&str>(), Some(&"mine"));
        }
    }
}
