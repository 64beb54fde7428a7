//! What all handles of a bus share, from its being opened to its end.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Instant;

use crate::authorise::Policy;
use crate::bus::waiting_room::WaitingRoom;
use crate::bus::{CallerRef, RetryBudget};
use crate::connection::Watch;
use crate::mailbox::Limits;
use crate::overload::{MemoryBudget, Tally};
use crate::server::ServerCore;
use crate::timer::{Ticks, Timers};
use crate::transport::{Capabilities, Transport};

/// What all handles of a bus share.
pub(super) struct Open {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) capabilities: Capabilities,
    /// Whom handlers of this process see as the caller.
    pub(super) caller: Option<CallerRef>,
    pub(super) timers: Arc<Timers>,
    /// For heartbeats.
    pub(super) ticks: Arc<Ticks>,
    pub(super) retry_budget: OnceLock<RetryBudget>,
    pub(super) waiting: Arc<WaitingRoom>,
    pub(super) memory: Arc<MemoryBudget>,
    pub(super) tally: Arc<Tally>,
    /// The servers of this bus, to be drained with it.
    servers: Mutex<Vec<Weak<ServerCore>>>,
    pub(super) watch: Arc<Watch>,
    /// Who may do what at its servers.
    pub(super) policy: Policy,
    phase: AtomicU8,
    pub(super) opened_at: Instant,
}

/// How far a bus is with its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    Open,
    /// Its servers end what they have; only handlers send.
    Draining,
    Closed,
}

impl Open {
    pub(super) fn new(
        transport: Arc<dyn Transport>,
        policy: Policy,
        backlog: Limits,
        memory: Arc<MemoryBudget>,
    ) -> Self {
        let timers = Arc::new(Timers::new(transport.runtime().clone()));
        let ticks = Arc::new(Ticks::new(transport.runtime().clone()));
        let tally = Arc::<Tally>::default();
        Open {
            caller: transport.identity(),
            capabilities: transport.capabilities(),
            watch: transport.watch().unwrap_or_else(Watch::local),
            transport,
            timers,
            policy,
            ticks,
            retry_budget: OnceLock::new(),
            waiting: WaitingRoom::new(backlog, tally.clone()),
            memory,
            tally,
            servers: Mutex::default(),
            phase: AtomicU8::new(Phase::Open as u8),
            opened_at: Instant::now(),
        }
    }

    pub(super) fn transport(&self) -> &dyn Transport {
        &*self.transport
    }

    pub(super) fn is_closed(&self) -> bool {
        self.phase() == Phase::Closed
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Open,
            1 => Phase::Draining,
            _ => Phase::Closed,
        }
    }

    /// Goes on to `phase`, never back; says whether it was not there yet.
    pub(super) fn enter(&self, phase: Phase) -> bool {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel) < phase as u8
    }

    pub(super) fn servers(&self) -> MutexGuard<'_, Vec<Weak<ServerCore>>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn close(&self) {
        if self.give_up() {
            self.transport.close();
            self.watch.closed();
        }
    }

    /// Fails what is outstanding; says whether that was not done already.
    pub(super) fn give_up(&self) -> bool {
        let first = self.enter(Phase::Closed);
        if first {
            // First told why, then cut off: else the end of a connection might tell them of a loss.
            self.timers.close();
            self.ticks.close();
            self.waiting.close();
        }
        first
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.close();
    }
}
