//! Frames that never wait behind requests and replies. Each kind has one place that coalesces, or
//! is bounded by what it is about (FAULTS rule 6).

use std::collections::VecDeque;

use super::code::CloseCode;
use super::config::{Role, TEXT_MAX};
use super::credit::Granted;
use super::frame::{Kind, whole};
use super::outbound::wire_id;
use super::wire::{Parsed, Reader, cut_text, malformed, put_counted, put_size, put_varint};

/// What waits to be said.
#[derive(Debug, Default)]
pub(super) struct Control {
    /// The number of the latest ping of the peer's: one pong answers all (P21).
    pub(super) pong: Option<u64>,
    /// A ping is to be sent.
    pub(super) ping: bool,
    /// Numbers of requests to cancel; each was sent, so the peer's credit bounds them.
    pub(super) cancels: VecDeque<u64>,
    /// Take no more requests than up to this number.
    pub(super) go_away: Option<(u64, CloseCode, String)>,
    pings: u64,
    /// Pings that were not answered yet.
    unanswered: bool,
}

impl Control {
    pub(super) fn is_pending(&self) -> bool {
        self.pong.is_some() || self.ping || !self.cancels.is_empty() || self.go_away.is_some()
    }

    /// Whether this pong was asked for.
    pub(super) fn on_pong(&mut self, number: u64) -> bool {
        number == self.pings && std::mem::take(&mut self.unanswered)
    }

    /// Writes all that waits.
    pub(super) fn put(&mut self, role: Role, out: &mut Vec<u8>) {
        if let Some(number) = self.pong.take() {
            whole(out, Kind::Pong, |out| put_varint(out, number));
        }
        for seq in self.cancels.drain(..) {
            whole(out, Kind::Cancel, |out| put_varint(out, wire_id(role, seq)));
        }
        if let Some((last, code, text)) = self.go_away.take() {
            whole(out, Kind::GoAway, |out| {
                put_varint(out, last);
                put_reason(out, code, &text);
            });
        }
        if std::mem::take(&mut self.ping) {
            self.pings = self.pings.wrapping_add(1);
            self.unanswered = true;
            whole(out, Kind::Ping, |out| put_varint(out, self.pings));
        }
    }
}

/// Writes the credit that is worth it.
pub(super) fn put_credit(granted: &mut Granted, out: &mut Vec<u8>) {
    if granted.is_due() {
        granted.tell(|body| whole(out, Kind::Credit, body));
    }
}

/// A code and a text for people, as in Close and GoAway (PR-CLOSE-1).
pub(super) fn put_reason(out: &mut Vec<u8>, code: CloseCode, text: &str) {
    put_size(out, code.to_u16().into());
    put_counted(out, cut_text(text, TEXT_MAX).as_bytes());
}

pub(super) fn parse_reason(mut reader: Reader<'_>) -> Parsed<(CloseCode, String)> {
    let code = CloseCode::from_u16(reader.u16()?);
    let text = reader.text()?;
    reader.end()?;
    if text.len() > TEXT_MAX {
        malformed("a text is too long")
    } else {
        Ok((code, text.into()))
    }
}
