//! What a request says beside its payload.

use std::time::{Duration, Instant};

use crate::bus::{CallerRef, IdempotencyKey, Rare, WhenDisconnected};
use crate::codec::CodecId;
use crate::error::CallErrorKind;
use crate::name::{Exchange, Method, Namespace, ServerName, Topic};
use crate::overload::WhenFull;
use crate::version::Version;

/// Whether a reply is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `call` and `invoke`: they differ only in who waits.
    Call,
    /// No reply.
    Cast,
}

/// For how many of the servers on its topic a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// For one: the one that is named, or the least busy.
    One,
    /// A cast for every one that there is (C-AD-4); beside a server's name, that server's copy of one.
    Every,
    /// For none: who they are is asked of whoever knows, the router (PR-LIST).
    Registry,
}

impl Reach {
    pub(crate) fn of(method: &Method) -> Reach {
        if *method == Method::SERVERS {
            Reach::Registry
        } else {
            Reach::One
        }
    }
}

/// The most handlers that may call each other in a row: a loop of services stops here.
pub const MAX_DEPTH: u8 = 32;

/// What a request says beside its payload.
#[derive(Debug, Clone)]
pub struct Head {
    /// Whether a reply is wanted.
    pub verb: Verb,
    /// The scope of the topic.
    pub exchange: Exchange,
    /// Whom it is for.
    pub topic: Topic,
    /// The one server it is for, if only one will do.
    pub server: Option<ServerName>,
    /// For how many of the topic's servers it is.
    pub reach: Reach,
    /// What is asked.
    pub method: Method,
    /// The least version of the service that will do.
    pub version: Version,
    /// What the argument and reply types look like, where the caller knows.
    pub fingerprint: Option<u64>,
    /// What the arguments are in, and the reply is to be.
    pub codec: CodecId,
    /// Who asks; `None` until the transport says.
    pub caller: Option<CallerRef>,
    /// How many handlers led to this request.
    pub depth: u8,
    /// Whether it waits for a server, within its deadline, where there is none.
    pub wait_for_server: bool,
    /// What becomes of it while there is no connection.
    pub when_disconnected: WhenDisconnected,
    /// What few requests say.
    pub rare: Option<Box<Rare>>,
    /// Requests of one flow to one server start in the order sent (C-VB-4).
    pub flow: u64,
    /// What happens to it when the queue to its connection is full.
    pub when_full: WhenFull,
    /// When it was made.
    pub made_at: Instant,
    /// When it is too late.
    pub deadline: Option<Instant>,
}

impl Head {
    /// A request that says nothing but what it must: for any server of the topic, without a deadline.
    pub fn new(
        verb: Verb,
        exchange: Exchange,
        topic: Topic,
        method: Method,
        made_at: Instant,
    ) -> Self {
        Head {
            verb,
            exchange,
            topic,
            server: None,
            reach: Reach::of(&method),
            method,
            version: Version::DEFAULT,
            fingerprint: None,
            codec: CodecId::POSTCARD,
            caller: None,
            depth: 0,
            wait_for_server: false,
            when_disconnected: WhenDisconnected::default(),
            rare: None,
            flow: 0,
            when_full: WhenFull::default(),
            made_at,
            deadline: None,
        }
    }

    /// Whether its deadline has passed at `now`.
    pub fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|at| at <= now)
    }

    /// The namespace of the endpoint that it is for; `None` is for those without one.
    pub fn namespace(&self) -> Option<&Namespace> {
        self.rare.as_ref()?.namespace.as_ref()
    }

    /// What the caller adds, in its order.
    pub fn headers(&self) -> &[(String, String)] {
        self.rare.as_ref().map_or(&[], |rare| &rare.headers)
    }

    /// Whether its server has more to do for it than to run it.
    pub(crate) fn asks_for_more(&self) -> bool {
        let more = |rare: &Rare| rare.idempotency_key.is_some() || rare.heartbeat.is_some();
        self.rare.as_deref().is_some_and(more)
    }

    /// The key under which its repetitions are known as one.
    pub fn idempotency_key(&self) -> Option<IdempotencyKey> {
        self.rare.as_ref()?.idempotency_key
    }

    /// How long it may be without a sign of life from its server.
    pub fn heartbeat(&self) -> Option<Duration> {
        self.rare.as_ref()?.heartbeat
    }

    /// The failure of one whose deadline has passed.
    pub(crate) fn too_late(&self) -> CallErrorKind {
        CallErrorKind::DeadlineExceeded {
            timeout: self.timeout().unwrap_or_default(),
        }
    }

    /// Whether it is for every server of its topic; a copy of it names its own.
    pub(crate) fn is_for_all(&self) -> bool {
        self.reach == Reach::Every && self.server.is_none()
    }

    /// The whole time that it has.
    pub fn timeout(&self) -> Option<Duration> {
        self.deadline
            .map(|at| at.saturating_duration_since(self.made_at))
    }
}
