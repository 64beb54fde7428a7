//! What is carried: requests, replies, registrations.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::name::Name;
pub use crate::bytes::Body;

/// Where a member's request goes. Interned per connection: keep the `Arc` and give clones of it,
/// then a request costs no look-up by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The scope of the topic.
    pub exchange: Name,
    /// The topic.
    pub topic: Name,
    /// One server of the topic; `None` is any (or, with fanout, all).
    pub server: Option<Name>,
}

/// What is called. Interned as a whole, like [`Target`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method {
    /// The method's name.
    pub name: Name,
    /// The endpoint's namespace.
    pub namespace: Option<Name>,
    /// The version asked for: major, minor, patch. `None` counts as 1.0 (C-VE-1).
    pub version: Option<(u16, u16, u16)>,
    /// Fingerprint of the argument and reply types (C-VE-4).
    pub fingerprint: Option<u64>,
}

impl Method {
    /// A method by its name alone.
    #[must_use]
    pub fn named(name: Name) -> Self {
        Method {
            name,
            namespace: None,
            version: None,
            fingerprint: None,
        }
    }
}

/// Who made a request first, told by the hub that forwards it. Interned like [`Target`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Caller {
    /// The transport that vouches for the identity, e.g. `unix`.
    pub transport: Name,
    /// User id, by the kernel.
    pub uid: Option<u32>,
    /// Group id, by the kernel.
    pub gid: Option<u32>,
    /// Process id, by the kernel.
    pub pid: Option<u32>,
    /// A name that the transport verified (a certificate's, a broker user's).
    pub name: Option<Name>,
}

/// The small id of a registration on one connection; given by the member that binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BindId(pub u32);

/// What a member registers at the hub: "send me requests for this topic".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The scope of the topic.
    pub exchange: Name,
    /// The topic served.
    pub topic: Name,
    /// The server's name, unique on the topic.
    pub server: Name,
    /// What it offers, at most [`OFFERS_MAX`](super::OFFERS_MAX); none is whatever comes.
    pub offers: Vec<Offer>,
}

/// A namespace in a version, which a server offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The namespace; `None` is for requests that name none.
    pub namespace: Option<Name>,
    /// The version that is implemented there: major, minor, patch.
    pub version: (u16, u16, u16),
}

/// Where a request goes. The direction decides which one is legal (PR-REQ-4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Member to hub: by name.
    Topic(Arc<Target>),
    /// Hub to member: by the member's own registration.
    Bound(BindId),
}

/// Whether a reply is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// One reply is produced.
    Call,
    /// No reply is produced.
    Cast,
}

/// Marks the retries of one request, so that a server can drop a duplicate (C-VB-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(pub [u8; 16]);

/// Everything about a request but its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader {
    /// Where it goes.
    pub destination: Destination,
    /// What is called.
    pub method: Arc<Method>,
    /// How the payload is encoded; 0 is postcard.
    pub codec: u8,
    /// Time left until the caller gives up; `None` is for ever. Counted from the moment it is
    /// handed to the session (sending) or comes out of it (receiving): C-DL-2.
    pub remaining: Option<Duration>,
    /// How many calls deep this one is (FAULTS A16).
    pub depth: u8,
    /// One copy to every server of the topic.
    pub fanout: bool,
    /// Member to hub: it waits for a server, where there is none.
    pub wait_for_server: bool,
    /// The identity of the original caller. Believed only from a hub: a hub drops what a member
    /// writes here.
    pub caller: Option<Arc<Caller>>,
    /// What few requests say: a request that does not is moved from place to place as fewer bytes.
    pub rare: Option<Box<RareHeader>>,
}

/// What few requests say. None of it is set at first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RareHeader {
    /// Set on a request that may be executed again.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The caller wants to hear at least this often that the call still waits or runs; in whole
    /// milliseconds (PR-BEAT).
    pub heartbeat: Option<Duration>,
    /// The application's headers: at most 64 and 8 KiB; keys follow the rule of [`Name`], and the
    /// prefix `bus.` is reserved: refused when sent, dropped when received (FAULTS S10).
    pub headers: Vec<(String, String)>,
}

impl RequestHeader {
    /// Of a request with all the time there is, whose payload is in postcard, and which asks for nothing else.
    #[must_use]
    pub fn new(destination: Destination, method: Arc<Method>) -> Self {
        RequestHeader {
            destination,
            method,
            codec: 0,
            remaining: None,
            depth: 0,
            fanout: false,
            wait_for_server: false,
            caller: None,
            rare: None,
        }
    }

    /// For it to say what few requests say.
    pub fn rare_mut(&mut self) -> &mut RareHeader {
        self.rare.get_or_insert_default()
    }
}

/// A request to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The caller's own handle; it comes back in the one event that completes this request.
    pub token: u64,
    /// Requests of one flow become complete at the receiver in the order given (C-VB-4);
    /// different flows interleave.
    pub flow: u64,
    /// Where it goes, as its sender counts: see [`Session::is_fair`](super::Session::is_fair).
    pub way: u64,
    /// Call or cast.
    pub verb: Verb,
    /// Everything but the payload.
    pub header: RequestHeader,
    /// The encoded arguments.
    pub payload: Body,
}

/// What the application has encoded: arguments, a result, the details of an error. Debug output tells how long it is, and
/// nothing else (S12).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Encoded(pub Vec<u8>);

impl Deref for Encoded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Encoded {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// What a call ends with.
pub type Reply = Result<Body, WireError>;

/// A failure as it travels. Codes not known here pass through unchanged (PR-REPLY-5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError {
    /// What went wrong: see [`error_code`](super::error_code).
    pub code: u16,
    /// What is known about the handler: see [`fate_code`](super::fate_code) (C-OC).
    pub fate: u8,
    /// The application's name for the kind of error; empty for the bus's own.
    pub kind: String,
    /// Text for people. It comes from a peer: escape and cap it before logging.
    pub message: String,
    /// The application's error, encoded.
    pub details: Encoded,
}

impl WireError {
    /// A failure with nothing but a code and a fate.
    #[must_use]
    pub fn bare(code: u16, fate: u8) -> Self {
        Self {
            code,
            fate,
            kind: String::new(),
            message: String::new(),
            details: Encoded::default(),
        }
    }
}
