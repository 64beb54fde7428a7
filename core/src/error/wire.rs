//! Failures as they travel between processes: a code, a fate, two texts and details.
//!
//! A code is never reused; a peer that does not know one shows its message (`CallErrorKind::Other`) and keeps its fate.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{self, Budget};
use crate::error::{CallError, CallErrorKind, Fate, RemoteError, Stage};
use crate::payload::Payload;
use crate::reply::{ApplicationFailure, Reply};

/// A failure, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireFailure {
    /// Which failure; see the table in PROTOCOL.md.
    pub code: u16,
    /// What is known of the handler: 0 not sent, 1 not executed, 2 executed, 3 unknown.
    pub fate: u8,
    /// For an application's error: the short name of its type.
    pub kind: String,
    /// A text for people.
    pub message: String,
    /// The failure's parameters, or the application's error, encoded.
    pub details: Vec<u8>,
}

macro_rules! codes {
    ($($name:ident = $code:literal),* $(,)?) => { $(const $name: u16 = $code;)* };
}
codes! {
    APPLICATION = 17, NO_SERVER = 3, NO_SUCH_METHOD = 8, NO_SUCH_NAMESPACE = 9, UNSUPPORTED_VERSION = 10, SCHEMA_MISMATCH = 11, BAD_REQUEST = 13, UNKNOWN_CODEC = 14,
    BUSY = 1, SHUTTING_DOWN = 2, FORBIDDEN = 12, TOO_DEEP = 19, PANICKED = 15, NO_REPLY = 6, REPLY_ENCODE = 16,
    REPLY_TOO_LARGE = 5, DEADLINE_EXCEEDED = 7, CONNECTION_LOST = 18, TOO_LARGE = 20, CANCELLED = 21, CLOSED = 22,
    UNSUPPORTED = 4, QUEUE_FULL = 23, NOT_CONNECTED = 24, REPLY_DROPPED = 28, KEY_CONFLICT = 30, SERVER_LOST = 31,
}

impl WireFailure {
    /// The failure in a reply, or the payload when it is none.
    ///
    /// # Errors
    /// The payload of a reply that is a value.
    pub fn of(reply: Reply) -> Result<WireFailure, Payload> {
        match reply {
            Reply::Value(payload) => Err(payload),
            Reply::Application(failure) => {
                let RemoteError {
                    kind,
                    message,
                    details,
                } = failure.into_remote();
                Ok(WireFailure {
                    code: APPLICATION,
                    fate: fate_byte(Fate::Executed),
                    kind,
                    message,
                    details,
                })
            }
            Reply::Failed(error) => Ok(WireFailure::of_call(&error)),
        }
    }

