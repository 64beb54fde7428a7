//! Heartbeats of one request (C-DL-6): the server's, which beat, and the caller's watch over them.
//!
//! A server beats three times in the time that the caller gave. The watch counts quarters of that
//! time, and not the clock: a caller that was itself stopped, or whose executor was blocked, counts
//! one quarter for all of that, and reads what has come meanwhile before it counts the next.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::place::Place;
use super::port::Port;
use super::record::InFlight;
use crate::bus::rare::SHORTEST_HEARTBEAT;
use crate::error::CallErrorKind;
use crate::server::Beating;
use crate::timer::{Expire, Expiry, TimerKey, Timers};

/// Beats that a server sends in the caller's time: two may be late or lost.
const BEATS: u32 = 3;
/// Parts of its time that the watch counts, and how many without a beat it bears: one more is
/// under way already when the last beat comes.
const PARTS: u32 = 4;

/// What beats, and what listens for it, while the request has no outcome.
#[derive(Default)]
pub(super) struct Pulses {
    server: Option<Arc<Pulse>>,
    watch: Option<Arc<Pulse>>,
}

/// Something that is done for a request again and again until it is dropped.
struct Pulse {
    this: Weak<Pulse>,
    request: Weak<InFlight>,
    timers: Arc<Timers>,
    every: Duration,
    task: Task,
    /// Of the next time.
    key: Mutex<Option<TimerKey>>,
}

enum Task {
    Beat(#[expect(dead_code, reason = "counted while it lives")] Beating),
    /// Parts without a beat.
    Watch(AtomicU32),
}

impl InFlight {
    /// Has `timers` fail the request when no beat came for `heartbeat`.
    pub(crate) fn watch_server(self: &Arc<Self>, timers: &Arc<Timers>, heartbeat: Duration) {
        let task = Task::Watch(AtomicU32::new(0));
        let pulse = Pulse::start(self, timers, heartbeat / PARTS, task);
        self.keep(|pulses| &mut pulses.watch, pulse);
    }

    /// Has `timers` beat for the request, which waits or runs at a server of this process, often
    /// enough for a caller that wants `heartbeat`.
    pub(crate) fn keep_beating(
        self: &Arc<Self>,
        timers: &Arc<Timers>,
        heartbeat: Duration,
        counted: Beating,
    ) {
        // A peer's word may be any (FAULTS rule 7).
        let every = heartbeat.max(SHORTEST_HEARTBEAT) / BEATS;
        let pulse = Pulse::start(self, timers, every, Task::Beat(counted));
        self.keep(|pulses| &mut pulses.server, pulse);
    }

    /// Whether it beats already.
    pub(crate) fn is_beating(&self) -> bool {
        let state = self.lock();
        let more = state.more.as_ref();
        more.is_some_and(|more| more.pulses.server.is_some())
    }

    /// Its server lives and has it: told to whoever watches, here or at the other end of the
    /// connection that the request came by. Never blocks.
    pub fn beat(&self) {
        let state = self.lock();
        match &state.port {
            Port::Remote(connection, id) => {
                let wanted = self.head.heartbeat().is_some() && !state.cancelled;
                // One waits at a time, however slow the connection's task is.
                if wanted && !self.beat_waits.swap(true, Ordering::AcqRel) {
                    let (connection, id) = (connection.clone(), *id);
                    drop(state);
                    connection.beat(id);
                }
            }
            _ => {
                let watch = state
                    .more
                    .as_ref()
                    .and_then(|more| more.pulses.watch.as_ref());
                if let Some(Task::Watch(missed)) = watch.map(|watch| &watch.task) {
                    missed.store(0, Ordering::Relaxed);
                }
            }
        }
    }

    /// The connection has taken the beat that waited for it.
    pub fn beat_taken(&self) {
        self.beat_waits.store(false, Ordering::Release);
    }

    /// Keeps `pulse` for as long as the request has no outcome and nobody gave it up.
    fn keep(&self, place: impl FnOnce(&mut Pulses) -> &mut Option<Arc<Pulse>>, pulse: Arc<Pulse>) {
        let mut state = self.lock();
        let over = state.cancelled || matches!(state.place, Place::Ended) || !state.port.is_open();
        if !over {
            let kept = place(&mut state.more.get_or_insert_default().pulses).replace(pulse);
            drop(state);
            drop(kept);
        }
    }
}

impl Pulse {
    fn start(
        request: &Arc<InFlight>,
        timers: &Arc<Timers>,
        every: Duration,
        task: Task,
    ) -> Arc<Pulse> {
        let pulse = Arc::new_cyclic(|this| Pulse {
            this: this.clone(),
            request: Arc::downgrade(request),
            timers: timers.clone(),
            every,
            task,
            key: Mutex::default(),
        });
        pulse.arm();
        pulse
    }

    /// A time too far for the clock never comes. Nor does one of timers that are gone: then the
    /// request itself is failed.
    fn arm(&self) {
        let next = Instant::now().checked_add(self.every);
        let target: Weak<dyn Expire> = self.this.clone();
        if let Some(Ok(key)) = next.map(|at| self.timers.arm(at, target)) {
            *self.key() = Some(key);
        }
    }

    fn key(&self) -> std::sync::MutexGuard<'_, Option<TimerKey>> {
        self.key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expire for Pulse {
    fn expire(&self, why: Expiry) {
        let (Some(request), Expiry::Due) = (self.request.upgrade(), why) else {
            return;
        };
        match &self.task {
            Task::Beat(_) => request.beat(),
            Task::Watch(missed) => {
                if missed.fetch_add(1, Ordering::Relaxed) >= PARTS {
                    let heartbeat = self.every * PARTS;
                    return request.abandon(CallErrorKind::ServerLost { heartbeat });
                }
            }
        }
        self.arm();
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        let key = self.key.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = key.take() {
            self.timers.disarm(key);
        }
    }
}
