//! The ambient context of a handler: whose call it is serving.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::bus::{Caller, IdempotencyKey, InFlight};
use crate::codec::CodecId;

/// The request that a handler is serving. Cheap to clone; may be kept and sent to other threads.
///
/// ```
/// # use tidings_core::Context;
/// // In a handler:
/// if let Some(context) = Context::current() {
///     println!("{:?} left for {}", context.remaining(), context.method());
/// }
/// # assert!(Context::current().is_none()); // outside of one
/// ```
#[derive(Clone)]
pub struct Context(Arc<InFlight>);

impl Context {
    /// The request whose handler runs on this thread now; `None` outside of handlers.
    pub fn current() -> Option<Context> {
        // A thread that is ending serves nothing any more.
        let current = CURRENT.try_with(|current| current.borrow().clone());
        current.ok().flatten().map(Context)
    }

    /// The topic that was called.
    pub fn topic(&self) -> &str {
        &self.0.head().topic
    }

    /// The method that was called.
    pub fn method(&self) -> &str {
        &self.0.head().method
    }

    /// When the caller stops waiting; `None` when it never does.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.head().deadline
    }

    /// The time left until then; zero once it has passed.
    pub fn remaining(&self) -> Option<Duration> {
        self.0.remaining(Instant::now())
    }

    /// Whether nobody waits for the outcome any more. A blocking handler looks here now and then; an async one is
    /// dropped at its next await.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Resolves when nobody waits for the outcome any more.
    pub async fn cancelled(&self) {
        poll_fn(|cx| {
            if self.0.watch(cx.waker()) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// The value of the header `name`: the last one, if there are several.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers()
            .filter(|(known, _)| *known == name)
            .last()
            .map(|(_, value)| value)
    }

    /// All headers, in the caller's order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .head()
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The key of the work that is asked for, if it has one: to hand on to what takes such keys.
    pub fn idempotency_key(&self) -> Option<IdempotencyKey> {
        self.0.head().idempotency_key()
    }

    /// Who calls, as the transport knows it.
    pub fn caller(&self) -> Option<&Caller> {
        self.0.head().caller.as_deref()
    }

    pub(crate) fn in_flight(&self) -> &Arc<InFlight> {
        &self.0
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("topic", &self.topic())
            .field("method", &self.method())
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<InFlight>>> = const { RefCell::new(None) };
}

/// How the handler on this thread is to hand its value over, where that is in bytes: the most of them, and in what.
pub(crate) fn encodes_its_reply() -> Option<(usize, CodecId)> {
    let of = |current: &RefCell<Option<Arc<InFlight>>>| current.borrow().as_ref()?.encodes_reply();
    CURRENT.try_with(of).ok().flatten()
}

/// Runs `code`, which must not panic, as part of the handler of `request`, and gives that back.
pub(crate) fn enter<R>(request: Arc<InFlight>, code: impl FnOnce() -> R) -> (R, Arc<InFlight>) {
    let outer = CURRENT.replace(Some(request));
    let outcome = code();
    match CURRENT.replace(outer) {
        Some(request) => (outcome, request),
        None => unreachable!("whoever enters leaves before its outer context does"),
    }
}
