//! A handle on a bus.

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde::Serialize;

use crate::bus::backlog::Backlog;
use crate::bus::builder::BusBuilder;
use crate::bus::head::Caller;
use crate::bus::{Args, Delivery, Request};
use crate::codec;
use crate::error::{CallError, Fate, ServeError};
use crate::mailbox::Limits;
use crate::name::{Exchange, split_path};
use crate::overload::{BusStats, Tally, WhenFull};
use crate::payload::Payload;
use crate::runtime::Runtime;
use crate::server::{Mode, NotAccepted, Sent, Server, ServerBuilder, ServerCore, Service};
use crate::timer::Timers;
use crate::transport::{Capabilities, Transport};

/// A handle on a bus: everything starts here. Cheap to clone; a clone is a handle of its own, with an order of its own
/// (C-VB-4).
///
/// When the last handle is gone (clones, clients, servers), the bus is closed: what is outstanding fails at once.
pub struct Bus {
    core: Arc<BusCore>,
    flow: u64,
    when_full: WhenFull,
}

impl Bus {
    /// A bus with options of its own.
    pub fn builder() -> BusBuilder {
        BusBuilder::new()
    }

    /// Serves what a `#[service]` trait describes, with default options.
    ///
    /// # Errors
    /// [`ServeError`]; nothing was registered then.
    pub fn serve(&self, service: impl Service) -> Result<Server, ServeError> {
        self.server(service).start()
    }

    /// As [`serve`](Self::serve), but options can be given before `.start()`.
    pub fn server(&self, service: impl Service) -> ServerBuilder {
        ServerBuilder::of_service(self, service)
    }

    /// A server on `topic` whose methods are given one by one.
    pub fn listen(&self, topic: impl AsRef<str>) -> ServerBuilder {
        ServerBuilder::new(self, topic)
    }

    /// A request for `path`, which is `topic.method`. Several arguments are given as a tuple.
    ///
    /// The arguments' types must be those of the method, to the width of an integer: an untyped
    /// caller's are not compared with the server's, and `&3` is an `i32`, which a method that
    /// takes a `u64` reads as another number. Write `&3_u64`, or use a client made by
    /// `#[service]`, whose types are checked (C-VE-4).
    pub fn request<T>(&self, path: &str, arguments: &(impl Serialize + ?Sized)) -> Request<T> {
        // Arguments that are borrowed cannot be moved to a handler: they are encoded here.
        let limit = self.core.transport.capabilities().max_message;
        let arguments =
            codec::encode(arguments, limit).map(|bytes| Args::of(Payload::Bytes(bytes)));
        Request::new(self, split_path(path), arguments)
    }

    /// Sends to `path` and, once awaited or waited on, waits for the reply.
    pub fn call<T>(&self, path: &str, arguments: &(impl Serialize + ?Sized)) -> Request<T> {
        self.request(path, arguments)
    }

    /// Sends to `path` now; the promise brings the reply.
    pub fn invoke<T>(&self, path: &str, arguments: &(impl Serialize + ?Sized)) -> crate::Promise<T>
    where
        T: serde::de::DeserializeOwned + Send + 'static,
    {
        self.request(path, arguments).invoke()
    }

    /// Sends to `path` and wants no reply.
    ///
    /// # Errors
    /// As [`Request::cast`].
    pub fn cast(&self, path: &str, arguments: &(impl Serialize + ?Sized)) -> Result<(), CallError> {
        self.request::<()>(path, arguments).cast()
    }

    /// A handle on the same bus whose requests do as `policy` says when the queue to their connection is full. That is
    /// the queue of this process, by default 1024 requests or 4 MiB; a server's own queue has the policy of its server.
    ///
    /// * `Reject`, which is what handles do unless their builder was told otherwise: the request fails at once, as
    ///   `QueueFull`, not sent. [`cast_when_room`](Request::cast_when_room) waits all the same.
    /// * `Block`: it waits for room, within its deadline, in the [backlog](BusBuilder::backlog) of the bus; `QueueFull`
    ///   when that is full too. Neither `cast` nor `invoke` blocks the thread.
    /// * `DropOldest`: a cast takes the place of the oldest cast in the queue that was sent by such a handle; calls do as
    ///   with `Reject`.
    ///
    /// ```
    /// # fn main() -> tidings_core::Result<()> {
    /// # use tidings_core::{Bus, WhenFull};
    /// # fn positions(bus: &Bus) -> tidings_core::Result<()> {
    /// let positions = bus.when_full(WhenFull::DropOldest);
    /// positions.cast("map.moved_to", &(48.2_f64, 16.4_f64))?;
    /// # Ok(())
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    pub fn when_full(&self, policy: WhenFull) -> Bus {
        Bus {
            when_full: policy,
            ..self.clone()
        }
    }

    /// Closes the bus for all its handles: its servers stop, what is outstanding fails at once, and new requests fail
    /// as `Closed`. Idempotent.
    ///
    /// Over sockets, what was accepted before still leaves: this waits for that, for a second at
    /// most, where the thread may be put to sleep; elsewhere the runtime goes on with it.
    pub fn close(&self) {
        self.core.close();
    }

