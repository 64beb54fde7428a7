//! Hello: what each side tells of itself before anything else.

/// What the peer told, and what both agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerHello {
    /// The protocol version that both speak: the highest in common.
    pub version: u16,
    /// The capability bits that both have.
    pub capabilities: u64,
    /// The peer's instance id: another one after a restart.
    pub instance: [u8; 16],
    /// The peer's software. It comes from a peer: escape it before logging.
    pub software: String,
    /// The longest payload that the peer takes, in bytes.
    pub max_message: usize,
    /// The requests that the peer takes at a time.
    pub max_in_flight: u32,
}
