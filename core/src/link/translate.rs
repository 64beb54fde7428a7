//! The bus's words into the session's, and back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::outbox::Outgoing;
use crate::bus::{
    Caller, CallerRef, Delivery, Head, InFlight, Rare, Reach, ReplyTo, Verb, WhenDisconnected,
};
use crate::codec::CodecId;
use crate::error::{CallError, CallErrorKind, Fate, Stage, WireFailure};
use crate::name::{Exchange, Method, Namespace, ServerName, Topic};
use crate::overload::WhenFull;
use crate::payload::Payload;
use crate::reply::Reply;
use crate::server::{MAX_OFFERS, Offer, Offers, ServerCore};
use crate::session::{
    self, Body, CloseCode, CloseReason, Closed, Name, Refusal, Refused, RequestHeader, WireError,
    error_code,
};
use crate::version::Version;

/// What the session is given of an outgoing request beside its token.
pub(super) fn parts(outgoing: Outgoing) -> (Arc<InFlight>, Body, Option<super::outbox::Load>) {
    let Outgoing { delivery, load, .. } = outgoing;
    let (in_flight, payload) = delivery.into_parts();
    // A socket's payloads were encoded before they came here; see `Capabilities::moves_values`.
    let body = payload.into_body(usize::MAX, CodecId::POSTCARD);
    (in_flight, body.unwrap_or_default(), load)
}

/// A request that came in.
pub(super) struct Incoming {
    pub(super) id: u64,
    pub(super) verb: session::Verb,
    pub(super) header: RequestHeader,
    pub(super) payload: Body,
    pub(super) now: Instant,
    /// Requests of one connection stay in their order on their further way (C-VB-4).
    pub(super) flow: u64,
    /// The largest reply.
    pub(super) max_reply: usize,
    /// Where its end is told.
    pub(super) connection: Arc<dyn ReplyTo>,
}

/// Whom a request is for, as the bus names it.
pub(super) struct Addressee {
    pub(super) exchange: Exchange,
    pub(super) topic: Topic,
    pub(super) server: Option<ServerName>,
}

impl Addressee {
    /// The names of `target`.
    pub(super) fn of_target(target: &session::Target) -> Addressee {
        Addressee {
            exchange: target.exchange.clone().into(),
            topic: target.topic.clone().into(),
            server: target.server.clone().map(ServerName::from),
        }
    }
}

impl Incoming {
    /// The request as the bus carries it on. From here on its record answers for it.
    pub(super) fn into_delivery(self, to: Addressee, caller: Option<Arc<Caller>>) -> Delivery {
        let header = self.header;
        let version = header.method.version;
        let codec = CodecId::from_byte(header.codec);
        let verb = match self.verb {
            session::Verb::Call => Verb::Call,
            session::Verb::Cast => Verb::Cast,
        };
        let method = Method::from(header.method.name.clone());
        let reach = if header.fanout {
            Reach::Every
        } else {
            Reach::of(&method)
        };
        let head = Head {
            verb,
            exchange: to.exchange,
            topic: to.topic,
            server: to.server,
            reach,
            method,
            version: version.map_or(Version::DEFAULT, |(major, minor, patch)| {
                Version::new(major, minor, patch)
            }),
            fingerprint: header.method.fingerprint,
            codec,
            caller: caller.map(CallerRef::from),
            depth: header.depth,
            wait_for_server: header.wait_for_server,
            when_disconnected: WhenDisconnected::default(),
            when_full: WhenFull::default(),
            flow: self.flow,
            made_at: self.now,
            deadline: header
                .remaining
                .and_then(|remaining| self.now.checked_add(remaining)),
            rare: rare(header),
        };
        let in_flight = InFlight::from_remote(head, self.connection, self.id, self.max_reply);
        Delivery::new(in_flight, Payload::of_body(self.payload, codec))
    }
}

const _: () = assert!(MAX_OFFERS <= session::OFFERS_MAX);

