//! What is known of a request before it is sent, and the message that is made of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::bus::handle::{Bus, BusCore, Phase};
use crate::bus::{Delivery, Head, InFlight, MAX_DEPTH, Verb};
use crate::codec::EncodeError;
use crate::context::Context;
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::name::{Method, NameError, ServerName, Topic};
use crate::overload::WhenFull;
use crate::payload::Payload;
use crate::version::Version;

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

/// A request with its options, whatever its reply is read as.
pub(super) struct Draft {
    pub(super) bus: Arc<BusCore>,
    flow: u64,
    pub(super) names: Result<(Topic, Method), NameError>,
    arguments: Result<Args, EncodeError>,
    pub(super) server: Option<Result<ServerName, NameError>>,
    pub(super) version: Version,
    pub(super) fingerprint: Option<fn() -> u64>,
    pub(super) timeout: Timeout,
    pub(super) headers: Vec<(String, String)>,
    pub(super) idempotent: bool,
    pub(super) when_full: WhenFull,
}

impl Draft {
    pub(super) fn new(
        bus: &Bus,
        names: Result<(Topic, Method), NameError>,
        arguments: Result<Args, EncodeError>,
    ) -> Self {
        Draft {
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
            when_full: bus.when_full_of_connections(),
        }
    }

    /// Makes the message, within the context of the handler that it is made in, if any.
    pub(super) fn into_delivery(self, verb: Verb) -> Result<(Arc<BusCore>, Delivery), CallError> {
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
            server,
            version: self.version,
            fingerprint: self.fingerprint.map(|fingerprint| fingerprint()),
            headers: self.headers,
            caller: bus.caller(),
            depth: parent.as_ref().map_or(0, |parent| {
                parent.in_flight().head().depth.saturating_add(1)
            }),
            idempotent: self.idempotent,
            flow: self.flow,
            deadline,
            lossy: self.when_full == WhenFull::DropOldest,
            ..Head::new(verb, bus.exchange().clone(), topic, method, made_at)
        };
        let capabilities = bus.transport().capabilities();
        let encode_replies = (!capabilities.moves_values).then_some(capabilities.max_message);
        let parent = parent.as_ref().map(|parent| &**parent.in_flight());
        let within_handler = parent.is_some();
        let in_flight = InFlight::new(head, encode_replies, parent);
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
        match bus.phase() {
            Phase::Open => {}
            // What a handler needs to come to its end (C-LC-1).
            Phase::Draining if within_handler => {}
            Phase::Draining => return unsent(CallErrorKind::ShuttingDown),
            Phase::Closed => return unsent(CallErrorKind::Closed),
        }
        let payload = match self.arguments {
            Ok(Args(payload)) if capabilities.moves_values => Ok(payload),
            Ok(Args(payload)) => payload
                .into_bytes(capabilities.max_message)
                .map(Payload::Bytes),
            Err(error) => Err(error),
        };
        match payload {
            Ok(payload) => Ok((bus, Delivery::new(in_flight, payload))),
            Err(EncodeError::TooLarge { at_least, limit }) => unsent(CallErrorKind::TooLarge {
                size: at_least,
                limit,
                set_by: "max_message",
            }),
            Err(other) => unsent(CallErrorKind::Encode(other.to_string())),
        }
    }
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
