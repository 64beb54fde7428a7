//! Bytes that are to be written, in order.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;

use super::message::Body;
use super::wire::parse_varint;
use crate::buffers;
use crate::bytes::{Bytes, Pieces};

/// Payload up to this many bytes is copied next to its frame's head; more is left where it is.
const COPIED: usize = 4096;
/// The largest buffer for small frames that is kept for the next ones.
const KEPT: usize = 128 * 1024;

/// Staging stops at this many bytes: what is staged cannot be overtaken any more, so this, and one
/// frame, is what an urgent frame may have to wait for in front of a socket that takes nothing.
const AHEAD: usize = 64 * 1024;
/// The same in front of one that takes all that it is given: it would take as much in two.
const AHEAD_MOST: usize = 192 * 1024;

/// A run of bytes.
#[derive(Debug)]
enum Segment {
    /// Whole frames, the last of which may have its payload in the next segment.
    Frames(Vec<u8>),
    /// Part of a large payload.
    Part(Bytes),
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Frames(bytes) => bytes,
            Self::Part(bytes) => bytes,
        }
    }
}

/// What is staged for the socket: from here on its order is fixed.
#[derive(Debug)]
pub(super) struct Output {
    segments: VecDeque<Segment>,
    /// Bytes of the first segment that were written.
    skip: usize,
    staged: usize,
    /// Bytes ever staged: a position in the stream.
    appended: u64,
    spare: Vec<u8>,
    ahead: usize,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            segments: VecDeque::new(),
            skip: 0,
            staged: 0,
            appended: 0,
            spare: Vec::new(),
            ahead: AHEAD,
        }
    }
}

impl Output {
    /// Bytes beyond which no more is staged.
    pub(super) fn ahead(&self) -> usize {
        self.ahead
    }

    /// Bytes that are staged and not written.
    pub(super) fn staged(&self) -> usize {
        self.staged
    }

    /// The position in the stream behind all that is staged.
    pub(super) fn appended(&self) -> u64 {
        self.appended
    }

    /// The position in the stream up to which the socket took it.
    pub(super) fn written(&self) -> u64 {
        self.appended.saturating_sub(self.staged as u64)
    }

    /// Stages whole frames that `write` appends.
    #[inline]
    pub(super) fn frames(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if !matches!(self.segments.back(), Some(Segment::Frames(_))) {
            let buffer = std::mem::take(&mut self.spare);
            self.segments.push_back(Segment::Frames(buffer));
        }
        if let Some(Segment::Frames(buffer)) = self.segments.back_mut() {
            let before = buffer.len();
            write(buffer);
            let more = buffer.len().saturating_sub(before);
            self.count(more);
        }
    }

    /// Stages the payload of the frame whose head was staged last.
    pub(super) fn payload(&mut self, payload: Vec<u8>) {
        if payload.len() <= COPIED {
            self.frames(|out| out.extend_from_slice(&payload));
            buffers::give(payload);
        } else {
            self.apart(Bytes::of_buffer(payload));
        }
    }

    /// The same for one that others may have as well.
    pub(super) fn body(&mut self, body: Body) {
        match body {
            Body::Own(payload) => self.payload(payload),
            Body::Shared(payload) => self.part(&payload, 0..payload.len()),
        }
    }

    /// Stages a part of a payload behind the head that was staged last.
    pub(super) fn part(&mut self, payload: &Pieces, range: Range<usize>) {
        let mut pieces = payload.within(range);
        match pieces.next() {
            Some(first) if first.len() <= COPIED => {
                self.frames(|out| out.extend_from_slice(&first));
            }
            Some(first) => self.apart(first),
            None => {}
        }
        // What comes behind is no frame's beginning, however short: see `forget_unbegun`.
        pieces.for_each(|piece| self.apart(piece));
    }

    /// Stages bytes that are left where they are.
    pub(super) fn apart(&mut self, bytes: Bytes) {
        self.count(bytes.len());
        self.segments.push_back(Segment::Part(bytes));
    }

    fn count(&mut self, more: usize) {
        self.staged = self.staged.saturating_add(more);
        self.appended = self.appended.saturating_add(more as u64);
    }

    pub(super) fn slices(&self) -> Transmit<'_> {
        Transmit {
            segments: self.segments.iter(),
            skip: self.skip,
        }
    }

    /// The socket took `n` more bytes.
    #[inline]
    pub(super) fn wrote(&mut self, n: usize) {
        let mut n = n.min(self.staged);
        self.staged = self.staged.saturating_sub(n);
        self.ahead = if self.staged == 0 && n >= self.ahead {
            self.ahead.saturating_mul(2).min(AHEAD_MOST)
        } else {
            AHEAD
        };
        while let Some(first) = self.segments.front() {
            let left = first.bytes().len().saturating_sub(self.skip);
            if n < left {
                self.skip = self.skip.saturating_add(n);
                return;
            }
            n = n.saturating_sub(left);
            self.skip = 0;
            match self.segments.pop_front() {
                Some(Segment::Frames(mut buffer)) if buffer.capacity() <= KEPT => {
                    buffer.clear();
                    self.spare = buffer;
                }
                _ => {}
            }
        }
    }

    /// Gives back memory that a quiet session does not need.
    pub(super) fn shrink(&mut self) {
        self.spare = Vec::new();
        self.segments.shrink_to_fit();
    }

    /// Forgets every frame of which nothing was written yet. A frame that was begun stays whole:
    /// anything else behind its half would be taken for its rest.
    pub(super) fn forget_unbegun(&mut self) {
        let mut heads = 0;
        if let Some(Segment::Frames(bytes)) = self.segments.front_mut() {
            heads = 1;
            if let Some(boundary) = frame_boundary(bytes, self.skip) {
                bytes.truncate(boundary);
                self.segments.truncate(heads);
            }
        }
        // The payload whose head was written: another frame's does not follow without its head.
        let parts = self.segments.iter().skip(heads);
        let parts = parts.take_while(|segment| matches!(segment, Segment::Part(_)));
        self.segments.truncate(heads.saturating_add(parts.count()));
        let length = self.segments.iter().fold(0_usize, |sum, segment| {
            sum.saturating_add(segment.bytes().len())
        });
        let written = self.written();
        self.staged = length.saturating_sub(self.skip);
        self.appended = written.saturating_add(self.staged as u64);
    }

    /// Forgets everything: the stream is dead.
    pub(super) fn clear(&mut self) {
        let written = self.written();
        *self = Self {
            appended: written,
            ..Self::default()
        };
    }
}

