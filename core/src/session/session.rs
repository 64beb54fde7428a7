//! The state machine that ties the concerns together: its state, and what a driver may do.

use std::collections::VecDeque;
use std::time::Instant;

use super::answers::{Answer, Answers};
use super::auth::Proving;
use super::beats::Beats;
use super::code::{CloseCode, error_code, fate_code};
use super::config::{Config, Role};
use super::control::Control;
use super::credit::BULK;
use super::event::{BindRefusal, CloseReason, Event, IncomingId, Refusal, Rejected, RequestId};
use super::frame::{MAGIC, Splitter};
use super::head::{HeadReader, headers_are_legal};
use super::hello::Hello;
use super::liveness::{Due, Liveness, Rate};
use super::message::{BindId, Destination, Registration, Reply, Request};
use super::outbound::Outbound;
use super::output::{Output, Transmit};
use super::parts::Parts;
use super::registration::Registrations;
use super::reply_parts::ReplyParts;
use super::requests::Requests;
use super::serving::{Ended, Serving};
use super::wire::Violation;
use crate::buffers::Keeping;

/// One side of one connection. See the [module](super) for how it is driven.
///
/// Operations never fail because of the peer: what the peer does comes out of
/// [`poll_event`](Self::poll_event). After [`Event::Closed`] every operation does nothing.
///
/// Dropping a session says nothing to the peer, and nothing about the requests that are not
/// complete: call [`close`](Self::close) or [`receive_eof`](Self::receive_eof) first and take the
/// events.
pub struct Session {
    pub(super) role: Role,
    pub(super) config: Config,
    pub(super) phase: Phase,
    pub(super) events: VecDeque<Event>,
    pub(super) output: Output,
    pub(super) splitter: Splitter,
    /// The part of a large message that is coming, and where what follows is read to.
    pub(super) parts: Parts,
    /// Bytes that the peer has sent.
    pub(super) heard: u64,
    /// How much of the peer's magic came.
    pub(super) greeting: usize,
    /// Whether our magic is staged.
    pub(super) greeted: bool,
    pub(super) heads: HeadReader,
    pub(super) control: Control,
    pub(super) registrations: Registrations,
    pub(super) requests: Requests,
    pub(super) reply_parts: ReplyParts,
    pub(super) serving: Serving,
    pub(super) answers: Answers,
    pub(super) beats: Beats,
    pub(super) liveness: Liveness,
    pub(super) pings: Rate,
    pub(super) idle_frames: Rate,
    /// Requests above this number are refused: we go away.
    pub(super) leaving: Option<u64>,
    /// The peer goes away.
    pub(super) peer_leaves: bool,
    /// The number of the call that was answered last.
    pub(super) answered: u64,
    /// Bytes of requests staged since the last part of a reply.
    pub(super) since_reply_part: usize,
    /// Answers that came when nobody waited for them any more.
    pub(super) late: u64,
    /// What may be taken, as the user of the session says.
    pub(super) memory: Memory,
    keeping: Keeping,
}

/// How much more may be held.
#[derive(Debug)]
pub(super) struct Memory {
    /// Bytes of requests.
    pub(super) requests: usize,
    /// How many of these bulk leaves to what is smaller.
    pub(super) kept: usize,
    /// Whether answers that are not read are to be dropped early.
    pub(super) scarce: bool,
    /// Requests and answers that were dropped for want of it.
    pub(super) shed: u64,
}

impl Memory {
    pub(super) fn has_room_for(&self, bytes: usize) -> bool {
        let kept = if bytes > BULK { self.kept } else { 0 };
        bytes <= self.requests.saturating_sub(kept)
    }
}

/// How far the session has come.
#[derive(Debug)]
pub(super) enum Phase {
    /// The peer's Hello has not come.
    Hello,
    /// It has, and what is to come is the proof of who sent it.
    Proving(Box<Proving>),
    /// Requests travel.
    Open(Box<Open>),
    /// It has ended.
    Closed,
}

/// What is known once the peer's Hello came.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) peer: Hello,
    pub(super) outbound: Outbound,
}

