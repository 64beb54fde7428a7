//! What debug output shows of payloads: how long they are (S12).

use std::fmt;

use super::event::Event;
use super::message::{Body, Reply, WireError};
use super::output::Transmit;
use super::parts::Room;
use super::session::Session;

/// Bytes that are not shown.
struct Hidden(usize);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

impl fmt::Debug for Body {
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

impl fmt::Debug for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireError")
            .field("code", &self.code)
            .field("fate", &self.fate)
            .field("kind", &self.kind)
            .field("message", &self.message)
            .field("details", &Hidden(self.details.len()))
            .finish()
    }
}

fn hidden(reply: &Reply) -> Result<Hidden, &WireError> {
    reply.as_ref().map(|bytes| Hidden(bytes.len()))
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Request {
                id,
                verb,
                header,
                payload,
            } => f
                .debug_struct("Request")
                .field("id", id)
                .field("verb", verb)
                .field("header", header)
                .field("payload", &Hidden(payload.len()))
                .finish(),
            Event::Reply { token, reply } => f
                .debug_struct("Reply")
                .field("token", token)
                .field("reply", &hidden(reply))
                .finish(),
            Event::Opened(hello) => f.debug_tuple("Opened").field(hello).finish(),
            Event::Cancelled(id) => f.debug_tuple("Cancelled").field(id).finish(),
            Event::CallerLost(id) => f.debug_tuple("CallerLost").field(id).finish(),
            Event::Beat { token } => f.debug_struct("Beat").field("token", token).finish(),
            Event::Ended { token } => f.debug_struct("Ended").field("token", token).finish(),
            Event::Sent { token } => f.debug_struct("Sent").field("token", token).finish(),
            Event::Refused { token, why } => f
                .debug_struct("Refused")
                .field("token", token)
                .field("why", why)
                .finish(),
            Event::Lost { token, handed_over } => f
                .debug_struct("Lost")
                .field("token", token)
                .field("handed_over", handed_over)
                .finish(),
            Event::Bind { id, registration } => f
                .debug_struct("Bind")
                .field("id", id)
                .field("registration", registration)
                .finish(),
            Event::Unbind { id } => f.debug_struct("Unbind").field("id", id).finish(),
            Event::Retire { id } => f.debug_struct("Retire").field("id", id).finish(),
            Event::Retired { id } => f.debug_struct("Retired").field("id", id).finish(),
            Event::BindResult { id, result } => f
                .debug_struct("BindResult")
                .field("id", id)
                .field("result", result)
                .finish(),
            Event::Missed { id, copies } => f
                .debug_struct("Missed")
                .field("id", id)
                .field("copies", copies)
                .finish(),
            Event::GoingAway { code, text } => f
                .debug_struct("GoingAway")
                .field("code", code)
                .field("text", text)
                .finish(),
            Event::Closed(closed) => f.debug_tuple("Closed").field(closed).finish(),
        }
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