/// The first boundary between frames at or behind `position`; `None` when the frame there does not
/// end within `bytes`, which begin with a frame.
fn frame_boundary(bytes: &[u8], position: usize) -> Option<usize> {
    let mut boundary = 0_usize;
    while boundary < position {
        let (length, width) = parse_varint(bytes.get(boundary..)?).ok()??;
        boundary = boundary
            .saturating_add(width)
            .saturating_add(usize::try_from(length).ok()?);
    }
    (boundary <= bytes.len()).then_some(boundary)
}

/// The bytes to write, in order, as slices: small frames together in one, the parts of large
/// payloads where they lie.
#[derive(Clone)]
pub struct Transmit<'a> {
    segments: std::collections::vec_deque::Iter<'a, Segment>,
    skip: usize,
}

impl<'a> Transmit<'a> {
    /// Fills `slices` for a vectored write; returns how many were filled.
    pub fn fill(&mut self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0_usize;
        for (slot, bytes) in slices.iter_mut().zip(self) {
            *slot = IoSlice::new(bytes);
            filled = filled.saturating_add(1);
        }
        filled
    }
}

impl<'a> Iterator for Transmit<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let bytes = self.segments.next()?.bytes();
            let skip = std::mem::take(&mut self.skip);
            let rest = bytes.get(skip..).unwrap_or_default();
            if !rest.is_empty() {
                return Some(rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::frame::{Kind, begin, end, whole};
    use super::*;

    /// Four frames: 10 bytes, 5003 bytes with the payload apart, 12007 with the payload in pieces, 4 bytes.
    fn staged() -> Output {
        let mut output = Output::default();
        output.frames(|out| whole(out, Kind::Ping, |out| out.extend([1; 8])));
        output.frames(|out| {
            let begun = begin(out, Kind::Reply);
            end(out, begun, 5000);
        });
        output.payload(vec![2; 5000]);
        let apart = vec![(4, vec![6; 5999].into()), (5, vec![7; 5997].into())];
        let pieces = Pieces::of(vec![5; 8], apart);
        output.frames(|out| {
            let begun = begin(out, Kind::Reply);
            end(out, begun, pieces.len());
        });
        output.body(Body::Shared(Arc::new(pieces)));
        output.frames(|out| whole(out, Kind::Pong, |out| out.extend([3; 2])));
        output
    }

    #[test]
    fn what_was_begun_stays_whole_and_the_rest_is_forgotten() {
        let all: Vec<u8> = staged().slices().flatten().copied().collect();
        assert_eq!(all.len(), 10 + 5003 + 12_007 + 4);
        for written in 0..=all.len() {
            let mut output = staged();
            output.wrote(written);
            output.forget_unbegun();
            let end = [0, 10, 5013, 17_020, 17_024]
                .into_iter()
                .find(|&end| end >= written)
                .unwrap();
            assert_eq!(output.appended(), end as u64, "written {written}");
            assert_eq!(output.written(), written as u64);
            let rest: Vec<u8> = output.slices().flatten().copied().collect();
            assert_eq!(rest, all[written..end]);
        }
    }

    #[test]
    fn more_is_staged_ahead_only_of_a_socket_that_takes_it_all() {
        let mut output = Output::default();
        let mut write = |staged, taken| {
            output.payload(vec![1; staged]);
            output.wrote(taken);
            output.ahead()
        };
        assert_eq!(
            write(AHEAD - 1, AHEAD - 1),
            AHEAD,
            "it was not all there might be"
        );
        assert_eq!(write(AHEAD, AHEAD), 2 * AHEAD);
        assert_eq!(write(2 * AHEAD, 2 * AHEAD), AHEAD_MOST);
        assert_eq!(write(AHEAD_MOST, AHEAD_MOST), AHEAD_MOST);
        assert_eq!(write(AHEAD_MOST, AHEAD_MOST - 1), AHEAD);
    }

    #[test]
    fn bytes_leave_in_order_whatever_the_socket_takes() {
        let all: Vec<u8> = staged().slices().flatten().copied().collect();
        for step in [1, 3, 9, 11, 4999, 6000] {
            let (mut output, mut taken) = (staged(), Vec::new());
            while output.staged() > 0 {
                let piece: Vec<u8> = output.slices().flatten().copied().take(step).collect();
                output.wrote(piece.len());
                taken.extend(piece);
            }
            assert_eq!(taken, all);
            assert!(output.segments.is_empty());
        }
    }
}