impl Session {
    /// A session at its start. A member's Hello is ready to be written at once; a hub says nothing
    /// before a member's Hello came.
    #[must_use]
    pub fn new(role: Role, mut config: Config, now: Instant) -> Self {
        config.limits = config.limits.raised();
        let limits = &config.limits;
        let mut session = Self {
            role,
            phase: Phase::Hello,
            events: VecDeque::new(),
            output: Output::default(),
            splitter: Splitter::default(),
            parts: Parts::default(),
            heard: 0,
            greeting: 0,
            greeted: false,
            heads: HeadReader::new(role, limits.max_names as usize, limits.longest_deadline),
            control: Control::default(),
            registrations: Registrations::new(role, limits.max_bindings),
            requests: Requests::default(),
            reply_parts: ReplyParts::new(limits),
            serving: Serving::new(limits),
            answers: Answers::new(role.peer()),
            beats: Beats::default(),
            liveness: Liveness::new(now),
            pings: Rate::new(limits.pings_per_second, now),
            idle_frames: Rate::new(limits.idle_frames_per_second, now),
            leaving: None,
            peer_leaves: false,
            answered: 0,
            since_reply_part: 0,
            late: 0,
            memory: Memory {
                requests: usize::MAX,
                kept: 0,
                scarce: false,
                shed: 0,
            },
            keeping: Keeping::new(),
            config,
        };
        if role == Role::Member {
            session.greet();
            session.stage_hello();
        }
        session
    }

