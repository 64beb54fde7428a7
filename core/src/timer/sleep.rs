//! Sleeping without a runtime's timer.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::{Expire, Expiry, TimerKey, Timers};
use crate::runtime::BoxFuture;

/// Completes when `duration` has passed since the call, by the thread `tidings-timer`. Dropping
/// it disarms it.
pub(crate) fn sleep(duration: Duration) -> BoxFuture<()> {
    let end = Instant::now().checked_add(duration);
    Box::pin(async move {
        let Some(end) = end else {
            return std::future::pending().await;
        };
        let alarm = Arc::new(Alarm::default());
        let timers = sleepers();
        let _disarm = Disarm {
            key: timers
                .arm(end, Arc::downgrade(&alarm) as Weak<dyn Expire>)
                .ok(),
            timers,
        };
        // Without a thread to be told by, the time is all there is to go by.
        poll_fn(|cx| alarm.poll(cx, Instant::now() >= end)).await;
    })
}

/// How far away a deadline is that is not to come.
const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Completes when nobody tells the deadlines of `timers` any more: they were closed, or their
/// runtime has ended.
pub(crate) fn abandoned(timers: Arc<Timers>) -> BoxFuture<()> {
    Box::pin(async move {
        let alarm = Arc::new(Alarm::default());
        let target = Arc::downgrade(&alarm) as Weak<dyn Expire>;
        if let Ok(key) = timers.arm(Instant::now() + FAR, target) {
            let key = Some(key);
            let _disarm = Disarm { timers, key };
            poll_fn(|cx| alarm.poll(cx, false)).await;
        }
    })
}

/// The timers of all sleepers of the process, alive as long as there is one.
pub(crate) fn sleepers() -> Arc<Timers> {
    static SLEEPERS: Mutex<Weak<Timers>> = Mutex::new(Weak::new());
    let mut sleepers = SLEEPERS.lock().unwrap_or_else(PoisonError::into_inner);
    sleepers.upgrade().unwrap_or_else(|| {
        let timers = Arc::new(Timers::on_the_thread());
        *sleepers = Arc::downgrade(&timers);
        timers
    })
}

#[derive(Default)]
struct Alarm {
    state: Mutex<AlarmState>,
}

#[derive(Default)]
struct AlarmState {
    rung: bool,
    waker: Option<Waker>,
}

impl Alarm {
    /// Whether it has rung, or need not: `over`.
    fn poll(&self, cx: &mut Context<'_>, over: bool) -> Poll<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.rung || over {
            return Poll::Ready(());
        }
        let old = state.waker.replace(cx.waker().clone());
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl Expire for Alarm {
    fn expire(&self, _why: Expiry) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.rung = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

struct Disarm {
    timers: Arc<Timers>,
    key: Option<TimerKey>,
}

impl Drop for Disarm {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.timers.disarm(key);
        }
    }
}
