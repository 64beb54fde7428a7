//! A request before it is sent, and the verbs that send it.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bus::handle::{Bus, BusCore};
use crate::bus::{Claim, Delivery, Head, InFlight, MAX_DEPTH, Verb};
use crate::codec::{self, EncodeError};
use crate::context::Context;
use crate::error::{
    ApplicationError, CallError, CallErrorKind, Fate, MethodError, ReplyError, Stage,
};
use crate::name::{Method, NameError, ServerName, Topic};
use crate::payload::Payload;
use crate::promise::seam::Cancel;
use crate::promise::{Promise, PromiseError};
use crate::reply::{self, Reply};
use crate::runtime::BoxFuture;
use crate::server::{Mode, NotAccepted};
use crate::timer;
use crate::version::Version;

/// What a generated client knows of its service. Cheap to clone; a clone has an order of its own (C-VB-4).
#[derive(Clone)]
pub struct ServiceClient {
    bus: Bus,
    topic: Result<Topic, NameError>,
    version: Version,
}

impl ServiceClient {
    /// A client on `bus` for the service on `topic`. A topic that is not a name is told by each request.
    pub fn new(bus: &Bus, topic: &'static str, version: Version) -> Self {
        ServiceClient {
            bus: bus.clone(),
            topic: Topic::from_static(topic),
            version,
        }
    }

    /// A request for one of the service's methods, whose arguments are moved.
    pub fn request<A, T, E>(
        &self,
        method: &'static str,
        fingerprint: fn() -> u64,
        arguments: A,
    ) -> Request<T, E>
    where
        A: Serialize + Send + 'static,
    {
        let topic = self.topic.clone();
        let names = topic.and_then(|topic| Ok((topic, Method::from_static(method)?)));
        let mut request = Request::new(&self.bus, names, self.carried(arguments));
        request.version = self.version;
        request.fingerprint = Some(fingerprint);
        request
    }

    /// Moved where the transport moves values, else encoded at once: boxed first, they would be allocated twice.
    fn carried<A: Serialize + Send + 'static>(&self, arguments: A) -> Result<Args, EncodeError> {
        let capabilities = self.bus.capabilities();
        if capabilities.moves_values {
            return Ok(Args::value(arguments));
        }
        let bytes = codec::encode(&arguments, capabilities.max_message)?;
        Ok(Args::of(Payload::Bytes(bytes)))
    }
}

impl fmt::Debug for ServiceClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("ServiceClient");
        match &self.topic {
            Ok(topic) => out.field("topic", topic),
            Err(error) => out.field("topic", error),
        };
        out.field("version", &self.version).finish_non_exhaustive()
    }
}

/// The arguments of a request.
pub struct Args(Payload);

impl Args {
    /// Arguments that are moved where they can be.
    pub fn value<A: Serialize + Send + 'static>(arguments: A) -> Self {
        Args(Payload::value(arguments))
    }

    pub(crate) fn of(payload: Payload) -> Self {
        Args(payload)
    }
}

/// A deadline as it was asked for: "none" is not the same as "not set" (C-AD-7).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Timeout {
    Inherited,
    None,
    After(Duration),
}

/// A request that has not been sent: choose options, then a verb.
///
/// * [`cast`](Self::cast): no reply.
/// * [`invoke`](Self::invoke): it is on its way when this returns; the [`Promise`] brings the reply.
/// * [`call`](Self::call), or `.await` and [`wait`](Self::wait) on the request itself: send it and wait for the reply.
///   Like any future, it does nothing before it is awaited or waited on.
///
/// Dropped without a verb, it was never sent.
#[must_use = "nothing is sent before a verb: `.cast()`, `.call()` or `.invoke()`"]
pub struct Request<T, E = CallError> {
    bus: Arc<BusCore>,
    flow: u64,
    names: Result<(Topic, Method), NameError>,
    arguments: Result<Args, EncodeError>,
    server: Option<Result<ServerName, NameError>>,
    version: Version,
    fingerprint: Option<fn() -> u64>,
    timeout: Timeout,
    headers: Vec<(String, String)>,
    idempotent: bool,
    outcome: PhantomData<fn() -> (T, E)>,
}

