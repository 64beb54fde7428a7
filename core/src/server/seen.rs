//! The idempotency keys that a server has seen, with what runs or was answered under each.

use std::collections::hash_map::{Entry, RandomState};
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::bus::{IdempotencyKey, InFlight};
use crate::name::Method;
use crate::server::run::{Outcome, Run};
use crate::server::window::IdempotencyWindow;
use crate::timer::{Expire, Expiry, Ticks};

/// What a key means: somebody's own, for one method.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    uid: Option<u32>,
    name: Option<Arc<str>>,
    method: Method,
    key: IdempotencyKey,
}

/// The keys that a server has seen. Bounded by its window, and by what waits and runs.
pub(crate) struct Seen {
    this: Weak<Seen>,
    window: IdempotencyWindow,
    /// The largest answer.
    pub(super) max_message: usize,
    pub(super) ticks: Arc<Ticks>,
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: HashMap<Scope, Known>,
    /// Those that are done, the oldest first.
    done: VecDeque<(Instant, Scope)>,
    bytes: usize,
    /// Somebody comes when the oldest is to be forgotten.
    forgets: bool,
}

struct Known {
    /// Of the arguments.
    digest: u64,
    what: What,
}

enum What {
    Runs(Arc<Run>),
    Done(Outcome),
}

/// What a server is to do with a request that has a key.
pub(super) enum Entered {
    /// Nothing is known of the key: run the record, which answers to the run.
    New(Arc<Run>, Arc<InFlight>),
    /// It waits or runs already.
    Runs(Arc<Run>),
    /// It is done, with this outcome.
    Done(Outcome),
    /// The key was used with other arguments.
    Conflict,
}

impl Seen {
    pub(crate) fn new(
        window: IdempotencyWindow,
        max_message: usize,
        ticks: Arc<Ticks>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Seen {
            this: this.clone(),
            window,
            max_message,
            ticks,
            hasher: RandomState::new(),
            state: Mutex::default(),
        })
    }

    /// Looks a request up that has `key`, and notes it if it is new.
    pub(super) fn enter(
        &self,
        request: &Arc<InFlight>,
        key: IdempotencyKey,
        arguments: &[u8],
    ) -> Entered {
        let head = request.head();
        let caller = head.caller.as_deref();
        let scope = Scope {
            uid: caller.and_then(|caller| caller.uid),
            name: caller.and_then(|caller| caller.name.clone()),
            method: head.method.clone(),
            key,
        };
        // Keyed by chance, so that nobody can make two payloads that meet.
        let digest = self.hasher.hash_one(arguments);
        let mut state = self.lock();
        let forgotten = state.forget(&self.window, Instant::now());
        let entered = match state.known.entry(scope) {
            Entry::Occupied(known) if known.get().digest != digest => Entered::Conflict,
            Entry::Occupied(known) => match &known.get().what {
                What::Runs(run) => Entered::Runs(run.clone()),
                What::Done(outcome) => Entered::Done(outcome.clone()),
            },
            Entry::Vacant(place) => {
                let scope = place.key().clone();
                let (run, record) = Run::new(self.this.clone(), scope, request);
                place.insert(Known {
                    digest,
                    what: What::Runs(run.clone()),
                });
                Entered::New(run, record)
            }
        };
        drop(state);
        drop(forgotten);
        entered
    }

    /// The run under `scope` has ended with `outcome`, which is remembered if the handler has run to
    /// its end.
    pub(super) fn ended(&self, scope: &Scope, outcome: &Outcome) {
        let now = Instant::now();
        let mut state = self.lock();
        let mut forgotten = Vec::new();
        if outcome.is_to_be_kept() {
            if let Some(known) = state.known.get_mut(scope) {
                known.what = What::Done(outcome.clone());
                state.bytes += outcome.weight();
                state.done.push_back((now, scope.clone()));
                forgotten = state.forget(&self.window, now);
            }
        } else {
            state.known.remove(scope);
        }
        let forget_later = !state.done.is_empty() && !state.forgets;
        state.forgets |= forget_later;
        drop(state);
        drop(forgotten);
        if forget_later {
            self.forget_in(self.window.time);
        }
    }

    /// Memory is given back also where nobody asks any more.
    fn forget_in(&self, time: Duration) {
        let target: Weak<dyn Expire> = self.this.clone();
        if let Some(at) = Instant::now().checked_add(time) {
            // Refused by timers that are gone: then the server is going too.
            let _ = self.ticks.timers().arm(at, target);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes out what is beyond the window; to be dropped outside the lock.
    fn forget(&mut self, window: &IdempotencyWindow, now: Instant) -> Vec<Known> {
        let mut forgotten = Vec::new();
        while let Some((since, _)) = self.done.front() {
            let old = now.saturating_duration_since(*since) >= window.time;
            let many = self.done.len() > window.keys;
            let large = self.bytes > window.bytes && self.done.len() > 1;
            if !(old || many || large) {
                break;
            }
            let known = self.done.pop_front();
            if let Some(known) = known.and_then(|(_, scope)| self.known.remove(&scope)) {
                if let What::Done(outcome) = &known.what {
                    self.bytes -= outcome.weight();
                }
                forgotten.push(known);
            }
        }
        forgotten
    }
}

impl Expire for Seen {
    fn expire(&self, why: Expiry) {
        if why == Expiry::Abandoned {
            return;
        }
        let now = Instant::now();
        let mut state = self.lock();
        let forgotten = state.forget(&self.window, now);
        let next = state.done.front().map(|(since, _)| {
            self.window
                .time
                .saturating_sub(now.saturating_duration_since(*since))
        });
        state.forgets = next.is_some();
        drop(state);
        drop(forgotten);
        if let Some(time) = next {
            self.forget_in(time);
        }
    }
}

#[cfg(test)]
mod tests;