    /// A failure of the bus.
    pub fn of_call(error: &CallError) -> WireFailure {
        use CallErrorKind as K;
        let (code, details) = match error.kind() {
            K::Remote(remote) => {
                return WireFailure {
                    code: APPLICATION,
                    fate: fate_byte(error.fate()),
                    kind: remote.kind.clone(),
                    message: remote.message.clone(),
                    details: remote.details.clone(),
                };
            }
            K::NoServer {
                exchange,
                topic,
                server,
                near,
            } => (NO_SERVER, pack(&(exchange, topic, server, near))),
            K::NoSuchMethod {
                topic,
                method,
                near,
            } => (NO_SUCH_METHOD, pack(&(topic, method, near))),
            K::NoSuchNamespace {
                topic,
                namespace,
                offered,
                near,
            } => (NO_SUCH_NAMESPACE, pack(&(topic, namespace, offered, near))),
            K::UnsupportedVersion {
                topic,
                requested,
                offered,
            } => (UNSUPPORTED_VERSION, pack(&(topic, requested, offered))),
            K::SchemaMismatch {
                method,
                ours,
                theirs,
            } => (SCHEMA_MISMATCH, pack(&(method, ours, theirs))),
            K::BadRequest(reason) => (BAD_REQUEST, pack(reason)),
            K::UnknownCodec { codec } => (UNKNOWN_CODEC, pack(codec)),
            K::Busy { retry_after } => (BUSY, pack(retry_after)),
            K::ShuttingDown => (SHUTTING_DOWN, Vec::new()),
            K::Forbidden(reason) => (FORBIDDEN, pack(reason)),
            K::TooDeep { depth, limit } => (TOO_DEEP, pack(&(depth, limit))),
            K::Panicked => (PANICKED, Vec::new()),
            K::NoReply => (NO_REPLY, Vec::new()),
            K::ReplyEncode(reason) => (REPLY_ENCODE, pack(reason)),
            K::ReplyTooLarge { size, limit } => {
                (REPLY_TOO_LARGE, pack(&(*size as u64, *limit as u64)))
            }
            K::DeadlineExceeded { timeout } => (DEADLINE_EXCEEDED, pack(timeout)),
            K::ConnectionLost(reason) => (CONNECTION_LOST, pack(reason)),
            K::TooLarge { size, limit, .. } => (TOO_LARGE, pack(&(*size as u64, *limit as u64))),
            K::KeyConflict { method } => (KEY_CONFLICT, pack(method)),
            K::ServerLost { heartbeat } => (SERVER_LOST, pack(heartbeat)),
            K::ReplyDropped => (REPLY_DROPPED, Vec::new()),
            K::Cancelled => (CANCELLED, Vec::new()),
            K::Closed => (CLOSED, Vec::new()),
            K::NotConnected { address, reason } => (NOT_CONNECTED, pack(&(address, reason))),
            K::QueueFull { limit, .. } => (QUEUE_FULL, pack(limit)),
            K::Unsupported { .. } => (UNSUPPORTED, Vec::new()),
            // These arise on the caller's side alone; should one ever travel, its text does.
            K::Name(_)
            | K::Version(_)
            | K::VersionCap { .. }
            | K::Encode(_)
            | K::BadReply { .. }
            | K::Promise(_)
            | K::Other(_) => (0, Vec::new()),
        };
        let message = error.kind().to_string();
        WireFailure {
            code,
            fate: fate_byte(error.fate()),
            kind: String::new(),
            message,
            details,
        }
    }

    /// The reply that a peer sent.
    pub fn into_reply(self) -> Reply {
        let fate = byte_fate(self.fate);
        if self.code == APPLICATION && fate == Fate::Executed {
            let WireFailure {
                kind,
                message,
                details,
                ..
            } = self;
            return Reply::Application(Box::new(ApplicationFailure {
                kind,
                message,
                error: Payload::Bytes(details),
            }));
        }
        let stage = match fate {
            Fate::Executed => Stage::Running,
            Fate::NotSent | Fate::NotExecuted if self.code == NO_SERVER => Stage::Routing,
            Fate::NotSent | Fate::NotExecuted => Stage::Accepted,
            Fate::Unknown => Stage::Sent,
        };
        // A peer cannot know that a message never left its sender: what it answers, it had (C-OC).
        let fate = if fate == Fate::NotSent {
            Fate::NotExecuted
        } else {
            fate
        };
        let kind = self
            .kind_of_code()
            .unwrap_or(CallErrorKind::Other(self.message));
        Reply::Failed(CallError::new(kind, fate, stage))
    }

    /// What it says of the handler.
    pub(super) fn fate(&self) -> Fate {
        byte_fate(self.fate)
    }