impl<T, E> Request<T, E> {
    pub(crate) fn new(
        bus: &Bus,
        names: Result<(Topic, Method), NameError>,
        arguments: Result<Args, EncodeError>,
    ) -> Self {
        Request {
            bus: bus.core().clone(),
            flow: bus.flow(),
            names,
            arguments,
            server: None,
            version: Version::DEFAULT,
            fingerprint: None,
            timeout: Timeout::Inherited,
            headers: Vec::new(),
            idempotent: false,
            outcome: PhantomData,
        }
    }

    /// Gives it `timeout` from being sent to the reply's arrival (C-DL-1). Zero has passed at once. Nested in a
    /// handler, it never outlives the handler's own deadline.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Timeout::After(timeout);
        self
    }

    /// Lets it take as long as it takes.
    pub fn no_timeout(mut self) -> Self {
        self.timeout = Timeout::None;
        self
    }

    /// Sends it to the server of this name on the topic, and to no other (C-AD-3).
    pub fn to(mut self, server: impl AsRef<str>) -> Self {
        self.server = Some(ServerName::new(server));
        self
    }

    /// Adds a header; the handler reads it with [`Context::header`].
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Says that running it twice does no harm: then a failure of unknown fate is retryable too.
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Says that the method fails with errors of type `A`, so that they arrive as that.
    pub fn with_error<A: ApplicationError>(self) -> Request<T, MethodError<A>> {
        let Request {
            bus,
            flow,
            names,
            arguments,
            server,
            version,
            fingerprint,
            timeout,
            headers,
            idempotent,
            ..
        } = self;
        Request {
            bus,
            flow,
            names,
            arguments,
            server,
            version,
            fingerprint,
            timeout,
            headers,
            idempotent,
            outcome: PhantomData,
        }
    }

    /// Sends it and wants no reply. Never blocks.
    ///
    /// # Errors
    /// `Ok` means accepted into a bounded queue. `QueueFull` when that is full; see
    /// [`cast_when_room`](Self::cast_when_room) to wait. Else why it cannot be sent.
    pub fn cast(self) -> Result<(), CallError> {
        let bus = self.bus.clone();
        let delivery = self.into_delivery(Verb::Cast)?;
        bus.transport()
            .send(delivery, Mode::Queue)
            .map_err(NotAccepted::into_error)
    }

    /// As [`cast`](Self::cast), but waits for room: `.await` it, or [`wait`](crate::WaitExt::wait) on it. Dropped
    /// before it resolved, it was not sent.
    pub fn cast_when_room(self) -> CastWhenRoom {
        let bus = self.bus.clone();
        CastWhenRoom {
            delivery: Some(self.into_delivery(Verb::Cast)),
            alarm: None,
            bus,
        }
    }

    /// Makes the message, within the context of the handler that it is made in, if any.
    fn into_delivery(self, verb: Verb) -> Result<Delivery, CallError> {
        let bus = self.bus;
        let (topic, method) = self.names?;
        let server = self.server.transpose()?;
        let parent = Context::current();
        let made_at = Instant::now();
        let own = match self.timeout {
            Timeout::Inherited => bus.timeout(),
            Timeout::None => None,
            Timeout::After(timeout) => Some(timeout),
        };
        let own = own.and_then(|timeout| made_at.checked_add(timeout));
        let inherited = parent.as_ref().and_then(Context::deadline);
        let deadline = match (own, inherited) {
            (Some(own), Some(inherited)) => Some(own.min(inherited)),
            (own, inherited) => own.or(inherited),
        };
        let head = Head {
            verb,
            exchange: bus.exchange().clone(),
            topic,
            server,
            method,
            version: self.version,
            fingerprint: self.fingerprint.map(|fingerprint| fingerprint()),
            headers: self.headers,
            caller: bus.caller(),
            depth: parent.as_ref().map_or(0, |parent| {
                parent.in_flight().head().depth.saturating_add(1)
            }),
            idempotent: self.idempotent,
            flow: self.flow,
            made_at,
            deadline,
        };
        let capabilities = bus.transport().capabilities();
        let encode_replies = (!capabilities.moves_values).then_some(capabilities.max_message);
        let in_flight = InFlight::new(head, encode_replies);
        if let (Some(parent), Verb::Call) = (&parent, verb) {
            parent.in_flight().adopt(&in_flight);
        }
        let unsent =
            |kind| Err(in_flight.told(CallError::new(kind, Fate::NotSent, Stage::Preparing)));
        let head = in_flight.head();
        if head.depth > MAX_DEPTH {
            return unsent(CallErrorKind::TooDeep {
                depth: head.depth,
                limit: MAX_DEPTH,
            });
        }
        if head.is_late(made_at) {
            return unsent(CallErrorKind::DeadlineExceeded {
                timeout: head.timeout().unwrap_or_default(),
            });
        }
        if let Err(kind) = check_headers(&head.headers) {
            return unsent(kind);
        }
        if bus.is_closed() {
            return unsent(CallErrorKind::Closed);
        }
        let payload = match self.arguments {
            Ok(Args(payload)) if capabilities.moves_values => Ok(payload),
            Ok(Args(payload)) => payload
                .into_bytes(capabilities.max_message)
                .map(Payload::Bytes),
            Err(error) => Err(error),
        };
        match payload {
            Ok(payload) => Ok(Delivery::new(in_flight, payload)),
            Err(EncodeError::TooLarge { at_least, limit }) => unsent(CallErrorKind::TooLarge {
                size: at_least,
                limit,
                set_by: "max_message",
            }),
            Err(other) => unsent(CallErrorKind::Encode(other.to_string())),
        }
    }
}

