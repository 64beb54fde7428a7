//! The answers that this side sends: every call gets exactly one (PR-REPLY-1).

use std::collections::VecDeque;
use std::sync::Arc;

use super::chunking::part_frame;
use super::code::{error_code, fate_code};
use super::config::Role;
use super::frame::{Kind, begin, end};
use super::hello::Hello;
use super::message::{Body, Reply, WireError};
use super::outbound::wire_id;
use super::output::Output;
use super::wire::{Parsed, Reader, put_counted, put_size, put_varint, zigzag};
use crate::bytes::Pieces;

/// More than the head of any answer.
const HEAD_MAX: usize = 32;

/// What a call is answered with.
#[derive(Debug)]
pub(super) enum Answer {
    /// The handler's value.
    Value(Body),
    /// A failure, encoded.
    Failure(Vec<u8>),
    /// A failure without any text.
    Bare { code: u16, fate: u8 },
    /// It was cancelled, and its handler has ended (PR-CANCEL-2).
    Ended,
    /// It was refused on arrival: there is no entry for it among those that are served.
    Refused { code: u16 },
}

impl Answer {
    /// The handler's word as it is to be sent to a peer with the given limit.
    #[inline]
    pub(super) fn from_reply(reply: Reply, max_message: usize) -> Self {
        let (bytes, fate) = match &reply {
            Ok(value) => (value.len(), fate_code::EXECUTED),
            Err(error) => {
                let texts = error.kind.len().saturating_add(error.message.len());
                let whole = texts
                    .saturating_add(error.details.len())
                    .saturating_add(HEAD_MAX);
                (whole, error.fate)
            }
        };
        if bytes > max_message {
            // The connection lives, and the caller learns at once (A8).
            return Self::Bare {
                code: error_code::REPLY_TOO_LARGE,
                fate,
            };
        }
        match reply {
            Ok(value) => Self::Value(value),
            Err(error) => Self::Failure(encode_failure(&error)),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Value(body) => body.len(),
            Self::Failure(bytes) => bytes.len(),
            Self::Bare { .. } | Self::Ended | Self::Refused { .. } => 0,
        }
    }
}

/// A large answer that is being sent in parts.
#[derive(Debug)]
struct InParts {
    seq: u64,
    failure: bool,
    payload: Arc<Pieces>,
    next: usize,
}

/// The answers that wait to be staged.
#[derive(Debug)]
pub(super) struct Answers {
    requester: Role,
    max_frame: usize,
    max_partial: usize,
    small: VecDeque<(u64, Answer)>,
    /// Large ones that take turns, as many as the peer takes messages in parts.
    active: VecDeque<InParts>,
    parked: VecDeque<InParts>,
    bytes: usize,
    refused: usize,
    /// The call answered last: answers name theirs by the distance (PR-REPLY-2).
    last_seq: u64,
}

impl Answers {
    /// To a peer in the given role; before its Hello there is nothing to answer.
    pub(super) fn new(requester: Role) -> Self {
        Self {
            requester,
            max_frame: 0,
            max_partial: 1,
            small: VecDeque::new(),
            active: VecDeque::new(),
            parked: VecDeque::new(),
            bytes: 0,
            refused: 0,
            last_seq: 0,
        }
    }

    pub(super) fn open(&mut self, peer: &Hello) {
        self.max_frame = peer.max_frame;
        self.max_partial = peer.max_partial as usize;
    }

    /// Bytes of answers that are not staged whole.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Refusals that wait: their number is what bounds an open flood (P20).
    pub(super) fn refused(&self) -> usize {
        self.refused
    }

    pub(super) fn is_empty(&self) -> bool {
        self.small.is_empty() && self.active.is_empty()
    }

    /// Whether large answers wait, which take turns with requests.
    pub(super) fn has_parts(&self) -> bool {
        !self.active.is_empty()
    }

    pub(super) fn push(&mut self, seq: u64, answer: Answer) {
        self.bytes = self.bytes.saturating_add(answer.len());
        if matches!(answer, Answer::Refused { .. }) {
            self.refused = self.refused.saturating_add(1);
        }
        if answer.len().saturating_add(HEAD_MAX) <= self.max_frame {
            self.small.push_back((seq, answer));
            return;
        }
        let (failure, body) = match answer {
            Answer::Value(body) => (false, body),
            Answer::Failure(bytes) => (true, bytes.into()),
            Answer::Bare { .. } | Answer::Ended | Answer::Refused { .. } => return,
        };
        self.parked.push_back(InParts {
            seq,
            failure,
            payload: body.into_shared(),
            next: 0,
        });
        self.unpark();
    }

