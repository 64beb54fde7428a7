//! A request before it is sent, and the verbs that send it.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::blocking;
use crate::bus::dispatched::Dispatched;
use crate::bus::draft::{Args, Draft, Subject, Terms, Timeout};
use crate::bus::{
    Bus, Call, CastWhenRoom, FanoutRequest, IdempotencyKey, Retry, Retrying, Verb, WhenDisconnected,
};
use crate::codec::EncodeError;
use crate::error::{
    ApplicationError, CallError, CallErrorKind, Fate, MethodError, ReplyError, Stage,
};
use crate::name::{NameError, Namespace, ServerName};
use crate::overload::WhenFull;
use crate::promise::{Promise, PromiseError};
use crate::server::{Mode, Sent};
use crate::version::{Version, VersionError};

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
    pub(super) draft: Draft,
    outcome: PhantomData<fn() -> (T, E)>,
}

impl<T, E> Request<T, E> {
    pub(crate) fn new(bus: &Bus, subject: Subject, arguments: Result<Args, EncodeError>) -> Self {
        Request::of(Draft::new(bus, subject, arguments))
    }

    #[inline]
    pub(super) fn of(draft: Draft) -> Self {
        Request {
            draft,
            outcome: PhantomData,
        }
    }

    /// Gives it `timeout` from being sent to the reply's arrival (C-DL-1). Zero has passed at once. Nested in a
    /// handler, it never outlives the handler's own deadline.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.draft.timeout = Timeout::After(timeout);
        self
    }

    /// Lets it take as long as it takes.
    pub fn no_timeout(mut self) -> Self {
        self.draft.timeout = Timeout::None;
        self
    }

    /// Sends it to the server of this name on the topic, and to no other (C-AD-3).
    pub fn to(mut self, server: impl AsRef<str>) -> Self {
        match ServerName::new(server) {
            Ok(server) => self.draft.head_mut().server = Some(server),
            Err(error) => self.terms().spoil(error),
        }
        self
    }

    /// Addresses it to every server of the topic (C-AD-4). Give the other options first: what is left to choose is
    /// [`cast`](FanoutRequest::cast) or [`gather`](FanoutRequest::gather).
    pub fn fanout(mut self) -> FanoutRequest<T, E> {
        self.draft.terms().fanout = true;
        FanoutRequest::new(self)
    }

    /// Sends it to endpoints in the namespace `name`. Unset, it is for those of its client.
    pub fn namespace(mut self, name: impl AsRef<str>) -> Self {
        match Namespace::new(name) {
            Ok(name) => self.draft.rare().namespace = Some(name),
            Err(error) => self.terms().spoil(error),
        }
        self
    }

    /// Sends it to endpoints without a namespace, though its client has one.
    pub fn no_namespace(mut self) -> Self {
        if let Some(rare) = &mut self.draft.head_mut().rare {
            rare.namespace = None;
        }
        self
    }

    /// The least version of the service that will do for it, as a [`Version`] or a text such as `"1.3"`. Unset, it is
    /// that in which a generated client's method came, else 1.0.
    ///
    /// A server serves it that implements the same major version, and this or a later minor one (C-VE-1).
    pub fn version(mut self, version: impl TryInto<Version, Error: Into<VersionError>>) -> Self {
        match version.try_into() {
            Ok(version) => self.draft.head_mut().version = version,
            Err(error) => self.terms().spoil(error.into()),
        }
        self
    }

    /// It fails by this when it is sent.
    pub(super) fn spoiled_by(mut self, fault: Option<NameError>) -> Self {
        if let Some(fault) = fault {
            self.terms().spoil(fault);
        }
        self
    }

    fn terms(&mut self) -> &mut Terms {
        self.draft.terms()
    }

    /// Adds a header; the handler reads it with [`Context::header`](crate::Context::header). It takes the place of the
    /// handle's header of this name, if there is one.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.draft.header(name.into(), value.into());
        self
    }

    /// Leaves out headers of this name, those of the handle included.
    pub fn no_header(mut self, name: impl AsRef<str>) -> Self {
        self.draft.no_header(name.as_ref());
        self
    }

    /// Names the work that it asks for, so that asking again does not do it again: a server that
    /// has seen `key` gives the answer that it gave, or will give, to the first (C-VB-5). So a
    /// failure of unknown fate is retryable too. Another payload under the same key is
    /// [`KeyConflict`](CallErrorKind::KeyConflict).
    ///
    /// The key is a number, a UUID's bytes, a text, or [`IdempotencyKey::unique()`]. Each server
    /// remembers its own, for as long and as many as its
    /// [`IdempotencyWindow`](crate::IdempotencyWindow) says; among several servers of a topic,
    /// one key goes to one server for as long as that is there. In memory too, arguments and reply
    /// are encoded, so that the answer can be given again.
    ///
    /// ```
    /// # fn f(bus: &tidings_core::Bus) -> tidings_core::Result<()> {
    /// bus.request::<()>("shop.order", &("tea", 2_u32)).idempotent("order 17").wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn idempotent(mut self, key: impl Into<IdempotencyKey>) -> Self {
        self.draft.rare().idempotency_key = Some(key.into());
        self
    }

    /// Wants a sign of life: while the call waits or runs at its server, that beats, and when no
    /// beat came for `longest` the call fails as [`ServerLost`](CallErrorKind::ServerLost), at the
    /// latest a quarter of that time later, however far its deadline (C-DL-6).
    ///
    /// For calls that take long: `.no_timeout().heartbeat(Duration::from_secs(5))` waits for as
    /// long as the server lives. It does not move the deadline. The time counts from the start,
    /// whatever the call waits for; only its server beats, not a hub on the way. What beats is the
    /// server's runtime: a handler that blocks the only thread of that, which only blocking
    /// handlers may, is not told from a server that is dead.
    ///
    /// At least 10 ms; less, or for a cast, is `Unsupported`, and not sent.
    pub fn heartbeat(mut self, longest: Duration) -> Self {
        self.draft.rare().heartbeat = Some(longest);
        self
    }

    /// Where no server is on the topic (or not the one asked for, or none of its namespace and version), has it wait for
    /// one, within its deadline, instead of failing at once. It waits where the servers are known: in this process in memory, at the hub over sockets. If
    /// none comes, it fails as it would have at once, not executed.
    ///
    /// How many may wait is bounded, for a bus and for each of its connections: beyond that a call is answered `Busy`
    /// and a cast is told `QueueFull`.
    pub fn wait_for_server(mut self) -> Self {
        self.draft.head_mut().wait_for_server = true;
        self
    }

    /// What becomes of it while there is no connection; unset, what its bus says.
    pub fn when_disconnected(mut self, choice: WhenDisconnected) -> Self {
        self.draft.head_mut().when_disconnected = choice;
        self
    }

    /// What happens to it when the queue to its connection is full; unset, what the handle says, see
    /// [`Bus::with_when_full`].
    pub fn when_full(mut self, policy: WhenFull) -> Self {
        self.draft.head_mut().when_full = policy;
        self
    }

    /// Says that the method fails with errors of type `A`, so that they arrive as that.
    pub fn with_error<A: ApplicationError>(self) -> Request<T, MethodError<A>> {
        Request::of(self.draft)
    }

    /// Sends it and wants no reply. Never blocks.
    ///
    /// # Errors
    /// `Ok` means accepted into a bounded queue. `QueueFull` when that is full; see
    /// [`cast_when_room`](Self::cast_when_room) to wait. Else why it cannot be sent.
    pub fn cast(self) -> Result<(), CallError> {
        let (bus, delivery) = self.draft.into_delivery(Verb::Cast)?;
        match bus.send(delivery, Mode::Queue) {
            // A cast has no answer to miss.
            Ok(Sent::OnItsWay | Sent::Answered(_)) => Ok(()),
            Err(refused) => Err(refused.into_error()),
        }
    }

    /// As [`cast`](Self::cast), but waits for room: `.await` it, or [`wait`](crate::WaitExt::wait) on it. Dropped
    /// before it resolved, it was not sent.
    pub fn cast_when_room(self) -> CastWhenRoom {
        CastWhenRoom::new(self.draft.into_delivery(Verb::Cast))
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
        Dispatched::sent(self.draft).promise(None)
    }

    /// A future that sends it when it is first polled or waited on, and resolves to the reply. Dropping it cancels the
    /// request.
    pub fn call(self) -> Call<T, E> {
        Call::new(self)
    }

    /// Sends it and blocks until the reply is there; no runtime is needed.
    ///
    /// # Errors
    /// Why there is no reply; where waiting would stall a runtime, `WouldBlock`. In an async or
    /// quick handler that is always so, on every transport, and nothing is sent: `.await` there,
    /// or make the handler a blocking one.
    pub fn wait(mut self) -> Result<T, E> {
        if blocking::is_forbidden() {
            let kind = CallErrorKind::Promise(PromiseError::WouldBlock);
            return Err(CallError::new(kind, Fate::NotSent, Stage::Preparing).into());
        }
        self.ask().wait()
    }

    /// Tries again where that is safe, after pauses, as `policy` says: what was not sent or not
    /// executed, and with an idempotency key also what is unknown ([`idempotent`](Self::idempotent)).
    /// Not what the server would say again (no such method, say), and nothing that ran. The request's
    /// time is that of all attempts and pauses together.
    ///
    /// The arguments are encoded once, also in memory. Options come before it: what follows is a verb.
    ///
    /// ```
    /// use tidings_core::{IdempotencyKey, Retry};
    /// # fn f(bus: &tidings_core::Bus) -> tidings_core::Result<()> {
    /// let saved = bus.request::<()>("store.save", &"text").idempotent(IdempotencyKey::unique());
    /// saved.retry(Retry::new().attempts(5)).wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn retry(self, policy: Retry) -> Retrying<T, E> {
        Retrying::new(self.draft, policy)
    }

    /// Sends it for somebody who would only wait.
    pub(super) fn ask(&mut self) -> Promise<T, E> {
        let mut place = None;
        Dispatched::asked(&mut self.draft, &mut place).promise(place)
    }
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
        let head = self.draft.head();
        out.field("topic", &head.topic)
            .field("method", &head.method)
            .field("timeout", &self.draft.timeout)
            .field("rare", &head.rare);
        if let Some(fault) = self
            .draft
            .terms
            .as_ref()
            .and_then(|terms| terms.fault.as_ref())
        {
            out.field("fault", fault);
        }
        out.finish_non_exhaustive()
    }
}
