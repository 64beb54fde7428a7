//! The requests that this side sends: from the queue to their one completion.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::credit::{Allowance, Amount};
use super::event::{Event, Refused, RequestId};
use super::message::{Body, Request, RequestHeader, Verb};
use super::slab::Slab;
use super::window::Window;
use crate::bytes::Pieces;

/// One accepted request.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) token: u64,
    pub(super) flow: u64,
    pub(super) way: u64,
    pub(super) verb: Verb,
    /// Of the payload: what it costs in credit.
    pub(super) size: usize,
    /// Its number on the wire; 0 until its first byte is staged, so that numbers rise in the order
    /// in which requests appear there (P14).
    pub(super) seq: u64,
    pub(super) state: State,
}

/// How far a request has come. Casts leave the table when their last byte is staged.
#[derive(Debug)]
pub(super) enum State {
    /// Nothing of it is staged.
    Waiting(Waiting),
    /// Staged up to `next`.
    Parts { payload: Arc<Pieces>, next: usize },
    /// A call that was staged whole; `end` is the position in the stream behind it.
    Sent { end: u64 },
    /// A call that nobody waits for any more. Its credit is still with the peer and comes back
    /// with the answer that every call gets (PR-CANCEL-2). `told` when it has had its completion:
    /// the peer is going away, and nobody cancelled it here.
    Abandoned { told: bool },
}

/// What a request needs until it is sent.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) header: RequestHeader,
    pub(super) payload: Body,
    /// Since when it waits: the time that it has left is told from there.
    pub(super) since: Instant,
    /// Whether its credit is spent: it left the queue and waits for its turn in a lane.
    pub(super) credited: bool,
}

impl Waiting {
    /// The time that it has left; `None` is for ever.
    pub(super) fn remaining(&self, now: Instant) -> Option<Duration> {
        // Most leave with the very round that brought them.
        if now == self.since {
            return self.header.remaining;
        }
        let waited = now.saturating_duration_since(self.since);
        self.header
            .remaining
            .map(|remaining| remaining.saturating_sub(waited))
    }
}

/// Whose call an answer belongs to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// Complete this one; `abort` when the request is still being sent.
    Call { token: u64, abort: bool },
    /// Nobody waits for it, but for its end.
    Cancelled { token: u64 },
    /// Nobody waits for it any more.
    Nobody,
    /// There is no such call: it had its answer already.
    Unknown,
}

/// The table of requests.
#[derive(Debug)]
pub(super) struct Requests {
    pub(super) table: Slab<Outgoing>,
    /// Requests that have no credit yet, in the order given. May hold stale ids.
    pub(super) queue: VecDeque<RequestId>,
    pub(super) allowance: Allowance,
    /// Casts that are staged whole and not written whole: end in the stream, token.
    sent_casts: VecDeque<(u64, u64)>,
    /// Calls without an answer, by their number.
    calls: Window<RequestId>,
    last_seq: u64,
    queued: usize,
    queued_bytes: usize,
    stale: usize,
    in_flight: usize,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            table: Slab::default(),
            queue: VecDeque::new(),
            allowance: Allowance::new(Amount::default()),
            sent_casts: VecDeque::new(),
            calls: Window::default(),
            last_seq: 0,
            queued: 0,
            queued_bytes: 0,
            stale: 0,
            in_flight: 0,
        }
    }
}

impl Requests {
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    pub(super) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether one more of `size` bytes on `way` leaves enough credit for those on other ways.
    pub(super) fn is_fair(&self, way: u64, size: usize) -> bool {
        let queued = Amount {
            requests: u32::try_from(self.queued).unwrap_or(u32::MAX),
            bytes: self.queued_bytes,
        };
        self.allowance.is_fair(way, size, queued)
    }

    /// Numbers given so far: the highest is this.
    pub(super) fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Whether every request has had its completion.
    pub(super) fn is_drained(&self) -> bool {
        let abandoned = self.calls.len().saturating_sub(self.in_flight);
        self.table.len() == abandoned && self.sent_casts.is_empty()
    }

    /// Whether nothing is left of any request.
    pub(super) fn is_empty(&self) -> bool {
        self.table.len() == 0 && self.sent_casts.is_empty()
    }

    /// Payload bytes held by requests that are not staged whole.
    pub(super) fn buffered(&self) -> usize {
        self.table
            .ids()
            .into_iter()
            .filter_map(|id| self.table.get(id))
            .fold(0, |sum, entry| {
                sum.saturating_add(match &entry.state {
                    State::Waiting(waiting) => waiting.payload.len(),
                    State::Parts { payload, .. } => payload.len(),
                    State::Sent { .. } | State::Abandoned { .. } => 0,
                })
            })
    }

    /// The peer's Hello came: this is what it allows.
    pub(super) fn open(&mut self, window: Amount) {
        self.allowance.open(window);
    }

