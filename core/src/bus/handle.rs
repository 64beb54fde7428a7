//! A handle on a bus.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::bus::builder::BusBuilder;
use crate::bus::core::{BusCore, Defaults};
use crate::bus::draft::{Subject, or_fault};
use crate::bus::{Args, Client, Request, WhenDisconnected};
use crate::codec::{CodecId, EncodeError};
use crate::connection::{Events, State};
use crate::error::{CallError, ServeError};
use crate::name::{Exchange, Method, NameError, Topic, split_path};
use crate::overload::{BusStats, WhenFull};
use crate::payload::Payload;
use crate::runtime::Runtime;
use crate::server::{Server, ServerBuilder, Service};
use crate::transport::Capabilities;

/// A handle on a bus: everything starts here. Cheap to clone; a clone is a handle of its own, with an order of its own
/// (C-VB-4).
///
/// A handle may have **defaults of its own**: [`with_exchange`](Self::with_exchange), [`with_timeout`](Self::with_timeout),
/// [`with_header`](Self::with_header) and their likes give another handle on the same bus, and leave this one as it is.
/// What a request says beats what its handle says, which beats what the handle was derived from, up to the bus's builder
/// (C-AD-7). A typed client and a server have the defaults of the handle that they are made from.
///
/// When the last handle is gone (clones, clients, servers), the bus is closed: what is outstanding fails at once.
///
/// A bus is of the process that opened it. A program that this process starts has none of its descriptors; a process that
/// is forked off without executing one (which Rust's std never does) must not use it.
pub struct Bus {
    core: Arc<BusCore>,
    flow: u64,
}

impl Bus {
    /// A bus with options of its own.
    pub fn builder() -> BusBuilder {
        BusBuilder::new()
    }

    /// A handle whose requests and servers are in the exchange of this name (C-AD-5). What is not a name is told by each
    /// of them.
    #[must_use = "the handle it is called on stays as it is"]
    pub fn with_exchange(&self, name: impl AsRef<str>) -> Bus {
        self.derive(|defaults| match Exchange::new(name) {
            Ok(exchange) => (defaults.exchange, defaults.fault) = (exchange, None),
            Err(error) => defaults.fault = Some(error),
        })
    }

