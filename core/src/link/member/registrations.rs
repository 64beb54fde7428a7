//! The servers of this process, and what the hub has said of each.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::server::ServerCore;

/// What is known of one registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The hub has not answered, or there is no hub just now.
    Asked,
    /// The hub sends requests.
    Served,
    /// The hub has another server of this name.
    Refused,
    /// The hub does not let this process serve the topic, for this reason.
    Forbidden(String),
}

#[derive(Default)]
pub(super) struct Registrations {
    state: Mutex<State>,
    changed: Condvar,
    /// Spares the task a look at the state for every message.
    some_refused: AtomicBool,
}

#[derive(Default)]
struct State {
    connected: bool,
    /// The connection was lost, and there is no other one yet.
    away: bool,
    /// Servers that were registered have to be so again, and not all are.
    restoring: bool,
    servers: Vec<(Arc<ServerCore>, Standing)>,
}

impl Registrations {
    pub(super) fn add(&self, server: Arc<ServerCore>) {
        self.lock().servers.push((server, Standing::Asked));
    }

    /// Forgets a server; says whether it was known.
    pub(super) fn remove(&self, server: &Arc<ServerCore>) -> bool {
        let mut state = self.lock();
        let at = state.position(server);
        // In order: the first stays the first.
        let removed = at.map(|at| state.servers.remove(at));
        drop(state);
        self.changed.notify_all();
        removed.is_some()
    }

    /// Forgets all servers, and gives them back.
    pub(super) fn clear(&self) -> Vec<Arc<ServerCore>> {
        let servers = std::mem::take(&mut self.lock().servers);
        self.changed.notify_all();
        servers.into_iter().map(|(server, _)| server).collect()
    }

    /// All that are to be registered.
    pub(super) fn all(&self) -> Vec<Arc<ServerCore>> {
        self.lock()
            .servers
            .iter()
            .map(|(server, _)| server.clone())
            .collect()
    }

    /// Whether the hub has refused any.
    pub(super) fn some_refused(&self) -> bool {
        self.some_refused.load(Ordering::Acquire)
    }

    /// Those that the hub has refused, as asked for anew.
    pub(super) fn ask_again(&self) -> Vec<Arc<ServerCore>> {
        self.some_refused.store(false, Ordering::Release);
        let mut state = self.lock();
        let refused = state
            .servers
            .iter_mut()
            .filter(|entry| entry.1 == Standing::Refused);
        refused
            .map(|(server, standing)| {
                *standing = Standing::Asked;
                server.clone()
            })
            .collect()
    }

    pub(super) fn is_known(&self, server: &Arc<ServerCore>) -> bool {
        self.lock().position(server).is_some()
    }

    pub(super) fn is_connected(&self) -> bool {
        self.lock().connected
    }

    /// The hub has said Hello.
    pub(super) fn connected(&self) {
        let mut state = self.lock();
        state.connected = true;
        state.away = false;
    }

    /// There is no hub: nothing is registered any more.
    pub(super) fn disconnected(&self) {
        let mut state = self.lock();
        state.connected = false;
        state.away = true;
        state.restoring |= !state.servers.is_empty();
        for (_, standing) in &mut state.servers {
            *standing = Standing::Asked;
        }
        drop(state);
        self.changed.notify_all();
    }

    /// The hub's word. Gives how many servers there are, when with this one all are registered again after a loss.
    pub(super) fn answered(&self, server: &Arc<ServerCore>, standing: Standing) -> Option<usize> {
        let mut state = self.lock();
        if let Some(at) = state.position(server) {
            let refused = standing == Standing::Refused;
            state.servers[at].1 = standing;
            if refused {
                self.some_refused.store(true, Ordering::Release);
            }
        }
        let all = state.restoring
            && state
                .servers
                .iter()
                .all(|known| known.1 == Standing::Served);
        state.restoring &= !all;
        let restored = all.then_some(state.servers.len());
        drop(state);
        self.changed.notify_all();
        restored
    }

    /// Blocks until the hub has answered, `most` has passed, the server was removed, or there is no hub to answer.
    pub(super) fn wait(&self, server: &Arc<ServerCore>, most: Duration) -> Standing {
        let state = self.lock();
        let open = |state: &mut State| {
            let standing = state.position(server).map(|at| &state.servers[at].1);
            !state.away && standing == Some(&Standing::Asked)
        };
        let (state, _) = self
            .changed
            .wait_timeout_while(state, most, open)
            .unwrap_or_else(PoisonError::into_inner);
        state
            .position(server)
            .map_or(Standing::Asked, |at| state.servers[at].1.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn position(&self, server: &Arc<ServerCore>) -> Option<usize> {
        self.servers
            .iter()
            .position(|(known, _)| Arc::ptr_eq(known, server))
    }
}
