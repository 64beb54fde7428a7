//! A handle on a bus.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::bus::builder::BusBuilder;
use crate::bus::head::Caller;
use crate::bus::{Args, Client, Request, WhenDisconnected};
use crate::codec::{self, EncodeError};
use crate::connection::{Events, State, Watch};
use crate::error::{CallError, ServeError};
use crate::name::{Exchange, Topic, split_path};
use crate::payload::Payload;
use crate::runtime::Runtime;
use crate::server::{Server, ServerBuilder, Service};
use crate::timer::Timers;
use crate::transport::{Capabilities, Transport};

/// A handle on a bus: everything starts here. Cheap to clone; a clone is a handle of its own, with an order of its own
/// (C-VB-4).
///
/// When the last handle is gone (clones, clients, servers), the bus is closed: what is outstanding fails at once.
pub struct Bus {
    core: Arc<BusCore>,
    flow: u64,
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

    /// A client of `topic`, whose requests share a namespace, a version, a version cap.
    #[must_use]
    pub fn client(&self, topic: impl AsRef<str>) -> Client {
        Client::new(self, Topic::new(topic))
    }

    /// A request for `path`, which is `topic.method`. Several arguments are given as a tuple.
    ///
    /// The arguments' types must be those of the method, to the width of an integer: an untyped
    /// caller's are not compared with the server's, and `&3` is an `i32`, which a method that
    /// takes a `u64` reads as another number. Write `&3_u64`, or use a client made by
    /// `#[service]`, whose types are checked (C-VE-4).
    pub fn request<T>(&self, path: &str, arguments: &(impl Serialize + ?Sized)) -> Request<T> {
        Request::new(self, split_path(path), self.borrowed(arguments))
    }

    /// Arguments that are borrowed cannot be moved to a handler: they are encoded here.
    pub(super) fn borrowed(
        &self,
        arguments: &(impl Serialize + ?Sized),
    ) -> Result<Args, EncodeError> {
        let limit = self.core.transport.capabilities().max_message;
        codec::encode(arguments, limit).map(|bytes| Args::of(Payload::Bytes(bytes)))
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

    /// Whether it is connected, at this moment.
    pub fn state(&self) -> State {
        self.core.watch.state()
    }

    /// How its connection stands, and then what happens to it.
    pub fn events(&self) -> Events {
        self.core.watch.events()
    }

    /// What its transport can do.
    pub fn capabilities(&self) -> Capabilities {
        self.core.transport.capabilities()
    }

    /// The address at which others reach this bus, where this process serves it and that is more than what was opened
    /// says: of `tcp:127.0.0.1:0?listen`, with the port that the system chose. Without options, which each side writes
    /// for itself. `None` where there is no more to say.
    pub fn address(&self) -> Option<String> {
        self.core.transport.address()
    }

    /// What runs its tasks.
    pub fn runtime(&self) -> &Arc<dyn Runtime> {
        self.core.transport.runtime()
    }

    pub(crate) fn over(
        transport: Arc<dyn Transport>,
        exchange: Exchange,
        timeout: Option<Duration>,
        when_disconnected: WhenDisconnected,
    ) -> Self {
        let timers = Arc::new(Timers::new(transport.runtime().clone()));
        let core = BusCore {
            caller: transport.identity(),
            watch: transport.watch().unwrap_or_else(Watch::local),
            transport,
            timers,
            exchange,
            timeout,
            when_disconnected,
            closed: AtomicBool::new(false),
        };
        Bus {
            core: Arc::new(core),
            flow: next_flow(),
        }
    }

    pub(crate) fn core(&self) -> &Arc<BusCore> {
        &self.core
    }

    pub(crate) fn flow(&self) -> u64 {
        self.flow
    }
}

impl Clone for Bus {
    fn clone(&self) -> Self {
        Bus {
            core: self.core.clone(),
            flow: next_flow(),
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
    watch: Arc<Watch>,
    exchange: Exchange,
    timeout: Option<Duration>,
    when_disconnected: WhenDisconnected,
    closed: AtomicBool,
}

impl BusCore {
    pub(crate) fn transport(&self) -> &dyn Transport {
        &*self.transport
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

    pub(crate) fn when_disconnected(&self) -> WhenDisconnected {
        self.when_disconnected
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn close(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            // First told why, then cut off: else the end of a connection might tell them of a loss.
            self.timers.close();
            self.transport.close();
            self.watch.closed();
        }
    }
}

impl Drop for BusCore {
    fn drop(&mut self) {
        self.close();
    }
}
