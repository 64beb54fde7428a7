//! A server before it is started.

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bus::{Bus, Phase};
use crate::error::{ApplicationError, ServeError};
use crate::name::{Method, NameError, ServerName, Topic};
use crate::overload::WhenFull;
use crate::server::core::{ServerCore, ServerLimits};
use crate::server::handle::Server;
use crate::server::handler::{self, Endpoint, Handler, MethodSpec, Methods, Registered};
use crate::version::Version;

/// What can be served: implemented by the server type that `#[service]` generates.
pub trait Service {
    /// Its topic, version and methods.
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
/// * `on_async`, `try_on_async`: an async function; it must not block its thread between its awaits.
/// * `on_blocking`, `try_on_blocking`: a function that may block or compute for long. It runs on a pool of threads kept
///   for that, where it stalls nobody.
///
/// The `try_` forms are for functions that fail with an error of their own: it reaches the caller as such.
#[must_use = "nothing is served before `.start()`"]
pub struct ServerBuilder {
    bus: Bus,
    topic: Result<Topic, NameError>,
    name: Option<Result<ServerName, NameError>>,
    version: Version,
    methods: Vec<(Result<Method, NameError>, Registered)>,
    limits: ServerLimits,
}

impl ServerBuilder {
    pub(crate) fn new(bus: &Bus, topic: impl AsRef<str>) -> Self {
        ServerBuilder {
            bus: bus.clone(),
            topic: Topic::new(topic),
            name: None,
            version: Version::DEFAULT,
            methods: Vec::new(),
            limits: ServerLimits {
                concurrency: DEFAULT_CONCURRENCY,
                queue: DEFAULT_QUEUE,
                queue_bytes: DEFAULT_QUEUE_BYTES,
                when_full: WhenFull::default(),
            },
        }
    }

    pub(crate) fn of_service(bus: &Bus, service: impl Service) -> Self {
        let Endpoint {
            topic,
            version,
            methods,
        } = service.into_endpoint();
        let mut builder = ServerBuilder::new(bus, topic).version(version);
        for MethodSpec {
            name,
            fingerprint,
            handler,
            ..
        } in methods
        {
            builder.methods.push((
                Method::from_static(name),
                Registered {
                    handler,
                    fingerprint,
                },
            ));
        }
        builder
    }

    /// Its name on the topic, for requests that are for it alone. Unset, a unique one is made up.
    pub fn name(mut self, name: impl AsRef<str>) -> Self {
        self.name = Some(ServerName::new(name));
        self
    }

    /// The version it implements; unset, 1.0.
    pub fn version(mut self, version: Version) -> Self {
        self.version = version;
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
        self.limits.queue = messages;
        self
    }

    /// How many bytes may wait for a handler; unset, 64 MiB. Beyond that, callers are told `Busy`.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.limits.queue_bytes = bytes;
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
        self.limits.when_full = policy;
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
        };
        self.methods.push((Method::new(method), registered));
        self
    }

    /// Starts it: from here on it receives requests. Dropping the [`Server`] stops it.
    ///
    /// # Errors
    /// [`ServeError`]; nothing was registered then.
    pub fn start(self) -> Result<Server, ServeError> {
        let topic = self.topic?;
        let name = self.name.transpose()?.unwrap_or_else(ServerName::unique);
        let mut methods = Methods::default();
        for (name, method) in self.methods {
            methods.add(&topic, name?, method)?;
        }
        if methods.is_empty() {
            return Err(ServeError::NoMethods {
                topic: topic.to_string(),
            });
        }
        let ServerLimits {
            concurrency,
            queue,
            queue_bytes,
            when_full: _,
        } = self.limits;
        for (limit, value) in [
            ("concurrency", concurrency),
            ("queue", queue),
            ("queue_bytes", queue_bytes),
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
        let exchange = self.bus.core().exchange().clone();
        let runtime = self.bus.runtime().clone();
        let core = ServerCore::start(
            (exchange, topic, name),
            self.version,
            methods,
            self.limits,
            runtime,
            self.bus.core().tally().clone(),
        );
        Server::bind(self.bus, core)
    }
}