/// A server as a member registers it.
pub(super) fn registration(
    server: &ServerCore,
) -> Result<session::Registration, session::InvalidName> {
    let offer = |offer: &Offer| {
        let Version {
            major,
            minor,
            patch,
        } = offer.version;
        let name = offer.namespace.as_ref().map(Namespace::to_shared);
        Ok(session::Offer {
            namespace: name.map(Name::try_from).transpose()?,
            version: (major, minor, patch),
        })
    };
    Ok(session::Registration {
        exchange: Name::try_from(server.exchange().to_shared())?,
        topic: Name::try_from(server.topic().to_shared())?,
        server: Name::try_from(server.name().to_shared())?,
        offers: server
            .offers()
            .iter()
            .map(offer)
            .collect::<Result<_, _>>()?,
    })
}

/// What a member's server offers.
pub(super) fn offers_of(registration: &session::Registration) -> Offers {
    let offer = |offer: &session::Offer| {
        let (major, minor, patch) = offer.version;
        Offer {
            namespace: offer.namespace.clone().map(Namespace::from),
            version: Version::new(major, minor, patch),
        }
    };
    Offers::new(registration.offers.iter().map(offer))
}

/// What few requests say.
fn rare(header: RequestHeader) -> Option<Box<Rare>> {
    let RequestHeader { method, rare, .. } = header;
    let says_more = method.namespace.is_some() || rare.is_some();
    says_more.then(|| {
        let session::RareHeader {
            idempotency_key,
            heartbeat,
            headers,
        } = rare.map_or_else(Default::default, |rare| *rare);
        Box::new(Rare {
            namespace: method.namespace.clone().map(Namespace::from),
            headers,
            idempotency_key: idempotency_key.map(|session::IdempotencyKey(key)| key.into()),
            heartbeat,
        })
    })
}

/// The caller that a hub vouches for.
pub(super) fn caller(told: &session::Caller) -> Arc<Caller> {
    let mut caller = Caller::of_transport(told.transport.clone().into_arc());
    (caller.uid, caller.gid, caller.pid) = (told.uid, told.gid, told.pid);
    caller.name = told.name.clone().map(Name::into_arc);
    Arc::new(caller)
}

/// A reply as it is sent, to a request in `codec`.
pub(super) fn outgoing_reply(reply: Reply, limit: usize, codec: CodecId) -> session::Reply {
    let failure = match WireFailure::of(reply.encoded(limit, codec)) {
        Ok(failure) => failure,
        // It was just encoded.
        Err(payload) => return Ok(payload.into_body(usize::MAX, codec).unwrap_or_default()),
    };
    let WireFailure {
        code,
        fate,
        kind,
        message,
        details,
    } = failure;
    Err(WireError {
        code,
        fate,
        kind,
        message,
        details: details.into(),
    })
}

/// A reply that came.
pub(super) fn incoming_reply(reply: session::Reply, head: &Head) -> Reply {
    let error = match reply {
        Ok(body) => return Reply::Value(Payload::of_body(body, head.codec)),
        Err(error) => error,
    };
    let bare = error
        .details
        .is_empty()
        .then(|| bare_kind(error.code, head));
    let WireError {
        code,
        fate,
        kind,
        message,
        details,
    } = error;
    let reply = WireFailure {
        code,
        fate,
        kind,
        message,
        details: details.0,
    }
    .into_reply();
    match (reply, bare.flatten()) {
        (Reply::Failed(error), Some(kind)) => {
            Reply::Failed(CallError::new(kind, error.fate(), error.stage()))
        }
        (reply, _) => reply,
    }
}

/// What a failure means that the peer's session itself answered, with a number and nothing else.
fn bare_kind(code: u16, head: &Head) -> Option<CallErrorKind> {
    Some(match code {
        error_code::OVERLOADED => CallErrorKind::Busy {
            retry_after: Duration::from_millis(50),
        },
        error_code::NO_SERVER => CallErrorKind::NoServer {
            exchange: head.exchange.to_string(),
            topic: head.topic.to_string(),
            server: head.server.as_ref().map(ToString::to_string),
            near: None,
        },
        error_code::DEADLINE => CallErrorKind::DeadlineExceeded {
            timeout: head.timeout().unwrap_or_default(),
        },
        error_code::UNSUPPORTED => CallErrorKind::Unsupported {
            what: "a critical extension of the request",
            advice: "update the peer",
        },
        _ => return None,
    })
}

