//! Why a request failed, and what that means.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use crate::error::printable::Printable;
use crate::error::{Fate, RemoteError, Stage};
use crate::name::NameError;
use crate::promise::PromiseError;
use crate::version::{Version, VersionError};

/// Why a request failed. Cheap to clone.
///
/// It answers three questions: [`fate`](Self::fate) (did the handler run?), [`is_retryable`](Self::is_retryable), and
/// [`stage`](Self::stage) (where did it stand?).
#[derive(Clone)]
pub struct CallError(Arc<Inner>);

struct Inner {
    kind: CallErrorKind,
    fate: Fate,
    stage: Stage,
    target: String,
    elapsed: Duration,
    idempotent: bool,
    attempts: u32,
}

impl CallError {
    /// A failure of a request that has no target yet.
    pub fn new(kind: CallErrorKind, fate: Fate, stage: Stage) -> Self {
        CallError(Arc::new(Inner {
            kind,
            fate,
            stage,
            target: String::new(),
            elapsed: Duration::ZERO,
            idempotent: false,
            attempts: 1,
        }))
    }

    /// The same failure, told of a request: `target` is `topic.method`.
    pub(crate) fn of_request(self, target: String, elapsed: Duration, idempotent: bool) -> Self {
        let Inner {
            kind,
            fate,
            stage,
            attempts,
            ..
        } = &*self.0;
        CallError(Arc::new(Inner {
            kind: kind.clone(),
            fate: *fate,
            stage: *stage,
            target,
            elapsed,
            idempotent,
            attempts: *attempts,
        }))
    }

    /// The same failure as that of the last of `attempts`, which all together allow to claim `fate`.
    pub(crate) fn after(self, attempts: u32, fate: Fate) -> Self {
        if (self.0.attempts, self.0.fate) == (attempts, fate) {
            return self;
        }
        let Inner {
            kind,
            stage,
            target,
            elapsed,
            idempotent,
            ..
        } = &*self.0;
        CallError(Arc::new(Inner {
            kind: kind.clone(),
            fate,
            stage: *stage,
            target: target.clone(),
            elapsed: *elapsed,
            idempotent: *idempotent,
            attempts,
        }))
    }

    /// What happened.
    pub fn kind(&self) -> &CallErrorKind {
        &self.0.kind
    }

    /// What is known about the handler.
    pub fn fate(&self) -> Fate {
        self.0.fate
    }

    /// Where the request stood.
    pub fn stage(&self) -> Stage {
        self.0.stage
    }

    /// `topic.method`, or empty for a promise that belongs to no request.
    pub fn target(&self) -> &str {
        &self.0.target
    }

    /// How long after the request was made it failed.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// How often it was tried: 1, unless it was sent with [`retry`](crate::Request::retry). Kind and
    /// stage are those of the last attempt; the fate is what is known of all of them.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    pub(crate) fn is_idempotent(&self) -> bool {
        self.0.idempotent
    }

    /// Whether sending the request again cannot run its handler twice: nothing ran, or the request has an
    /// idempotency key and its fate is unknown (C-OC).
    pub fn is_retryable(&self) -> bool {
        match self.0.fate {
            Fate::NotSent | Fate::NotExecuted => true,
            Fate::Unknown => self.0.idempotent,
            Fate::Executed => false,
        }
    }

    /// The application's error, where that is what failed.
    pub fn remote(&self) -> Option<&RemoteError> {
        match &self.0.kind {
            CallErrorKind::Remote(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            kind,
            fate,
            stage,
            target,
            elapsed,
            attempts,
            ..
        } = &*self.0;
        // Much of it may be another process's text (S13).
        let mut shown = Printable(f);
        if target.is_empty() {
            return write!(shown, "{kind} ({fate})");
        }
        write!(
            shown,
            "`{target}`: {kind} ({fate}, {stage}, {elapsed:.1?} after the request"
        )?;
        match attempts {
            1 => shown.write_str(")"),
            _ => write!(shown, ", {attempts} attempts)"),
        }
    }
}

