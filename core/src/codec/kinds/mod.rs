//! A checksum over the kinds of what is encoded, for messages whose types nobody has compared.
//!
//! postcard reads the bytes of one type as another without a word: `3_i32` is the byte 6, which a `u64` reads as 6. A
//! typed caller and a typed server compare fingerprints of their types before that. An untyped caller has a value and no
//! type that could be looked at beforehand, so both sides count what they meet instead: the writer what the value asks
//! to be written as, the reader what its type asks to be read. The sums are equal where the same was asked for in the
//! same order.
//!
//! # What counts
//! What tells two readings of the same bytes apart, and no more: a sum that differs without need would refuse what is
//! read rightly.
//! * A number's kind: `bool`, `u8`, `i8`, `f32`, `f64`, `char`, and unsigned and signed ones of 16 bits and more. Of
//!   these, the width does not count: postcard writes all of them as the same varint, and what does not fit is an error.
//! * Texts; options; enums; and collections, with the kinds of their elements. Bytes are a collection of `u8`, and a map
//!   is one of pairs, as on the wire.
//! * Not: structs, tuples, arrays, newtypes and units, of which nothing is written but their parts. So a struct may be
//!   sent as a tuple. Names do not count either, as they are not written.
//!
//! Of elements that are alike in a row, only the first counts: their number is in the bytes, and a list of a million
//! numbers costs a comparison for each.

mod note;

use std::cell::Cell;

pub(super) use note::{Note, Silent};

/// Something that is written, and would be misread as another kind.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Kind {
    Bool = 1,
    U8,
    I8,
    Unsigned,
    Signed,
    F32,
    F64,
    Char,
    Text,
    Option,
    Enum,
    Collection,
}

/// What has been met so far.
pub(super) struct Sum(Cell<u64>);

/// Before anything was met. Not 0, which no kind would move far.
const START: u64 = 0x243f_6a88_85a3_08d3;
/// Odd, with its bits spread.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Sum {
    pub(super) fn new() -> Self {
        Sum(Cell::new(START))
    }

    #[inline]
    fn note(&self, kind: Kind) {
        self.0.set(mix(self.0.get(), kind as u64));
    }

    /// An element of a collection begins; what was met before is put aside.
    #[inline]
    fn begin(&self, run: &mut Run) {
        run.before = self.0.replace(START);
    }

    /// The element has ended.
    #[inline]
    fn end(&self, run: &mut Run) {
        let element = self.0.get();
        self.0.set(if run.last == element {
            run.before
        } else {
            mix(run.before, element)
        });
        run.last = element;
    }

    /// A collection of as many `u8`.
    fn bytes(&self, count: usize) {
        self.note(Kind::Collection);
        if count > 0 {
            let mut run = Run::default();
            self.begin(&mut run);
            self.note(Kind::U8);
            self.end(&mut run);
        }
    }

    /// What is compared.
    pub(super) fn finish(&self) -> [u8; 4] {
        let sum = self.0.get();
        ((sum ^ (sum >> 32)) as u32).to_le_bytes()
    }
}

/// A collection that is being written or read.
#[derive(Default)]
pub(super) struct Run {
    /// The sum before the element that has begun.
    before: u64,
    /// That of the element before it. At first 0, which an element leaves behind by chance only; then it counts less.
    last: u64,
}

#[inline]
fn mix(sum: u64, more: u64) -> u64 {
    (sum.rotate_left(5) ^ more).wrapping_mul(FACTOR)
}
