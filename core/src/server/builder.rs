//! A server before it is started.

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::authorise::{Authorise, Policy};
use crate::bus::{Bus, Phase};
use crate::error::{ApplicationError, ServeError};
use crate::name::{Method, NameError, ServerName, Topic};
use crate::overload::WhenFull;
use crate::server::admission::Admission;
use crate::server::core::{Parts, ServerCore, ServerLimits};
use crate::server::endpoint::{Building, Endpoint, Endpoints};
use crate::server::handle::Server;
use crate::server::handler::{self, Handler, Registered};
use crate::server::queue::QueueLimits;
use crate::server::quickness::Quickness;
use crate::server::seen::Seen;
use crate::server::stats::{self, Expected};
use crate::server::window::IdempotencyWindow;
use crate::version::{Version, VersionError};

/// What can be served: implemented by the server type that `#[service]` generates.
pub trait Service {
    /// Its topic, namespace, version and methods.
    fn into_endpoint(self) -> Endpoint;
}

/// Handlers that run at the same time, unless set.
const DEFAULT_CONCURRENCY: usize = 1024;
/// Requests that wait, unless set.
const DEFAULT_QUEUE: usize = 1024;
/// Bytes that wait, unless set: four of the largest messages.
const DEFAULT_QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// A server before it is started: its methods and options.
///
/// There are three kinds of handlers, in the order in which to choose:
/// * `on`, `try_on`: an ordinary function that is quick and does not block. It may run on the caller's own thread.
/// * `on_async`, `try_on_async`: an async function; it must not block its thread between its awaits. One that does
///   stops others on its runtime, at worst all: also where that has several threads, for the one that it keeps may be
///   the one that watches the sockets.
/// * `on_blocking`, `try_on_blocking`: a function that may block or compute for long. It runs on a pool of threads kept
///   for that, where it stalls nobody.
///
/// The `try_` forms are for functions that fail with an error of their own: it reaches the caller as such.
///
/// # Several endpoints
/// An **endpoint** is a namespace, a version and the methods that it has there. A server has one, unless
/// [`endpoint`](Self::endpoint) or [`and`](Self::and) begins another: what is then said of a version, a namespace and
/// methods is said of that one. A request goes to the first endpoint that has its namespace, serves its version and has
/// its method (C-VE-2).
///
/// ```
/// # fn serve(bus: &tidings_core::Bus) -> Result<tidings_core::Server, tidings_core::ServeError> {
/// bus.listen("stock")
///     .version("1.4")
///     .on("count", |item: String| item.len() as u64)
///     .endpoint()
///     .version("2.0") // for those who ask for 2.x
///     .on("count", |(item, shelf): (String, u32)| item.len() as u64 + u64::from(shelf))
///     .endpoint()
///     .namespace("admin")
///     .on("reload", |(): ()| ())
///     .start()
/// # }
/// ```
#[must_use = "nothing is served before `.start()`"]
pub struct ServerBuilder {
    bus: Bus,
    topic: Result<Topic, NameError>,
    name: Option<Result<ServerName, NameError>>,
    /// What is said of an endpoint is said of the last one.
    endpoints: Vec<Building>,
    /// The first service that is for another topic.
    astray: Option<&'static str>,
    limits: ServerLimits,
    policy: Policy,
    window: IdempotencyWindow,
    expects: Vec<Expected>,
}

impl ServerBuilder {
    pub(crate) fn new(bus: &Bus, topic: impl AsRef<str>) -> Self {
        ServerBuilder {
            bus: bus.clone(),
            topic: Topic::new(topic),
            name: None,
            endpoints: Vec::new(),
            astray: None,
            limits: ServerLimits {
                concurrency: DEFAULT_CONCURRENCY,
                queue: QueueLimits {
                    requests: DEFAULT_QUEUE,
                    bytes: DEFAULT_QUEUE_BYTES,
                    when_full: WhenFull::default(),
                },
            },
            policy: bus.core().policy().clone(),
            window: IdempotencyWindow::default(),
            expects: Vec::new(),
        }
    }

    pub(crate) fn of_service(bus: &Bus, service: impl Service) -> Self {
        let endpoint = service.into_endpoint();
        let mut builder = ServerBuilder::new(bus, endpoint.topic);
        builder.endpoints.push(Building::of(endpoint));
        builder
    }