impl<T, E> Request<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: ReplyError,
{
    /// Sends it now. Never blocks: when this returns, the message is on its way or its failure is in the promise.
    /// Dropping the promise cancels the request.
    pub fn invoke(self) -> Promise<T, E> {
        self.send(Mode::Queue)
    }

    /// A future that sends it when it is first polled or waited on, and resolves to the reply. Dropping it cancels the
    /// request.
    pub fn call(self) -> Call<T, E> {
        Call(Step::Unsent(Some(self)))
    }

    /// Sends it and blocks until the reply is there; no runtime is needed.
    ///
    /// # Errors
    /// Why there is no reply; in an async task whose runtime would stall, `WouldBlock`.
    pub fn wait(self) -> Result<T, E> {
        self.send(Mode::Inline).wait()
    }

    fn send(self, mode: Mode) -> Promise<T, E> {
        let bus = self.bus.clone();
        let delivery = match self.into_delivery(Verb::Call) {
            Ok(delivery) => delivery,
            Err(error) => return Promise::failed(error.into()),
        };
        let in_flight = delivery.in_flight().clone();
        if let Err(refused) = bus.transport().send(delivery, mode) {
            return Promise::failed(refused.into_error().into());
        }
        match in_flight.claim() {
            Claim::Answered(reply) => {
                let report = |kind, fate, stage| in_flight.told(CallError::new(kind, fate, stage));
                Promise::from(reply::read(reply, &report))
            }
            Claim::Pending(receiver) => {
                in_flight.arm(bus.timers());
                Promise::of_reply(receiver, read_reply::<T, E>, in_flight)
            }
        }
    }
}

fn read_reply<T, E>(reply: Reply, request: &dyn Cancel) -> Result<T, E>
where
    T: DeserializeOwned + 'static,
    E: ReplyError,
{
    reply::read(reply, &|kind, fate, stage| {
        request.report(kind, fate, stage)
    })
}

/// The most headers of a request, and the most bytes in all their names and values.
const MAX_HEADERS: (usize, usize) = (64, 8 * 1024);

/// What starts the names of headers that the bus itself sets: never taken from a user or from the wire (S10).
const RESERVED: &str = "bus.";

fn check_headers(headers: &[(String, String)]) -> Result<(), CallErrorKind> {
    if headers.is_empty() {
        return Ok(());
    }
    let (most, most_bytes) = MAX_HEADERS;
    let bytes = headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if headers.len() > most {
        return Err(CallErrorKind::TooLarge {
            size: headers.len(),
            limit: most,
            set_by: "max_headers (a count)",
        });
    }
    if bytes > most_bytes {
        return Err(CallErrorKind::TooLarge {
            size: bytes,
            limit: most_bytes,
            set_by: "max_header_bytes",
        });
    }
    for (name, _) in headers {
        crate::name::check("header name", name)?;
        if name.starts_with(RESERVED) {
            let advice = "choose a header name that does not start with `bus.`";
            return Err(CallErrorKind::Unsupported {
                what: "a header of the bus's own",
                advice,
            });
        }
    }
    Ok(())
}