    /// A handle whose requests do as `policy` says when the queue to their connection is full. That is
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
    /// let positions = bus.with_when_full(WhenFull::DropOldest);
    /// positions.cast("map.moved_to", &(48.2_f64, 16.4_f64))?;
    /// # Ok(())
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "the handle it is called on stays as it is"]
    pub fn with_when_full(&self, policy: WhenFull) -> Bus {
        self.derive(|defaults| defaults.when_full = policy)
    }

    /// A handle whose requests have `timeout` unless they say otherwise.
    #[must_use = "the handle it is called on stays as it is"]
    pub fn with_timeout(&self, timeout: Duration) -> Bus {
        self.derive(|defaults| defaults.timeout = Some(timeout))
    }

    /// A handle whose requests take as long as they take unless they say otherwise.
    #[must_use = "the handle it is called on stays as it is"]
    pub fn with_no_timeout(&self) -> Bus {
        self.derive(|defaults| defaults.timeout = None)
    }

    /// A handle whose requests do this while there is no connection, unless they say otherwise.
    #[must_use = "the handle it is called on stays as it is"]
    pub fn with_when_disconnected(&self, choice: WhenDisconnected) -> Bus {
        self.derive(|defaults| defaults.when_disconnected = choice)
    }

    /// A handle that adds this header to its requests. It takes the place of headers of the same name that the handle
    /// had, and a request's own header of that name takes its place.
    #[must_use = "the handle it is called on stays as it is"]
    pub fn with_header(&self, name: impl Into<String>, value: impl Into<String>) -> Bus {
        let (name, value) = (name.into(), value.into());
        self.derive(|defaults| {
            defaults.headers.retain(|(known, _)| *known != name);
            defaults.headers.push((name, value));
        })
    }

    /// A handle that does not add headers of this name to its requests.
    #[must_use = "the handle it is called on stays as it is"]
    pub fn with_no_header(&self, name: impl AsRef<str>) -> Bus {
        self.derive(|defaults| defaults.headers.retain(|(known, _)| known != name.as_ref()))
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
    /// The arguments' types must be those of the method, up to the kind of each number: `&3` is an `i32`, and a method
    /// that takes a `u64` refuses it as `BadRequest` (it would read another number). Write `&3_u64`. The same holds for
    /// the reply, whose type `T` is: a reply of other kinds is `BadReply`. Integers of 16 bits and more may differ in
    /// width, structs may be given as tuples; names of fields and variants are not compared, as they are between typed
    /// clients and servers (C-VE-4).
    pub fn request<T>(&self, path: &str, arguments: &(impl Serialize + ?Sized)) -> Request<T> {
        self.asked(split_path(path), self.borrowed(arguments))
    }

    /// What is not a name is told when it is sent.
    fn asked<T>(
        &self,
        names: Result<(Topic, Method), NameError>,
        arguments: Result<Args, EncodeError>,
    ) -> Request<T> {
        let ((topic, method), fault) = or_fault(names, (Topic::NONE, Method::NONE));
        Request::new(self, Subject::of(topic, method), arguments).spoiled_by(fault)
    }

    /// Arguments that are borrowed cannot be moved to a handler: they are encoded here. Their type cannot be compared
    /// with the method's, so what they are made of is.
    pub(super) fn borrowed(
        &self,
        arguments: &(impl Serialize + ?Sized),
    ) -> Result<Args, EncodeError> {
        let limit = self.core.capabilities().max_message;
        Payload::bytes_of(arguments, limit, CodecId::CHECKED).map(Args::of)
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

    /// The names of the servers that are on `topic` now, in this handle's exchange, the one that came first first. A
    /// request like any other: `.await` it or [`wait`](Request::wait) on it, with a timeout if need be.
    ///
    /// ```
    /// # use tidings_core::Bus;
    /// # fn show(bus: &Bus) -> tidings_core::Result<()> {
    /// for server in bus.servers("greeter").wait()? {
    ///     println!("{server}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As those of any call: `NoServer` when nobody is on the topic, told with the nearest topic that there is.
    pub fn servers(&self, topic: impl AsRef<str>) -> Request<Vec<String>> {
        let names = Topic::new(topic).map(|topic| (topic, Method::SERVERS));
        self.asked(names, self.borrowed(&()))
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
        self.core.timers().len()
    }

    /// Whether it is connected, at this moment.
    pub fn state(&self) -> State {
        self.core.watch().state()
    }

    /// How its connection stands, and then what happens to it.
    pub fn events(&self) -> Events {
        self.core.watch().events()
    }

    /// What it gave up since it was opened: late replies, casts that did not leave.
    pub fn stats(&self) -> BusStats {
        self.core.tally().read() + self.core.transport().stats()
    }

    /// Bytes that it holds for messages just now, of its [budget](BusBuilder::memory_budget).
    pub fn memory_in_use(&self) -> usize {
        self.core.memory_in_use()
    }

    /// What its transport can do.
    pub fn capabilities(&self) -> Capabilities {
        self.core.capabilities()
    }

    /// The address at which others reach this bus, where this process serves it and that is more than what was opened
    /// says: of `tcp:127.0.0.1:0?listen`, with the port that the system chose. Without options, which each side writes
    /// for itself. `None` where there is no more to say.
    pub fn address(&self) -> Option<String> {
        self.core.transport().address()
    }

    /// What runs its tasks.
    pub fn runtime(&self) -> &Arc<dyn Runtime> {
        self.core.transport().runtime()
    }

    pub(super) fn of(core: BusCore) -> Self {
        Bus {
            core: Arc::new(core),
            flow: next_flow(),
        }
    }

    fn derive(&self, change: impl FnOnce(&mut Defaults)) -> Bus {
        Bus::of(self.core.derive(change))
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
        let mut out = f.debug_struct("Bus");
        match self.core.exchange() {
            Ok(exchange) => out.field("exchange", exchange),
            Err(error) => out.field("exchange", error),
        };
        out.finish_non_exhaustive()
    }
}

fn next_flow() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
