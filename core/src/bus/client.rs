//! Clients: handles for the requests of one service, with what these have in common.
//!
//! [`Client`] names methods by texts; [`ServiceClient`] is what a generated client is made of.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Promise;
use crate::bus::draft::{Args, Draft, Subject, or_fault};
use crate::bus::{Bus, Request};
use crate::codec::{CodecId, EncodeError};
use crate::error::{CallError, CallErrorKind};
use crate::name::{Method, NameError, Namespace, Topic};
use crate::payload::Payload;
use crate::version::{Version, VersionError};

/// A client of one topic whose methods are named by texts. Made by [`Bus::client`].
///
/// What is set here holds for each of its requests, unless the request says otherwise. Cheap to clone; a clone has an
/// order of its own (C-VB-4). It keeps its bus open.
///
/// ```
/// # fn ask(bus: &tidings_core::Bus) -> Result<(), tidings_core::CallError> {
/// let stock = bus.client("stock").namespace("inventory").version("1.2");
/// let count: u64 = stock.call("count", &"bolts").wait()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    service: ServiceClient,
    version: Version,
}

impl Client {
    pub(super) fn new(bus: &Bus, topic: Result<Topic, NameError>) -> Self {
        Client {
            service: ServiceClient::on(bus, topic),
            version: Version::DEFAULT,
        }
    }

    /// Its requests are for endpoints in the namespace `name`; unset, for those without one.
    #[must_use]
    pub fn namespace(mut self, name: impl AsRef<str>) -> Self {
        match Namespace::new(name) {
            Ok(name) => self.service.common().namespace = Some(name),
            Err(error) => self.service.common().spoil(error),
        }
        self
    }

    /// The least version that will do, as a [`Version`] or a text such as `"1.3"`; unset, 1.0.
    #[must_use]
    pub fn version(mut self, version: impl TryInto<Version, Error: Into<VersionError>>) -> Self {
        match version.try_into() {
            Ok(version) => self.version = version,
            Err(error) => self.service.common().spoil(error.into()),
        }
        self
    }

    /// Caps the version of its requests: see [`ServiceClient::version_cap`].
    #[must_use]
    pub fn version_cap(self, cap: impl TryInto<Version, Error: Into<VersionError>>) -> Self {
        Client {
            service: self.service.version_cap(cap),
            ..self
        }
    }

    /// Whether a request that needs `version` may be sent: see [`ServiceClient::can_send_version`].
    pub fn can_send_version(
        &self,
        version: impl TryInto<Version, Error: Into<VersionError>>,
    ) -> bool {
        self.service.can_send_version(version)
    }

    /// A request for `method`; see [`Bus::request`] about the arguments' types.
    pub fn request<T>(&self, method: &str, arguments: &(impl Serialize + ?Sized)) -> Request<T> {
        let arguments = self.service.bus.borrowed(arguments);
        let (method, fault) = or_fault(Method::new(method), Method::NONE);
        let draft = self.service.draft(method, (self.version, None), arguments);
        Request::of(draft).spoiled_by(fault)
    }

    /// Sends to `method` and, once awaited or waited on, waits for the reply.
    pub fn call<T>(&self, method: &str, arguments: &(impl Serialize + ?Sized)) -> Request<T> {
        self.request(method, arguments)
    }

    /// Sends to `method` now; the promise brings the reply.
    pub fn invoke<T>(&self, method: &str, arguments: &(impl Serialize + ?Sized)) -> Promise<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.request(method, arguments).invoke()
    }

    /// Sends to `method` and wants no reply.
    ///
    /// # Errors
    /// As [`Request::cast`].
    pub fn cast(
        &self,
        method: &str,
        arguments: &(impl Serialize + ?Sized),
    ) -> Result<(), CallError> {
        self.request::<()>(method, arguments).cast()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Client");
        self.service.show(&mut out);
        out.field("version", &self.version).finish_non_exhaustive()
    }
}

/// What a generated client knows of its service. Cheap to clone; a clone has an order of its own (C-VB-4).
#[derive(Clone)]
pub struct ServiceClient {
    bus: Bus,
    topic: Topic,
    common: Option<Box<Common>>,
}

/// What a client says of all its requests.
#[derive(Clone, Default)]
struct Common {
    namespace: Option<Namespace>,
    /// The highest version that may be asked for (C-VE-3).
    cap: Option<Version>,
    /// The first option that cannot be.
    fault: Option<CallErrorKind>,
}

