//! The hub: accepts connections and routes between them.

mod accept;
mod fading;
mod side;

pub(super) use fading::Settling;
pub(super) use side::NAME_TAKEN;

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::time::Instant;

use fading::Fading;

use super::LinkOptions;
use super::connection::{Connection, Control};
use super::farewell::Farewell;
use super::socket::Listener;
use crate::bus::{Caller, CallerRef, Delivery};
use crate::connection::{self, Epoch, Role, Watch};
use crate::doorbell::Doorbell;
use crate::error::ServeError;
use crate::overload::{BusStats, Tally};
use crate::promise::{Promise, PromiseError, all_settled};
use crate::router::{Router, WaitingLimits};
use crate::runtime::{BoxFuture, Runtime};
use crate::server::{Answered, Mode, NotAccepted, Retiring, Sent, ServerCore};
use crate::session::CloseCode;
use crate::transport::{Capabilities, Transport};

/// The limits of a hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubLimits {
    /// Connections. Default 1024.
    pub connections: usize,
    /// Connections of one user. Default 256.
    pub connections_of_a_user: usize,
    /// Connections that have not said Hello. Default 64.
    pub strangers: usize,
}

impl Default for HubLimits {
    fn default() -> Self {
        HubLimits {
            connections: 1024,
            connections_of_a_user: 256,
            strangers: 64,
        }
    }
}

/// The process at which the others meet. It serves and calls like the others; its own requests
/// and servers go through the same router, without a socket.
///
/// Dropping it closes it: the connections are told, the address is given up at once.
pub struct Hub {
    core: Arc<Core>,
    /// The servers of this process.
    bound: Mutex<Vec<Arc<ServerCore>>>,
}

impl Hub {
    /// A hub on `listener`, whose tasks run on `runtime`.
    ///
    /// # Errors
    /// The runtime's, when it cannot watch the listener.
    pub fn start<L: Listener>(
        listener: L,
        options: LinkOptions,
        limits: HubLimits,
        runtime: Arc<dyn Runtime>,
    ) -> io::Result<Hub> {
        let epoch = Epoch::unique();
        let role = Role::Hub;
        let watch = Watch::new(connection::State::Connected { epoch, role });
        let (hub, accepting) = Hub::prepare(listener, options, limits, &runtime, watch, epoch)?;
        runtime.spawn(accepting);
        Ok(hub)
    }

    /// A hub that tells `watch` of its end, and the task that accepts: before it runs, nobody gets in. Dropping the task
    /// closes the hub.
    pub(super) fn prepare<L: Listener>(
        listener: L,
        options: LinkOptions,
        limits: HubLimits,
        runtime: &Arc<dyn Runtime>,
        watch: Arc<Watch>,
        epoch: Epoch,
    ) -> io::Result<(Hub, BoxFuture<()>)> {
        let listener = Arc::new(listener);
        let readiness = runtime.register(listener.clone())?;
        let core = Arc::new(Core {
            router: Router::of_hub(waiting_limits(&options), options.policy.clone()),
            identity: Arc::new(options.identity.clone()),
            options,
            limits,
            epoch,
            watch,
            door: listener.clone(),
            bell: Doorbell::new(),
            runtime: runtime.clone(),
            state: Mutex::default(),
            farewell: Arc::default(),
            tally: Arc::default(),
            fading: Fading::default(),
        });
        let accepting = accept::run(CloseOnDrop(core.clone()), listener, readiness);
        let hub = Hub {
            core,
            bound: Mutex::default(),
        };
        Ok((hub, Box::pin(accepting)))
    }

    /// Has requests wait for their server, though they did not ask for it, while those who serve are just coming back.
    pub(super) fn settle_until(&self, end: Instant) {
        self.core.router.settle_until(end);
    }

    /// Connections, whether they have said Hello or not.
    pub fn connections(&self) -> usize {
        self.core.lock().peers.len()
    }

    /// Ends the connections, whatever waits for them.
    pub(super) fn cut(&self) {
        for connection in self.core.connections() {
            connection.tell(Control::Cut(CloseCode::ShuttingDown));
        }
    }

    /// Resolves when it is known what has not left.
    pub(super) fn ended(&self) -> BoxFuture<()> {
        Box::pin(self.core.farewell.clone().ended())
    }

    /// Says whether it served here.
    fn forget(&self, server: &Arc<ServerCore>) -> bool {
        let mut bound = self.bound();
        let at = bound.iter().position(|known| Arc::ptr_eq(known, server));
        at.is_some_and(|at| {
            bound.swap_remove(at);
            true
        })
    }

