//! What a generated client is made of.

use std::fmt;

use serde::Serialize;

use crate::bus::draft::Args;
use crate::bus::{Bus, Request};
use crate::codec::{self, EncodeError};
use crate::name::{Method, NameError, Topic};
use crate::payload::Payload;
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
        Request::new(&self.bus, names, self.carried(arguments))
            .of_service(self.version, fingerprint)
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
