//! Heartbeats: a server's word that it lives and still has a call (PR-BEAT).

use std::collections::BTreeSet;

use super::config::Role;
use super::frame::{Kind, whole};
use super::outbound::{seq_of, wire_id};
use super::wire::{Parsed, Reader, malformed, put_varint, violation};
use super::{CloseCode, Event, IncomingId, Session};

/// The most calls that one frame speaks of: it stays far below the least `max_frame`.
const IN_A_FRAME: usize = 1024;

/// The calls of the peer's that a beat is due for: one for each at most, however many were asked
/// for since the last was written (FAULTS rule 6).
#[derive(Debug, Default)]
pub(super) struct Beats(BTreeSet<u64>);

impl Beats {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The call has been answered, or nobody waits for it: nothing is said of it any more.
    pub(super) fn forget(&mut self, seq: u64) {
        if !self.0.is_empty() {
            self.0.remove(&seq);
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Writes all that are due, to a peer of the given role.
    pub(super) fn put(&mut self, requester: Role, out: &mut Vec<u8>) {
        let mut due = std::mem::take(&mut self.0).into_iter().peekable();
        while due.peek().is_some() {
            whole(out, Kind::Beat, |out| {
                for seq in due.by_ref().take(IN_A_FRAME) {
                    put_varint(out, wire_id(requester, seq));
                }
            });
        }
    }
}

impl Session {
    /// Says to the peer that its call lives: it waits or runs here. Without effect for a cast, for
    /// a call that was answered or cancelled, and while one for the same call waits to be written.
    pub fn beat(&mut self, id: IncomingId) {
        if self.is_open() && self.serving.is_awaited(id.0) {
            self.beats.0.insert(id.0);
        }
    }

    /// The peer's word on calls of ours (PR-BEAT-3).
    pub(super) fn on_beat(&mut self, mut body: Reader<'_>) -> Parsed<()> {
        if body.is_empty() {
            return malformed("a beat for no call");
        }
        let mut last = 0;
        while !body.is_empty() {
            let Some(seq) = seq_of(self.role, body.varint()?) else {
                return violation(CloseCode::WrongDirection, "an id of the other side's");
            };
            if seq <= last {
                return malformed("beats out of order");
            }
            last = seq;
            if seq > self.requests.last_seq() {
                return violation(CloseCode::UnknownId, "a beat for what was never asked");
            }
            if let Some(token) = self.requests.awaited(seq) {
                self.events.push_back(Event::Beat { token });
            }
        }
        Ok(())
    }
}
