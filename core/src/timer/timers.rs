//! The armed deadlines of one bus.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use super::wheel::{Key, Wheel};
use super::{task, thread};
use crate::runtime::Runtime;

/// What happens to something when its deadline comes.
pub trait Expire: Send + Sync {
    /// Called once for an armed deadline that is not disarmed, on the thread that turns the
    /// wheel and outside its lock. It must not block and should not panic; a panic is caught.
    fn expire(&self, why: Expiry);
}

/// Why [`Expire::expire`] is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// The deadline has come.
    Due,
    /// The deadline has not come and nobody is left who would notice: the runtime has ended, or
    /// the [`Timers`] were dropped.
    Abandoned,
}

/// The armed deadlines of one bus, to the millisecond and never early.
///
/// Dropping it abandons those that are armed ([`Expiry::Abandoned`]).
pub struct Timers {
    wheelwork: Arc<Wheelwork>,
}

/// Names one armed deadline. After it has fired or was disarmed it names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerKey(Key);

/// The runtime that kept the deadlines has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the runtime of this bus has ended, so that no deadline can be kept")]
pub struct TimersGone;

impl Timers {
    /// Deadlines kept by `runtime`: by a task on it where it has a timer, else by the thread
    /// `tidings-timer`.
    pub fn new(runtime: Arc<dyn Runtime>) -> Timers {
        let by_task = runtime.has_timer();
        let timers = Timers::stopped(runtime.clone());
        if by_task {
            timers.wheelwork.lock().turner = Turner::Coming;
            runtime.spawn(task::turn(&timers.wheelwork, runtime.clone()));
        }
        timers
    }

    /// Deadlines kept by the thread whatever the runtime.
    pub(super) fn on_the_thread() -> Timers {
        Timers::stopped(crate::runtime::pool())
    }

    /// Deadlines that nobody keeps yet.
    pub(super) fn stopped(clock: Arc<dyn Runtime>) -> Timers {
        Timers {
            wheelwork: Arc::new(Wheelwork {
                epoch: clock.now(),
                clock,
                state: Mutex::new(State {
                    wheel: Wheel::new(),
                    turner: Turner::NotStarted,
                    planned: u64::MAX,
                    awaiting: Vec::new(),
                }),
            }),
        }
    }

    /// Has `target` told when `at` has come, unless it is disarmed or dropped before.
    ///
    /// # Errors
    /// [`TimersGone`] when the runtime has ended. `target` is not told then.
    pub fn arm(&self, at: Instant, target: Weak<dyn Expire>) -> Result<TimerKey, TimersGone> {
        let tick = self.wheelwork.tick_after(at);
        let mut state = self.wheelwork.lock();
        if let Turner::NotStarted = state.turner {
            state.turner = Turner::Coming;
            drop(state);
            thread::enlist(&self.wheelwork);
            state = self.wheelwork.lock();
        }
        if let Turner::Gone = state.turner {
            return Err(TimersGone);
        }
        // That is at or before the tick.
        let (key, turn) = state.wheel.insert(tick, target).ok_or(TimersGone)?;
        if turn < state.planned {
            state.planned = turn;
            if let Turner::At(waker) = &state.turner {
                let waker = waker.clone();
                drop(state);
                waker.wake();
            }
        }
        Ok(TimerKey(key))
    }

    /// Takes a deadline out. False when it has fired already (or is firing just now).
    pub fn disarm(&self, key: TimerKey) -> bool {
        let taken_out = self.take_out(key);
        let was_armed = taken_out.was_armed;
        taken_out.tell();
        was_armed
    }

    /// The same under a lock of the caller's, who tells who is to be told when that is free.
    pub(crate) fn take_out(&self, key: TimerKey) -> TakenOut {
        let mut state = self.wheelwork.lock();
        let was_armed = state.wheel.remove(key.0).is_some();
        state.wheel.shrink();
        TakenOut {
            was_armed,
            awaiting: state.emptied(),
        }
    }

    /// Abandons the deadlines that are armed, and refuses more.
    pub fn close(&self) {
        self.wheelwork.abandon();
    }

    /// Whether none is armed; else the waker of `cx` is woken when that is so.
    pub fn poll_empty(&self, cx: &mut Context<'_>) -> bool {
        let mut state = self.wheelwork.lock();
        let empty = state.wheel.len() == 0;
        if !empty
            && !state
                .awaiting
                .iter()
                .any(|known| known.will_wake(cx.waker()))
        {
            state.awaiting.push(cx.waker().clone());
        }
        empty
    }

    /// How many deadlines are armed.
    pub fn len(&self) -> usize {
        self.wheelwork.lock().wheel.len()
    }

    /// Whether none is armed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers")
            .field("armed", &self.len())
            .finish()
    }
}