    /// Takes bytes from the peer, any number of them. Events may follow, and output.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) {
        if self.is_closed() || bytes.is_empty() {
            return;
        }
        self.liveness.heard(now);
        self.heard = self.heard.saturating_add(bytes.len() as u64);
        if let Err(violation) = self.take_in(bytes, now) {
            self.break_off(violation);
        }
    }

    /// The stream from the peer ended, or reading or writing failed: the session ends at once. A
    /// read of 0 bytes and a write of 0 bytes belong here (T13).
    pub fn receive_eof(&mut self, now: Instant) {
        // The time of the end tells nothing that the events do not.
        let _ = now;
        let within_magic = self.greeting > 0 && self.greeting < MAGIC.len();
        let truncated = within_magic || self.splitter.is_within_frame();
        let reason = if truncated {
            CloseReason::Truncated
        } else {
            CloseReason::Eof
        };
        self.end(reason, "", None);
    }

    /// Does what is due by `now`. To be called when [`next_deadline`](Self::next_deadline) has
    /// passed; calling it more often does no harm.
    pub fn advance(&mut self, now: Instant) {
        while let Some((at, due)) = self.next_due() {
            if at > now {
                return;
            }
            let (code, text) = match due {
                Due::Ping => {
                    self.liveness.pinged(now);
                    self.control.ping = true;
                    self.shrink();
                    continue;
                }
                Due::Handshake => (CloseCode::HandshakeTimeout, "the handshake took too long"),
                Due::Frame => (CloseCode::FrameTimeout, "a frame was not finished in time"),
                // Whoever does not read or does not answer would not read the notice either.
                Due::WriteStall => {
                    let reason = CloseReason::Us(CloseCode::WriteStall);
                    return self.end(reason, "nothing could be written for too long", None);
                }
                Due::Dead => {
                    let reason = CloseReason::Us(CloseCode::PeerDead);
                    return self.end(reason, "nothing was heard for too long", None);
                }
            };
            self.break_off(Violation { code, text });
        }
    }

    /// How many things [`poll_event`](Self::poll_event) has to tell.
    #[must_use]
    pub fn waiting_events(&self) -> usize {
        self.events.len()
    }

    /// The next thing that happened. To be called until `None` after `receive`, `receive_eof`,
    /// `advance`, `wrote`, `transmit` and `close`; before it has told all, what is read only makes it more.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`advance`](Self::advance) wants to be called; changes with every other operation.
    /// `None` once closed.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.next_due().map(|(at, _)| at)
    }

    /// Prepares what may be written now, about one frame's length of it, and gives it. Say with
    /// [`wrote`](Self::wrote) how much of it the socket took, then ask again while
    /// [`has_output`](Self::has_output). After the session closed, what is left to write is the
    /// peer's notice of it.
    pub fn transmit(&mut self, now: Instant) -> Transmit<'_> {
        self.stage(now);
        if !self.is_closed() {
            self.liveness.output(self.output.staged() > 0, now);
        }
        self.output.slices()
    }

    /// The socket took the first `n` bytes of what [`transmit`](Self::transmit) gave.
    pub fn wrote(&mut self, n: usize, now: Instant) {
        self.output.wrote(n);
        if n > 0 && !self.is_closed() {
            self.liveness.wrote(self.output.staged() > 0, now);
            self.requests
                .written(self.output.written(), &mut self.events);
        }
    }

    /// Whether [`transmit`](Self::transmit) has something to do.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.output.staged() > 0 || self.has_more_to_stage()
    }

    /// Whether the handshake is done and the session has not ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    /// Whether the session has ended; there may still be events to take and a notice to write.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Accepts a request for sending. It waits here while the session is not open yet or the
    /// peer's credit is used up.
    ///
    /// # Errors
    /// Gives the request back when it cannot be accepted: see [`Refusal`]. Nothing was sent then.
    pub fn request(&mut self, request: Request, now: Instant) -> Result<RequestId, Box<Rejected>> {
        match self.refusal(&request) {
            Some(why) => Err(Box::new(Rejected { request, why })),
            None => Ok(self.requests.push(request, now)),
        }
    }

    fn refusal(&self, request: &Request) -> Option<Refusal> {
        let size = request.payload.len();
        match &self.phase {
            Phase::Closed => return Some(Refusal::Closed),
            _ if self.peer_leaves => return Some(Refusal::GoingAway),
            Phase::Open(open) if size > open.peer.max_message => {
                return Some(Refusal::TooLarge {
                    size,
                    limit: open.peer.max_message,
                });
            }
            Phase::Open(_) | Phase::Hello | Phase::Proving(_) => {}
        }
        match (&request.header.destination, self.role) {
            (Destination::Topic(_), Role::Member) => {}
            (Destination::Bound(id), Role::Hub) if self.registrations.is_live(*id) => {}
            (Destination::Bound(_), Role::Hub) => return Some(Refusal::NotBound),
            _ => return Some(Refusal::WrongDestination),
        }
        let rare = request.header.rare.as_ref();
        if rare.is_some_and(|rare| !headers_are_legal(&rare.headers)) {
            return Some(Refusal::BadHeaders);
        }
        (!self.can_accept(size)).then_some(Refusal::QueueFull)
    }

    /// Gives a request up. One that waits here is removed and never sent; a call that was sent is
    /// cancelled at the peer; a cast that was sent whole is not affected. A stale id is ignored.
    ///
    /// Says whether the call is still with the peer: then [`Event::Ended`] tells when it has ended
    /// there, or [`Event::Lost`]. Else no event will follow for it, unless it is in the queue of
    /// [`poll_event`](Self::poll_event) already.
    pub fn cancel(&mut self, id: RequestId) -> bool {
        let Some(flow) = self.requests.table.get(id).map(|entry| entry.flow) else {
            return false;
        };
        if let Some(seq) = self.requests.cancel(id) {
            self.reply_parts.discard(seq);
            self.control.cancels.push_back(seq);
        }
        if let Phase::Open(open) = &mut self.phase {
            open.outbound.forget(flow, &self.requests);
        }
        self.requests.is_cancelled(id)
    }

    /// Gives a call up without telling the peer, which goes on with it: its reply will be dropped
    /// here. One of which not all has left is cancelled. Says what [`cancel`](Self::cancel) says.
    pub fn leave(&mut self, id: RequestId) -> bool {
        self.requests.leave(id) || self.cancel(id)
    }

    /// Answers a call: its handler has ended, its credit goes back to the peer with the reply
    /// (C-DL-4). A reply to a cancelled call is dropped here. A stale id is ignored.
    pub fn reply(&mut self, id: IncomingId, reply: Reply) {
        let answer = match (self.serving.end(id.0), &self.phase) {
            (Ended::Call, Phase::Open(open)) => {
                let answer = Answer::from_reply(reply, open.peer.max_message);
                self.kept(answer)
            }
            (Ended::CancelledCall, _) => Answer::Ended,
            _ => return,
        };
        self.beats.forget(id.0);
        self.answers.push(id.0, answer);
    }

    /// The handler of a cast, or of a cancelled call, has ended: its credit goes back (C-DL-4). A
    /// call that still waits for its reply is answered with `NO_REPLY`, executed. A stale id is
    /// ignored.
    pub fn release(&mut self, id: IncomingId) {
        let answer = match self.serving.end(id.0) {
            Ended::Call => Answer::Bare {
                code: error_code::NO_REPLY,
                fate: fate_code::EXECUTED,
            },
            Ended::CancelledCall => Answer::Ended,
            Ended::Nothing => return,
        };
        self.beats.forget(id.0);
        self.answers.push(id.0, answer);
    }

    /// Member: registers a topic at the hub. [`Event::BindResult`] follows.
    ///
    /// # Errors
    /// [`Refusal::Closed`], [`Refusal::WrongRole`] on a hub, [`Refusal::TooManyBindings`].
    pub fn bind(&mut self, registration: Registration) -> Result<BindId, Refusal> {
        if self.is_closed() {
            return Err(Refusal::Closed);
        }
        self.registrations.bind(registration)
    }

    /// Member: withdraws a registration. Requests that are on their way to it are answered
    /// `NO_SERVER`, not executed; those that came are still to be answered.
    pub fn unbind(&mut self, id: BindId) {
        self.registrations.unbind(id);
    }

    /// Member: has the hub send nothing more to a registration, which stays until it is withdrawn.
    /// [`Event::Retired`] follows when what was on its way has come. `false` where there is no such registration, or that
    /// was asked before.
    pub fn retire(&mut self, id: BindId) -> bool {
        self.registrations.retire(id)
    }

    /// Hub: answers [`Event::Retire`]. All that was sent to the registration must have been given to the session, and
    /// have its completion: of a Cast, that it was written.
    pub fn retired(&mut self, id: BindId) {
        self.registrations.retired(id);
    }

    /// Hub: answers [`Event::Bind`]. A refused registration counts as withdrawn.
    pub fn bind_result(&mut self, id: BindId, result: Result<(), BindRefusal>) {
        self.registrations.bind_result(id, result);
    }

    /// Hub: so many more copies of fanout casts were not forwarded to a registration, for want of
    /// room. The member is told, of many at once.
    pub fn missed(&mut self, id: BindId, copies: u64) {
        self.registrations.missed(id, copies);
    }

    /// Takes no new requests from the peer from now on: they are answered `SHUTTING_DOWN`, not
    /// executed. What came before is still to be answered, what was sent still gets its reply; see
    /// [`is_drained`](Self::is_drained). A session that is not open yet is closed.
    pub fn go_away(&mut self, code: CloseCode, text: &str) {
        if !self.is_open() {
            return self.close(code, text);
        }
        if self.leaving.is_none() {
            let last = self.serving.last_seq();
            self.leaving = Some(last);
            self.control.go_away = Some((last, code, text.to_owned()));
        }
    }

    /// Ends the session at once. Requests not done are `Lost`; a notice for the peer is left in the
    /// output, behind the rest of a frame of which a part was written.
    pub fn close(&mut self, code: CloseCode, text: &str) {
        self.end(CloseReason::Us(code), text, Some(code));
    }

    /// Whether a request with a payload of `size` bytes would be accepted now as far as the queue
    /// is concerned. While not, the driver leaves its outbox alone.
    #[must_use]
    pub fn can_accept(&self, size: usize) -> bool {
        let limits = &self.config.limits;
        let bytes = self.requests.queued_bytes();
        // One that is larger than the limit alone can only go by itself.
        let fits = bytes == 0 || bytes.saturating_add(size) <= limits.queue_bytes;
        !self.is_closed() && fits && self.requests.queued() < limits.queue_requests
    }

    /// Whether a request with a payload of `size` bytes on `way` would leave enough of the peer's
    /// credit to requests on other ways (C-OV-2). All requests on a way count together, from when
    /// they are accepted until their credit is back. A driver holds back what is not fair, and lets
    /// the others pass; what it gives anyway is taken.
    #[must_use]
    pub fn is_fair(&self, way: u64, size: usize) -> bool {
        !self.is_open() || self.requests.is_fair(way, size)
    }

    /// Requests that wait here for credit, or to be staged.
    #[must_use]
    pub fn queued_requests(&self) -> usize {
        self.requests.queued()
    }

    /// Payload bytes of the requests that wait here.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.requests.queued_bytes()
    }

    /// Calls that were sent, wholly or in part, and still wait for their reply.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.requests.in_flight()
    }

    /// Requests from the peer that hold credit: in parts, given out by [`Event::Request`] and not
    /// answered or released, or answered with the reply still waiting here.
    #[must_use]
    pub fn serving(&self) -> usize {
        self.serving.len()
    }

    /// How many values have come since this was asked last for which nobody waited any more: their calls were given up
    /// when they were on their way already (C-DL-5).
    pub fn take_late(&mut self) -> u64 {
        std::mem::take(&mut self.late)
    }

    /// An answer, unless too many wait already for a peer that does not read them: then it is dropped, and the peer told
    /// that (P24).
    fn kept(&mut self, answer: Answer) -> Answer {
        let limits = &self.config.limits;
        let most = if self.memory.scarce {
            limits.reply_bytes
        } else {
            limits.unread_bytes
        };
        let waiting = self.answers.bytes();
        if waiting == 0 || waiting.saturating_add(answer.len()) <= most {
            return answer;
        }
        self.memory.shed = self.memory.shed.saturating_add(1);
        Answer::Bare {
            code: error_code::REPLY_DROPPED,
            fate: fate_code::EXECUTED,
        }
    }

    /// Bytes of messages that it holds: of requests from the peer until their handlers have ended, and of answers in
    /// either direction. A step of a few hundred instructions, to be asked for once in a while.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let requests = self.serving.granted.taken().bytes;
        requests
            .saturating_add(self.answers.bytes())
            .saturating_add(self.reply_parts.buffered())
    }

    /// How much memory there is for more: requests whose payloads exceed `requests` bytes together, from now on, are
    /// refused with `OVERLOADED`, and so are those of more than 64 KiB that would leave less than `kept`; with `scarce`,
    /// answers that the peer does not read are dropped early.
    pub fn limit_memory(&mut self, requests: usize, kept: usize, scarce: bool) {
        self.memory.requests = requests;
        self.memory.kept = kept;
        self.memory.scarce = scarce;
    }

    /// How many requests and answers were dropped for want of memory since this was asked last.
    pub fn take_shed(&mut self) -> u64 {
        std::mem::take(&mut self.memory.shed)
    }

    /// Whether there is room for more replies: a driver holds handlers' results back while not
    /// (P24). A reply given anyway is taken.
    #[must_use]
    pub fn reply_room(&self) -> bool {
        self.answers.bytes() < self.config.limits.reply_bytes
    }

    /// Whether nothing is under way in either direction: every request of ours completed, none
    /// being served, nothing to write. With [`go_away`](Self::go_away) this is the end of a drain.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.requests.is_drained() && self.serving.len() == 0 && !self.has_output()
    }

    /// Whether no table has any entry: beyond [`is_drained`](Self::is_drained), no cancelled call
    /// waits for the end of its handler.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.is_drained()
            && self.requests.is_empty()
            && self.reply_parts.is_empty()
            && self.serving.table.len() == 0
            && !self.splitter.is_within_frame()
    }

    /// Bytes held for messages in either direction, staged output included. For monitoring: it
    /// looks at every request that waits.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        [
            self.output.staged(),
            self.splitter.buffered(),
            self.requests.buffered(),
            self.reply_parts.buffered(),
            self.serving.buffered(),
            self.answers.bytes(),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }

    /// This side's role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The session is quiet: it gives back what memory it does not need.
    fn shrink(&mut self) {
        self.keeping.quiet();
        self.output.shrink();
        self.splitter.shrink();
        self.parts.shrink();
        self.events.shrink_to_fit();
        self.requests.shrink();
        self.serving.table.shrink();
        self.answers.shrink();
    }

    fn next_due(&self) -> Option<(Instant, Due)> {
        let open = match self.phase {
            Phase::Hello | Phase::Proving(_) => false,
            Phase::Open(_) => true,
            Phase::Closed => return None,
        };
        self.liveness.next(open, &self.config.limits)
    }
}