    pub(super) fn push(&mut self, request: Request, now: Instant) -> RequestId {
        let Request {
            token,
            flow,
            way,
            verb,
            header,
            payload,
        } = request;
        let size = payload.len();
        self.allowance.accepted(way, size);
        let state = State::Waiting(Waiting {
            header,
            payload,
            since: now,
            credited: false,
        });
        let id = self.table.insert(Outgoing {
            token,
            flow,
            way,
            verb,
            size,
            seq: 0,
            state,
        });
        self.queue.push_back(id);
        self.queued = self.queued.saturating_add(1);
        self.queued_bytes = self.queued_bytes.saturating_add(size);
        id
    }

    /// The first of the queue; stale ids before it are dropped.
    pub(super) fn front(&mut self) -> Option<RequestId> {
        while let Some(&id) = self.queue.front() {
            if self.table.get(id).is_some() {
                return Some(id);
            }
            self.queue.pop_front();
            self.stale = self.stale.saturating_sub(1);
        }
        None
    }

    /// Whether the first of the queue may leave it as far as credit is concerned.
    pub(super) fn front_has_credit(&self) -> bool {
        self.queue.front().is_some_and(|&id| {
            self.table
                .get(id)
                .is_none_or(|entry| self.allowance.allows(entry.size))
        })
    }

    /// Takes the first of the queue out and spends its credit.
    pub(super) fn leave_queue(&mut self, id: RequestId) {
        self.queue.pop_front();
        if let Some(entry) = self.table.get_mut(id) {
            self.allowance.spend(entry.size);
            self.queued = self.queued.saturating_sub(1);
            self.queued_bytes = self.queued_bytes.saturating_sub(entry.size);
            if let State::Waiting(waiting) = &mut entry.state {
                waiting.credited = true;
            }
        }
    }

    /// Gives the next number to a request whose first byte is about to be staged.
    pub(super) fn number(&mut self, id: RequestId) {
        self.last_seq = self.last_seq.saturating_add(1);
        if let Some(entry) = self.table.get_mut(id) {
            entry.seq = self.last_seq;
            match entry.verb {
                Verb::Call => {
                    self.calls.insert(self.last_seq, id);
                    self.in_flight = self.in_flight.saturating_add(1);
                }
                Verb::Cast => self.allowance.cast_left(entry.way, entry.size),
            }
        }
    }

    /// The last byte was staged, and `end` is the position behind it.
    pub(super) fn staged(&mut self, id: RequestId, end: u64) {
        match self.table.get_mut(id) {
            Some(Outgoing {
                verb: Verb::Call,
                state,
                ..
            }) => *state = State::Sent { end },
            Some(&mut Outgoing {
                verb: Verb::Cast,
                token,
                ..
            }) => {
                self.sent_casts.push_back((end, token));
                self.table.remove(id);
            }
            None => {}
        }
    }

    /// The socket took everything up to `position`.
    pub(super) fn written(&mut self, position: u64, events: &mut VecDeque<Event>) {
        while let Some(&(end, token)) = self.sent_casts.front() {
            if end > position {
                return;
            }
            self.sent_casts.pop_front();
            let is_told =
                |last: &Event| matches!(last, Event::Sent { token: told } if *told == token);
            if !events.back().is_some_and(is_told) {
                events.push_back(Event::Sent { token });
            }
        }
    }

    /// Completes a request of which nothing was staged.
    pub(super) fn refuse(&mut self, id: RequestId, why: Refused, events: &mut VecDeque<Event>) {
        if let Some(token) = self.withdraw(id) {
            events.push_back(Event::Refused { token, why });
        }
    }

    /// Gives a request up; the number to cancel at the peer, if it has begun to leave.
    pub(super) fn cancel(&mut self, id: RequestId) -> Option<u64> {
        let entry = self.table.get_mut(id)?;
        let (seq, verb) = (entry.seq, entry.verb);
        match &entry.state {
            State::Waiting(_) => {
                self.withdraw(id);
                None
            }
            State::Abandoned { .. } => None,
            State::Parts { .. } | State::Sent { .. } => {
                match verb {
                    Verb::Call => self.abandon(id, false),
                    Verb::Cast => self.table.remove(id),
                }
                Some(seq)
            }
        }
    }

    /// Whether it was cancelled here and has not ended at the peer.
    pub(super) fn is_cancelled(&self, id: RequestId) -> bool {
        let entry = self.table.get(id);
        entry.is_some_and(|entry| matches!(entry.state, State::Abandoned { told: false }))
    }

    /// Gives up a call that was staged whole; `false` for any other request.
    pub(super) fn leave(&mut self, id: RequestId) -> bool {
        let entry = self.table.get(id);
        let sent = entry.is_some_and(|entry| matches!(entry.state, State::Sent { .. }));
        if sent {
            self.abandon(id, false);
        }
        sent
    }