    /// Serves `service` as well, as an endpoint of its own: another major version, say, or another namespace. It must
    /// be for the same topic.
    pub fn and(mut self, service: impl Service) -> Self {
        let endpoint = service.into_endpoint();
        if self
            .topic
            .as_ref()
            .is_ok_and(|topic| topic.as_str() != endpoint.topic)
        {
            self.astray.get_or_insert(endpoint.topic);
        }
        self.endpoints.push(Building::of(endpoint));
        self
    }

    /// Begins another endpoint: version, namespace and methods that follow are its own.
    pub fn endpoint(mut self) -> Self {
        self.endpoints.push(Building::new());
        self
    }

    /// The endpoint that is being described.
    fn current(&mut self) -> &mut Building {
        if self.endpoints.is_empty() {
            self.endpoints.push(Building::new());
        }
        match self.endpoints.last_mut() {
            Some(last) => last,
            None => unreachable!("there is at least one"),
        }
    }

    /// Its name on the topic, for requests that are for it alone. Unset, a unique one is made up.
    pub fn name(mut self, name: impl AsRef<str>) -> Self {
        self.name = Some(ServerName::new(name));
        self
    }

    /// The version that the endpoint implements, as a [`Version`] or a text such as `"1.3"`; unset, 1.0.
    pub fn version(mut self, version: impl TryInto<Version, Error: Into<VersionError>>) -> Self {
        self.current().version = version.try_into().map_err(Into::into);
        self
    }

    /// Puts the endpoint into a namespace: only requests that name it get there. Unset, it is for requests that name
    /// none.
    pub fn namespace(mut self, name: impl AsRef<str>) -> Self {
        self.current().namespace(name);
        self
    }

    /// Has requests for the namespace `name` reach the endpoint as well: a name that it had once.
    pub fn alias(mut self, name: impl AsRef<str>) -> Self {
        self.current().alias(Some(name.as_ref()));
        self
    }

    /// Has requests that name no namespace reach the endpoint as well: it had none once.
    pub fn alias_none(mut self) -> Self {
        self.current().alias(None);
        self
    }

    /// How many of its handlers may run at the same time; unset, 1024.
    pub fn concurrency(mut self, handlers: usize) -> Self {
        self.limits.concurrency = handlers;
        self
    }

    /// One handler at a time, so that requests also end in the order in which they started (C-VB-4).
    pub fn serial(self) -> Self {
        self.concurrency(1)
    }

    /// How many requests may wait for a handler; unset, 1024. Beyond that, callers are told `Busy`.
    pub fn queue(mut self, messages: usize) -> Self {
        self.limits.queue.requests = messages;
        self
    }

