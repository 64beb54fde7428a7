//! The servers of the hub's own process that retire: what had come for them before is theirs (C-LC-1), whether it found no
//! room in their queues or was not looked at yet.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Core;
use crate::bus::{Delivery, Head, InFlight};
use crate::overload::Way;
use crate::server::{Mode, NotAccepted, Retiring, Sent, ServerCore};

/// Servers that the router knows no more, and that take what waits for them.
#[derive(Default)]
pub(super) struct Fading {
    any: AtomicBool,
    servers: Mutex<Vec<Arc<ServerCore>>>,
}

impl Fading {
    /// The server that a request waits for, if it is one of them.
    fn server(&self, head: &Head) -> Option<Arc<ServerCore>> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let servers = self.lock();
        servers.iter().find(|server| server.serves(head)).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<ServerCore>>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them, until every connection has given it what waited there.
pub(in crate::link) struct Settling {
    retiring: Retiring,
    core: Arc<Core>,
}

impl Settling {
    /// Before the router is told that it goes.
    pub(super) fn of(retiring: Retiring, core: &Arc<Core>) -> Arc<Settling> {
        let mut servers = core.fading.lock();
        servers.push(retiring.server().clone());
        core.fading.any.store(true, Ordering::Release);
        drop(servers);
        Arc::new(Settling {
            retiring,
            core: core.clone(),
        })
    }

    pub(super) fn server(&self) -> &Arc<ServerCore> {
        self.retiring.server()
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        let mut servers = self.core.fading.lock();
        let at = servers
            .iter()
            .position(|server| Arc::ptr_eq(server, self.retiring.server()));
        let gone = at.map(|at| servers.swap_remove(at));
        self.core
            .fading
            .any
            .store(!servers.is_empty(), Ordering::Release);
        drop(servers);
        drop(gone);
    }
}

/// The way of what has come already: to whom the router knows, else to whom it knows no more.
pub(super) struct Come<'a>(pub(super) &'a Core);

impl Way for Come<'_> {
    fn deliver(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        let Come(core) = self;
        let head = delivery.in_flight().head();
        // Looked for first: it is there before the router knows it no more.
        let fading = core.fading.server(head);
        match fading.filter(|_| !core.router.serves(head)) {
            Some(server) => server.deliver(delivery, Mode::Over),
            None => core.router.deliver(delivery, mode),
        }
    }

    fn wait_for_room(&self, delivery: &Delivery, cx: &mut std::task::Context<'_>) {
        Way::wait_for_room(&self.0.router, delivery, cx);
    }

    fn is_awaited(&self, in_flight: &Arc<InFlight>) {
        Way::is_awaited(&self.0.router, in_flight);
    }
}
