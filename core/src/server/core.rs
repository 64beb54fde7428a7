//! A server: its methods, its queue, its limits. It knows no transport.
//!
//! A request is *started* by one task per server, in the order of the queue (C-VB-4); what does not end at its first
//! poll goes on concurrently, up to the server's limit. Where the caller would only wait, the request may start on the
//! caller's thread instead, when nothing queued could be overtaken.

use std::sync::Arc;
use std::task::Context;

#[cfg(unix)]
use crate::bus::Reach;
use crate::bus::{Head, InFlight, Standing, Withdraw};
use crate::codec::Budget;
use crate::mailbox::Ticket;
use crate::name::{Exchange, ServerName, Topic};
use crate::overload::{MemoryBudget, Tally};
use crate::reply::Reply;
use crate::runtime::Runtime;
use crate::server::admission::Admission;
use crate::server::at_work::AtWork;
use crate::server::drops::Counters;
use crate::server::handler::{MethodId, Registered};
use crate::server::life::Life;
use crate::server::offers::Offers;
use crate::server::queue::{Queue, QueueLimits};
use crate::server::seen::Seen;
use crate::server::slots::Slots;
use crate::server::stats::{Expected, Stats};
use crate::timer::Ticks;

/// A server, as transports see it.
pub struct ServerCore {
    exchange: Exchange,
    topic: Topic,
    name: ServerName,
    pub(super) admission: Admission,
    pub(super) queue: Queue,
    pub(super) slots: Slots,
    pub(super) life: Life,
    pub(super) at_work: AtWork,
    pub(super) runtime: Arc<dyn Runtime>,
    /// For heartbeats, and to forget.
    ticks: Arc<Ticks>,
    pub(super) seen: Arc<Seen>,
    pub(super) stats: Stats,
    /// Which of the application's errors are no failures.
    expects: Vec<Expected>,
    pub(super) drops: Counters,
    pub(super) memory: Option<Arc<MemoryBudget>>,
}

/// What a server is made of.
pub(super) struct Parts {
    pub(super) exchange: Exchange,
    pub(super) topic: Topic,
    pub(super) name: ServerName,
    pub(super) admission: Admission,
    pub(super) limits: ServerLimits,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) ticks: Arc<Ticks>,
    pub(super) seen: Arc<Seen>,
    pub(super) expects: Vec<Expected>,
    /// That of its bus.
    pub(super) tally: Arc<Tally>,
    /// What it counts against, where the transport does not.
    pub(super) memory: Option<Arc<MemoryBudget>>,
}

/// The limits of one server.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerLimits {
    /// Handlers that run at the same time.
    pub(super) concurrency: usize,
    pub(super) queue: QueueLimits,
}

impl ServerCore {
    /// Without the task that starts what is queued.
    pub(super) fn new(parts: Parts) -> Self {
        ServerCore {
            exchange: parts.exchange,
            topic: parts.topic,
            name: parts.name,
            admission: parts.admission,
            queue: Queue::new(parts.limits.queue),
            slots: Slots::new(parts.limits.concurrency),
            life: Life::new(),
            at_work: AtWork::default(),
            runtime: parts.runtime,
            ticks: parts.ticks,
            seen: parts.seen,
            stats: Stats::default(),
            expects: parts.expects,
            drops: Counters::new(parts.tally),
            memory: parts.memory,
        }
    }

    /// The exchange it is in.
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// The topic it serves.
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Its name on the topic.
    pub fn name(&self) -> &ServerName {
        &self.name
    }

    /// Whether a request may be for this server, or for it as well.
    #[cfg(unix)]
    pub(crate) fn serves(&self, head: &Head) -> bool {
        let named = head.server.as_ref().is_none_or(|name| *name == self.name);
        let served = head.reach != Reach::Registry && named;
        served && (&head.topic, &head.exchange) == (&self.topic, &self.exchange)
    }

    /// What it offers.
    pub fn offers(&self) -> &Offers {
        self.admission.offers()
    }

    /// A method of this server.
    pub(super) fn method(&self, id: MethodId) -> &Registered {
        self.admission.method(id)
    }

    /// Requests that it has and has not ended: those that wait and those that run.
    pub fn load(&self) -> usize {
        self.slots.load()
    }

    /// How its queue stands to one more copy of a fanout cast, of `weight` bytes.
    pub(crate) fn standing(&self, weight: usize) -> Standing {
        self.queue.standing(weight)
    }

    /// So many copies of fanout casts were not given to it for want of room.
    pub(crate) fn missed(&self, copies: u64) {
        self.queue.missed(copies);
    }

    /// Wakes the waker of `cx` when there may be room in the queue for a request of `weight` bytes.
    pub fn wait_for_room(&self, weight: usize, cx: &mut Context<'_>) {
        self.queue.wait_for_room(weight, cx);
    }

    /// Beats for a request that waits or runs here, or waits in front of the queue (PR-BEAT-2).
    pub(crate) fn beat_for(&self, in_flight: &Arc<InFlight>) {
        if let Some(heartbeat) = in_flight.head().heartbeat() {
            if !in_flight.is_beating() {
                let counted = self.stats.beating();
                in_flight.keep_beating(self.ticks.timers(), heartbeat, counted);
            }
        }
    }

    /// What its handlers may decode.
    pub(super) fn budget(&self) -> Budget {
        Budget::default()
    }

    /// A handler has ended with `outcome`, or was not started after all.
    pub(super) fn note(&self, head: &Head, outcome: &Reply) {
        self.stats.ended(head, outcome, &self.expects);
    }
}

impl Withdraw for ServerCore {
    fn withdraw(&self, ticket: Ticket) {
        if let Some(waiting) = self.queue.remove(ticket) {
            drop(waiting);
            self.slots.now_started();
            self.queue.one_left();
        }
    }
}