    /// Whether somebody waits for the answer to this call.
    pub(super) fn is_awaited(&mut self, seq: u64) -> bool {
        self.awaited(seq).is_some()
    }

    /// The token of a call whose answer somebody waits for.
    pub(super) fn awaited(&mut self, seq: u64) -> Option<u64> {
        let &mut id = self.calls.get_mut(seq)?;
        let entry = self.table.get(id)?;
        (!matches!(entry.state, State::Abandoned { .. })).then_some(entry.token)
    }

    /// The whole answer to a call came, and its credit with it (PR-CREDIT-3).
    pub(super) fn answered(&mut self, seq: u64) -> Answered {
        let Some(id) = self.calls.remove(seq) else {
            return Answered::Unknown;
        };
        let Some(entry) = self.table.get(id) else {
            return Answered::Unknown;
        };
        self.allowance.answered(entry.way, entry.size);
        let token = entry.token;
        let answered = match entry.state {
            // A call that was half sent when it was cancelled has been aborted with the cancel.
            State::Abandoned { told: true } => Answered::Nobody,
            State::Abandoned { told: false } => Answered::Cancelled { token },
            ref state => {
                self.in_flight = self.in_flight.saturating_sub(1);
                let abort = matches!(state, State::Parts { .. });
                Answered::Call { token, abort }
            }
        };
        self.table.remove(id);
        answered
    }

    /// The peer will not begin anything above `last` (T22). Gives the numbers of requests that are
    /// half sent and have to be cancelled.
    pub(super) fn going_away(&mut self, last: u64, events: &mut VecDeque<Event>) -> Vec<u64> {
        let mut half_sent = Vec::new();
        for id in self.table.ids() {
            let Some(entry) = self.table.get(id) else {
                continue;
            };
            let (token, seq, verb) = (entry.token, entry.seq, entry.verb);
            let in_parts = match entry.state {
                State::Waiting(_) => {
                    self.refuse(id, Refused::GoingAwayNotSent, events);
                    continue;
                }
                State::Abandoned { .. } => continue,
                State::Parts { .. } => true,
                State::Sent { .. } => false,
            };
            if seq <= last {
                continue;
            }
            events.push_back(Event::Refused {
                token,
                why: Refused::GoingAwayNotExecuted,
            });
            if in_parts {
                half_sent.push(seq);
            }
            match verb {
                Verb::Call => self.abandon(id, true),
                Verb::Cast => self.table.remove(id),
            }
        }
        half_sent
    }

    /// The session ended, and the stream will never go beyond `position`: completes everything.
    pub(super) fn fail_all(&mut self, position: u64, events: &mut VecDeque<Event>) {
        for (end, token) in self.sent_casts.drain(..) {
            events.push_back(Event::Lost {
                token,
                handed_over: end <= position,
            });
        }
        for id in self.table.ids() {
            let Some(entry) = self.table.get(id) else {
                continue;
            };
            let handed_over = match entry.state {
                State::Waiting(_) | State::Parts { .. } => false,
                State::Sent { end } => end <= position,
                State::Abandoned { told: true } => continue,
                State::Abandoned { told: false } => true,
            };
            events.push_back(Event::Lost {
                token: entry.token,
                handed_over,
            });
        }
        *self = Self {
            last_seq: self.last_seq,
            ..Self::default()
        };
    }

    /// Gives back memory that a quiet session does not need.
    pub(super) fn shrink(&mut self) {
        self.queue.shrink_to_fit();
        self.sent_casts.shrink_to_fit();
        self.calls.shrink();
    }

    /// Takes out a request of which nothing was staged; gives its token.
    fn withdraw(&mut self, id: RequestId) -> Option<u64> {
        let entry = self.table.get(id)?;
        let (token, size) = (entry.token, entry.size);
        let credited = match &entry.state {
            State::Waiting(waiting) => Some(waiting.credited),
            _ => None,
        };
        if let Some(credited) = credited {
            self.allowance.withdrawn(entry.way, size, credited);
        }
        self.table.remove(id);
        if credited == Some(false) {
            self.queued = self.queued.saturating_sub(1);
            self.queued_bytes = self.queued_bytes.saturating_sub(size);
            self.stale = self.stale.saturating_add(1);
            self.forget_stale();
        }
        Some(token)
    }

    /// Keeps the queue's length in proportion to what waits in it, at a constant cost for each
    /// that is withdrawn (R11).
    fn forget_stale(&mut self) {
        if self.stale > 32 && self.stale > self.queue.len() / 2 {
            let table = &self.table;
            self.queue.retain(|&id| table.get(id).is_some());
            self.stale = 0;
        }
    }

    fn abandon(&mut self, id: RequestId, told: bool) {
        if let Some(entry) = self.table.get_mut(id) {
            entry.state = State::Abandoned { told };
            self.in_flight = self.in_flight.saturating_sub(1);
        }
    }
}
