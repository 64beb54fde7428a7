//! One piece of work that is known by its key, and all who asked for it.
//!
//! The handler runs for a record of its own, and not for that of the first request: whoever asked
//! may go, and those who are left get the answer. When all have gone because they want it no more,
//! the run is cancelled (C-DL-3). One whose caller was lost is not: its caller may come back and ask
//! again; it goes on until the last deadline that was asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::bus::{Forwarded, InFlight, ReplyTo};
use crate::codec::CodecId;
use crate::error::{CallError, CallErrorKind, Fate, RemoteError, Stage};
use crate::payload::Payload;
use crate::reply::{ApplicationFailure, Reply};
use crate::server::seen::{Scope, Seen};
use crate::timer::{Expire, Expiry, TimerKey, Timers};

/// The most who may wait for one run.
const MOST_ATTACHED: usize = 1024;

/// What somebody is told to wait who finds the run being cancelled, or too many waiting for it.
const RETRY: Duration = Duration::from_millis(50);

/// What the request is known by that the run was made for.
const FIRST: u64 = 0;

/// One run of a handler under a key.
pub(super) struct Run {
    this: Weak<Run>,
    seen: Weak<Seen>,
    scope: Scope,
    /// What its requests are in, and so its answer.
    codec: CodecId,
    state: Mutex<State>,
}

struct State {
    /// The record that the handler runs for.
    record: Weak<InFlight>,
    attached: BTreeMap<u64, Arc<InFlight>>,
    next: u64,
    /// When nobody can wait any more; `None` is never.
    until: Option<Instant>,
    timer: Option<(Arc<Timers>, TimerKey)>,
    phase: Phase,
}

enum Phase {
    /// It waits or runs.
    Open,
    /// It was cancelled and has not ended.
    Cancelled,
    Over(Outcome),
}

impl Run {
    /// A run for `first`, which is attached, and the record that its handler is to run for.
    pub(super) fn new(
        seen: Weak<Seen>,
        scope: Scope,
        first: &Arc<InFlight>,
    ) -> (Arc<Run>, Arc<InFlight>) {
        let head = first.head();
        let run = Arc::new_cyclic(|this| Run {
            this: this.clone(),
            seen,
            scope,
            codec: head.codec,
            state: Mutex::new(State {
                record: Weak::new(),
                attached: BTreeMap::from([(FIRST, first.clone())]),
                next: FIRST + 1,
                until: head.deadline,
                timer: None,
                phase: Phase::Open,
            }),
        });
        let mut head = head.clone();
        if let Some(rare) = &mut head.rare {
            rare.heartbeat = None; // Each who waits has its own.
        }
        let record = InFlight::of_run(head, run.clone());
        run.lock().record = Arc::downgrade(&record);
        (run, record)
    }

    /// Lets `first`, which the run was made for, be given up.
    pub(super) fn told_to(&self, first: &Arc<InFlight>) {
        self.is_known_to(first, FIRST);
    }

    /// The run does not begin after all, and `first` may be tried again.
    pub(super) fn let_go(&self, first: &Arc<InFlight>) {
        let gone = self.lock().attached.remove(&FIRST);
        first.back_here();
        drop(gone);
    }

    /// Lets `request` have the run's outcome.
    ///
    /// # Errors
    /// Why not, to be tried again.
    pub(super) fn attach(&self, request: &Arc<InFlight>) -> Result<(), CallErrorKind> {
        let mut state = self.lock();
        let full = state.attached.len() >= MOST_ATTACHED;
        match &state.phase {
            Phase::Over(outcome) => {
                let outcome = outcome.clone();
                drop(state);
                request.finish(outcome.into_reply());
                return Ok(());
            }
            Phase::Open if !full => {}
            Phase::Open | Phase::Cancelled => {
                return Err(CallErrorKind::Busy { retry_after: RETRY });
            }
        }
        let id = state.next;
        state.next += 1;
        state.until = match (state.until, request.head().deadline) {
            (Some(one), Some(other)) => Some(one.max(other)),
            _ => None,
        };
        state.attached.insert(id, request.clone());
        drop(state);
        self.is_known_to(request, id);
        Ok(())
    }

    fn is_known_to(&self, request: &Arc<InFlight>, id: u64) {
        if let Some(this) = self.this.upgrade() {
            if !request.forwarded(this, id) {
                self.cancel(id); // It was given up before.
            }
        }
    }