    /// How many bytes may wait for a handler; unset, 64 MiB. Beyond that, callers are told `Busy`.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.limits.queue.bytes = bytes;
        self
    }

    /// Has `policy` decide about every request to this server, beside the policy of its bus: both must allow. See
    /// [`authorise`](crate::authorise).
    pub fn authorise(mut self, policy: impl Authorise + 'static) -> Self {
        let before = std::mem::take(&mut self.policy);
        self.policy = before.and(Policy::new(policy));
        self
    }

    /// What happens to a request that finds the queue full; unset, [`WhenFull::Reject`].
    ///
    /// * `Reject`: calls fail as `Busy`. A cast from this process fails as `QueueFull`; one that came over a connection
    ///   waits in front of the queue, and its sender is asked to hold back further ones for this server.
    /// * `Block`: calls and casts wait for room, within their deadline: one from this process in its bus's backlog, one
    ///   from another process in front of the queue.
    /// * `DropOldest`: the request that has waited longest is dropped. A call is told so, as `Busy`; a cast is counted
    ///   in [`Server::drops`].
    pub fn when_full(mut self, policy: WhenFull) -> Self {
        self.limits.queue.when_full = policy;
        self
    }

    /// How much it remembers of idempotent requests that are done; unset, as
    /// [`IdempotencyWindow::default`].
    pub fn idempotency_window(mut self, window: IdempotencyWindow) -> Self {
        self.window = window;
        self
    }

    /// Says which errors of type `E` are answers like any other, and not failures of this service:
    /// they reach the caller all the same, and are counted apart ([`ServerStats::expected`]). May be
    /// given several times, for several types.
    ///
    /// ```
    /// # fn f(bus: &tidings_core::Bus) -> tidings_core::Result<()> {
    /// let find = |name: String| Err::<u32, _>(format!("nobody is called {name}"));
    /// let server = bus.listen("people").try_on("find", find).expects(|_: &String| true).start()?;
    /// assert_eq!(server.stats().failed, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`ServerStats::expected`]: crate::ServerStats::expected
    pub fn expects<E: ApplicationError>(
        mut self,
        is_expected: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.expects.push(stats::expected(is_expected));
        self
    }

    /// A method whose function is quick and does not block.
    pub fn on<A, T>(
        self,
        method: impl AsRef<str>,
        function: impl Fn(A) -> T + Send + Sync + 'static,
    ) -> Self
    where
        A: DeserializeOwned + 'static,
        T: Serialize + Send + 'static,
    {
        self.add(method, handler::quick(function))
    }

    /// As [`on`](Self::on), for a function that fails with an error of its own.
    pub fn try_on<A, T, E>(
        self,
        method: impl AsRef<str>,
        function: impl Fn(A) -> Result<T, E> + Send + Sync + 'static,
    ) -> Self
    where
        A: DeserializeOwned + 'static,
        T: Serialize + Send + 'static,
        E: ApplicationError,
    {
        self.add(method, handler::try_quick(function))
    }

    /// A method whose function is async.
    pub fn on_async<A, T, F>(
        self,
        method: impl AsRef<str>,
        function: impl Fn(A) -> F + Send + Sync + 'static,
    ) -> Self
    where
        A: DeserializeOwned + 'static,
        T: Serialize + Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.add(method, handler::asynchronous(function))
    }

    /// As [`on_async`](Self::on_async), for a function that fails with an error of its own.
    pub fn try_on_async<A, T, E, F>(
        self,
        method: impl AsRef<str>,
        function: impl Fn(A) -> F + Send + Sync + 'static,
    ) -> Self
    where
        A: DeserializeOwned + 'static,
        T: Serialize + Send + 'static,
        E: ApplicationError,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.add(method, handler::try_asynchronous(function))
    }

    /// A method whose function may block its thread or compute for long.
    pub fn on_blocking<A, T>(
        self,
        method: impl AsRef<str>,
        function: impl Fn(A) -> T + Send + Sync + 'static,
    ) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        T: Serialize + Send + 'static,
    {
        self.add(method, handler::blocking(function))
    }

    /// As [`on_blocking`](Self::on_blocking), for a function that fails with an error of its own.
    pub fn try_on_blocking<A, T, E>(
        self,
        method: impl AsRef<str>,
        function: impl Fn(A) -> Result<T, E> + Send + Sync + 'static,
    ) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        T: Serialize + Send + 'static,
        E: ApplicationError,
    {
        self.add(method, handler::try_blocking(function))
    }

    fn add(mut self, method: impl AsRef<str>, handler: impl Handler + 'static) -> Self {
        let registered = Registered {
            handler: Box::new(handler),
            fingerprint: None,
            quickness: Quickness::default(),
        };
        self.current()
            .methods
            .push((Method::new(method), registered));
        self
    }

    /// Starts it: from here on it receives requests. Dropping the [`Server`] stops it.
    ///
    /// # Errors
    /// [`ServeError`]; nothing was registered then.
    pub fn start(self) -> Result<Server, ServeError> {
        let topic = self.topic?;
        let name = self.name.transpose()?.unwrap_or_else(ServerName::unique);
        if let Some(other) = self.astray {
            return Err(ServeError::OtherTopic {
                topic: topic.to_string(),
                other: other.to_owned(),
            });
        }
        let endpoints = Endpoints::check(&topic, self.endpoints)?;
        for (limit, value) in [
            ("concurrency", self.limits.concurrency),
            ("queue", self.limits.queue.requests),
            ("queue_bytes", self.limits.queue.bytes),
        ] {
            if value == 0 {
                return Err(ServeError::ZeroLimit {
                    topic: topic.to_string(),
                    limit,
                });
            }
        }
        if self.bus.core().phase() != Phase::Open {
            return Err(ServeError::Closed {
                topic: topic.to_string(),
            });
        }
        let exchange = self.bus.core().exchange().map_err(Clone::clone)?.clone();
        let runtime = self.bus.runtime().clone();
        let bus = self.bus.core();
        let ticks = bus.ticks().clone();
        let max_message = self.bus.capabilities().max_message;
        let seen = Seen::new(self.window, max_message, ticks.clone());
        let core = ServerCore::start(Parts {
            exchange,
            topic,
            name,
            admission: Admission::new(self.policy, endpoints),
            limits: self.limits,
            runtime,
            ticks,
            seen,
            expects: self.expects,
            tally: bus.tally().clone(),
            memory: bus.memory(),
        });
        Server::bind(self.bus, core)
    }
}
