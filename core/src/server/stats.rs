//! What became of a server's requests, in numbers.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::bus::{Head, escaped};
use crate::error::{ApplicationError, CallErrorKind, Fate};
use crate::notice::Notice;
use crate::payload::Payload;
use crate::reply::{ApplicationFailure, Reply};

/// What became of a server's requests since it was started. Made by [`Server::stats`](crate::Server::stats).
///
/// Whoever watches a service looks at `failed` and `panicked`: what the service itself counts as an
/// answer, though it is an error, is apart from them (C-OC-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ServerStats {
    /// Handlers that gave a value.
    pub completed: u64,
    /// Handlers that failed with an error of the application's.
    pub failed: u64,
    /// Those that failed with one that the server [expects](crate::ServerBuilder::expects).
    pub expected: u64,
    /// Handlers that panicked.
    pub panicked: u64,
    /// Handlers that were stopped on their way, because nobody waited any more.
    pub cancelled: u64,
    /// Requests that came and did not run: no such method, arguments that cannot be read, too late.
    /// What a full queue turns away is not among them: it may come again.
    pub refused: u64,
    /// Requests that were repetitions by their key, and got the outcome of the first (C-VB-5).
    pub repeated: u64,
    /// Requests whose callers are sent heartbeats at the moment (C-DL-6).
    pub beating: usize,
}

/// The same, as it is counted.
#[derive(Default)]
pub(crate) struct Stats {
    completed: AtomicU64,
    failed: AtomicU64,
    expected: AtomicU64,
    panicked: AtomicU64,
    cancelled: AtomicU64,
    refused: AtomicU64,
    repeated: AtomicU64,
    beating: Arc<AtomicUsize>,
}

impl Stats {
    /// A handler has ended with `outcome`, or was not started after all. What is a failure of the
    /// service is told in the program's log as well: its caller may be another program.
    pub(crate) fn ended(&self, head: &Head, outcome: &Reply, expects: &[Expected]) {
        let counter = match outcome {
            Reply::Value(_) => &self.completed,
            Reply::Application(failure) if is_expected(failure, expects) => &self.expected,
            Reply::Application(failure) => {
                let what = format!("failed as {}: {}", failure.kind, escaped(&failure.message));
                Notice::HandlerFailed.tell(&called(head), &what);
                &self.failed
            }
            Reply::Failed(error) => match (error.kind(), error.fate()) {
                (CallErrorKind::Panicked, _) => {
                    Notice::HandlerPanicked.tell(&called(head), "its handler panicked");
                    &self.panicked
                }
                (_, Fate::NotSent | Fate::NotExecuted) => &self.refused,
                (_, Fate::Executed | Fate::Unknown) => &self.cancelled,
            },
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A handler has ended with a value.
    pub(crate) fn completed(&self) {
        self.completed.fetch_add(1, Ordering::Relaxed);
    }

    /// A request came that this server will not run.
    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// A repetition came.
    pub(crate) fn repeated(&self) {
        self.repeated.fetch_add(1, Ordering::Relaxed);
    }

    /// One more caller is sent heartbeats, while what this gives lives.
    pub(crate) fn beating(&self) -> Beating {
        self.beating.fetch_add(1, Ordering::Relaxed);
        Beating(self.beating.clone())
    }

    /// Handlers that have ended by themselves.
    pub(crate) fn ran(&self) -> usize {
        let ran = [
            &self.completed,
            &self.failed,
            &self.expected,
            &self.panicked,
        ];
        let ran = ran.iter().map(|counter| counter.load(Ordering::Relaxed));
        usize::try_from(ran.sum::<u64>()).unwrap_or(usize::MAX)
    }

    pub(crate) fn read(&self) -> ServerStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ServerStats {
            completed: read(&self.completed),
            failed: read(&self.failed),
            expected: read(&self.expected),
            panicked: read(&self.panicked),
            cancelled: read(&self.cancelled),
            refused: read(&self.refused),
            repeated: read(&self.repeated),
            beating: self.beating.load(Ordering::Relaxed),
        }
    }
}

fn called(head: &Head) -> String {
    format!("`{}.{}`", head.topic, head.method)
}

/// One request whose caller is sent heartbeats, for as long as this lives.
pub(crate) struct Beating(Arc<AtomicUsize>);

impl Drop for Beating {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Says of an error of the application's whether it is expected.
pub(crate) type Expected = Box<dyn Fn(&dyn Any) -> bool + Send + Sync>;

/// `expects`, of errors of type `E`; no other is expected by it.
pub(crate) fn expected<E: ApplicationError>(
    expects: impl Fn(&E) -> bool + Send + Sync + 'static,
) -> Expected {
    Box::new(move |error| error.downcast_ref::<E>().is_some_and(&expects))
}

fn is_expected(failure: &ApplicationFailure, expects: &[Expected]) -> bool {
    let Payload::Value(value) = &failure.error else {
        return false; // It came from another service, and is passed on.
    };
    // The user's word; one that panics says nothing.
    let says = |expected: &Expected| {
        let asked = || value.get().is_some_and(expected);
        catch_unwind(AssertUnwindSafe(asked)).unwrap_or(false)
    };
    expects.iter().any(says)
}
