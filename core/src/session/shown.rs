//! What debug output shows of payloads: how long they are (S12).

use std::fmt;

use super::message::{Body, Encoded};
use super::output::Transmit;
use super::parts::Room;
use super::session::Session;
use crate::bytes::Pieces;

/// Bytes that are not shown.
struct Hidden(usize);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hidden(self.len()).fmt(f)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hidden(self.len()).fmt(f)
    }
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hidden(self.len()).fmt(f)
    }
}

impl fmt::Debug for Transmit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.clone().map(<[u8]>::len);
        let all = bytes.fold(0, usize::saturating_add);
        f.debug_tuple("Transmit").field(&Hidden(all)).finish()
    }
}

impl fmt::Debug for Room<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut room = f.debug_struct("Room");
        room.field("ends", &self.ends()).finish_non_exhaustive()
    }
}

/// What it has in its buffers are payloads.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("role", &self.role)
            .field("is_open", &self.is_open())
            .field("events", &self.events)
            .field("in_flight", &self.in_flight())
            .field("serving", &self.serving())
            .field("buffered_bytes", &self.buffered_bytes())
            .finish_non_exhaustive()
    }
}