    fn bound(&self) -> MutexGuard<'_, Vec<Arc<ServerCore>>> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Requests that wait for a server hold the credit of their connection: with a quarter of it at most, the others go on.
fn waiting_limits(options: &LinkOptions) -> WaitingLimits {
    let limits = WaitingLimits::default();
    WaitingLimits {
        of_a_flow: (options.limits.max_in_flight as usize / 4).max(1),
        ..limits
    }
}

/// What the hub and its tasks share.
struct Core {
    router: Router,
    options: LinkOptions,
    limits: HubLimits,
    identity: Arc<Caller>,
    /// Its time, as members are told by Hello.
    epoch: Epoch,
    watch: Arc<Watch>,
    door: Arc<dyn Door>,
    /// Wakes the task that accepts.
    bell: Doorbell,
    runtime: Arc<dyn Runtime>,
    state: Mutex<State>,
    farewell: Arc<Farewell>,
    tally: Arc<Tally>,
    fading: Fading,
}

#[derive(Default)]
struct State {
    peers: HashMap<u64, Peer>,
    next: u64,
    closed: bool,
}

/// One connection, as the quotas see it.
struct Peer {
    /// `None` until it is known, and where nothing is known.
    user: Option<User>,
    said_hello: bool,
    /// It is only there to be told so.
    is_refused: bool,
    connection: Arc<Connection>,
}

/// Whose connections count together.
#[derive(PartialEq, Eq)]
enum User {
    /// By the kernel's word.
    Uid(u32),
    /// By a certificate, say.
    Name(Arc<str>),
}

impl User {
    fn of(caller: &Caller) -> Option<User> {
        let uid = caller.uid.map(User::Uid);
        uid.or_else(|| caller.name.clone().map(User::Name))
    }
}

/// Closes the hub when the task that accepts is gone: a hub whose runtime has ended would hold the address, and let
/// others connect to nobody.
struct CloseOnDrop(Arc<Core>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        let core = &self.0;
        if !core.lock().closed {
            core.watch.disconnected("its runtime has ended");
        }
        core.close();
    }
}

/// A listener, whatever it accepts.
trait Door: Send + Sync {
    fn close(&self);
}

impl<L: Listener> Door for L {
    fn close(&self) {
        Listener::close(self);
    }
}

impl Core {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn said_hello(&self, id: u64) {
        if let Some(peer) = self.lock().peers.get_mut(&id) {
            peer.said_hello = true;
        }
        self.bell.ring(); // There is room for another stranger.
    }

    fn has_left(&self, id: u64) {
        let left = self.lock().peers.remove(&id);
        drop(left);
        self.bell.ring();
    }

    fn connections(&self) -> Vec<Arc<Connection>> {
        let state = self.lock();
        let connections = state.peers.values().map(|peer| peer.connection.clone());
        connections.collect()
    }

    /// Of peers that have said Hello.
    fn acquaintances(&self) -> Vec<Arc<Connection>> {
        let state = self.lock();
        let peers = state.peers.values().filter(|peer| peer.said_hello);
        peers.map(|peer| peer.connection.clone()).collect()
    }

    fn close(&self) {
        self.door.close();
        self.lock().closed = true;
        for connection in self.connections() {
            connection.tell(Control::Close(CloseCode::ShuttingDown));
        }
        self.bell.ring();
    }
}

impl Transport for Hub {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            moves_values: false,
            max_message: self.core.options.limits.max_message,
        }
    }

    fn address(&self) -> Option<String> {
        self.core.options.reachable.clone()
    }

    fn identity(&self) -> Option<CallerRef> {
        Some(self.core.identity.clone().into())
    }

    fn watch(&self) -> Option<Arc<Watch>> {
        Some(self.core.watch.clone())
    }

    fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.core.runtime
    }

    fn answer(&self, call: &mut Delivery, place: &mut dyn Any) -> Answered {
        self.core.router.answer(call, place)
    }

    fn send(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        self.core.router.route(delivery, mode)
    }

    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>) {
        self.core.router.wait_for_room(delivery, cx);
    }

    fn bind(&self, server: Arc<ServerCore>) -> Result<(), ServeError> {
        let destination = Arc::new(server.clone());
        let (exchange, topic, name) = (server.exchange(), server.topic(), server.name());
        // Outside of any lock: what waits for it goes to it at once.
        self.core.router.add(exchange, topic, name, destination)?;
        let mut bound = self.bound();
        if self.core.lock().closed {
            drop(bound);
            self.core.router.remove(exchange, topic, name);
            let topic = topic.to_string();
            return Err(ServeError::Closed { topic });
        }
        bound.push(server);
        Ok(())
    }

    fn unbind(&self, server: &Arc<ServerCore>) {
        if self.forget(server) {
            let (exchange, topic, name) = (server.exchange(), server.topic(), server.name());
            self.core.router.remove(exchange, topic, name);
        }
    }

    /// What has come, and found no room in the server's queue, is given to it.
    fn retire(&self, retiring: Retiring) {
        let settling = Settling::of(retiring, &self.core);
        let server = settling.server();
        if !self.forget(server) {
            return;
        }
        self.core.router.retire(server);
        // A stranger has nothing here yet.
        for connection in self.core.acquaintances() {
            connection.tell(Control::Settle(settling.clone()));
        }
    }

    fn leave(&self) -> BoxFuture<()> {
        let left = self.core.acquaintances().into_iter().map(|connection| {
            let (told, left) = Promise::channel();
            connection.tell(Control::GoAway(told));
            left
        });
        let left: Vec<Promise<(), PromiseError>> = left.collect();
        // A connection that ends has nothing on its way either.
        Box::pin(async move { drop(all_settled(left).await) })
    }

    fn abort(&self) -> BoxFuture<()> {
        self.cut();
        self.close();
        self.ended()
    }

    fn counts_memory(&self) -> bool {
        true
    }

    fn stats(&self) -> BusStats {
        self.core.tally.read()
    }

    fn close(&self) {
        let servers = std::mem::take(&mut *self.bound());
        for server in servers {
            let (exchange, topic, name) = (server.exchange(), server.topic(), server.name());
            self.core.router.remove(exchange, topic, name);
            server.close();
        }
        self.core.close();
        self.core.farewell.wait(&*self.core.runtime);
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("address", &self.core.options.address)
            .field("connections", &self.connections())
            .field("servers", &self.core.router.len())
            .finish()
    }
}