/// A deadline was taken out.
#[must_use = "others may wait to be told"]
pub(crate) struct TakenOut {
    was_armed: bool,
    /// Who waited for the last one.
    awaiting: Option<Vec<Waker>>,
}

impl TakenOut {
    #[inline]
    pub(crate) fn tell(self) {
        wake(self.awaiting);
    }
}

#[inline]
fn wake(awaiting: Option<Vec<Waker>>) {
    if let Some(awaiting) = awaiting {
        awaiting.into_iter().for_each(Waker::wake);
    }
}

/// The wheel, its clock, and who turns it.
pub(super) struct Wheelwork {
    clock: Arc<dyn Runtime>,
    epoch: Instant,
    state: Mutex<State>,
}

struct State {
    wheel: Wheel<Weak<dyn Expire>>,
    turner: Turner,
    /// The tick at which the turner will come by itself.
    planned: u64,
    /// Who waits for the wheel to be empty.
    awaiting: Vec<Waker>,
}

impl State {
    /// Who is to be told that the wheel is empty, if it is.
    #[inline]
    fn emptied(&mut self) -> Option<Vec<Waker>> {
        let told = !self.awaiting.is_empty() && self.wheel.len() == 0;
        told.then(|| std::mem::take(&mut self.awaiting))
    }
}

/// Who turns the wheel.
enum Turner {
    NotStarted,
    /// Started: it will turn the wheel and leave its waker.
    Coming,
    /// Asleep until `planned`, or until woken.
    At(Waker),
    Gone,
}

impl Wheelwork {
    /// Tells whoever is due, and leaves `waker` for an earlier deadline that is armed meanwhile.
    /// Returns for how long there is nothing to do (`None`: until woken), or an error when the
    /// turner is no longer needed.
    pub(super) fn turn(&self, waker: &Waker) -> Result<Option<Duration>, TimersGone> {
        let mut fired = Vec::new();
        loop {
            let now = self.clock.now().saturating_duration_since(self.epoch);
            let mut state = self.lock();
            if let Turner::Gone = state.turner {
                return Err(TimersGone);
            }
            state.wheel.turn(now.as_millis() as u64, &mut fired);
            let awaiting = state.emptied();
            if fired.is_empty() {
                state.wheel.shrink();
                state.planned = state.wheel.next().unwrap_or(u64::MAX);
                state.turner = Turner::At(waker.clone());
                let next = (state.planned != u64::MAX)
                    .then(|| Duration::from_millis(state.planned).saturating_sub(now));
                return Ok(next);
            }
            drop(state);
            wake(awaiting);
            for target in fired.drain(..) {
                tell(&target, Expiry::Due);
            }
        }
    }

    /// Whether deadlines can still be armed.
    pub(super) fn is_needed(&self) -> bool {
        !matches!(self.lock().turner, Turner::Gone)
    }