    /// Has the run end when the last deadline has passed: who asked for it may be gone.
    pub(super) fn limit(&self) {
        let until = self.lock().until;
        let (Some(until), Some(seen)) = (until, self.seen.upgrade()) else {
            return;
        };
        let timers = seen.ticks.timers();
        let target: Weak<dyn Expire> = self.this.clone();
        // Refused by timers that are gone: then the runtime ends the handler.
        let Ok(key) = timers.arm(until, target) else {
            return;
        };
        let mut state = self.lock();
        if matches!(state.phase, Phase::Open) {
            state.timer = Some((timers.clone(), key));
            return;
        }
        drop(state);
        timers.disarm(key);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    /// The handler has ended with `reply`, or will not run.
    pub(super) fn ended(&self, reply: Reply) {
        let seen = self.seen.upgrade();
        let limit = seen.as_ref().map_or(usize::MAX, |seen| seen.max_message);
        let outcome = Outcome::of(reply.encoded(limit, self.codec));
        // First the table: who comes from here on finds the outcome there, or a key that is free.
        if let Some(seen) = seen {
            seen.ended(&self.scope, &outcome);
        }
        let mut state = self.lock();
        state.phase = Phase::Over(outcome.clone());
        let attached = std::mem::take(&mut state.attached);
        let timer = state.timer.take();
        drop(state);
        if let Some((timers, key)) = timer {
            timers.disarm(key);
        }
        for request in attached.into_values() {
            request.finish(outcome.clone().into_reply());
        }
    }
}

impl ReplyTo for Run {
    fn reply(&self, _id: u64, reply: Reply) {
        self.ended(reply);
    }

    /// The handler's record asks for none.
    fn beat(&self, _id: u64) {}
}

impl Forwarded for Run {
    fn cancel(&self, id: u64) {
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Open) {
            return; // Its end is told to all.
        }
        if state.attached.len() > 1 {
            let gone = state.attached.remove(&id);
            drop(state);
            if let Some(request) = gone {
                let kind = CallErrorKind::Cancelled;
                let error = CallError::new(kind, Fate::Unknown, Stage::Sent);
                request.finish(Reply::Failed(error));
            }
        } else if state.attached.contains_key(&id) {
            // The last one stays until the handler has ended: its slot is free then (C-DL-4).
            state.phase = Phase::Cancelled;
            let record = state.record.upgrade();
            drop(state);
            if let Some(record) = record {
                record.abandon(CallErrorKind::Cancelled);
            }
        }
    }

    fn leave(&self, id: u64) {
        let gone = self.lock().attached.remove(&id);
        drop(gone);
    }
}

impl Expire for Run {
    fn expire(&self, why: Expiry) {
        let mut state = self.lock();
        let (Some(until), Phase::Open, Expiry::Due) = (state.until, &state.phase, why) else {
            return;
        };
        let now = Instant::now();
        if until > now {
            drop(state);
            return self.limit(); // Somebody asked for longer meanwhile.
        }
        state.phase = Phase::Cancelled;
        let record = state.record.upgrade();
        drop(state);
        if let Some(record) = record {
            record.abandon(record.head().too_late());
        }
    }
}

/// What a run ended with, to be given to any number of requests.
#[derive(Clone)]
pub(super) enum Outcome {
    Value(Vec<u8>, CodecId),
    Application(RemoteError),
    Failed(CallErrorKind, Fate, Stage),
}

impl Outcome {
    /// Of a reply that is encoded.
    fn of(reply: Reply) -> Self {
        match reply {
            Reply::Value(payload) => {
                let codec = payload.codec();
                // Encoded already: these are its bytes.
                Outcome::Value(
                    payload.into_bytes(usize::MAX, codec).unwrap_or_default(),
                    codec,
                )
            }
            Reply::Application(failure) => Outcome::Application(failure.into_remote()),
            Reply::Failed(error) => {
                Outcome::Failed(error.kind().clone(), error.fate(), error.stage())
            }
        }
    }

    pub(super) fn into_reply(self) -> Reply {
        match self {
            Outcome::Value(bytes, codec) => Reply::Value(Payload::encoded(bytes, codec)),
            Outcome::Application(RemoteError {
                kind,
                message,
                details,
            }) => Reply::Application(Box::new(ApplicationFailure {
                kind,
                message,
                error: Payload::Bytes(details),
            })),
            // Not told of any request yet: each has its own.
            Outcome::Failed(kind, fate, stage) => Reply::Failed(CallError::new(kind, fate, stage)),
        }
    }

    /// The handler has run to its end, so that it must not run again.
    pub(super) fn is_to_be_kept(&self) -> bool {
        match self {
            Outcome::Value(..) | Outcome::Application(_) => true,
            Outcome::Failed(_, fate, _) => *fate == Fate::Executed,
        }
    }

    /// What it counts for in the window: its bytes.
    pub(super) fn weight(&self) -> usize {
        match self {
            Outcome::Value(bytes, _) => bytes.len(),
            Outcome::Application(error) => {
                error.kind.len() + error.message.len() + error.details.len()
            }
            Outcome::Failed(..) => 0,
        }
    }
}
