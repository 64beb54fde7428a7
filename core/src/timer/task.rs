//! The turner as a task on a runtime that has a timer.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::Poll;

use super::timers::Wheelwork;
use crate::runtime::{BoxFuture, Runtime};

/// Turns the wheel until its owner is gone. When the runtime drops the task before that, those
/// whose deadline nobody would notice are told.
pub(super) fn turn(wheelwork: &Arc<Wheelwork>, runtime: Arc<dyn Runtime>) -> BoxFuture<()> {
    let guard = AbandonOnDrop(Arc::downgrade(wheelwork));
    Box::pin(async move {
        let guard = guard;
        let mut sleep: Option<BoxFuture<()>> = None;
        poll_fn(|cx| {
            loop {
                let Some(wheelwork) = guard.0.upgrade() else {
                    return Poll::Ready(());
                };
                let Ok(next) = wheelwork.turn(cx.waker()) else {
                    return Poll::Ready(());
                };
                drop(wheelwork);
                sleep = next.map(|pause| runtime.sleep(pause));
                match sleep.as_mut().map(|sleep| Pin::new(sleep).poll(cx)) {
                    Some(Poll::Ready(())) => {}
                    Some(Poll::Pending) | None => return Poll::Pending,
                }
            }
        })
        .await;
    })
}

struct AbandonOnDrop(Weak<Wheelwork>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        if let Some(wheelwork) = self.0.upgrade() {
            wheelwork.abandon();
        }
    }
}
