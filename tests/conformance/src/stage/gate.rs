//! A gate in front of which handlers wait until the case lets them through.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Instant;

use tidings_core::WaitExt;

/// A gate that starts closed and is opened once. It counts who came to it.
#[derive(Clone, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    came: Condvar,
}

#[derive(Default)]
struct State {
    open: bool,
    arrived: usize,
    waiting: Vec<Waker>,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Gate::default()
    }

    /// Comes to the gate, and goes through once it is open.
    pub fn pass(&self) -> Pass {
        Pass {
            gate: self.clone(),
            arrived: false,
        }
    }

    /// The same for a blocking handler.
    pub fn pass_blocking(&self) {
        self.pass().wait();
    }

    /// Comes to the gate, and does not wait there.
    pub fn arrive(&self) {
        self.lock().arrived += 1;
        self.0.came.notify_all();
    }

    /// Opens it for good.
    pub fn open(&self) {
        let mut state = self.lock();
        state.open = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Opens it once `time` has come: for what must not happen before.
    pub fn open_after(&self, time: Instant) {
        thread::sleep(time.saturating_duration_since(Instant::now()));
        self.open();
    }

    /// Waits until `count` handlers have come to it.
    pub fn wait_for(&self, count: usize) {
        let mut state = self.lock();
        while state.arrived < count {
            state = self
                .0
                .came
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How many have come to it.
    pub fn arrived(&self) -> usize {
        self.lock().arrived
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody on the way through a gate. Made by [`Gate::pass`].
#[must_use = "nobody comes to the gate before this is awaited"]
pub struct Pass {
    gate: Gate,
    arrived: bool,
}

impl Future for Pass {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut state = this.gate.lock();
        if !this.arrived {
            this.arrived = true;
            state.arrived += 1;
            this.gate.0.came.notify_all();
        }
        if state.open {
            return Poll::Ready(());
        }
        if !state
            .waiting
            .iter()
            .any(|known| known.will_wake(cx.waker()))
        {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}
