//! The node: a member until its hub has gone, and then perhaps the hub.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::attempt;
use super::registrations::Standing;
use super::task::{self, Found};
use super::{Member, Shared};
use crate::blocking;
use crate::bus::{CallerRef, Delivery};
use crate::connection::{Epoch, Role, Watch};
use crate::error::ServeError;
use crate::link::LinkOptions;
use crate::link::hub::{Hub, HubLimits};
use crate::link::outbox::Intake;
use crate::link::pace::Pace;
use crate::link::socket::{self, Listener, Meet};
use crate::overload::{BusStats, Parked, Way};
use crate::runtime::{BoxFuture, Runtime};
use crate::server::{Answered, Mode, NotAccepted, Retiring, Sent, ServerCore};
use crate::transport::{Capabilities, Transport};

/// How long a hub that has just taken an address over lets requests wait for servers that are not there: those who
/// served are just coming back, each of them within milliseconds.
const SETTLE: Duration = Duration::from_millis(500);

/// A process at an address that somebody else serves, and that takes it over when they have gone.
///
/// It is a [`Member`], with one difference: when the connection is lost it tries, at once and then every few
/// milliseconds, what whoever opens the address tries: to connect, or to serve it where nobody does. If it gets to serve
/// it, it is a [`Hub`] from then on. Its servers stay where they are and the handles of its bus go on; what
/// waited for a connection is routed here.
///
/// That exactly one takes over is up to [`Meet`].
pub struct Node {
    member: Member,
    seat: Arc<Seat>,
}

/// The place of the hub that the node may become.
#[derive(Default)]
struct Seat {
    hub: OnceLock<Hub>,
    /// Held while the servers move there, and while one comes or goes.
    servers: Mutex<()>,
}

/// A hub that nobody knows of yet.
struct Prepared {
    hub: Hub,
    epoch: Epoch,
    accepting: BoxFuture<()>,
}

impl Prepared {
    fn new<L: Listener>(
        shared: &Arc<Shared>,
        listener: L,
        limits: HubLimits,
    ) -> io::Result<Prepared> {
        let (options, watch) = (shared.options.clone(), shared.watch.clone());
        let epoch = Epoch::unique();
        let (hub, accepting) =
            Hub::prepare(listener, options, limits, &shared.runtime, watch, epoch)?;
        Ok(Prepared {
            hub,
            epoch,
            accepting,
        })
    }
}

impl Node {
    /// A node whose tasks run on `runtime`. `first` is a connection that was made already; what becomes of the address
    /// after it is decided by `meet`.
    ///
    /// # Errors
    /// The runtime's, when it cannot watch the socket.
    pub fn start<M: Meet>(
        meet: M,
        first: M::Socket,
        options: LinkOptions,
        limits: HubLimits,
        runtime: Arc<dyn Runtime>,
    ) -> io::Result<Node> {
        let (member, first, intake) = Member::prepare(first, options, runtime)?;
        let seat = Arc::<Seat>::default();
        let node = Node {
            member,
            seat: seat.clone(),
        };
        let shared = node.member.shared.clone();
        let attempt = {
            let (shared, meet) = (shared.clone(), Arc::new(meet));
            move || {
                let (shared, meet) = (shared.clone(), meet.clone());
                async move {
                    match meet.meet()? {
                        socket::Standing::Member(socket) => {
                            let begun = attempt::begin(&shared, socket)?;
                            let established = attempt::establish(&shared, begun).await?;
                            Ok(Found::Connection(established))
                        }
                        socket::Standing::Hub(listener) => {
                            Prepared::new(&shared, listener, limits).map(Found::Other)
                        }
                    }
                }
            }
        };
        let pace = Pace::of_an_heir();
        let found = Box::pin(task::run(shared.clone(), attempt, first, intake, pace));
        node.member.run(async move {
            if let Some((prepared, intake)) = found.await {
                if seat.take(&shared, prepared) {
                    // In a box of its own: few come here, and each of the others would hold room for it.
                    Box::pin(seat.route(&shared, intake)).await;
                }
            }
        });
        Ok(node)
    }

    /// As [`Member::wait_for_hello`].
    ///
    /// # Errors
    /// Why the first connection came to nothing.
    pub fn wait_for_hello(&self, most: Duration) -> Result<(), String> {
        self.member.wait_for_hello(most)
    }

    fn hub(&self) -> Option<&Hub> {
        self.seat.hub.get()
    }

    /// The hub, where a request may go to it without overtaking any that waited for a connection.
    fn hub_at_once(&self) -> Option<&Hub> {
        self.hub().filter(|_| self.member.shared.outbox.len() == 0)
    }
}

