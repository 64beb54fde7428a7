//! Parts of large messages as they come: straight to where the message is put together.
//!
//! A part is given on as its bytes come, whatever they are cut into. Better still, a driver reads them where they belong,
//! with no copy in between: [`Session::room`] says where. Behind a part mostly comes the next one of the same message, and
//! what stands between the two is known; so the room goes on behind it, and [`Session::came`] looks whether that was
//! right. Where something else came instead, it is taken out of the room again.

use std::ops::Range;
use std::time::Instant;

use super::chunking::{Assembly, put_part_head};
use super::code::CloseCode;
use super::frame::Kind;
use super::outbound::{seq_of, wire_id};
use super::session::{Phase, Session};
use super::wire::{Parsed, Reader, violation};

/// The least that is worth being read apart.
const LEAST: usize = 4096;
/// Heads of parts that are expected in one room, at most.
const HEADS: usize = 8;
/// The most that there is room for at a time: what else is to be done has to wait until it is read.
const MOST: usize = 512 * 1024;
/// More than the longest head of a part: length, kind and id.
const HEAD: usize = 16;

/// What is known of the parts that come.
#[derive(Debug, Default)]
pub(super) struct Parts {
    coming: Option<Coming>,
    /// The room as it was given out.
    expected: Vec<Expected>,
    /// The heads of those parts as they should be, one behind the other.
    wanted: Vec<u8>,
    /// The same as they come into the room.
    heads: Vec<u8>,
    /// How many heads are expected next: more from each that came as it was expected, none where something else came.
    sure: usize,
}

/// A part that is coming.
#[derive(Debug, Clone, Copy)]
struct Coming {
    of: Of,
    /// Of the whole part.
    length: usize,
}

/// What it is a part of.
#[derive(Debug, Clone, Copy)]
enum Of {
    Request(u64),
    Answer(u64),
}

/// What is expected next.
#[derive(Debug)]
struct Expected {
    /// Where the part's head stands among those that are wanted; nowhere before what is left of one that has begun.
    head: Range<usize>,
    /// Of the part.
    length: usize,
    /// How much of it has room.
    room: usize,
}

impl Parts {
    pub(super) fn shrink(&mut self) {
        self.expected = Vec::new();
        self.wanted = Vec::new();
        self.heads = Vec::new();
    }

    /// The first bytes of what came as the head of an expected part.
    fn head(&self, at: usize, bytes: usize) -> &[u8] {
        let came = self.heads.chunks_exact(HEAD).nth(at);
        came.and_then(|head| head.get(..bytes)).unwrap_or_default()
    }
}

/// Where the next bytes may be read to, in this order.
#[derive(Default)]
pub struct Room<'a> {
    expected: std::slice::Iter<'a, Expected>,
    heads: &'a mut [u8],
    body: &'a mut [u8],
    /// What lies behind the head that was given last.
    behind: usize,
    ends: bool,
}

impl Room<'_> {
    /// Whether it holds all that is missing of its message. Otherwise there will be more room once it is filled, and what
    /// is read beyond it is read to the wrong place.
    #[must_use]
    pub fn ends(&self) -> bool {
        self.ends
    }
}

impl<'a> Iterator for Room<'a> {
    type Item = &'a mut [u8];

    fn next(&mut self) -> Option<&'a mut [u8]> {
        if self.behind == 0 {
            let expected = self.expected.next()?;
            self.behind = expected.room;
            let (head, rest) = std::mem::take(&mut self.heads).split_at_mut_checked(HEAD)?;
            self.heads = rest;
            if !expected.head.is_empty() {
                return head.get_mut(..expected.head.len());
            }
        }
        let behind = std::mem::take(&mut self.behind);
        let (here, rest) = std::mem::take(&mut self.body).split_at_mut_checked(behind)?;
        self.body = rest;
        Some(here)
    }
}