    /// The failure's kind from its code and details; none when this build does not know it or cannot read it.
    pub(super) fn kind_of_code(&self) -> Option<CallErrorKind> {
        use CallErrorKind as K;
        let details = &self.details;
        Some(match self.code {
            APPLICATION => K::Remote(RemoteError::new(
                self.kind.clone(),
                self.message.clone(),
                self.details.clone(),
            )),
            NO_SERVER => {
                let (exchange, topic, server, near) = unpack(details)?;
                K::NoServer {
                    exchange,
                    topic,
                    server,
                    near,
                }
            }
            NO_SUCH_METHOD => {
                let (topic, method, near) = unpack(details)?;
                K::NoSuchMethod {
                    topic,
                    method,
                    near,
                }
            }
            NO_SUCH_NAMESPACE => {
                let (topic, namespace, offered, near) = unpack(details)?;
                K::NoSuchNamespace {
                    topic,
                    namespace,
                    offered,
                    near,
                }
            }
            UNSUPPORTED_VERSION => {
                let (topic, requested, offered) = unpack(details)?;
                K::UnsupportedVersion {
                    topic,
                    requested,
                    offered,
                }
            }
            SCHEMA_MISMATCH => {
                let (method, ours, theirs) = unpack(details)?;
                K::SchemaMismatch {
                    method,
                    ours,
                    theirs,
                }
            }
            BAD_REQUEST => K::BadRequest(unpack(details)?),
            UNKNOWN_CODEC => K::UnknownCodec {
                codec: unpack(details)?,
            },
            BUSY => K::Busy {
                retry_after: unpack::<Duration>(details)?,
            },
            SHUTTING_DOWN => K::ShuttingDown,
            FORBIDDEN => K::Forbidden(unpack(details)?),
            TOO_DEEP => {
                let (depth, limit) = unpack(details)?;
                K::TooDeep { depth, limit }
            }
            PANICKED => K::Panicked,
            NO_REPLY => K::NoReply,
            REPLY_ENCODE => K::ReplyEncode(unpack(details)?),
            REPLY_TOO_LARGE => {
                let (size, limit): (u64, u64) = unpack(details)?;
                K::ReplyTooLarge {
                    size: usize::try_from(size).ok()?,
                    limit: usize::try_from(limit).ok()?,
                }
            }
            TOO_LARGE => {
                let (size, limit): (u64, u64) = unpack(details)?;
                K::TooLarge {
                    size: usize::try_from(size).ok()?,
                    limit: usize::try_from(limit).ok()?,
                    set_by: "the server's queue_bytes, or max_message on the way",
                }
            }
            DEADLINE_EXCEEDED => K::DeadlineExceeded {
                timeout: unpack(details)?,
            },
            QUEUE_FULL => K::QueueFull {
                queue: "a queue on the way",
                limit: unpack(details)?,
            },
            CONNECTION_LOST => K::ConnectionLost(unpack(details)?),
            KEY_CONFLICT => K::KeyConflict {
                method: unpack(details)?,
            },
            SERVER_LOST => K::ServerLost {
                heartbeat: unpack(details)?,
            },
            REPLY_DROPPED => K::ReplyDropped,
            CANCELLED => K::Cancelled,
            CLOSED => K::Closed,
            NOT_CONNECTED => {
                let (address, reason) = unpack(details)?;
                K::NotConnected { address, reason }
            }
            _ => return None,
        })
    }
}

fn pack<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    // Texts and numbers of bounded length: this encodes. An empty detail reads as `Other` with the message.
    codec::encode(value, codec::DEFAULT_MAX_MESSAGE).unwrap_or_default()
}

fn unpack<T: DeserializeOwned>(details: &[u8]) -> Option<T> {
    codec::decode(details, &Budget::default()).ok()
}

fn fate_byte(fate: Fate) -> u8 {
    match fate {
        Fate::NotSent => 0,
        Fate::NotExecuted => 1,
        Fate::Executed => 2,
        Fate::Unknown => 3,
    }
}

/// A byte that means nothing here is the weakest fate: never claim more than is known.
fn byte_fate(byte: u8) -> Fate {
    match byte {
        0 => Fate::NotSent,
        1 => Fate::NotExecuted,
        2 => Fate::Executed,
        _ => Fate::Unknown,
    }
}
