//! What a session is told at its start: who it is, and its limits.

use std::time::Duration;

use super::auth::Auth;
use super::code::CloseCode;

/// Which side of a connection this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Accepts connections, keeps the registrations, forwards.
    Hub,
    /// Connects to a hub; serves and calls.
    Member,
}

impl Role {
    /// The other side.
    #[must_use]
    pub fn peer(self) -> Self {
        match self {
            Self::Hub => Self::Member,
            Self::Member => Self::Hub,
        }
    }
}

/// How a session introduces itself, and what it allows.
#[derive(Debug, Clone)]
pub struct Config {
    /// Names this process among all others, also across restarts.
    pub instance: [u8; 16],
    /// Name and version of the software; at most 255 bytes of it travel.
    pub software: String,
    /// Lowest and highest protocol version spoken.
    pub versions: (u16, u16),
    /// Capability bits offered; both sides use what both have (P12).
    pub capabilities: u64,
    /// The limits.
    pub limits: Limits,
    /// How it authenticates; `None` neither proves nor asks for anything.
    pub auth: Option<Auth>,
    /// Nobody is let in: whoever greets is told this instead of Hello (PR-HELLO-7).
    pub refusal: Option<CloseCode>,
}

/// The most namespaces and versions that a registration names (PR-BIND-5).
pub const OFFERS_MAX: usize = 32;

/// The protocol version of this crate.
pub const VERSION: u16 = 1;

impl Config {
    /// The defaults, for a process that calls itself `instance`.
    #[must_use]
    pub fn new(instance: [u8; 16]) -> Self {
        Self {
            instance,
            software: concat!("tidings/", env!("CARGO_PKG_VERSION")).into(),
            versions: (VERSION, VERSION),
            capabilities: 0,
            limits: Limits::default(),
            auth: None,
            refusal: None,
        }
    }
}

/// Every limit of a session. Values below a floor of the protocol are raised to it
/// (PR-HELLO-5), so any combination works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest frame taken, in bytes after its length; at least 16 KiB. Default 64 KiB.
    pub max_frame: usize,
    /// Longest payload taken, in bytes; at least 16 KiB. Default 16 MiB.
    pub max_message: usize,
    /// Requests taken at a time, running or with a reply not yet on its way. Default 1024.
    pub max_in_flight: u32,
    /// Payload bytes of those requests; at least `max_message`. Default 32 MiB.
    pub max_in_flight_bytes: usize,
    /// Messages taken in parts at a time, requests and replies each; at least 1. Default 16.
    pub max_partial: u32,
    /// Entries in each dictionary of interned names. Default 1024.
    pub max_names: u32,
    /// Registrations of one member. Default 1024.
    pub max_bindings: u32,
    /// Requests that wait here for credit. Default 1024.
    pub queue_requests: usize,
    /// Payload bytes of those; one request may exceed it alone. Default 4 MiB.
    pub queue_bytes: usize,
    /// Replies that wait here beyond which [`Session::reply_room`](super::Session::reply_room)
    /// says no, in bytes. Default 4 MiB.
    pub reply_bytes: usize,
    /// Answers that wait here beyond which further ones are dropped, in bytes: those of a peer that calls for more than
    /// it reads. One is always kept. Default 64 MiB.
    pub unread_bytes: usize,
    /// Time to Hello. Default 5 s.
    pub handshake: Duration,
    /// Time in which a frame that was begun must be complete. Default 30 s.
    pub frame_completion: Duration,
    /// Time without any byte written while there are bytes to write. Default 10 s.
    pub write_stall: Duration,
    /// Silence after which a ping is sent. Default 15 s.
    pub ping_interval: Duration,
    /// Silence after which the peer is given up. Default 30 s.
    pub dead_after: Duration,
    /// Pings taken per second. Default 100.
    pub pings_per_second: u32,
    /// Frames per second that move nothing (cancels of what has ended, unasked pongs, refused
    /// requests, types to be ignored). Default 100,000.
    pub idle_frames_per_second: u32,
    /// The longest remaining time taken from a peer; more is cut to it. Default 1 h.
    pub longest_deadline: Duration,
}

/// Bytes that may come before Hello is complete (FAULTS rule 5).
pub(super) const HANDSHAKE_BYTES: usize = 4096;
/// Bytes of the one frame that may come between Hello and the end of the handshake.
pub(super) const PROOF_BYTES: usize = 512;
/// The least `max_frame` and `max_message`: the longest request header fits in (PR-HELLO-5).
pub(super) const FRAME_FLOOR: usize = 16 * 1024;
/// Headers of one request (P27).
pub(super) const HEADERS_MAX: usize = 64;
/// Bytes of the keys and values of those headers (P27).
pub(super) const HEADER_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a text for people in a Close, GoAway or BindResult frame.
pub(super) const TEXT_MAX: usize = 255;
/// What is allocated at most for a length before its bytes have come (FAULTS rule 7).
pub(super) const FIRST_ALLOCATION: usize = 64 * 1024;

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_frame: 64 * 1024,
            max_message: 16 * 1024 * 1024,
            max_in_flight: 1024,
            max_in_flight_bytes: 32 * 1024 * 1024,
            max_partial: 16,
            max_names: 1024,
            max_bindings: 1024,
            queue_requests: 1024,
            queue_bytes: 4 * 1024 * 1024,
            reply_bytes: 4 * 1024 * 1024,
            unread_bytes: 64 * 1024 * 1024,
            handshake: Duration::from_secs(5),
            frame_completion: Duration::from_secs(30),
            write_stall: Duration::from_secs(10),
            ping_interval: Duration::from_secs(15),
            dead_after: Duration::from_secs(30),
            pings_per_second: 100,
            idle_frames_per_second: 100_000,
            longest_deadline: Duration::from_secs(3600),
        }
    }
}

impl Limits {
    /// The same with every value at or above its floor.
    #[must_use]
    pub(super) fn raised(mut self) -> Self {
        self.max_frame = self.max_frame.clamp(FRAME_FLOOR, u32::MAX as usize);
        self.max_message = self.max_message.clamp(FRAME_FLOOR, u32::MAX as usize);
        self.max_in_flight = self.max_in_flight.max(1);
        self.max_in_flight_bytes = self.max_in_flight_bytes.max(self.max_message);
        self.max_partial = self.max_partial.max(1);
        self.queue_requests = self.queue_requests.max(1);
        self
    }
}
