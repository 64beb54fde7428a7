//! From bytes to frames to what they do.

use std::time::Instant;

use super::answers::Answer;
use super::chunking::Assembly;
use super::code::{CloseCode, error_code};
use super::config::{HANDSHAKE_BYTES, PROOF_BYTES, Role};
use super::control::parse_reason;
use super::credit::Amount;
use super::event::{CloseReason, Event, IncomingId};
use super::frame::{IGNORABLE, Kind, MAGIC, Next};
use super::hello::{Hello, PeerHello, check_role, common_version};
use super::message::{Destination, RequestHeader, Verb};
use super::outbound::{Outbound, seq_of};
use super::serving::{Cancelled, InParts};
use super::session::{Open, Phase, Session};
use super::wire::{Parsed, Reader, violation};
use crate::buffers;

/// Refusals that may wait to be written, in multiples of the requests in flight (P20).
const REFUSALS_PER_SLOT: usize = 10;

impl Session {
    #[inline]
    pub(super) fn take_in(&mut self, bytes: &[u8], now: Instant) -> Parsed<()> {
        let mut input = bytes;
        if !self.take_magic(&mut input) {
            return Ok(());
        }
        if let Some(code) = self.config.refusal {
            return violation(code, "");
        }
        let mut completed = false;
        loop {
            match self.next_frame(&mut input)? {
                Next::Whole(frame) => self.on_frame(frame, now)?,
                Next::Joined(buffer, at) => {
                    self.on_frame(buffer.get(at..).unwrap_or_default(), now)?;
                    self.splitter.recycle(buffer);
                }
                Next::Begun(head, length) => {
                    self.on_part_head(head, length, now)?;
                    continue;
                }
                Next::Part(part) => self.on_part(part, now)?,
                Next::Nothing => break,
            }
            completed |= self.splitter.part() == 0;
            if self.is_closed() {
                return Ok(());
            }
        }
        self.liveness
            .frame(self.splitter.is_within_frame(), completed, now);
        Ok(())
    }

    /// Compares the first bytes of the stream; `false` until they have come, or when they differ
    /// (P7).
    fn take_magic(&mut self, input: &mut &[u8]) -> bool {
        while let Some(&expected) = MAGIC.get(self.greeting) {
            match input.split_first() {
                Some((&byte, rest)) if byte == expected => {
                    *input = rest;
                    self.greeting = self.greeting.saturating_add(1);
                }
                Some(_) => {
                    self.end(CloseReason::NotTidings(self.first_bytes(input)), "", None);
                    return false;
                }
                None => return false,
            }
        }
        true
    }

    fn first_bytes(&self, behind: &[u8]) -> [u8; 8] {
        let matched = MAGIC.iter().take(self.greeting);
        let mut first = [0; 8];
        for (slot, &byte) in first.iter_mut().zip(matched.chain(behind)) {
            *slot = byte;
        }
        first
    }

