//! The numbers of the protocol: why a session was closed, why a call failed, what its fate is.

/// Why one side closes the session; travels in the Close frame (PR-CLOSE-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseCode {
    /// Nothing was wrong.
    Normal,
    /// The process ends.
    ShuttingDown,
    /// A frame longer than the limit told in Hello (P1).
    FrameTooLarge,
    /// A message longer than the limit told in Hello.
    MessageTooLarge,
    /// Bytes that no encoder makes (P3, P4, P27, P28).
    Malformed,
    /// A frame type below 0x80 that is not known here (P5).
    UnknownFrame,
    /// A reserved flag bit is set (P6).
    ReservedFlags,
    /// Another frame came before Hello (P8).
    HandshakeRequired,
    /// No Hello in time (P9).
    HandshakeTimeout,
    /// More than the handshake may have.
    HandshakeTooLarge,
    /// A second Hello (P10).
    UnexpectedFrame,
    /// No protocol version in common (P11).
    VersionMismatch,
    /// Two hubs, or two members, met.
    WrongRole,
    /// A request id that does not increase (P13, P14).
    DuplicateId,
    /// An answer or a part of something that was never begun.
    UnknownId,
    /// A frame that only the other role may send (P17).
    WrongDirection,
    /// More credit came back than was used.
    CreditExceeded,
    /// Far more requests than the credit allows (P20).
    Overloaded,
    /// Too many pings (P21).
    PingFlood,
    /// Too many frames that move nothing (P5, P19, P23).
    FrameFlood,
    /// A frame was begun and not finished in time (P2).
    FrameTimeout,
    /// We could not write for too long (P24).
    WriteStall,
    /// Nothing was heard for too long (T5).
    PeerDead,
    /// More names than the dictionary may have.
    DictionaryFull,
    /// Too many messages in parts at a time.
    TooManyParts,
    /// The listener has no room (R1).
    TooManyConnections,
    /// The identity of the peer is not welcome (S2).
    Forbidden,
    /// No memory for what came (R14).
    OutOfMemory,
    /// The peer has not proved that it knows the secret of a token (S1).
    Unauthenticated,
    /// A code that is not known here.
    Other(u16),
}

macro_rules! close_codes {
    ($($code:literal $name:ident)*) => {
        impl CloseCode {
            /// The number on the wire.
            #[must_use]
            pub fn to_u16(self) -> u16 {
                match self { $(Self::$name => $code,)* Self::Other(code) => code }
            }

            /// The code of a number; never fails.
            #[must_use]
            pub fn from_u16(code: u16) -> Self {
                match code { $($code => Self::$name,)* other => Self::Other(other) }
            }
        }
    };
}

close_codes! {
    0 Normal 1 ShuttingDown 2 FrameTooLarge 3 MessageTooLarge 4 Malformed 5 UnknownFrame
    6 ReservedFlags 7 HandshakeRequired 8 HandshakeTimeout 9 HandshakeTooLarge 10 UnexpectedFrame
    11 VersionMismatch 12 WrongRole 13 DuplicateId 14 UnknownId 15 WrongDirection
    16 CreditExceeded 17 Overloaded 18 PingFlood 19 FrameFlood 20 FrameTimeout 21 WriteStall
    22 PeerDead 23 DictionaryFull 24 TooManyParts 25 TooManyConnections 26 Forbidden 27 OutOfMemory
    28 Unauthenticated
}

/// The codes of [`WireError::code`](super::WireError) (PR-REPLY-6).
pub mod error_code {
    /// Above the limit of requests in flight; not executed.
    pub const OVERLOADED: u16 = 1;
    /// The peer takes no new work; not executed.
    pub const SHUTTING_DOWN: u16 = 2;
    /// Nobody serves the topic, or not under that server name; not executed.
    pub const NO_SERVER: u16 = 3;
    /// A critical extension is not known; not executed.
    pub const UNSUPPORTED: u16 = 4;
    /// The reply exceeds the caller's message limit; executed.
    pub const REPLY_TOO_LARGE: u16 = 5;
    /// The handler ended without a reply; executed.
    pub const NO_REPLY: u16 = 6;
    /// The deadline passed before the handler was started; not executed.
    pub const DEADLINE: u16 = 7;
    /// No such method; not executed.
    pub const NO_SUCH_METHOD: u16 = 8;
    /// No such namespace; not executed.
    pub const NO_SUCH_NAMESPACE: u16 = 9;
    /// The version asked for is not served; not executed.
    pub const UNSUPPORTED_VERSION: u16 = 10;
    /// The types differ; not executed.
    pub const SCHEMA_MISMATCH: u16 = 11;
    /// The caller may not; not executed.
    pub const FORBIDDEN: u16 = 12;
    /// The arguments cannot be decoded; not executed.
    pub const BAD_REQUEST: u16 = 13;
    /// The codec is not built in; not executed.
    pub const UNKNOWN_CODEC: u16 = 14;
    /// The handler panicked; executed.
    pub const PANICKED: u16 = 15;
    /// The result cannot be encoded; executed.
    pub const REPLY_ENCODE: u16 = 16;
    /// The application's own error; executed.
    pub const APPLICATION: u16 = 17;
    /// The connection to the server was lost behind the hub; the fate tells the rest.
    pub const CONNECTION_LOST: u16 = 18;
    /// The chain of nested calls is too deep; not executed.
    pub const TOO_DEEP: u16 = 19;
    /// The request exceeds what the server behind the hub takes; not executed.
    pub const TOO_LARGE: u16 = 20;
    /// The reply was dropped: the connection had too much to write already. Executed.
    pub const REPLY_DROPPED: u16 = 28;
    /// The idempotency key was seen with other arguments; not executed.
    pub const KEY_CONFLICT: u16 = 30;
    /// No heartbeat came for a nested call; the fate tells the rest.
    pub const SERVER_LOST: u16 = 31;
}

/// The codes of [`WireError::fate`](super::WireError) (C-OC).
pub mod fate_code {
    /// No handler ran and none will: it never left whole.
    pub const NOT_SENT: u8 = 0;
    /// The peer had it and promises that no handler started or will.
    pub const NOT_EXECUTED: u8 = 1;
    /// The handler was started and ended.
    pub const EXECUTED: u8 = 2;
    /// It ran zero times or once, or is still running.
    pub const UNKNOWN: u8 = 3;
}
