//! What is known of a request before it is sent, and the message that is made of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::bus::core::BusCore;
use crate::bus::handle::Bus;
use crate::bus::open::Phase;
use crate::bus::{Delivery, Head, InFlight, MAX_DEPTH, Rare, Reach, Verb};
use crate::codec::EncodeError;
use crate::context::Context;
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::name::{self, Exchange, Method, NameError, Topic};
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

/// A name, and why what was given is none: then it is `none`, and nothing is sent to it.
pub(super) fn or_fault<N>(given: Result<N, NameError>, none: N) -> (N, Option<NameError>) {
    match given {
        Ok(name) => (name, None),
        Err(fault) => (none, Some(fault)),
    }
}

/// What is asked, as a client says it.
pub(crate) struct Subject {
    pub(crate) topic: Topic,
    pub(crate) method: Method,
    pub(crate) version: Version,
    pub(crate) fingerprint: Option<u64>,
}

impl Subject {
    /// By its names alone.
    pub(crate) fn of(topic: Topic, method: Method) -> Self {
        Subject {
            topic,
            method,
            version: Version::DEFAULT,
            fingerprint: None,
        }
    }
}

/// What few requests ask of their sender.
#[derive(Clone, Default)]
pub(super) struct Terms {
    /// The highest version that may be asked for (C-VE-3).
    pub(super) cap: Option<Version>,
    /// For every server of the topic.
    pub(super) fanout: bool,
    /// Names of headers of the handle that are left out.
    pub(super) no_headers: Vec<String>,
    /// Where it is an attempt of several: when the first one was made, with the time that all have.
    pub(super) begun: Option<Instant>,
    /// The first option that cannot be.
    pub(super) fault: Option<CallErrorKind>,
    /// Why the arguments are not what it carries.
    pub(super) unencoded: Option<EncodeError>,
}

/// Of a request that asks for nothing.
static NO_TERMS: Terms = Terms {
    cap: None,
    fanout: false,
    no_headers: Vec::new(),
    begun: None,
    fault: None,
    unencoded: None,
};

/// A request with its options, whatever its reply is read as. Its message is made with it, and is nobody else's before it
/// is sent, so that what is said of it is written in its place and never moved.
pub(super) struct Draft {
    pub(super) bus: Arc<BusCore>,
    message: Delivery,
    pub(super) timeout: Timeout,
    /// Boxed, for few requests have any.
    pub(super) terms: Option<Box<Terms>>,
}

impl Draft {
    #[inline(always)]
    pub(super) fn new(bus: &Bus, subject: Subject, arguments: Result<Args, EncodeError>) -> Self {
        let core = bus.core();
        let (payload, mut terms) = match arguments {
            Ok(Args(payload)) => (payload, None),
            Err(error) => (Payload::Bytes(Vec::new()), Some(Terms::without(error))),
        };
        let exchange = match core.exchange() {
            Ok(exchange) => exchange.clone(),
            Err(fault) => {
                terms.get_or_insert_default().spoil(fault.clone());
                Exchange::DEFAULT
            }
        };
        Draft {
            bus: core.clone(),
            message: Delivery::new(
                InFlight::unsent(Head {
                    verb: Verb::Call,
                    exchange,
                    topic: subject.topic,
                    server: None,
                    reach: Reach::of(&subject.method),
                    method: subject.method,
                    version: subject.version,
                    fingerprint: subject.fingerprint,
                    codec: payload.codec(),
                    caller: core.caller(),
                    depth: 0,
                    wait_for_server: false,
                    when_disconnected: core.when_disconnected(),
                    when_full: core.when_full(),
                    rare: None,
                    flow: bus.flow(),
                    made_at: core.opened_at(), // Until it is sent.
                    deadline: None,
                }),
                payload,
            ),
            timeout: Timeout::Inherited,
            terms,
        }
    }

    /// The same request once more, for another attempt.
    pub(super) fn again(
        bus: Arc<BusCore>,
        head: Head,
        payload: Payload,
        timeout: Timeout,
        terms: Box<Terms>,
    ) -> Self {
        Draft {
            bus,
            message: Delivery::new(InFlight::unsent(head), payload),
            timeout,
            terms: Some(terms),
        }
    }

    /// What is said of it so far.
    pub(super) fn head(&self) -> &Head {
        self.message.in_flight().head()
    }

    /// To say more.
    pub(super) fn head_mut(&mut self) -> &mut Head {
        self.message.unsent().as_unsent().0
    }

    pub(super) fn rare(&mut self) -> &mut Rare {
        self.head_mut().rare.get_or_insert_default()
    }

