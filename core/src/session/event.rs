//! What comes out of a session, and what it refuses.

use super::code::CloseCode;
use super::hello::PeerHello;
use super::message::{BindId, Body, Registration, Reply, Request, RequestHeader, Verb};

/// A request that was accepted by [`Session::request`](super::Session::request); for cancelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// A request that came in. Ids strictly increase and are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncomingId(pub(crate) u64);

/// What happened. Every accepted request gets exactly one of `Reply`, `Sent`, `Refused` and
/// `Lost`, and none after it was cancelled here; a call that was cancelled at the peer gets
/// `Ended` or `Lost`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Hello came and fits: requests travel from now on.
    Opened(PeerHello),
    /// A whole request came. It holds its credit until [`Session::reply`](super::Session::reply)
    /// (a call) or [`Session::release`](super::Session::release) (a cast): C-DL-4.
    Request {
        /// For the answer.
        id: IncomingId,
        /// Call or cast.
        verb: Verb,
        /// Everything but the payload.
        header: RequestHeader,
        /// The encoded arguments.
        payload: Body,
    },
    /// The peer has cancelled this call. The handler is to be told; its slot stays taken until `reply` or `release` says
    /// that it has ended.
    Cancelled(IncomingId),
    /// The session has ended, and nobody waits for this call here.
    CallerLost(IncomingId),
    /// The server of a call says that it lives and has the call still: it waits there, or runs.
    Beat {
        /// Of the request.
        token: u64,
    },
    /// The reply to a call.
    Reply {
        /// Of the request.
        token: u64,
        /// Value or failure.
        reply: Reply,
    },
    /// A call that was cancelled here has ended at the peer (PR-CANCEL-2): its handler takes no
    /// slot any more.
    Ended {
        /// Of the request.
        token: u64,
    },
    /// A cast was written whole. Those in a row that have one token are told of once.
    Sent {
        /// Of the request.
        token: u64,
    },
    /// An accepted request will not be executed by the peer.
    Refused {
        /// Of the request.
        token: u64,
        /// Why.
        why: Refused,
    },
    /// The session ended before the request was done.
    Lost {
        /// Of the request.
        token: u64,
        /// `false`: its last byte was never given to the socket, so its fate is `NotSent`; `true`:
        /// `Unknown`.
        handed_over: bool,
    },
    /// Hub: a member serves a topic; answer with
    /// [`Session::bind_result`](super::Session::bind_result).
    Bind {
        /// The member's name for the registration: use it in `Destination::Bound`.
        id: BindId,
        /// What is served.
        registration: Registration,
    },
    /// Hub: a member serves it no more. What it has in hand is still answered.
    Unbind {
        /// Of the registration.
        id: BindId,
    },
    /// Hub: a member wants nothing more to be sent to it. When nothing is on its way there any more, answer with
    /// [`Session::retired`](super::Session::retired).
    Retire {
        /// Of the registration.
        id: BindId,
    },
    /// Member: what was on its way to a registration when the hub was asked to send nothing more has come.
    Retired {
        /// Of the registration.
        id: BindId,
    },
    /// Member: the hub's word on a registration.
    BindResult {
        /// Of the registration.
        id: BindId,
        /// Accepted, or why not.
        result: Result<(), BindRefusal>,
    },
    /// Member: the hub had no room for copies of fanout casts to one of its servers, and dropped them.
    Missed {
        /// Of the registration.
        id: BindId,
        /// How many, since the last word on it.
        copies: u64,
    },
    /// The peer takes no new requests. What it has begun is still answered.
    GoingAway {
        /// Why.
        code: CloseCode,
        /// Text for people, from the peer.
        text: String,
    },
    /// The last event: nothing follows it.
    Closed(Closed),
}

/// Why an accepted request will not be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// Its deadline passed while it was queued here: `NotSent`.
    Expired,
    /// The peer went away before it left: `NotSent`.
    GoingAwayNotSent,
    /// The peer went away and promises not to have begun it: `NotExecuted` (T22).
    GoingAwayNotExecuted,
    /// It does not fit what the peer told in its Hello: `NotSent` (D13).
    TooLarge {
        /// Of the payload, in bytes.
        size: usize,
        /// The peer's, in bytes.
        limit: usize,
    },
}

/// Why a request was not accepted; nothing was sent and no event will follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The session has ended.
    #[error("the session is closed")]
    Closed,
    /// The peer takes no new requests.
    #[error("the peer is going away")]
    GoingAway,
    /// The queue of requests that wait for credit is full, in number or in bytes.
    #[error("the session's queue is full")]
    QueueFull,
    /// The payload is larger than the peer takes (D13).
    #[error("a payload of {size} bytes exceeds the peer's limit of {limit}")]
    TooLarge {
        /// Of the payload, in bytes.
        size: usize,
        /// The peer's, in bytes.
        limit: usize,
    },
    /// A hub names a registration of the member; a member names a topic (PR-REQ-4).
    #[error("this side of a session cannot send to such a destination")]
    WrongDestination,
    /// The registration was withdrawn by the member, or never made.
    #[error("nothing is registered under this id")]
    NotBound,
    /// More than 64 headers or 8 KiB of them, or a key that is no name or is reserved.
    #[error("the headers break a rule: at most 64, 8 KiB, keys of A-Za-z0-9_.- outside `bus.`")]
    BadHeaders,
    /// Only a member binds.
    #[error("only a member registers topics")]
    WrongRole,
    /// As many registrations as one connection may have.
    #[error("too many registrations on one connection")]
    TooManyBindings,
    /// More offers than a registration may name (PR-BIND-5).
    #[error("too many namespaces and versions in one registration")]
    TooManyOffers,
}

/// A request that was not accepted, given back whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// As it was given.
    pub request: Request,
    /// Why.
    pub why: Refusal,
}

/// Why a hub refuses a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindRefusal {
    /// See [`error_code`](super::error_code).
    pub code: u16,
    /// Text for people; at most 255 bytes of it travel.
    pub text: String,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Who ended it and why.
    pub reason: CloseReason,
    /// Text for people. From the peer where the reason is: escape and cap it before logging.
    pub text: String,
}

impl Closed {
    /// Whether a side wished it, or the peer's process ended between two messages: nothing is
    /// wrong with either.
    #[must_use]
    pub fn is_orderly(&self) -> bool {
        use CloseCode::{Normal, ShuttingDown};
        matches!(
            self.reason,
            CloseReason::Us(Normal | ShuttingDown)
                | CloseReason::Peer(Normal | ShuttingDown)
                | CloseReason::Eof
        )
    }
}

/// Who ended a session, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// This side did: its own wish, or a rule that the peer broke.
    Us(CloseCode),
    /// The peer told so.
    Peer(CloseCode),
    /// The stream ended between two frames.
    Eof,
    /// The stream ended within a frame.
    Truncated,
    /// Whatever connected does not speak this protocol; its first bytes (P7).
    NotTidings([u8; 8]),
    /// No protocol version in common (P11): lowest and highest of both sides.
    VersionMismatch {
        /// What this side speaks.
        ours: (u16, u16),
        /// What the peer speaks.
        theirs: (u16, u16),
    },
}
