//! What is known of a request before it is sent, and the message that is made of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::bus::handle::{Bus, BusCore, Phase};
use crate::bus::{Delivery, Head, InFlight, MAX_DEPTH, Rare, Reach, Verb, WhenDisconnected};
use crate::codec::{CodecId, EncodeError};
use crate::context::Context;
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::name::{self, Method, NameError, Namespace, ServerName, Topic};
use crate::overload::WhenFull;
use crate::payload::Payload;
use crate::version::Version;

/// The arguments of a request.
pub struct Args(pub(super) Payload);

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

/// What few requests say; where it is their client that does, they have a copy of its own.
#[derive(Clone, Default)]
pub(super) struct Terms {
    pub(super) namespace: Option<Namespace>,
    /// The highest version that may be asked for (C-VE-3).
    pub(super) cap: Option<Version>,
    /// For every server of the topic.
    pub(super) fanout: bool,
    /// Names of headers of the handle that are left out.
    pub(super) no_headers: Vec<String>,
    /// What happens when the queue to its connection is full.
    pub(super) when_full: Option<WhenFull>,
    /// The first option that cannot be.
    pub(super) fault: Option<CallErrorKind>,
}

impl Terms {
    pub(super) fn spoil(&mut self, fault: impl Into<CallErrorKind>) {
        self.fault.get_or_insert_with(|| fault.into());
    }
}

