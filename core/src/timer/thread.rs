//! The turner as a thread: `tidings-timer`, one for the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::timers::Wheelwork;

/// Set with every unpark. The unpark alone might be lost: those who are told of their deadline
/// run on this thread, and may park it themselves.
static SIGNALLED: AtomicBool = AtomicBool::new(false);

static TURNER: Mutex<Turner> = Mutex::new(Turner {
    wheels: Vec::new(),
    thread: None,
});

struct Turner {
    wheels: Vec<Weak<Wheelwork>>,
    thread: Option<Thread>,
}

/// Has the thread turn `wheelwork` from now on, until it is abandoned. Where the system gives no
/// thread it is abandoned at once.
pub(super) fn enlist(wheelwork: &Arc<Wheelwork>) {
    let mut turner = lock();
    turner.wheels.push(Arc::downgrade(wheelwork));
    if let Some(thread) = &turner.thread {
        signal(thread);
        return;
    }
    let started = thread::Builder::new()
        .name("tidings-timer".into())
        .spawn(run);
    match started {
        Ok(handle) => turner.thread = Some(handle.thread().clone()),
        Err(_) => {
            turner.wheels.pop();
            drop(turner);
            wheelwork.abandon();
        }
    }
}

fn run() {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        // Turned outside the lock: those who are told may open another bus.
        let mut wheels = lock().wheels.clone();
        let mut next: Option<Instant> = None;
        wheels.retain(|wheel| match turn(wheel, &waker) {
            Some(pause) => {
                let at = pause.and_then(|pause| Instant::now().checked_add(pause));
                next = [next, at].into_iter().flatten().min();
                true
            }
            None => false,
        });
        let mut turner = lock();
        turner
            .wheels
            .retain(|wheel| wheel.upgrade().is_some_and(|wheel| wheel.is_needed()));
        if turner.wheels.is_empty() {
            turner.thread = None;
            return;
        }
        drop(turner);
        if SIGNALLED.swap(false, Ordering::AcqRel) {
            continue;
        }
        match next {
            Some(at) => thread::park_timeout(at.saturating_duration_since(Instant::now())),
            None => thread::park(),
        }
    }
}

/// For how long nothing is to do on one wheel (`None` inside: until woken), or `None` when it
/// needs no turner.
fn turn(wheel: &Weak<Wheelwork>, waker: &Waker) -> Option<Option<Duration>> {
    wheel.upgrade()?.turn(waker).ok()
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        signal(&self.0);
    }
}

fn signal(thread: &Thread) {
    SIGNALLED.store(true, Ordering::Release);
    thread.unpark();
}

fn lock() -> MutexGuard<'static, Turner> {
    TURNER.lock().unwrap_or_else(PoisonError::into_inner)
}