impl fmt::Debug for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            kind,
            fate,
            stage,
            target,
            elapsed,
            idempotent,
            attempts,
        } = &*self.0;
        f.debug_struct("CallError")
            .field("kind", kind)
            .field("fate", fate)
            .field("stage", stage)
            .field("target", target)
            .field("elapsed", elapsed)
            .field("idempotent", idempotent)
            .field("attempts", attempts)
            .finish()
    }
}

impl std::error::Error for CallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0.kind)
    }
}

/// What happened to a request that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CallErrorKind {
    /// A name in the request is not one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A version in the request is not one.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The request needs a version above the client's cap; nothing was sent.
    #[error(
        "the request needs version {requested} and the client is capped at {cap}: ask `can_send_version(\"{requested}\")` and send what version {cap} takes, or raise the cap once every server serves {requested}"
    )]
    VersionCap {
        /// The version that the request needs.
        requested: Version,
        /// The client's cap.
        cap: Version,
    },
    /// The arguments could not be encoded; nothing was sent.
    #[error("the arguments cannot be encoded: {0}")]
    Encode(String),
    /// The message is larger than a limit; nothing was sent.
    #[error("the message of {size} bytes exceeds the limit of {limit} bytes set by `{set_by}`")]
    TooLarge {
        /// Bytes, or as many as were counted before it was given up.
        size: usize,
        /// The limit in bytes.
        limit: usize,
        /// The option that set the limit.
        set_by: &'static str,
    },
    /// The transport or the options do not allow it.
    #[error("{what} is not supported here: {advice}")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
        /// What to do instead.
        advice: &'static str,
    },
    /// There is no connection.
    #[error("not connected to {address}: {reason}")]
    NotConnected {
        /// The bus address.
        address: String,
        /// The system's or the peer's reason.
        reason: String,
    },
    /// A bounded queue of this process is full.
    #[error("{queue} is full at {limit}: wait for room, send less, or raise the limit")]
    QueueFull {
        /// Which queue.
        queue: &'static str,
        /// Its limit, with the unit.
        limit: String,
    },
    /// The deadline passed.
    #[error("the deadline passed; give it longer with `.timeout(duration)`, now {timeout:.1?}")]
    DeadlineExceeded {
        /// The time that the request had.
        timeout: Duration,
    },
    /// No server is on the topic, or none of the name asked for.
    #[error("no server{} is on topic `{topic}` in exchange `{exchange}`: start one, or check the names{}",
        server.as_ref().map(|name| format!(" `{name}`")).unwrap_or_default(), did_you_mean(near))]
    NoServer {
        /// The exchange.
        exchange: String,
        /// The topic.
        topic: String,
        /// The server, where one was named.
        server: Option<String>,
        /// The topic or server with the nearest name.
        near: Option<String>,
    },
    /// The server has no such method, or does not expose it.
    #[error("no method `{method}` on `{topic}`{}", did_you_mean(near))]
    NoSuchMethod {
        /// The topic.
        topic: String,
        /// The method asked for.
        method: String,
        /// The method with the nearest name.
        near: Option<String>,
    },
    /// No endpoint on the topic has the namespace asked for.
    #[error("{} on topic `{topic}`; there are: {offered}{}",
        namespace.as_ref().map_or("no endpoint is without a namespace".to_owned(), |name| format!("no namespace `{name}`")),
        did_you_mean(near))]
    NoSuchNamespace {
        /// The topic.
        topic: String,
        /// The namespace; `None` where the request names none.
        namespace: Option<String>,
        /// The namespaces that are there.
        offered: String,
        /// The one with the nearest name.
        near: Option<String>,
    },
    /// The server does not serve the version asked for.
    #[error("version {requested} of `{topic}` is not served; offered: {offered}")]
    UnsupportedVersion {
        /// The topic.
        topic: String,
        /// The version asked for.
        requested: String,
        /// The versions that are served.
        offered: String,
    },
    /// The two sides were built with different argument or reply types for the method.
    #[error(
        "the types of `{method}` differ between caller ({theirs:016x}) and server ({ours:016x}): build both from one version"
    )]
    SchemaMismatch {
        /// The method.
        method: String,
        /// The server's fingerprint.
        ours: u64,
        /// The caller's fingerprint.
        theirs: u64,
    },
    /// The arguments could not be decoded by the server.
    #[error("the server cannot read the arguments: {0}")]
    BadRequest(String),
    /// The server does not know the encoding of the arguments.
    #[error("the server does not know codec {codec} of the arguments: update the server")]
    UnknownCodec {
        /// Its number on the wire.
        codec: u8,
    },
    /// The server's queue is full.
    #[error("the server is busy; try again in {retry_after:.1?}")]
    Busy {
        /// How long to wait before another try.
        retry_after: Duration,
    },
    /// The server is stopping and takes no new work.
    #[error("the server is stopping and takes no new work")]
    ShuttingDown,
    /// The caller may not do this.
    #[error("forbidden: {0}")]
    Forbidden(String),
    /// The call went through too many handlers that call handlers.
    #[error(
        "calls are nested {depth} deep, more than the {limit} allowed: is there a loop of services?"
    )]
    TooDeep {
        /// How deep.
        depth: u8,
        /// The limit.
        limit: u8,
    },
    /// The method failed with an error of its own.
    #[error("the method failed: {0}")]
    Remote(#[source] RemoteError),
    /// The handler panicked.
    #[error("the handler panicked")]
    Panicked,
    /// The handler ended without an answer.
    #[error("the handler gave no reply")]
    NoReply,
    /// The result could not be encoded.
    #[error("the result cannot be encoded: {0}")]
    ReplyEncode(String),
    /// The result is larger than a limit.
    #[error("the result of {size} bytes exceeds the limit of {limit} bytes set by `max_message`")]
    ReplyTooLarge {
        /// Bytes, or as many as were counted before it was given up.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The result was dropped on its way: its caller's connection had too much to be read already.
    #[error(
        "the reply was dropped: its connection has too many replies that are not read; call for less at a time"
    )]
    ReplyDropped,
    /// The reply arrived and could not be read as the type asked for.
    #[error("the reply cannot be read as `{expected}`: {reason}")]
    BadReply {
        /// The type asked for.
        expected: &'static str,
        /// Why not.
        reason: String,
    },
    /// The connection was lost.
    #[error("the connection was lost: {0}")]
    ConnectionLost(String),
    /// No heartbeat came: the process that has the request is dead, stopped or cut off (C-DL-6).
    #[error(
        "no sign of life from the server for {heartbeat:.1?}: it is dead, stopped, cut off or blocked; \
         ask for fewer with a longer `.heartbeat(duration)`"
    )]
    ServerLost {
        /// The time that the request gave.
        heartbeat: Duration,
    },
    /// The key of the request was used before, with other arguments; nothing ran.
    #[error(
        "the idempotency key was used before for `{method}` with other arguments: give each piece of work its own key"
    )]
    KeyConflict {
        /// The method.
        method: String,
    },
    /// The caller cancelled the request.
    #[error("cancelled by the caller")]
    Cancelled,
    /// The bus was closed.
    #[error("the bus is closed")]
    Closed,
    /// The promise itself has nothing to give.
    #[error(transparent)]
    Promise(PromiseError),
    /// A failure that this build does not know, from a newer peer.
    #[error("{0}")]
    Other(String),
}

impl CallErrorKind {
    /// The same without the name of something else that there is.
    pub(crate) fn without_suggestion(mut self) -> Self {
        if let CallErrorKind::NoServer { near, .. }
        | CallErrorKind::NoSuchMethod { near, .. }
        | CallErrorKind::NoSuchNamespace { near, .. } = &mut self
        {
            *near = None;
        }
        self
    }
}

fn did_you_mean(near: &Option<String>) -> String {
    near.as_ref()
        .map(|name| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}

impl From<PromiseError> for CallError {
    fn from(error: PromiseError) -> Self {
        let kind = match error {
            PromiseError::Cancelled => CallErrorKind::Cancelled,
            other => CallErrorKind::Promise(other),
        };
        CallError::new(kind, Fate::Unknown, Stage::Sent)
    }
}

impl From<NameError> for CallError {
    fn from(error: NameError) -> Self {
        CallError::new(error.into(), Fate::NotSent, Stage::Preparing)
    }
}
