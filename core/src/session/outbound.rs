//! In which order requests are staged: those of one flow one after another, those of different
//! flows side by side, the small between the parts of the large (PR-ORDER).

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::chunking::part_frame;
use super::config::Role;
use super::event::{Event, Refused, RequestId};
use super::frame::{Kind, begin, end};
use super::head::{HeadWriter, head_bound};
use super::hello::Hello;
use super::message::Verb;
use super::output::Output;
use super::requests::{Requests, State};

/// The requests of one flow while a large one of it is being sent: the others of the flow wait
/// behind it, and only they.
#[derive(Debug)]
struct Lane {
    current: RequestId,
    waiting: VecDeque<RequestId>,
}

/// Stages requests.
#[derive(Debug)]
pub(super) struct Outbound {
    heads: HeadWriter,
    role: Role,
    max_frame: usize,
    max_message: usize,
    max_partial: usize,
    lanes: BTreeMap<u64, Lane>,
    /// Flows whose lanes take turns, as many as the peer takes messages in parts.
    active: VecDeque<u64>,
    /// Flows whose lanes wait for a turn.
    parked: VecDeque<u64>,
    /// Bytes of small requests since the last part of a large one.
    since_part: usize,
}

impl Outbound {
    pub(super) fn new(role: Role, names: usize, peer: &Hello) -> Self {
        Self {
            heads: HeadWriter::new(names),
            role,
            max_frame: peer.max_frame,
            max_message: peer.max_message,
            max_partial: peer.max_partial as usize,
            lanes: BTreeMap::new(),
            active: VecDeque::new(),
            parked: VecDeque::new(),
            since_part: 0,
        }
    }

    /// Whether [`step`](Self::step) would find anything.
    pub(super) fn is_ready(&self, requests: &Requests) -> bool {
        !self.lanes.is_empty() || requests.front_has_credit()
    }

    /// Stages one frame, or moves one request on; `false` when there is nothing to do. Small
    /// requests go first, but a frame's length of them lets one part of a large one pass.
    pub(super) fn step(
        &mut self,
        requests: &mut Requests,
        output: &mut Output,
        now: Instant,
        events: &mut VecDeque<Event>,
    ) -> bool {
        let turn_of_parts = self.since_part >= self.max_frame;
        if turn_of_parts && self.stage_lane(requests, output, now, events) {
            return true;
        }
        self.stage_queued(requests, output, now, events)
            || self.stage_lane(requests, output, now, events)
    }

    /// A request was cancelled: lanes do not remember more than a few that are gone.
    pub(super) fn forget(&mut self, flow: u64, requests: &Requests) {
        if let Some(lane) = self.lanes.get_mut(&flow) {
            if lane.waiting.len() > 32 {
                lane.waiting.retain(|&id| requests.table.get(id).is_some());
            }
        }
    }

    fn stage_queued(
        &mut self,
        requests: &mut Requests,
        output: &mut Output,
        now: Instant,
        events: &mut VecDeque<Event>,
    ) -> bool {
        let Some(id) = requests.front() else {
            return false;
        };
        if let Some(why) = self.refusal(requests, id, now) {
            // Its place in the queue is stale now, and dropped at the next look.
            requests.refuse(id, why, events);
            return true;
        }
        if !requests.front_has_credit() {
            return false;
        }
        requests.leave_queue(id);
        let Some(entry) = requests.table.get(id) else {
            return true;
        };
        if let Some(lane) = self.lanes.get_mut(&entry.flow) {
            lane.waiting.push_back(id);
        } else if self.is_large(requests, id) {
            let flow = entry.flow;
            self.lanes.insert(
                flow,
                Lane {
                    current: id,
                    waiting: VecDeque::new(),
                },
            );
            self.parked.push_back(flow);
            self.unpark();
        } else {
            let before = output.appended();
            self.stage_first(requests, output, id, now);
            let staged = output.appended().saturating_sub(before);
            self.since_part = self.since_part.saturating_add(staged as usize);
        }
        true
    }

