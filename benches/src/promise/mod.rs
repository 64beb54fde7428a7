//! The promise alone, in one thread, against other one-shot cells.

mod join;
mod ours;
#[cfg(feature = "peers")]
mod peers;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::arguments::Arguments;
use crate::harness::Group;
use crate::target::Target;

pub(crate) fn run(arguments: &Arguments) {
    taken(arguments);
    awaited(arguments);
    join::run(arguments);
}

const OURS: &str = "tidings";
const ONESHOT: &str = "the `oneshot` crate";
const TOKIO: &str = "tokio's oneshot";

fn taken(arguments: &Arguments) {
    let group = Group::new("Promise: create, complete, take").case(ours::taken());
    #[cfg(feature = "peers")]
    let group = group.cases([peers::oneshot_taken(), peers::tokio_taken()]);
    group
        .target(Target::times(OURS, 1.0, ONESHOT))
        .target(Target::times(OURS, 1.0, TOKIO))
        .target(Target::allocations(OURS, 1.0))
        .run(arguments);
}

fn awaited(arguments: &Arguments) {
    let group = Group::new("Promise: create, poll, complete, wake, take").case(ours::awaited());
    #[cfg(feature = "peers")]
    let group = group.cases([peers::oneshot_awaited(), peers::tokio_awaited()]);
    group
        .target(Target::times(OURS, 1.0, ONESHOT))
        .target(Target::times(OURS, 1.0, TOKIO))
        .target(Target::allocations(OURS, 1.0))
        .run(arguments);
}

/// A waker as tasks have them: counted, and not free to clone.
struct Task;

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

fn waker() -> Waker {
    Waker::from(Arc::new(Task))
}

/// Polls `future` before `complete` and after.
fn polled_around<T>(waker: &Waker, future: impl Future<Output = T>, complete: impl FnOnce()) -> T {
    let mut cx = Context::from_waker(waker);
    let mut future = pin!(future);
    assert!(future.as_mut().poll(&mut cx).is_pending());
    complete();
    match future.poll(&mut cx) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("it was completed"),
    }
}