    /// Nobody turns the wheel any more: tells all whose deadline will not be noticed.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        let turner = std::mem::replace(&mut state.turner, Turner::Gone);
        let armed = state.wheel.drain();
        let awaiting = state.emptied();
        drop(state);
        wake(awaiting);
        if let Turner::At(waker) = turner {
            waker.wake(); // So that it ends.
        }
        for target in armed {
            tell(&target, Expiry::Abandoned);
        }
    }

    /// The first tick that is not before `at`.
    fn tick_after(&self, at: Instant) -> u64 {
        let after = at.saturating_duration_since(self.epoch);
        after
            .as_secs()
            .saturating_mul(1000)
            .saturating_add(u64::from(after.subsec_nanos().div_ceil(1_000_000)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(target: &Weak<dyn Expire>, why: Expiry) {
    if let Some(target) = target.upgrade() {
        // Waiting in here would be waiting for deadlines that only this thread tells.
        let expire = move || crate::blocking::forbid(|| target.expire(why));
        let told = std::panic::AssertUnwindSafe(expire);
        let _ = std::panic::catch_unwind(told);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    struct Bell {
        armed_for: Instant,
        rung: Sender<(Expiry, Duration)>,
    }

    impl Expire for Bell {
        fn expire(&self, why: Expiry) {
            let late = Instant::now().saturating_duration_since(self.armed_for);
            if why == Expiry::Due {
                assert!(Instant::now() >= self.armed_for, "early");
            }
            let _ = self.rung.send((why, late));
        }
    }

    fn bell(armed_for: Instant) -> (Arc<Bell>, Receiver<(Expiry, Duration)>) {
        let (rung, heard) = channel();
        (Arc::new(Bell { armed_for, rung }), heard)
    }

    fn target(bell: &Arc<Bell>) -> Weak<dyn Expire> {
        Arc::downgrade(bell) as Weak<dyn Expire>
    }

    fn fires_in_order_and_never_early(timers: &Timers) {
        let start = Instant::now();
        // The latest first: each of the others has to wake the turner anew.
        let bells: Vec<_> = [90, 40, 3, 0]
            .map(|ms| bell(start + Duration::from_millis(ms)))
            .into();
        for (bell, _) in &bells {
            timers.arm(bell.armed_for, target(bell)).unwrap();
        }
        for (_, heard) in bells.iter().rev() {
            let (why, late) = heard.recv_timeout(LONG).unwrap();
            assert_eq!(why, Expiry::Due);
            assert!(late < Duration::from_secs(2), "{late:?} late");
        }
        assert!(timers.is_empty());
    }

    fn disarmed_is_gone_at_once(timers: &Timers) {
        let (bell, heard) = bell(Instant::now() + LONG);
        let keys: Vec<TimerKey> = (0..1000)
            .map(|_| timers.arm(bell.armed_for, target(&bell)).unwrap())
            .collect();
        assert_eq!(timers.len(), 1000);
        for key in &keys {
            assert!(timers.disarm(*key));
            assert!(!timers.disarm(*key));
        }
        assert!(timers.is_empty());
        assert!(heard.try_recv().is_err());
    }

    fn dropping_tells_the_armed(timers: Timers) {
        let (bell, heard) = bell(Instant::now() + LONG);
        timers.arm(bell.armed_for, target(&bell)).unwrap();
        drop(timers);
        assert_eq!(heard.recv_timeout(LONG).unwrap().0, Expiry::Abandoned);
    }

    fn all_of_it(runtime: &Arc<dyn Runtime>) {
        let timers = Timers::new(runtime.clone());
        fires_in_order_and_never_early(&timers);
        disarmed_is_gone_at_once(&timers);
        fires_in_order_and_never_early(&timers);
        dropping_tells_the_armed(timers);
    }

    #[test]
    fn deadlines_on_the_thread() {
        all_of_it(&crate::runtime::pool());
    }

    #[test]
    fn a_sleep_on_the_pool_is_not_early() {
        let (done, ended) = channel();
        let start = Instant::now();
        let pool = crate::runtime::pool();
        let sleep = pool.sleep(Duration::from_millis(20));
        pool.spawn(Box::pin(async move {
            sleep.await;
            done.send(Instant::now()).unwrap();
        }));
        let woken = ended.recv_timeout(LONG).unwrap();
        assert!(woken - start >= Duration::from_millis(20));
    }

    #[test]
    fn a_panic_in_one_target_does_not_reach_the_next() {
        struct Panics;
        impl Expire for Panics {
            fn expire(&self, _: Expiry) {
                std::panic::resume_unwind(Box::new("target"));
            }
        }
        let timers = Timers::new(crate::runtime::pool());
        let now = Instant::now();
        let panics: Arc<dyn Expire> = Arc::new(Panics);
        timers.arm(now, Arc::downgrade(&panics)).unwrap();
        let (bell, heard) = bell(now);
        timers.arm(now, target(&bell)).unwrap();
        assert_eq!(heard.recv_timeout(LONG).unwrap().0, Expiry::Due);
    }

    #[cfg(feature = "smol")]
    #[test]
    fn deadlines_on_smol() {
        all_of_it(&crate::runtime::smol::global());
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn deadlines_on_tokio() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        all_of_it(&crate::runtime::tokio::handle(runtime.handle().clone()));
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn deadlines_on_a_tokio_without_a_timer() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        all_of_it(&crate::runtime::tokio::handle(runtime.handle().clone()));
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn the_end_of_the_runtime_tells_the_armed_and_refuses_others() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let timers = Timers::new(crate::runtime::tokio::handle(runtime.handle().clone()));
        let (bell, heard) = bell(Instant::now() + LONG);
        timers.arm(bell.armed_for, target(&bell)).unwrap();
        drop(runtime);
        assert_eq!(heard.recv_timeout(LONG).unwrap().0, Expiry::Abandoned);
        let refused = timers.arm(bell.armed_for, target(&bell));
        assert_eq!(refused, Err(TimersGone));
        assert!(heard.try_recv().is_err());
    }

    /// A figure, not a test: `cargo test --release -p tidings-core arm_and_disarm -- --ignored`.
    #[test]
    #[ignore = "prints a figure"]
    fn arm_and_disarm_cost() {
        let timers = Timers::new(crate::runtime::pool());
        let (bell, _heard) = bell(Instant::now());
        let rounds = 5_000_000;
        let (start, at) = (Instant::now(), Instant::now() + LONG * 3);
        for _ in 0..rounds {
            let key = timers.arm(at, target(&bell)).unwrap();
            timers.disarm(key);
        }
        println!("arm + disarm: {:?}", start.elapsed() / rounds);
    }
}
