//! A bus as requests and servers see it, with the defaults of one handle.

use std::any::Any;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::authorise::Policy;
use crate::bus::open::{Open, Phase};
use crate::bus::waiting_room::{For, WaitingRoom};
use crate::bus::{CallerRef, Delivery, RetryBudget, WhenDisconnected};
use crate::connection::Watch;
use crate::error::Fate;
use crate::name::{Exchange, NameError};
use crate::overload::{MemoryBudget, Tally, WhenFull};
use crate::server::{Answered, Mode, NotAccepted, Sent, ServerCore};
use crate::timer::{Ticks, Timers};
use crate::transport::{Capabilities, Transport};

/// A bus with the defaults of one handle: what requests are made of.
pub(crate) struct BusCore {
    open: Arc<Open>,
    defaults: Defaults,
}

/// What a request is given where it says nothing itself (C-AD-7).
#[derive(Clone)]
pub(super) struct Defaults {
    pub(super) exchange: Exchange,
    /// What was given as the exchange and is not one: each request fails by that.
    pub(super) fault: Option<NameError>,
    pub(super) timeout: Option<Duration>,
    pub(super) when_disconnected: WhenDisconnected,
    pub(super) when_full: WhenFull,
    pub(super) headers: Vec<(String, String)>,
}

impl BusCore {
    pub(super) fn new(open: Open, defaults: Defaults) -> Self {
        BusCore {
            open: Arc::new(open),
            defaults,
        }
    }

    /// The same bus with other defaults.
    pub(super) fn derive(&self, change: impl FnOnce(&mut Defaults)) -> Self {
        let mut defaults = self.defaults.clone();
        change(&mut defaults);
        BusCore {
            open: self.open.clone(),
            defaults,
        }
    }

    /// What its transport can do.
    pub(crate) fn capabilities(&self) -> Capabilities {
        self.open.capabilities
    }

    pub(crate) fn transport(&self) -> &dyn Transport {
        &*self.open.transport
    }

    /// Has a call answered right here whose caller would only wait, where that can be.
    pub(crate) fn answer(&self, call: &mut Delivery, place: &mut dyn Any) -> Answered {
        if self.open.waiting.has_of(call.in_flight().head().flow) {
            return Answered::NotHere;
        }
        self.open.transport.answer(call, place)
    }

    /// Hands a request to the transport; where the queue that it finds full lets it wait, it waits.
    pub(crate) fn send(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        let open = &self.open;
        if open.waiting.has_of(delivery.in_flight().head().flow) {
            return self.send_behind(delivery, mode);
        }
        let sent = open.transport.send(delivery, mode);
        // As it is, where it may be: an outcome is large, and most are moved once for that.
        if matches!(sent, Ok(_) | Err(NotAccepted::Refused(_))) {
            return sent;
        }
        self.wait_for_room(sent)
    }

    /// Of a handle of which others wait: behind those that it would overtake, where it may wait at all.
    #[cold]
    fn send_behind(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        let open = &self.open;
        let head = delivery.in_flight().head();
        match open.waiting.before(head) {
            None => self.wait_for_room(open.transport.send(delivery, mode)),
            Some(For::Connection) if head.when_full != WhenFull::Block => {
                Err(open.waiting.refuse(delivery))
            }
            Some(for_what) => open.waiting.push(delivery, for_what, open),
        }
    }

    /// Has a request wait that found no room, where it may.
    #[cold]
    fn wait_for_room(&self, sent: Result<Sent, NotAccepted>) -> Result<Sent, NotAccepted> {
        let open = &self.open;
        match sent {
            Err(NotAccepted::Later(delivery, _)) => open.waiting.push(delivery, For::Server, open),
            // Not sent: it was a queue of this side that had no room.
            Err(NotAccepted::Full(delivery, error))
                if delivery.in_flight().head().when_full == WhenFull::Block
                    && error.fate() == Fate::NotSent =>
            {
                open.waiting.push(delivery, For::Connection, open)
            }
            other => other,
        }
    }

    pub(crate) fn waiting(&self) -> &WaitingRoom {
        &self.open.waiting
    }

    /// What servers count against, where the transport does not.
    pub(crate) fn memory(&self) -> Option<Arc<MemoryBudget>> {
        (!self.open.transport.counts_memory()).then(|| self.open.memory.clone())
    }

    pub(crate) fn tally(&self) -> &Arc<Tally> {
        &self.open.tally
    }

    /// Bytes that it holds for messages just now.
    pub(super) fn memory_in_use(&self) -> usize {
        self.open.memory.used()
    }

    /// One more server of this bus.
    pub(crate) fn enroll(&self, server: &Arc<ServerCore>) {
        let mut servers = self.open.servers();
        servers.retain(|server| server.strong_count() > 0);
        servers.push(Arc::downgrade(server));
    }

    pub(crate) fn live_servers(&self) -> Vec<Arc<ServerCore>> {
        self.open
            .servers()
            .iter()
            .filter_map(Weak::upgrade)
            .collect()
    }

    pub(crate) fn caller(&self) -> Option<CallerRef> {
        self.open.caller.clone()
    }

    pub(crate) fn timers(&self) -> &Arc<Timers> {
        &self.open.timers
    }

    pub(crate) fn ticks(&self) -> &Arc<Ticks> {
        &self.open.ticks
    }

    /// What pays for retries unless their policy says otherwise.
    pub(crate) fn retry_budget(&self) -> &RetryBudget {
        self.open.retry_budget.get_or_init(RetryBudget::default)
    }

    pub(crate) fn exchange(&self) -> Result<&Exchange, &NameError> {
        match &self.defaults.fault {
            None => Ok(&self.defaults.exchange),
            Some(fault) => Err(fault),
        }
    }

    pub(crate) fn opened_at(&self) -> Instant {
        self.open.opened_at
    }

    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.defaults.timeout
    }

    pub(crate) fn headers(&self) -> &[(String, String)] {
        &self.defaults.headers
    }

    pub(crate) fn when_disconnected(&self) -> WhenDisconnected {
        self.defaults.when_disconnected
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.open.policy
    }

    pub(crate) fn when_full(&self) -> WhenFull {
        self.defaults.when_full
    }

    pub(crate) fn phase(&self) -> Phase {
        self.open.phase()
    }

    /// Goes on to `phase`, never back.
    pub(crate) fn enter(&self, phase: Phase) {
        self.open.enter(phase);
    }

    /// How its connection stands.
    pub(super) fn watch(&self) -> &Arc<Watch> {
        &self.open.watch
    }

    /// Closes it; what was accepted before still leaves.
    pub(super) fn close(&self) {
        self.open.close();
    }

    /// Closes it, and waits for nothing to leave.
    pub(crate) async fn cut(&self) {
        self.open.give_up();
        self.open.transport.abort().await;
        self.open.watch.closed();
    }
}

/// A handle's view of a bus that does not keep it open.
pub(crate) struct WeakBus {
    open: Weak<Open>,
    defaults: Defaults,
}

impl WeakBus {
    pub(crate) fn of(bus: &BusCore) -> Self {
        WeakBus {
            open: Arc::downgrade(&bus.open),
            defaults: bus.defaults.clone(),
        }
    }

    /// The bus, unless it is gone.
    pub(crate) fn upgrade(&self) -> Option<Arc<BusCore>> {
        Some(Arc::new(BusCore {
            open: self.open.upgrade()?,
            defaults: self.defaults.clone(),
        }))
    }
}