    /// Requests of this bus that have no outcome yet.
    pub fn in_flight(&self) -> usize {
        self.core.timers.len()
    }

    /// What it gave up since it was opened: late replies, casts that did not leave.
    pub fn stats(&self) -> BusStats {
        self.core.tally.read() + self.core.transport.stats()
    }

    /// What its transport can do.
    pub fn capabilities(&self) -> Capabilities {
        self.core.transport.capabilities()
    }

    /// What runs its tasks.
    pub fn runtime(&self) -> &Arc<dyn Runtime> {
        self.core.transport.runtime()
    }

    pub(crate) fn over(
        transport: Arc<dyn Transport>,
        exchange: Exchange,
        timeout: Option<Duration>,
        (when_full, backlog): (WhenFull, Limits),
    ) -> Self {
        let timers = Arc::new(Timers::new(transport.runtime().clone()));
        let core = BusCore {
            caller: transport.identity(),
            transport,
            timers,
            backlog: Backlog::new(backlog),
            tally: Arc::default(),
            servers: Mutex::default(),
            exchange,
            timeout,
            phase: AtomicU8::new(Phase::Open as u8),
        };
        Bus {
            core: Arc::new(core),
            flow: next_flow(),
            when_full,
        }
    }

    pub(crate) fn core(&self) -> &Arc<BusCore> {
        &self.core
    }

    pub(crate) fn flow(&self) -> u64 {
        self.flow
    }

    pub(crate) fn when_full_of_connections(&self) -> WhenFull {
        self.when_full
    }
}

impl Clone for Bus {
    fn clone(&self) -> Self {
        Bus {
            core: self.core.clone(),
            flow: next_flow(),
            when_full: self.when_full,
        }
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus")
            .field("exchange", &self.core.exchange)
            .finish_non_exhaustive()
    }
}

fn next_flow() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What all handles of a bus share.
pub(crate) struct BusCore {
    transport: Arc<dyn Transport>,
    /// Whom handlers of this process see as the caller.
    caller: Option<Arc<Caller>>,
    timers: Arc<Timers>,
    backlog: Arc<Backlog>,
    tally: Arc<Tally>,
    /// The servers of this bus, to be drained with it.
    servers: Mutex<Vec<Weak<ServerCore>>>,
    exchange: Exchange,
    timeout: Option<Duration>,
    phase: AtomicU8,
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

impl BusCore {
    pub(crate) fn transport(&self) -> &dyn Transport {
        &*self.transport
    }

    /// Hands a request to the transport; where the queue that it finds full lets it wait, it waits.
    pub(crate) fn send(
        self: &Arc<Self>,
        delivery: Delivery,
        mode: Mode,
        when_full: WhenFull,
    ) -> Result<Sent, NotAccepted> {
        if self.backlog.has_of(delivery.in_flight().head().flow) {
            return self.backlog.push(delivery, self);
        }
        match self.transport.send(delivery, mode) {
            Err(NotAccepted::Later(delivery, _)) => self.backlog.push(delivery, self),
            // Not sent: it was a queue of this side that had no room.
            Err(NotAccepted::Full(delivery, error))
                if when_full == WhenFull::Block && error.fate() == Fate::NotSent =>
            {
                self.backlog.push(delivery, self)
            }
            other => other,
        }
    }

    pub(crate) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    pub(crate) fn live_servers(&self) -> Vec<Arc<ServerCore>> {
        self.servers().iter().filter_map(Weak::upgrade).collect()
    }

    /// One more server of this bus.
    pub(crate) fn enroll(&self, server: &Arc<ServerCore>) {
        let mut servers = self.servers();
        servers.retain(|server| server.strong_count() > 0);
        servers.push(Arc::downgrade(server));
    }

    fn servers(&self) -> MutexGuard<'_, Vec<Weak<ServerCore>>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    pub(crate) fn caller(&self) -> Option<Arc<Caller>> {
        self.caller.clone()
    }

    pub(crate) fn timers(&self) -> &Arc<Timers> {
        &self.timers
    }

    pub(crate) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Open,
            1 => Phase::Draining,
            _ => Phase::Closed,
        }
    }

    /// Goes on to `phase`, never back; says whether it was not there yet.
    pub(crate) fn enter(&self, phase: Phase) -> bool {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel) < phase as u8
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.phase() == Phase::Closed
    }

    fn close(&self) {
        if self.give_up() {
            self.transport.close();
        }
    }

    /// As [`close`](Self::close), but waits for nothing to leave.
    pub(crate) async fn cut(&self) {
        self.give_up();
        self.transport.abort().await;
    }

    /// Fails what is outstanding; says whether that was not done already.
    fn give_up(&self) -> bool {
        let first = self.enter(Phase::Closed);
        if first {
            // First told why, then cut off: else the end of a connection might tell them of a loss.
            self.timers.close();
            self.backlog.close();
        }
        first
    }
}

impl Drop for BusCore {
    fn drop(&mut self) {
        self.close();
    }
}