impl Seat {
    fn servers(&self) -> MutexGuard<'_, ()> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Becomes the hub, unless the bus was closed meanwhile.
    fn take(&self, shared: &Arc<Shared>, prepared: Prepared) -> bool {
        let Prepared {
            hub,
            epoch,
            accepting,
        } = prepared;
        let servers = self.servers();
        if shared.is_closed() {
            return false; // Dropping the hub gives the address up.
        }
        hub.settle_until(Instant::now() + SETTLE);
        shared.registrations.connected();
        let mut restored = None;
        // Nobody waits at this hub yet: nothing but the servers move under this lock.
        for server in shared.registrations.all() {
            let standing = match hub.bind(server.clone()) {
                Ok(()) => Standing::Served,
                Err(_) => Standing::Refused,
            };
            restored = restored.or(shared.registrations.answered(&server, standing));
        }
        if self.hub.set(hub).is_err() {
            return false; // There is one task, and it comes here once.
        }
        drop(servers);
        shared.watch.connected(epoch, Role::Hub);
        if let Some(servers) = restored {
            shared.watch.servers_restored(servers);
        }
        shared.runtime.spawn(accepting);
        true
    }

    /// Routes what is in the queue to the connection that there is no more: what waited, and what comes until everybody
    /// has seen that this is the hub. Runs until the bus is closed.
    async fn route(&self, shared: &Shared, mut intake: Intake) {
        let Some(hub) = self.hub.get() else { return };
        let mut parked = Parked::default();
        let most = shared.options.outbox_messages;
        poll_fn(|cx| {
            loop {
                let rung = shared.outbox.bell.poll_rung(cx).is_ready();
                if shared.is_closed() {
                    return Poll::Ready(());
                }
                // A promise's callback may run in here; waiting, it would wait for this very task.
                blocking::forbid(|| {
                    // Until what is parked has gone as well, nothing may pass by it.
                    intake.keep_behind(true);
                    parked.poll(hub, cx);
                    while parked.len() < most
                        && intake.pass(|next| drop(parked.deliver(next, hub, Mode::Queue)))
                    {
                    }
                    intake.keep_behind(!parked.is_empty());
                });
                if !rung {
                    return Poll::Pending;
                }
            }
        })
        .await;
        for delivery in parked.drain() {
            shared.tally.unsent(delivery.in_flight().head().verb);
        }
    }
}

impl Way for Hub {
    fn deliver(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        self.send(delivery, mode)
    }

    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>) {
        Transport::wait_for_room(self, delivery, cx);
    }
}

impl Transport for Node {
    fn capabilities(&self) -> Capabilities {
        self.member.capabilities()
    }

    fn address(&self) -> Option<String> {
        self.hub().and_then(Hub::address)
    }

    fn identity(&self) -> Option<CallerRef> {
        Some(Arc::new(self.member.shared.options.identity.clone()).into())
    }

    fn watch(&self) -> Option<Arc<Watch>> {
        self.member.watch()
    }

    fn runtime(&self) -> &Arc<dyn Runtime> {
        self.member.runtime()
    }

    fn answer(&self, call: &mut Delivery, place: &mut dyn Any) -> Answered {
        match self.hub_at_once() {
            Some(hub) => hub.answer(call, place),
            None => Answered::NotHere,
        }
    }

    fn send(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        match self.hub_at_once() {
            Some(hub) => hub.send(delivery, mode),
            None => self.member.send(delivery, mode),
        }
    }

    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>) {
        match self.hub_at_once() {
            Some(hub) => Transport::wait_for_room(hub, delivery, cx),
            None => self.member.wait_for_room(delivery, cx),
        }
    }

    fn bind(&self, server: Arc<ServerCore>) -> Result<(), ServeError> {
        let servers = self.seat.servers();
        match self.hub() {
            Some(hub) => {
                drop(servers); // It stays the hub.
                hub.bind(server)
            }
            None => {
                self.member.ask(&server)?;
                drop(servers);
                self.member.answer(&server)
            }
        }
    }

    fn unbind(&self, server: &Arc<ServerCore>) {
        let _servers = self.seat.servers();
        self.member.unbind(server);
        if let Some(hub) = self.hub() {
            hub.unbind(server);
        }
    }

    fn retire(&self, retiring: Retiring) {
        let servers = self.seat.servers();
        match self.hub() {
            Some(hub) => {
                self.member.unbind(retiring.server());
                drop(servers); // It stays the hub.
                hub.retire(retiring);
            }
            None => self.member.retire(retiring),
        }
    }

    fn counts_memory(&self) -> bool {
        true
    }

    fn stats(&self) -> BusStats {
        let as_hub = self.hub().map(Transport::stats).unwrap_or_default();
        self.member.stats() + as_hub
    }

    fn leave(&self) -> BoxFuture<()> {
        match self.hub() {
            Some(hub) => hub.leave(),
            None => self.member.leave(),
        }
    }

    fn abort(&self) -> BoxFuture<()> {
        match self.hub() {
            Some(hub) => {
                hub.cut();
                self.close();
                hub.ended()
            }
            None => {
                self.member.cut();
                self.close();
                self.member.ended()
            }
        }
    }

    fn close(&self) {
        let servers = self.seat.servers();
        let is_first = self.member.shared.now_closed();
        drop(servers);
        if is_first {
            if let Some(hub) = self.hub() {
                hub.close();
            }
            self.member.take_leave();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Node");
        match self.hub() {
            Some(hub) => out.field("as", hub),
            None => out.field("as", &self.member),
        };
        out.finish_non_exhaustive()
    }
}