    /// Gives the next lane its turn.
    fn stage_lane(
        &mut self,
        requests: &mut Requests,
        output: &mut Output,
        now: Instant,
        events: &mut VecDeque<Event>,
    ) -> bool {
        let Some(flow) = self.active.pop_front() else {
            return false;
        };
        self.since_part = 0;
        let Some(current) = self.lanes.get(&flow).map(|lane| lane.current) else {
            return true;
        };
        if let Some(why) = self.refusal(requests, current, now) {
            requests.refuse(current, why, events);
        }
        match requests.table.get(current).map(|entry| &entry.state) {
            Some(State::Waiting(_)) => self.stage_first(requests, output, current, now),
            Some(State::Parts { .. }) => self.stage_part(requests, output, current),
            // Cancelled, expired or refused meanwhile.
            Some(State::Sent { .. } | State::Abandoned { .. }) | None => {}
        }
        let state = requests.table.get(current).map(|entry| &entry.state);
        if matches!(state, Some(State::Parts { .. })) || self.next_of_lane(flow, requests) {
            self.active.push_back(flow);
        } else {
            self.lanes.remove(&flow);
            self.unpark();
        }
        true
    }

    /// Makes the next request of a lane its current one; `false` when there is none.
    fn next_of_lane(&mut self, flow: u64, requests: &Requests) -> bool {
        let Some(lane) = self.lanes.get_mut(&flow) else {
            return false;
        };
        while let Some(id) = lane.waiting.pop_front() {
            if requests.table.get(id).is_some() {
                lane.current = id;
                return true;
            }
        }
        false
    }

    fn unpark(&mut self) {
        while self.active.len() < self.max_partial {
            let Some(flow) = self.parked.pop_front() else {
                return;
            };
            self.active.push_back(flow);
        }
    }

    /// Why a request that waits must not be sent any more.
    fn refusal(&self, requests: &Requests, id: RequestId, now: Instant) -> Option<Refused> {
        let entry = requests.table.get(id)?;
        let State::Waiting(waiting) = &entry.state else {
            return None;
        };
        if waiting.remaining(now) == Some(Duration::ZERO) {
            return Some(Refused::Expired);
        }
        // Only one that was accepted before the peer's Hello can be too large here (D13).
        let limit = self.max_message;
        (entry.size > limit).then_some(Refused::TooLarge {
            size: entry.size,
            limit,
        })
    }

    fn is_large(&self, requests: &Requests, id: RequestId) -> bool {
        let Some(entry) = requests.table.get(id) else {
            return false;
        };
        let State::Waiting(waiting) = &entry.state else {
            return false;
        };
        head_bound(&waiting.header).saturating_add(entry.size) > self.max_frame
    }

    /// Stages the first frame of a request, the only one if it is not large.
    fn stage_first(
        &mut self,
        requests: &mut Requests,
        output: &mut Output,
        id: RequestId,
        now: Instant,
    ) {
        let large = self.is_large(requests, id);
        requests.number(id);
        let Some(entry) = requests.table.get_mut(id) else {
            return;
        };
        let kind = match entry.verb {
            Verb::Call => Kind::Call,
            Verb::Cast => Kind::Cast,
        };
        // Replaced below, once the end is known.
        let State::Waiting(waiting) =
            std::mem::replace(&mut entry.state, State::Sent { end: u64::MAX })
        else {
            return;
        };
        let remaining = waiting.remaining(now);
        let bound = head_bound(&waiting.header);
        let first = if large {
            self.max_frame.saturating_sub(bound)
        } else {
            entry.size
        };
        let total = large.then_some(entry.size);
        output.frames(|out| {
            let begun = begin(out, kind);
            // Numbers are given in this very order, so each is one above the last.
            self.heads.put(out, 1, &waiting.header, remaining, total);
            end(out, begun, first);
        });
        if large {
            let payload = waiting.payload.into_shared();
            output.part(&payload, 0..first);
            entry.state = State::Parts {
                payload,
                next: first,
            };
        } else {
            output.body(waiting.payload);
            requests.staged(id, output.appended());
        }
    }

    fn stage_part(&mut self, requests: &mut Requests, output: &mut Output, id: RequestId) {
        let Some(entry) = requests.table.get_mut(id) else {
            return;
        };
        let wire_id = wire_id(self.role, entry.seq);
        let State::Parts { payload, next } = &mut entry.state else {
            return;
        };
        *next = part_frame(output, Kind::Chunk, wire_id, payload, *next, self.max_frame);
        if *next >= payload.len() {
            requests.staged(id, output.appended());
        }
    }
}

/// The id of a request on the wire: odd for a member's, even for a hub's (PR-REQ-2).
pub(super) fn wire_id(requester: Role, seq: u64) -> u64 {
    let parity = match requester {
        Role::Hub => 0,
        Role::Member => 1,
    };
    seq.saturating_mul(2) | parity
}

/// The number of a request by its id; `None` when it is an id of the other side's.
pub(super) fn seq_of(requester: Role, id: u64) -> Option<u64> {
    let seq = id >> 1;
    (wire_id(requester, seq) == id).then_some(seq)
}
