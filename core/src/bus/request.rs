//! A request before it is sent, and the verbs that send it.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::blocking;
use crate::bus::draft::{Args, Draft, Timeout};
use crate::bus::{Bus, Call, CastWhenRoom, Claim, Verb};
use crate::codec::EncodeError;
use crate::error::{
    ApplicationError, CallError, CallErrorKind, Fate, MethodError, ReplyError, Stage,
};
use crate::name::{Method, NameError, ServerName, Topic};
use crate::overload::WhenFull;
use crate::promise::seam::Cancel;
use crate::promise::{Promise, PromiseError};
use crate::reply::{self, Reply};
use crate::server::{Mode, Sent};
use crate::version::Version;

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
    draft: Draft,
    outcome: PhantomData<fn() -> (T, E)>,
}

impl<T, E> Request<T, E> {
    pub(crate) fn new(
        bus: &Bus,
        names: Result<(Topic, Method), NameError>,
        arguments: Result<Args, EncodeError>,
    ) -> Self {
        Request {
            draft: Draft::new(bus, names, arguments),
            outcome: PhantomData,
        }
    }

    /// The same as a request of a typed client.
    pub(super) fn of_service(mut self, version: Version, fingerprint: fn() -> u64) -> Self {
        self.draft.version = version;
        self.draft.fingerprint = Some(fingerprint);
        self
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
        self.draft.server = Some(ServerName::new(server));
        self
    }

    /// Adds a header; the handler reads it with [`Context::header`](crate::Context::header).
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.draft.headers.push((name.into(), value.into()));
        self
    }

    /// Says that running it twice does no harm: then a failure of unknown fate is retryable too.
    pub fn idempotent(mut self) -> Self {
        self.draft.idempotent = true;
        self
    }

    /// What happens to it when the queue to its connection is full; unset, what the handle says, see
    /// [`Bus::when_full`].
    pub fn when_full(mut self, policy: WhenFull) -> Self {
        self.draft.when_full = policy;
        self
    }

    /// Says that the method fails with errors of type `A`, so that they arrive as that.
    pub fn with_error<A: ApplicationError>(self) -> Request<T, MethodError<A>> {
        Request {
            draft: self.draft,
            outcome: PhantomData,
        }
    }

    /// Sends it and wants no reply. Never blocks.
    ///
    /// # Errors
    /// `Ok` means accepted into a bounded queue. `QueueFull` when that is full; see
    /// [`cast_when_room`](Self::cast_when_room) to wait. Else why it cannot be sent.
    pub fn cast(self) -> Result<(), CallError> {
        let when_full = self.draft.when_full;
        let (bus, delivery) = self.draft.into_delivery(Verb::Cast)?;
        match bus.send(delivery, Mode::Queue, when_full) {
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
        self.send(Mode::Queue)
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
    pub fn wait(self) -> Result<T, E> {
        if blocking::is_forbidden() {
            let kind = CallErrorKind::Promise(PromiseError::WouldBlock);
            return Err(CallError::new(kind, Fate::NotSent, Stage::Preparing).into());
        }
        self.send(Mode::Inline).wait()
    }

    pub(super) fn send(self, mode: Mode) -> Promise<T, E> {
        let when_full = self.draft.when_full;
        let (bus, delivery) = match self.draft.into_delivery(Verb::Call) {
            Ok(made) => made,
            Err(error) => return Promise::failed(error.into()),
        };
        let in_flight = delivery.in_flight().clone();
        let answered = match bus.send(delivery, mode, when_full) {
            Ok(Sent::Answered(reply)) => reply,
            Ok(Sent::OnItsWay) => match in_flight.claim() {
                Claim::Answered(reply) => reply,
                Claim::Pending(receiver) => {
                    in_flight.arm(bus.timers());
                    return Promise::of_reply(receiver, read_reply::<T, E>, in_flight);
                }
            },
            Err(refused) => return Promise::failed(refused.into_error().into()),
        };
        let report = |kind, fate, stage| in_flight.told(CallError::new(kind, fate, stage));
        Promise::from(reply::read(answered, &report))
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
        match &self.draft.names {
            Ok((topic, method)) => out.field("topic", topic).field("method", method),
            Err(error) => out.field("names", error),
        };
        out.field("timeout", &self.draft.timeout)
            .field("idempotent", &self.draft.idempotent)
            .finish_non_exhaustive()
    }
}
