//! One-shot cells: polled by hand, and joined on tokio.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::harness::Case;
use crate::runtimes::Driver;

/// A waker as tasks have them: counted, and not free to clone.
struct Task;

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

/// A waker as tasks have them.
pub fn waker() -> Waker {
    Waker::from(Arc::new(Task))
}

/// Polls `future` before `complete` and after.
#[inline]
pub fn polled_around<T>(
    waker: &Waker,
    future: impl Future<Output = T>,
    complete: impl FnOnce(),
) -> T {
    let mut cx = Context::from_waker(waker);
    let mut future = pin!(future);
    assert!(future.as_mut().poll(&mut cx).is_pending());
    complete();
    match future.poll(&mut cx) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("it was completed"),
    }
}

/// Joins `number` receiving ends at a time on tokio: they pend first, and are completed then.
pub fn joins<S: 'static, R: 'static, T>(
    name: &str,
    number: u64,
    channel: impl Fn() -> (S, R) + 'static,
    complete: impl Fn(S) + 'static,
    join: impl AsyncFn(Vec<R>) -> T + 'static,
) -> Case {
    let driver = Driver::tokio();
    let run = move |operations| {
        for _ in 0..operations / number {
            let (senders, receivers): (Vec<S>, Vec<R>) = (0..number).map(|_| channel()).unzip();
            let complete_all = || senders.into_iter().for_each(&complete);
            black_box(driver.block_on(completed_when_pending(join(receivers), complete_all)));
        }
    };
    Case::new(name, run).in_grains_of(number)
}

/// Awaits `joined`, and has `complete` run once it pends.
async fn completed_when_pending<T>(joined: impl Future<Output = T>, complete: impl FnOnce()) -> T {
    let mut joined = pin!(joined);
    let mut complete = Some(complete);
    poll_fn(|cx| {
        let polled = joined.as_mut().poll(cx);
        match (polled, complete.take()) {
            (Poll::Pending, Some(complete)) => {
                complete();
                joined.as_mut().poll(cx)
            }
            (polled, _) => polled,
        }
    })
    .await
}