/// A request with its options, whatever its reply is read as.
pub(super) struct Draft {
    pub(super) bus: Arc<BusCore>,
    pub(super) flow: u64,
    pub(super) names: Result<(Topic, Method), NameError>,
    pub(super) arguments: Result<Args, EncodeError>,
    pub(super) server: Option<Result<ServerName, NameError>>,
    pub(super) version: Version,
    /// Boxed, for few requests have any.
    pub(super) terms: Option<Box<Terms>>,
    pub(super) fingerprint: Option<fn() -> u64>,
    pub(super) timeout: Timeout,
    /// Its own; those of the handle are added when it is sent.
    pub(super) headers: Vec<(String, String)>,
    pub(super) wait_for_server: bool,
    pub(super) when_disconnected: Option<WhenDisconnected>,
    pub(super) rare: Option<Box<Rare>>,
    /// Where it is an attempt of several: when the first one was made, with the time that all have.
    pub(super) begun: Option<Instant>,
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
            terms: None,
            fingerprint: None,
            timeout: Timeout::Inherited,
            headers: Vec::new(),
            wait_for_server: false,
            when_disconnected: None,
            rare: None,
            begun: None,
        }
    }

    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// When its time is over, if it is made at `made_at` by a handler of `parent`.
    pub(super) fn deadline(&self, made_at: Instant, parent: Option<&Context>) -> Option<Instant> {
        let own = match self.timeout {
            Timeout::Inherited => self.bus.timeout(),
            Timeout::None => None,
            Timeout::After(timeout) => Some(timeout),
        };
        let own = own.and_then(|timeout| made_at.checked_add(timeout));
        let inherited = parent.and_then(Context::deadline);
        match (own, inherited) {
            (Some(own), Some(inherited)) => Some(own.min(inherited)),
            (own, inherited) => own.or(inherited),
        }
    }

    pub(super) fn terms(&mut self) -> &mut Terms {
        self.terms.get_or_insert_default()
    }

    /// Adds a header. One of the handle's of the same name gives way to it (C-AD-7).
    pub(super) fn header(&mut self, name: String, value: String) {
        self.headers.push((name, value));
    }

    /// Takes the headers of this name out, its own and the handle's.
    pub(super) fn no_header(&mut self, name: &str) {
        self.headers.retain(|(known, _)| known != name);
        self.terms().no_headers.push(name.to_owned());
    }

    /// Makes the message, within the context of the handler that it is made in, if any.
    pub(super) fn into_delivery(self, verb: Verb) -> Result<(Arc<BusCore>, Delivery), CallError> {
        let parent = Context::current();
        let now = Instant::now();
        let made_at = self.begun.unwrap_or(now);
        let deadline = self.deadline(made_at, parent.as_ref());
        let bus = self.bus;
        let (topic, method) = self.names?;
        let server = self.server.transpose()?;
        // Apart: most requests have none, and a default would be made and moved for each.
        let (namespace, cap, fanout, no_headers, when_full) = match self.terms.map(|terms| *terms) {
            None => (None, None, false, Vec::new(), None),
            Some(Terms {
                fault: Some(kind), ..
            }) => return Err(CallError::new(kind, Fate::NotSent, Stage::Preparing)),
            Some(Terms {
                namespace,
                cap,
                fanout,
                no_headers,
                when_full,
                fault: None,
            }) => (namespace, cap, fanout, no_headers, when_full),
        };
        let codec = match &self.arguments {
            Ok(Args(payload)) => payload.codec(),
            Err(_) => CodecId::POSTCARD,
        };
        let only = server.is_some();
        let mut head = Head {
            server,
            codec,
            namespace,
            version: self.version,
            fingerprint: self.fingerprint.map(|fingerprint| fingerprint()),
            headers: with_defaults(self.headers, bus.headers(), &no_headers),
            caller: bus.caller(),
            depth: parent.as_ref().map_or(0, |parent| {
                parent.in_flight().head().depth.saturating_add(1)
            }),
            wait_for_server: self.wait_for_server,
            when_disconnected: self
                .when_disconnected
                .unwrap_or_else(|| bus.when_disconnected()),
            rare: self.rare,
            flow: self.flow,
            deadline,
            when_full: when_full.unwrap_or_else(|| bus.when_full()),
            ..Head::new(verb, bus.exchange()?, topic, method, made_at)
        };
        if fanout && verb == Verb::Cast {
            head.reach = Reach::Every; // The calls of a gather go to one server each.
        }
        let capabilities = bus.transport().capabilities();
        // What may be asked for again is encoded, so that it, and its answer, can be given again.
        let moves_values = capabilities.moves_values && head.idempotency_key().is_none();
        let encode_replies = (!moves_values).then_some(capabilities.max_message);
        let parent = parent.as_ref().map(|parent| &**parent.in_flight());
        let within_handler = parent.is_some();
        let in_flight = InFlight::new(head, encode_replies, parent);
        let unsent =
            |kind| Err(in_flight.told(CallError::new(kind, Fate::NotSent, Stage::Preparing)));
        let head = in_flight.head();
        if let Some(cap) = cap.filter(|cap| !cap.serves(head.version)) {
            return unsent(CallErrorKind::VersionCap {
                requested: head.version,
                cap,
            });
        }
        if head.depth > MAX_DEPTH {
            return unsent(CallErrorKind::TooDeep {
                depth: head.depth,
                limit: MAX_DEPTH,
            });
        }
        if head.is_late(now) {
            return unsent(CallErrorKind::DeadlineExceeded {
                timeout: head.timeout().unwrap_or_default(),
            });
        }
        if let Err(kind) = check_headers(&head.headers) {
            return unsent(kind);
        }
        if fanout && only {
            return unsent(CallErrorKind::Unsupported {
                what: "a fanout to one server",
                advice: "leave out `.to(server)` to reach every server, or `.fanout()` to reach that one",
            });
        }
        if let Some(Err(kind)) = head.rare.as_ref().map(|rare| rare.check(verb)) {
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
            // What is for several servers cannot be moved to one.
            Ok(Args(payload)) if moves_values && !fanout => Ok(payload),
            Ok(Args(payload)) => payload.encode(capabilities.max_message, codec),
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

/// A request's own headers behind those of its handle that it neither replaces nor leaves out.
fn with_defaults(
    own: Vec<(String, String)>,
    defaults: &[(String, String)],
    left_out: &[String],
) -> Vec<(String, String)> {
    if defaults.is_empty() {
        return own;
    }
    let stays = |name: &String| !left_out.contains(name) && own.iter().all(|(own, _)| own != name);
    let mut headers: Vec<_> = defaults
        .iter()
        .filter(|(name, _)| stays(name))
        .cloned()
        .collect();
    headers.extend(own);
    headers
}

/// The most headers of a request, and the most bytes in all their names and values.
const MAX_HEADERS: (usize, usize) = (64, 8 * 1024);

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
    for (key, _) in headers {
        name::check("header name", key)?;
        if key.starts_with(name::RESERVED) {
            let advice = "choose a header name that does not start with `bus.`";
            return Err(CallErrorKind::Unsupported {
                what: "a header of the bus's own",
                advice,
            });
        }
    }
    Ok(())
}