impl Session {
    /// Whether [`room`](Self::room) may have any.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let begins = self.parts.sure > 0 && !self.splitter.is_within_frame();
        self.parts.coming.is_some() && (begins || self.splitter.part() > 0)
    }

    /// Where the next bytes of the stream may be read to, in this order, if they are many and mostly known to be of a large
    /// message; else nowhere. Any number of them may come there; then say so with [`came`](Self::came) before anything
    /// else is done. What comes beyond is for [`receive`](Self::receive).
    pub fn room(&mut self) -> Room<'_> {
        self.parts.expected.clear();
        self.parts.wanted.clear();
        let Some(Coming { of, length: usual }) = self.parts.coming else {
            return Room::default();
        };
        if !self.has_room() || self.is_closed() {
            return Room::default();
        }
        let (kind, id) = match of {
            Of::Request(seq) => (Kind::Chunk, wire_id(self.role.peer(), seq)),
            Of::Answer(seq) => (Kind::ReplyChunk, wire_id(self.role, seq)),
        };
        // Not through `self`: the rest of it is asked for meanwhile.
        let assembly = match of {
            Of::Request(seq) => self.serving.assembly(seq),
            Of::Answer(seq) => self.reply_parts.assembly(seq),
        };
        let Ok(assembly) = assembly else {
            return Room::default();
        };
        let mut missing = assembly.missing();
        if missing < LEAST {
            return Room::default();
        }
        let body = assembly.room(MOST);
        let mut left_room = body.len();
        let (mut head, mut length, mut heads) = (0..0, self.splitter.part(), 0);
        while left_room > 0 && missing > 0 {
            if length == 0 {
                if heads == self.parts.sure {
                    break;
                }
                heads = heads.saturating_add(1);
                length = usual.min(missing);
                let begin = self.parts.wanted.len();
                put_part_head(&mut self.parts.wanted, kind, id, length);
                head = begin..self.parts.wanted.len();
            }
            let (room, head) = (length.min(left_room), std::mem::take(&mut head));
            self.parts.expected.push(Expected { head, length, room });
            left_room = left_room.saturating_sub(room);
            missing = missing.saturating_sub(room);
            length = 0;
        }
        let ends = missing == 0 && left_room == 0;
        let heads = self.parts.expected.len().saturating_mul(HEAD);
        self.parts.heads.resize(heads, 0);
        Room {
            expected: self.parts.expected.iter(),
            heads: &mut self.parts.heads,
            body,
            behind: 0,
            ends,
        }
    }

    /// So many bytes came where [`room`](Self::room) had said.
    pub fn came(&mut self, bytes: usize, now: Instant) {
        if self.is_closed() || bytes == 0 {
            return;
        }
        self.liveness.heard(now);
        self.heard = self.heard.saturating_add(bytes as u64);
        let expected = std::mem::take(&mut self.parts.expected);
        let taken = self.take_room(&expected, bytes, now);
        self.parts.expected = expected;
        if let Err(violation) = taken {
            self.break_off(violation);
        }
    }

    fn take_room(&mut self, expected: &[Expected], bytes: usize, now: Instant) -> Parsed<()> {
        let (mut left, mut completed) = (bytes, false);
        for (at, part) in expected.iter().enumerate() {
            if left == 0 {
                break;
            }
            if !part.head.is_empty() {
                let wanted = self.parts.wanted.get(part.head.clone());
                if Some(self.parts.head(at, part.head.len().min(left))) != wanted {
                    self.parts.sure = 0;
                    let rest = expected.get(at..).unwrap_or_default();
                    let other = self.taken_out(at, rest, left);
                    return self.take_in(&other, now);
                }
                left = left.saturating_sub(part.head.len());
                self.splitter.part_begins(part.length);
                self.parts.sure = self.parts.sure.saturating_add(1).min(HEADS);
            }
            let came = left.min(part.room);
            left = left.saturating_sub(came);
            self.splitter.part_came(came);
            completed |= self.splitter.part() == 0;
            self.on_part_by(now, |assembly| Ok(assembly.advance(came)))?;
        }
        let within = self.splitter.is_within_frame();
        self.liveness.frame(within, completed, now);
        Ok(())
    }

    /// What came into the room from the head at `at` on, which is not the one that was expected.
    fn taken_out(&mut self, at: usize, expected: &[Expected], mut left: usize) -> Vec<u8> {
        let Some(coming) = self.parts.coming else {
            return Vec::new();
        };
        let assembly = match coming.of {
            Of::Request(seq) => self.serving.assembly(seq),
            Of::Answer(seq) => self.reply_parts.assembly(seq),
        };
        let mut body = assembly.map_or(&[][..], |assembly| assembly.behind());
        let mut out = Vec::with_capacity(left);
        for (at, part) in (at..).zip(expected) {
            let head = part.head.len().min(left);
            out.extend_from_slice(self.parts.head(at, head));
            left = left.saturating_sub(head);
            let (came, rest) = body
                .split_at_checked(part.room.min(left))
                .unwrap_or_default();
            out.extend_from_slice(came);
            left = left.saturating_sub(came.len());
            body = rest;
        }
        out
    }

    /// A frame with a part of a large message, whole.
    pub(super) fn on_part_frame(
        &mut self,
        kind: Kind,
        mut body: Reader<'_>,
        now: Instant,
    ) -> Parsed<()> {
        let of = self.part_of(kind, &mut body)?;
        self.begin_part(of, body.rest().len())?;
        self.on_part(body.rest(), now)
    }

    /// The head of one, whose part is so long and will come.
    pub(super) fn on_part_head(&mut self, frame: &[u8], length: usize, now: Instant) -> Parsed<()> {
        let mut head = Reader::new(frame);
        let kind = Kind::from_byte(head.byte()?);
        let (Phase::Open(_), Some(kind)) = (&self.phase, kind) else {
            return self.on_frame(frame, now); // Nothing of the kind may come yet.
        };
        let of = self.part_of(kind, &mut head)?;
        self.begin_part(of, length)
    }

    /// Some of a part that has begun.
    pub(super) fn on_part(&mut self, part: &[u8], now: Instant) -> Parsed<()> {
        self.on_part_by(now, |assembly| assembly.push(part))
    }

    /// What a part is of, by the head of its frame.
    fn part_of(&self, kind: Kind, head: &mut Reader<'_>) -> Parsed<Of> {
        if kind == Kind::Chunk {
            return self.peer_seq(head).map(Of::Request);
        }
        match seq_of(self.role, head.varint()?) {
            Some(seq) => Ok(Of::Answer(seq)),
            None => violation(CloseCode::WrongDirection, "an id of the other side's"),
        }
    }

    fn begin_part(&mut self, of: Of, length: usize) -> Parsed<()> {
        self.assembly(of)?.expect(length)?;
        self.parts.coming = Some(Coming { of, length });
        self.parts.sure = self.parts.sure.saturating_add(1).min(HEADS);
        Ok(())
    }

    /// `take` puts what came of a part where it belongs, and says whether the message is whole.
    fn on_part_by(
        &mut self,
        now: Instant,
        take: impl FnOnce(&mut Assembly) -> Parsed<bool>,
    ) -> Parsed<()> {
        let Some(Coming { of, .. }) = self.parts.coming else {
            return violation(CloseCode::UnexpectedFrame, "a part of nothing");
        };
        if !take(self.assembly(of)?)? {
            return Ok(());
        }
        self.parts.coming = None;
        match of {
            Of::Request(seq) => self.on_whole_request(seq, now),
            Of::Answer(seq) => self.on_whole_answer(seq, now),
        }
    }

    fn assembly(&mut self, of: Of) -> Parsed<&mut Assembly> {
        match of {
            Of::Request(seq) => self.serving.assembly(seq),
            Of::Answer(seq) => self.reply_parts.assembly(seq),
        }
    }
}