    /// Stages one small answer; gives the call whose slot is free now.
    #[inline]
    pub(super) fn stage_small(&mut self, output: &mut Output) -> Option<Option<u64>> {
        let (seq, answer) = self.small.pop_front()?;
        self.bytes = self.bytes.saturating_sub(answer.len());
        let distance = self.distance(seq);
        let head = |output: &mut Output, kind, behind, more: &dyn Fn(&mut Vec<u8>)| {
            output.frames(|out| {
                let begun = begin(out, kind);
                put_varint(out, distance);
                more(out);
                end(out, begun, behind);
            });
        };
        match answer {
            Answer::Value(body) => {
                head(output, Kind::Reply, body.len(), &|_| {});
                output.body(body);
            }
            Answer::Failure(bytes) => {
                head(output, Kind::Failure, bytes.len(), &|_| {});
                output.payload(bytes);
            }
            Answer::Bare { code, fate } => {
                head(output, Kind::Failure, 0, &|out| bare(out, code, fate));
            }
            Answer::Ended => head(output, Kind::Ended, 0, &|_| {}),
            Answer::Refused { code } => {
                self.refused = self.refused.saturating_sub(1);
                head(output, Kind::Failure, 0, &|out| {
                    bare(out, code, fate_code::NOT_EXECUTED)
                });
                return Some(None);
            }
        }
        Some(Some(seq))
    }

    /// Stages one part of a large answer; gives the call whose slot is free now, if it was the
    /// last.
    #[inline]
    pub(super) fn stage_part(&mut self, output: &mut Output) -> Option<Option<u64>> {
        let mut answer = self.active.pop_front()?;
        let before = answer.next;
        if answer.next == 0 {
            self.stage_begin(output, &mut answer);
        } else {
            let id = wire_id(self.requester, answer.seq);
            let InParts { payload, next, .. } = &answer;
            answer.next = part_frame(output, Kind::ReplyChunk, id, payload, *next, self.max_frame);
        }
        self.bytes = self
            .bytes
            .saturating_sub(answer.next.saturating_sub(before));
        if answer.next < answer.payload.len() {
            self.active.push_back(answer);
            return Some(None);
        }
        self.unpark();
        Some(Some(answer.seq))
    }

    /// Gives back memory that a quiet session does not need.
    pub(super) fn shrink(&mut self) {
        self.small.shrink_to_fit();
    }

    fn stage_begin(&mut self, output: &mut Output, answer: &mut InParts) {
        let kind = if answer.failure {
            Kind::FailureBegin
        } else {
            Kind::ReplyBegin
        };
        let first = self.max_frame.saturating_sub(HEAD_MAX);
        let distance = self.distance(answer.seq);
        output.frames(|out| {
            let begun = begin(out, kind);
            put_varint(out, distance);
            put_size(out, answer.payload.len());
            end(out, begun, first);
        });
        output.part(&answer.payload, 0..first);
        answer.next = first;
    }

    fn distance(&mut self, seq: u64) -> u64 {
        let distance = seq.wrapping_sub(self.last_seq) as i64;
        self.last_seq = seq;
        zigzag(distance)
    }

    fn unpark(&mut self) {
        while self.active.len() < self.max_partial {
            let Some(answer) = self.parked.pop_front() else {
                return;
            };
            self.active.push_back(answer);
        }
    }
}

fn bare(out: &mut Vec<u8>, code: u16, fate: u8) {
    put_size(out, code.into());
    out.push(fate);
    put_counted(out, &[]);
    put_counted(out, &[]);
}

/// The content of a failure (PR-REPLY-4).
fn encode_failure(error: &WireError) -> Vec<u8> {
    let mut out = Vec::new();
    put_size(&mut out, error.code.into());
    out.push(error.fate);
    put_counted(&mut out, error.kind.as_bytes());
    put_counted(&mut out, error.message.as_bytes());
    out.extend_from_slice(&error.details);
    out
}

pub(super) fn parse_failure(content: &[u8]) -> Parsed<WireError> {
    let mut reader = Reader::new(content);
    Ok(WireError {
        code: reader.u16()?,
        fate: reader.byte()?,
        kind: reader.text()?.to_owned(),
        message: reader.text()?.to_owned(),
        details: reader.rest().to_vec().into(),
    })
}
