//! Frames: their kinds, how they are begun and ended in a buffer, and how a stream of bytes is
//! split into them (PR-FRAME).

use super::code::CloseCode;
use super::config::FIRST_ALLOCATION;
use super::wire::{Parsed, malformed, parse_varint, varint_len, violation};

/// The first bytes in each direction (PR-HELLO-1).
pub(super) const MAGIC: [u8; 8] = *b"\x89TIDING\n";

macro_rules! kinds {
    ($($code:literal $name:ident)*) => {
        /// The kinds of frames (PR-FRAME-3).
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Kind { $($name = $code),* }

        impl Kind {
            pub(super) fn from_byte(byte: u8) -> Option<Self> {
                match byte { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

kinds! {
    1 Hello 2 Call 3 Cast 4 Reply 5 Failure 6 ReplyBegin 7 FailureBegin 8 Ended 9 Chunk
    10 ReplyChunk 11 Cancel 12 Credit 13 Ping 14 Pong 15 GoAway 16 Close 17 Bind 18 BindResult
    19 Unbind 20 Auth 21 AuthResult 23 Beat 24 Missed 25 Retire 26 Retired
}

/// Kinds from here on may be ignored by who does not know them (PR-FRAME-4).
pub(super) const IGNORABLE: u8 = 0x80;

/// Where a frame that is being written began.
#[derive(Debug)]
pub(super) struct Begun(usize);

/// Begins a frame: room for a short length, and the kind.
#[inline]
pub(super) fn begin(out: &mut Vec<u8>, kind: Kind) -> Begun {
    let start = out.len();
    out.push(0);
    out.push(kind as u8);
    Begun(start)
}

/// Ends a frame's head: writes its length, with `behind` more bytes that follow elsewhere.
#[inline]
pub(super) fn end(out: &mut Vec<u8>, begun: Begun, behind: usize) {
    let body = begun.0.saturating_add(1);
    let length = out.len().saturating_sub(body).saturating_add(behind);
    // The usual frame is short, and has its one byte of length already.
    if let (0..0x80, Some(byte)) = (length, out.get_mut(begun.0)) {
        *byte = length as u8;
        return;
    }
    let mut bytes = [0_u8; 10];
    let width = varint_len(length as u64);
    let mut rest = length;
    for (position, slot) in bytes.iter_mut().take(width).enumerate() {
        let more = if position.saturating_add(1) < width {
            0x80
        } else {
            0
        };
        *slot = (rest & 0x7f) as u8 | more;
        rest >>= 7;
    }
    let encoded = bytes.get(..width).unwrap_or_default();
    out.splice(begun.0..body, encoded.iter().copied());
}

/// Writes a whole frame whose body `write` appends.
pub(super) fn whole(out: &mut Vec<u8>, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) {
    let begun = begin(out, kind);
    write(out);
    end(out, begun, 0);
}

/// Splits the incoming stream into frames. A frame that lies whole in one read is not copied; the
/// beginning of one that does not is kept here, and grows as its bytes come (FAULTS rule 7).
#[derive(Debug, Default)]
pub(super) struct Splitter {
    partial: Vec<u8>,
    /// Of the frame in `partial`, once its length is known: of the length field, and of all.
    expected: Option<(usize, usize)>,
    /// What is still to come of a part that is given out as it comes.
    part: usize,
}

/// What [`Splitter::next`] found.
#[derive(Debug)]
pub(super) enum Next<'a> {
    /// A frame's kind and body, in the bytes just read.
    Whole(&'a [u8]),
    /// A frame put together from several reads, length field included: kind and body begin at the
    /// offset. To be given back to [`Splitter::recycle`].
    Joined(Vec<u8>, usize),
    /// Kind and id of a frame with a part of a large message, and how long that part is. It follows as
    /// [`Part`](Next::Part), as it comes: it is not put together twice.
    Begun(&'a [u8], usize),
    /// More of that part.
    Part(&'a [u8]),
    /// The rest was kept: more bytes are needed.
    Nothing,
}

impl Splitter {
    /// Whether a frame was begun and is not complete.
    pub(super) fn is_within_frame(&self) -> bool {
        !self.partial.is_empty() || self.part > 0
    }

    /// What is still to come of a part that was begun.
    pub(super) fn part(&self) -> usize {
        self.part
    }

    /// So many bytes of a part came elsewhere.
    pub(super) fn part_came(&mut self, bytes: usize) {
        self.part = self.part.saturating_sub(bytes);
    }

    /// A frame began elsewhere, whose part is so long.
    pub(super) fn part_begins(&mut self, length: usize) {
        self.part = length;
    }

    /// Bytes kept.
    pub(super) fn buffered(&self) -> usize {
        self.partial.len()
    }

    /// Takes the next frame from the front of `input`; one longer than `limit` is a violation as
    /// soon as its length is known (P1).
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8], limit: usize) -> Parsed<Next<'a>> {
        if self.part > 0 {
            let (came, rest) = input.split_at(self.part.min(input.len()));
            *input = rest;
            self.part = self.part.saturating_sub(came.len());
            return Ok(if came.is_empty() {
                Next::Nothing
            } else {
                Next::Part(came)
            });
        }
        if self.partial.is_empty() {
            let Some((field, total)) = frame_length(input, limit)? else {
                return self.keep(input, 0);
            };
            if let Some((frame, rest)) = input.split_at_checked(total) {
                *input = rest;
                return Ok(Next::Whole(frame.get(field..).unwrap_or_default()));
            }
            let begun = input.get(field..).unwrap_or_default();
            if let Some((head, rest)) = part_head(begun).and_then(|at| begun.split_at_checked(at)) {
                *input = rest;
                self.part = total.saturating_sub(field).saturating_sub(head.len());
                return Ok(Next::Begun(head, self.part));
            }
            self.expected = Some((field, total));
            return self.keep(input, total);
        }
        while self.expected.is_none() {
            let Some((&byte, rest)) = input.split_first() else {
                return Ok(Next::Nothing);
            };
            self.partial.push(byte);
            *input = rest;
            self.expected = frame_length(&self.partial, limit)?;
        }
        let Some((field, total)) = self.expected else {
            return Ok(Next::Nothing);
        };
        let missing = total.saturating_sub(self.partial.len());
        if input.len() < missing {
            return self.keep(input, total);
        }
        let (taken, rest) = input.split_at_checked(missing).unwrap_or_default();
        grow(&mut self.partial, missing)?;
        self.partial.extend_from_slice(taken);
        *input = rest;
        self.expected = None;
        Ok(Next::Joined(std::mem::take(&mut self.partial), field))
    }

    /// Takes a joined frame's buffer back, so that the next one needs no allocation.
    pub(super) fn recycle(&mut self, mut buffer: Vec<u8>) {
        const KEPT: usize = 128 * 1024;
        if self.partial.is_empty() && buffer.capacity() <= KEPT {
            buffer.clear();
            self.partial = buffer;
        }
    }

    /// Gives back memory that a quiet session does not need.
    pub(super) fn shrink(&mut self) {
        self.partial.shrink_to_fit();
    }

    fn keep<'a>(&mut self, input: &mut &'a [u8], total: usize) -> Parsed<Next<'a>> {
        let expected = total
            .saturating_sub(self.partial.len())
            .min(FIRST_ALLOCATION);
        grow(&mut self.partial, expected.max(input.len()))?;
        self.partial.extend_from_slice(input);
        *input = &[];
        Ok(Next::Nothing)
    }
}

/// How long kind and id are of a frame with a part of a large message.
fn part_head(frame: &[u8]) -> Option<usize> {
    let (&kind, id) = frame.split_first()?;
    let is_part = [Kind::Chunk as u8, Kind::ReplyChunk as u8].contains(&kind);
    let (_, width) = is_part.then(|| parse_varint(id).ok().flatten()).flatten()?;
    Some(width.saturating_add(1))
}

/// Makes room without aborting when there is none: the length is the peer's (R14).
pub(super) fn grow(buffer: &mut Vec<u8>, by: usize) -> Parsed<()> {
    match buffer.try_reserve(by) {
        Ok(()) => Ok(()),
        Err(_) => violation(CloseCode::OutOfMemory, "no memory for a frame"),
    }
}

/// The width of the length field at the front and the length of the whole frame with it.
fn frame_length(bytes: &[u8], limit: usize) -> Parsed<Option<(usize, usize)>> {
    const WIDTH_MAX: usize = 5;
    let Some((length, width)) = parse_varint(bytes.get(..WIDTH_MAX).unwrap_or(bytes))? else {
        let too_long = bytes.len() >= WIDTH_MAX;
        return if too_long {
            malformed("a frame's length exceeds 32 bits")
        } else {
            Ok(None)
        };
    };
    if length == 0 {
        return malformed("a frame without a kind");
    }
    match usize::try_from(length) {
        Ok(length) if length <= limit => Ok(Some((width, length.saturating_add(width)))),
        _ => violation(
            CloseCode::FrameTooLarge,
            "a frame exceeds the limit told in Hello",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::put_size;
    use super::*;

    fn raw(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(body.len().saturating_add(8));
        put_size(&mut out, body.len().saturating_add(1));
        out.push(kind);
        out.extend_from_slice(body);
        out
    }

    #[test]
    fn a_frame_ends_with_the_length_that_its_body_has() {
        for length in [0, 1, 126, 127, 128, 16_382, 16_383, 70_000] {
            let body = vec![7; length];
            let mut out = vec![1, 2, 3];
            whole(&mut out, Kind::Ping, |out| out.extend_from_slice(&body));
            assert_eq!(out[3..], raw(Kind::Ping as u8, &body));
        }
    }

    #[test]
    fn any_split_gives_the_same_frames() {
        let mut stream = Vec::new();
        for length in [0, 5, 130, 20_000] {
            stream.extend(raw(9, &vec![length as u8; length]));
        }
        for step in [1, 2, 3, 7, 129, 131, 9000, stream.len()] {
            let mut splitter = Splitter::default();
            let mut lengths = Vec::new();
            for mut piece in stream.chunks(step) {
                loop {
                    match splitter.next(&mut piece, 65_536).unwrap() {
                        Next::Whole(frame) => lengths.push(frame.len()),
                        Next::Joined(buffer, at) => {
                            lengths.push(buffer[at..].len());
                            splitter.recycle(buffer);
                        }
                        Next::Begun(head, _) => lengths.push(head.len()),
                        Next::Part(part) => *lengths.last_mut().unwrap() += part.len(),
                        Next::Nothing => break,
                    }
                }
            }
            assert_eq!(lengths, [1, 6, 131, 20_001], "step {step}");
            assert!(!splitter.is_within_frame());
        }
    }

    #[test]
    fn a_length_never_allocates_ahead() {
        let mut splitter = Splitter::default();
        let mut input: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0x0f, 1];
        assert!(matches!(
            splitter.next(&mut input, usize::MAX),
            Ok(Next::Nothing)
        ));
        assert!(splitter.partial.capacity() <= 2 * FIRST_ALLOCATION);
        let mut input: &[u8] = &[0x81, 0x80, 0x04, 1];
        let error = Splitter::default().next(&mut input, 65_536).unwrap_err();
        assert_eq!(error.code, CloseCode::FrameTooLarge);
    }
}