impl<T, E> IntoFuture for Request<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: ReplyError,
{
    type Output = Result<T, E>;
    type IntoFuture = Call<T, E>;

    fn into_future(self) -> Call<T, E> {
        self.call()
    }
}

impl<T, E> fmt::Debug for Request<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Request");
        match &self.names {
            Ok((topic, method)) => out.field("topic", topic).field("method", method),
            Err(error) => out.field("names", error),
        };
        out.field("timeout", &self.timeout)
            .field("idempotent", &self.idempotent)
            .finish_non_exhaustive()
    }
}

/// A request that is sent when it is first polled or waited on. Made by [`Request::call`].
#[must_use = "like any future, it does nothing before it is awaited or waited on"]
pub struct Call<T, E = CallError>(Step<T, E>);

enum Step<T, E> {
    Unsent(Option<Request<T, E>>),
    Sent(Promise<T, E>),
}

impl<T, E> Unpin for Call<T, E> {}

impl<T, E> Call<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: ReplyError,
{
    /// Sends it and blocks until the reply is there; no runtime is needed.
    ///
    /// # Errors
    /// As [`Request::wait`].
    pub fn wait(self) -> Result<T, E> {
        match self.0 {
            Step::Unsent(Some(request)) => request.wait(),
            Step::Unsent(None) => Err(E::from(PromiseError::Taken)),
            Step::Sent(promise) => promise.wait(),
        }
    }
}

impl<T, E> Future for Call<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: ReplyError,
{
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        loop {
            match &mut self.0 {
                Step::Sent(promise) => return Pin::new(promise).poll(cx),
                Step::Unsent(request) => match request.take() {
                    Some(request) => self.0 = Step::Sent(request.send(Mode::Inline)),
                    None => return Poll::Ready(Err(E::from(PromiseError::Taken))),
                },
            }
        }
    }
}

/// A cast that waits for room in the queue. Made by [`Request::cast_when_room`].
#[must_use = "like any future, it does nothing before it is awaited or waited on"]
pub struct CastWhenRoom {
    delivery: Option<Result<Delivery, CallError>>,
    /// Its deadline, once it waits: nobody else would wake it then.
    alarm: Option<BoxFuture<()>>,
    bus: Arc<BusCore>,
}

impl CastWhenRoom {
    /// Blocks until the message is accepted; no runtime is needed.
    ///
    /// # Errors
    /// Why it cannot be sent.
    pub fn wait(self) -> Result<(), CallError> {
        crate::WaitExt::wait(self)
    }
}

impl Future for CastWhenRoom {
    type Output = Result<(), CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut registered = false;
        loop {
            let delivery = match self.delivery.take() {
                Some(Ok(delivery)) => delivery,
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Err(PromiseError::Taken.into())),
            };
            let head = delivery.in_flight().head();
            if head.is_late(Instant::now()) {
                let kind = CallErrorKind::DeadlineExceeded {
                    timeout: head.timeout().unwrap_or_default(),
                };
                return Poll::Ready(Err(delivery.refuse(kind, Fate::NotSent, Stage::QueuedHere)));
            }
            match self.bus.transport().send(delivery, Mode::Queue) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(NotAccepted::Refused(error)) => return Poll::Ready(Err(error)),
                Err(NotAccepted::Full(delivery, _)) => {
                    let in_flight = delivery.in_flight().clone();
                    self.delivery = Some(Ok(delivery));
                    if registered {
                        let Some(left) = in_flight.remaining(Instant::now()) else {
                            return Poll::Pending;
                        };
                        let alarm = self.alarm.get_or_insert_with(|| timer::sleep(left));
                        match alarm.as_mut().poll(cx) {
                            Poll::Ready(()) => continue, // It is late now.
                            Poll::Pending => return Poll::Pending,
                        }
                    }
                    // Registered first, tried again after: room that came in between is not missed.
                    self.bus.transport().wait_for_room(in_flight.head(), cx);
                    registered = true;
                }
            }
        }
    }
}