    fn next_frame<'a>(&mut self, input: &mut &'a [u8]) -> Parsed<Next<'a>> {
        let limit = match self.phase {
            Phase::Hello => HANDSHAKE_BYTES,
            Phase::Proving(_) => PROOF_BYTES,
            _ => return self.splitter.next(input, self.config.limits.max_frame),
        };
        match self.splitter.next(input, limit) {
            Err(error) if error.code == CloseCode::FrameTooLarge => {
                violation(CloseCode::HandshakeTooLarge, "the handshake is too large")
            }
            next => next,
        }
    }

    /// One frame: which are legal depends on the phase alone.
    pub(super) fn on_frame(&mut self, frame: &[u8], now: Instant) -> Parsed<()> {
        let mut body = Reader::new(frame);
        let byte = body.byte()?;
        match (&self.phase, Kind::from_byte(byte)) {
            (Phase::Hello, Some(Kind::Hello)) => self.on_hello(body),
            (Phase::Hello, Some(Kind::Close)) if self.role == Role::Member => self.on_close(body),
            (Phase::Hello, _) => {
                violation(CloseCode::HandshakeRequired, "the first frame is not Hello")
            }
            (Phase::Proving(_), kind) => self.on_proving_frame(kind, body),
            (Phase::Open(_), Some(kind)) => self.on_open_frame(kind, body, now),
            (Phase::Open(_), None) if byte >= IGNORABLE => self.count_idle(now),
            (Phase::Open(_), None) => {
                violation(CloseCode::UnknownFrame, "a frame of an unknown kind")
            }
            (Phase::Closed, _) => Ok(()),
        }
    }

    fn on_open_frame(&mut self, kind: Kind, body: Reader<'_>, now: Instant) -> Parsed<()> {
        match kind {
            Kind::Hello => violation(CloseCode::UnexpectedFrame, "a second Hello"),
            Kind::Auth | Kind::AuthResult => self.on_late_proof(kind),
            Kind::Call => self.on_request(Verb::Call, body, now),
            Kind::Cast => self.on_request(Verb::Cast, body, now),
            Kind::Chunk | Kind::ReplyChunk => self.on_part_frame(kind, body, now),
            Kind::Cancel => self.on_cancel(body, now),
            Kind::Reply | Kind::Failure | Kind::ReplyBegin | Kind::FailureBegin | Kind::Ended => {
                self.on_answer(kind, body, now)
            }
            Kind::Beat => {
                self.on_beat(body)?;
                self.count_idle(now)
            }
            Kind::Credit => self.requests.allowance.returned(body),
            Kind::Ping => self.on_ping(body, now),
            Kind::Pong => self.on_pong(body, now),
            Kind::GoAway => self.on_go_away(body),
            Kind::Close => self.on_close(body),
            Kind::Bind => {
                if let Some((id, registration)) = self.registrations.on_bind(body)? {
                    self.events.push_back(Event::Bind { id, registration });
                }
                Ok(())
            }
            Kind::Unbind => match self.registrations.on_unbind(body)? {
                Some(id) => {
                    self.events.push_back(Event::Unbind { id });
                    Ok(())
                }
                None => self.count_idle(now),
            },
            Kind::Retire => match self.registrations.on_retire(body)? {
                Some(id) => {
                    self.events.push_back(Event::Retire { id });
                    Ok(())
                }
                None => self.count_idle(now),
            },
            Kind::Retired => match self.registrations.on_retired(body)? {
                Some(id) => {
                    self.events.push_back(Event::Retired { id });
                    Ok(())
                }
                None => self.count_idle(now),
            },
            Kind::BindResult => match self.registrations.on_result(body)? {
                Some((id, result)) => {
                    self.events.push_back(Event::BindResult { id, result });
                    Ok(())
                }
                None => self.count_idle(now),
            },
            Kind::Missed => {
                if let Some((id, copies)) = self.registrations.on_missed(body)? {
                    self.events.push_back(Event::Missed { id, copies });
                }
                // A hub puts many into one: it needs no more of them than of those that say nothing.
                self.count_idle(now)
            }
        }
    }

    fn on_hello(&mut self, body: Reader<'_>) -> Parsed<()> {
        let mut peer = Hello::parse(body)?;
        check_role(self.role, peer.role)?;
        if self.role == Role::Hub {
            self.asks_for_proof(&peer)?;
            if !self.may_say(self.hello().len()) {
                self.end_unsaid();
                return Ok(());
            }
            self.greet();
            self.stage_hello();
        }
        let limits = &self.config.limits;
        let ours = Hello::ours(self.role, &self.config, limits);
        let Some(version) = common_version(ours.versions, peer.versions) else {
            let (ours, theirs) = (ours.versions, peer.versions);
            let reason = CloseReason::VersionMismatch { ours, theirs };
            let notice = Some(CloseCode::VersionMismatch);
            self.end(reason, "no protocol version in common", notice);
            return Ok(());
        };
        let told = peer.agree(version, &ours);
        // A peer that takes longer frames gets no longer ones: other frames would wait for them.
        peer.max_frame = peer.max_frame.min(limits.max_frame);
        self.agreed(peer, told)
    }

    /// The handshake is done: requests travel from here on.
    pub(super) fn open(&mut self, peer: Hello, told: PeerHello) {
        let limits = &self.config.limits;
        let window = Amount {
            requests: peer.max_in_flight,
            bytes: peer.max_in_flight_bytes,
        };
        self.requests.open(window);
        self.answers.open(&peer);
        let names = peer.max_names.min(limits.max_names) as usize;
        let outbound = Outbound::new(self.role, names, &peer);
        self.phase = Phase::Open(Box::new(Open { peer, outbound }));
        self.events.push_back(Event::Opened(told));
    }

    fn on_request(&mut self, verb: Verb, mut body: Reader<'_>, now: Instant) -> Parsed<()> {
        let head = self.heads.parse(&mut body)?;
        let seq = self.serving.next_seq(head.step)?;
        let part = body.rest();
        let size = head.total.unwrap_or(part.len());
        let limit = self.config.limits.max_message;
        if size > limit {
            return violation(
                CloseCode::MessageTooLarge,
                "a request exceeds the limit of Hello",
            );
        }
        let cast = match verb {
            Verb::Call => 0,
            Verb::Cast => self.serving.granted.next_cast(),
        };
        let refusal = self.refusal_of(&head.header, head.unsupported, size)?;
        if let Some(code) = refusal {
            self.refuse_incoming(seq, cast, size, code, now)?;
        }
        let header = head.header;
        let Some(total) = head.total else {
            if refusal.is_none() {
                self.serving.run(seq, cast, size);
                let (id, payload) = (IncomingId(seq), buffers::copy_of(part).into());
                self.events.push_back(Event::Request {
                    id,
                    verb,
                    header,
                    payload,
                });
            }
            return Ok(());
        };
        let assembly = Assembly::begin(total, limit, part, refusal.is_none())?;
        self.serving.begin_parts(
            seq,
            InParts {
                verb,
                cast,
                header,
                size,
                assembly,
                since: now,
            },
        )
    }

    /// Why a request is not given out; the credit is taken when it is.
    fn refusal_of(
        &mut self,
        header: &RequestHeader,
        unsupported: bool,
        size: usize,
    ) -> Parsed<Option<u16>> {
        if self.leaving.is_some() {
            return Ok(Some(error_code::SHUTTING_DOWN));
        }
        if let Destination::Bound(id) = header.destination {
            if !self.registrations.was_given(id) {
                return violation(
                    CloseCode::WrongDirection,
                    "a request to what nobody registered",
                );
            }
            if !self.registrations.is_live(id) {
                return Ok(Some(error_code::NO_SERVER));
            }
        }
        if unsupported {
            return Ok(Some(error_code::UNSUPPORTED));
        }
        if !self.memory.has_room_for(size) {
            // Not the peer's fault: it has credit.
            self.memory.shed = self.memory.shed.saturating_add(1);
            return Ok(Some(error_code::OVERLOADED));
        }
        let fits = self.serving.granted.take(size);
        if fits {
            self.memory.requests = self.memory.requests.saturating_sub(size);
        }
        Ok((!fits).then_some(error_code::OVERLOADED))
    }

    fn refuse_incoming(
        &mut self,
        seq: u64,
        cast: u64,
        size: usize,
        code: u16,
        now: Instant,
    ) -> Parsed<()> {
        match cast {
            0 => self.answers.push(seq, Answer::Refused { code }),
            cast => self.serving.granted.refused_cast(cast, size),
        }
        let slots = self.config.limits.max_in_flight as usize;
        if self.answers.refused() > slots.saturating_mul(REFUSALS_PER_SLOT) {
            return violation(
                CloseCode::Overloaded,
                "far more requests than the credit allows",
            );
        }
        self.count_idle(now)
    }

    /// All of a large request has come.
    pub(super) fn on_whole_request(&mut self, seq: u64, now: Instant) -> Parsed<()> {
        let Some(request) = self.serving.whole(seq)? else {
            return Ok(());
        };
        let InParts {
            verb,
            mut header,
            assembly,
            since,
            ..
        } = request;
        // The deadline ran on while the parts came (C-DL-2).
        let passed = now.saturating_duration_since(since);
        header.remaining = header
            .remaining
            .map(|remaining| remaining.saturating_sub(passed));
        let (id, payload) = (IncomingId(seq), assembly.into_bytes().into());
        self.events.push_back(Event::Request {
            id,
            verb,
            header,
            payload,
        });
        Ok(())
    }

    fn on_cancel(&mut self, mut body: Reader<'_>, now: Instant) -> Parsed<()> {
        let seq = self.peer_seq(&mut body)?;
        body.end()?;
        if seq > self.serving.last_seq() {
            return violation(CloseCode::UnknownId, "a cancel of what was never begun");
        }
        match self.serving.cancel(seq) {
            Cancelled::Running => {
                self.beats.forget(seq);
                self.events.push_back(Event::Cancelled(IncomingId(seq)));
            }
            Cancelled::CallInParts => self.answers.push(seq, Answer::Ended),
            Cancelled::Done => {}
            // It crossed the answer.
            Cancelled::Nothing => return self.count_idle(now),
        }
        Ok(())
    }

    fn on_ping(&mut self, mut body: Reader<'_>, now: Instant) -> Parsed<()> {
        let number = body.varint()?;
        body.end()?;
        if !self.pings.count(now) {
            return violation(CloseCode::PingFlood, "too many pings");
        }
        self.control.pong = Some(number);
        Ok(())
    }

    fn on_pong(&mut self, mut body: Reader<'_>, now: Instant) -> Parsed<()> {
        let number = body.varint()?;
        body.end()?;
        if self.control.on_pong(number) {
            Ok(())
        } else {
            self.count_idle(now)
        }
    }

    fn on_go_away(&mut self, mut body: Reader<'_>) -> Parsed<()> {
        let last = body.varint()?;
        let (code, text) = parse_reason(body)?;
        if std::mem::replace(&mut self.peer_leaves, true) {
            return violation(CloseCode::UnexpectedFrame, "a second GoAway");
        }
        self.events.push_back(Event::GoingAway { code, text });
        for seq in self.requests.going_away(last, &mut self.events) {
            self.control.cancels.push_back(seq);
        }
        Ok(())
    }

    pub(super) fn on_close(&mut self, body: Reader<'_>) -> Parsed<()> {
        let (code, text) = parse_reason(body)?;
        self.end(CloseReason::Peer(code), &text, None);
        Ok(())
    }

    /// The number of one of the peer's requests.
    pub(super) fn peer_seq(&self, body: &mut Reader<'_>) -> Parsed<u64> {
        match seq_of(self.role.peer(), body.varint()?) {
            Some(seq) => Ok(seq),
            None => violation(CloseCode::WrongDirection, "an id of the other side's"),
        }
    }

    /// A frame that moved nothing: legal, but not without end (FAULTS rule 8).
    pub(super) fn count_idle(&mut self, now: Instant) -> Parsed<()> {
        if self.idle_frames.count(now) {
            return Ok(());
        }
        violation(CloseCode::FrameFlood, "too many frames that move nothing")
    }
}