    pub(super) fn terms(&mut self) -> &mut Terms {
        self.terms.get_or_insert_default()
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

    /// Adds a header. One of the handle's of the same name gives way to it (C-AD-7).
    pub(super) fn header(&mut self, name: String, value: String) {
        self.rare().headers.push((name, value));
    }

    /// Takes the headers of this name out, its own and the handle's.
    pub(super) fn no_header(&mut self, name: &str) {
        if let Some(rare) = &mut self.head_mut().rare {
            rare.headers.retain(|(known, _)| known != name);
        }
        self.terms().no_headers.push(name.to_owned());
    }

    /// Its head and what it carries, for attempts of their own.
    pub(super) fn into_parts(self) -> (Head, Payload) {
        let (record, payload) = self.message.into_parts();
        (record.head().clone(), payload)
    }

    /// Makes the message and gives it out, with the bus that it is for; as [`make`](Self::make).
    pub(super) fn into_delivery(
        mut self,
        verb: Verb,
    ) -> Result<(Arc<BusCore>, Delivery), CallError> {
        match self.make(verb) {
            Ok(_) => Ok((self.bus, self.message)),
            Err(error) => Err(error),
        }
    }

    /// The message that was made.
    pub(super) fn message(&mut self) -> Delivery {
        self.message.take()
    }

    /// Makes the message, within the context of the handler that it is made in, if any.
    #[inline]
    pub(super) fn make(&mut self, verb: Verb) -> Result<(&BusCore, &mut Delivery), CallError> {
        let terms = self.terms.take();
        let terms = terms.as_deref().unwrap_or(&NO_TERMS);
        if let Some(fault) = &terms.fault {
            let fault = fault.clone();
            return Err(CallError::new(fault, Fate::NotSent, Stage::Preparing));
        }
        let parent = Context::current();
        let now = Instant::now();
        let made_at = terms.begun.unwrap_or(now);
        let deadline = self.deadline(made_at, parent.as_ref());
        let fanout = terms.fanout;
        let bus = &self.bus;
        let capabilities = bus.capabilities();

        let (head, mut sending) = self.message.unsent().as_unsent();
        head.verb = verb;
        head.made_at = made_at;
        head.deadline = deadline;
        if !bus.headers().is_empty() {
            add_defaults(head, bus.headers(), &terms.no_headers);
        }
        if fanout && verb == Verb::Cast {
            head.reach = Reach::Every; // The calls of a gather go to one server each.
        }
        if let Some(parent) = &parent {
            head.depth = parent.in_flight().head().depth.saturating_add(1);
        }
        // What may be asked for again is encoded, so that it, and its answer, can be given again.
        let moves_values = capabilities.moves_values && head.idempotency_key().is_none();
        sending.encode_replies((!moves_values).then_some(capabilities.max_message));
        sending.by(verb, parent.is_some());

        let in_flight = self.message.in_flight();
        if let Some(parent) = parent.as_ref().filter(|_| verb == Verb::Call) {
            parent.in_flight().adopt(in_flight);
        }
        let unsent =
            |kind| Err(in_flight.told(CallError::new(kind, Fate::NotSent, Stage::Preparing)));
        let head = in_flight.head();
        if let Some(cap) = terms.cap {
            if !cap.serves(head.version) {
                return unsent(CallErrorKind::VersionCap {
                    requested: head.version,
                    cap,
                });
            }
        }
        if head.depth > MAX_DEPTH {
            return unsent(CallErrorKind::TooDeep {
                depth: head.depth,
                limit: MAX_DEPTH,
            });
        }
        if head.is_late(now) {
            return unsent(head.too_late());
        }
        if fanout && head.server.is_some() {
            return unsent(CallErrorKind::Unsupported {
                what: "a fanout to one server",
                advice: "leave out `.to(server)` to reach every server, or `.fanout()` to reach that one",
            });
        }
        if let Some(rare) = &head.rare {
            if let Err(kind) = check_headers(&rare.headers).and_then(|()| rare.check(verb)) {
                return unsent(kind);
            }
        }
        match bus.phase() {
            Phase::Open => {}
            // What a handler needs to come to its end (C-LC-1).
            Phase::Draining if parent.is_some() => {}
            Phase::Draining => return unsent(CallErrorKind::ShuttingDown),
            Phase::Closed => return unsent(CallErrorKind::Closed),
        }
        let codec = head.codec;
        let encoded = match &terms.unencoded {
            Some(error) => Err(error.clone()),
            // What is for several servers cannot be moved to one.
            None if moves_values && !fanout => Ok(()),
            None => self.message.encode(capabilities.max_message, codec),
        };
        let kind = match encoded {
            Ok(()) => return Ok((&self.bus, &mut self.message)),
            Err(EncodeError::TooLarge { at_least, limit }) => CallErrorKind::TooLarge {
                size: at_least,
                limit,
                set_by: "max_message",
            },
            Err(other) => CallErrorKind::Encode(other.to_string()),
        };
        let error = CallError::new(kind, Fate::NotSent, Stage::Preparing);
        Err(self.message.in_flight().told(error))
    }
}

impl Terms {
    /// Of a request whose arguments cannot be encoded.
    #[cold]
    fn without(arguments: EncodeError) -> Box<Terms> {
        Box::new(Terms {
            unencoded: Some(arguments),
            ..Terms::default()
        })
    }

    pub(super) fn spoil(&mut self, fault: impl Into<CallErrorKind>) {
        self.fault.get_or_insert_with(|| fault.into());
    }
}

/// Puts the handle's headers before the request's own, but those that it replaces or leaves out.
fn add_defaults(head: &mut Head, defaults: &[(String, String)], left_out: &[String]) {
    let own = &mut head.rare.get_or_insert_default().headers;
    let stays = |name: &String| !left_out.contains(name) && own.iter().all(|(own, _)| own != name);
    let mut headers: Vec<_> = defaults
        .iter()
        .filter(|(name, _)| stays(name))
        .cloned()
        .collect();
    headers.append(own);
    *own = headers;
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