impl Common {
    fn spoil(&mut self, fault: impl Into<CallErrorKind>) {
        self.fault.get_or_insert_with(|| fault.into());
    }

    fn added_to(&self, mut draft: Draft) -> Draft {
        if let Some(namespace) = &self.namespace {
            draft.rare().namespace = Some(namespace.clone());
        }
        if self.cap.is_some() {
            draft.terms().cap = self.cap;
        }
        if let Some(fault) = &self.fault {
            draft.terms().spoil(fault.clone());
        }
        draft
    }
}

impl ServiceClient {
    /// A client on `bus` for the service on `topic`, in `namespace`. What is not a name is told by each request.
    pub fn new(bus: &Bus, topic: &'static str, namespace: Option<&'static str>) -> Self {
        let mut client = ServiceClient::on(bus, Topic::from_static(topic));
        match namespace.map(Namespace::from_static) {
            Some(Ok(name)) => client.common().namespace = Some(name),
            Some(Err(error)) => client.common().spoil(error),
            None => {}
        }
        client
    }

    fn on(bus: &Bus, topic: Result<Topic, NameError>) -> Self {
        let (topic, fault) = or_fault(topic, Topic::NONE);
        let mut client = ServiceClient {
            bus: bus.clone(),
            topic,
            common: None,
        };
        if let Some(fault) = fault {
            client.common().spoil(fault);
        }
        client
    }

    /// Caps the version of its requests, as a [`Version`] or a text such as `"1.3"` (C-VE-3).
    ///
    /// A request that needs a version which a server of version `cap` does not serve then fails as `VersionCap`, before
    /// anything is sent: while servers are upgraded, the cap is the version of the oldest. A text that is no version is
    /// told by each request.
    #[must_use]
    pub fn version_cap(mut self, cap: impl TryInto<Version, Error: Into<VersionError>>) -> Self {
        match cap.try_into() {
            Ok(cap) => self.common().cap = Some(cap),
            Err(error) => self.common().spoil(error.into()),
        }
        self
    }

    /// Whether a request that needs `version` keeps within the cap, so that a client can choose an older argument list
    /// before it asks. Without a cap, each version does; where the version, or the cap, is no version, none does.
    pub fn can_send_version(
        &self,
        version: impl TryInto<Version, Error: Into<VersionError>>,
    ) -> bool {
        let allows = |version| match self.common.as_deref() {
            Some(common) => {
                common.fault.is_none() && common.cap.is_none_or(|cap| cap.serves(version))
            }
            None => true,
        };
        version.try_into().is_ok_and(allows)
    }

    /// A request for one of the service's methods, which the service has since version `since` of its major version.
    /// The arguments are moved.
    pub fn request<A, T, E>(
        &self,
        method: Method,
        since: Version,
        fingerprint: fn() -> u64,
        arguments: A,
    ) -> Request<T, E>
    where
        A: Serialize + Send + 'static,
    {
        let asked = (since, Some(fingerprint()));
        Request::of(self.draft(method, asked, self.carried(arguments)))
    }

    fn draft(
        &self,
        method: Method,
        (version, fingerprint): (Version, Option<u64>),
        arguments: Result<Args, EncodeError>,
    ) -> Draft {
        let subject = Subject {
            topic: self.topic.clone(),
            method,
            version,
            fingerprint,
        };
        let draft = Draft::new(&self.bus, subject, arguments);
        match &self.common {
            None => draft,
            Some(common) => common.added_to(draft),
        }
    }

    /// Moved where the transport moves values, else encoded at once: boxed first, they would be allocated twice.
    fn carried<A: Serialize + Send + 'static>(&self, arguments: A) -> Result<Args, EncodeError> {
        let capabilities = self.bus.capabilities();
        if capabilities.moves_values {
            return Ok(Args::value(arguments));
        }
        let limit = capabilities.max_message;
        Payload::bytes_of(&arguments, limit, CodecId::POSTCARD).map(Args::of)
    }

    fn common(&mut self) -> &mut Common {
        self.common.get_or_insert_default()
    }

    fn show(&self, out: &mut fmt::DebugStruct<'_, '_>) {
        out.field("topic", &self.topic);
        if let Some(common) = self.common.as_deref() {
            out.field("namespace", &common.namespace)
                .field("version_cap", &common.cap)
                .field("fault", &common.fault);
        }
    }
}

impl fmt::Debug for ServiceClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("ServiceClient");
        self.show(&mut out);
        out.finish_non_exhaustive()
    }
}