/// What became of a request that the session would not take.
pub(super) fn refusal(why: Refusal) -> (CallErrorKind, Fate) {
    let kind = match why {
        Refusal::Closed => CallErrorKind::ConnectionLost("it has ended".into()),
        // The server has been withdrawn while the request waited for the connection.
        Refusal::GoingAway | Refusal::NotBound => CallErrorKind::ShuttingDown,
        Refusal::QueueFull => CallErrorKind::QueueFull {
            queue: "the connection's queue",
            limit: "its limits".into(),
        },
        Refusal::TooLarge { size, limit } => CallErrorKind::TooLarge {
            size,
            limit,
            set_by: "the peer's max_message",
        },
        other => CallErrorKind::Other(other.to_string()),
    };
    (kind, Fate::NotSent)
}

/// What became of a request that the session took and gave up.
pub(super) fn refused(why: Refused, head: &Head) -> CallError {
    let (kind, fate, stage) = match why {
        Refused::Expired => {
            let late = head.too_late();
            (late, Fate::NotSent, Stage::QueuedHere)
        }
        Refused::GoingAwayNotSent => (
            CallErrorKind::ShuttingDown,
            Fate::NotSent,
            Stage::QueuedHere,
        ),
        Refused::GoingAwayNotExecuted => {
            (CallErrorKind::ShuttingDown, Fate::NotExecuted, Stage::Sent)
        }
        Refused::TooLarge { size, limit } => {
            let set_by = "the peer's max_message";
            let large = CallErrorKind::TooLarge {
                size,
                limit,
                set_by,
            };
            (large, Fate::NotSent, Stage::QueuedHere)
        }
    };
    CallError::new(kind, fate, stage)
}

/// What became of a request that was in flight when the session ended.
pub(super) fn lost(handed_over: bool, why: &str) -> CallError {
    let kind = CallErrorKind::ConnectionLost(why.into());
    if handed_over {
        CallError::new(kind, Fate::Unknown, Stage::Sent)
    } else {
        CallError::new(kind, Fate::NotSent, Stage::QueuedHere)
    }
}

/// What to do where tokens do not fit.
const CHECK_TOKENS: &str =
    "the member's `.token(..)` must be one of the hub's `.accept_tokens([..])`";

/// Why a session ended, for people: `opened` is whether Hello had come, `fault` what its socket
/// failed with. What comes from the peer is escaped (S13).
pub(super) fn closed_text(closed: &Closed, opened: bool, fault: Option<&std::io::Error>) -> String {
    let text: String = closed.text.escape_debug().take(256).collect();
    match closed.reason {
        CloseReason::Us(CloseCode::Unauthenticated) => {
            format!("not authenticated: {text}; {CHECK_TOKENS}")
        }
        CloseReason::Peer(CloseCode::Unauthenticated) => {
            format!("the peer did not let this process in: {text}; {CHECK_TOKENS}")
        }
        CloseReason::Us(code @ CloseCode::TooManyConnections) => format!("not let in: {code:?}"),
        CloseReason::Peer(code @ CloseCode::TooManyConnections) => {
            format!("the hub has no room for another connection, in all or of this user: {code:?}")
        }
        CloseReason::Us(code) => format!("closed by this side: {code:?} {text}"),
        CloseReason::Peer(code) => format!("closed by the peer: {code:?} {text}"),
        CloseReason::Eof => match fault {
            Some(error) => format!("the peer has gone: {error}"),
            None if opened => "the peer has gone".into(),
            None => "the peer has gone without a greeting: it has no room, or serves no bus".into(),
        },
        CloseReason::Truncated => "the peer has gone in the middle of a message".into(),
        // An alert, or the beginning of a handshake.
        CloseReason::NotTidings([0x15 | 0x16, 3, ..]) => {
            "the peer speaks TLS, and this side does not".into()
        }
        CloseReason::NotTidings(bytes) => {
            format!(
                "the peer speaks another protocol: `{}`",
                bytes.escape_ascii()
            )
        }
        CloseReason::VersionMismatch { ours, theirs } => format!(
            "no common protocol version: here {} to {}, there {} to {}",
            ours.0, ours.1, theirs.0, theirs.1
        ),
    }
}
