//! Numbers, texts and names on the wire: one encoding each, nothing else is accepted (PR-ENC).

use super::code::CloseCode;
use super::name::{self, Name};

/// A rule that the peer broke: the session is closed with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) code: CloseCode,
    pub(super) text: &'static str,
}

pub(super) type Parsed<T> = Result<T, Violation>;

pub(super) const fn violation<T>(code: CloseCode, text: &'static str) -> Parsed<T> {
    Err(Violation { code, text })
}

pub(super) const fn malformed<T>(text: &'static str) -> Parsed<T> {
    violation(CloseCode::Malformed, text)
}

/// Reads from the front of a frame's body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is left, all of it.
    #[inline]
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Parsed<()> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            malformed("bytes behind the end of a frame")
        }
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Parsed<u8> {
        match self.rest.split_first() {
            Some((&first, rest)) => {
                self.rest = rest;
                Ok(first)
            }
            None => malformed("a frame ends too early"),
        }
    }

    pub(super) fn bytes(&mut self, n: usize) -> Parsed<&'a [u8]> {
        match self.rest.split_at_checked(n) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => malformed("a length exceeds its frame"),
        }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => malformed("a frame ends too early"),
        }
    }

    /// A canonical varint (PR-ENC-1).
    #[inline]
    pub(super) fn varint(&mut self) -> Parsed<u64> {
        match parse_varint(self.rest)? {
            Some((value, used)) => {
                self.rest = self.rest.get(used..).unwrap_or_default();
                Ok(value)
            }
            None => malformed("a frame ends within a number"),
        }
    }

    pub(super) fn u32(&mut self) -> Parsed<u32> {
        match u32::try_from(self.varint()?) {
            Ok(value) => Ok(value),
            Err(_) => malformed("a number exceeds 32 bits"),
        }
    }

    pub(super) fn u16(&mut self) -> Parsed<u16> {
        match u16::try_from(self.varint()?) {
            Ok(value) => Ok(value),
            Err(_) => malformed("a number exceeds 16 bits"),
        }
    }

    pub(super) fn size(&mut self) -> Parsed<usize> {
        match usize::try_from(self.varint()?) {
            Ok(value) => Ok(value),
            Err(_) => malformed("a size exceeds this machine"),
        }
    }

    /// Bytes behind their length; the length is checked against what is there.
    pub(super) fn counted(&mut self) -> Parsed<&'a [u8]> {
        let length = self.size()?;
        self.bytes(length)
    }

    pub(super) fn text(&mut self) -> Parsed<&'a str> {
        match std::str::from_utf8(self.counted()?) {
            Ok(text) => Ok(text),
            Err(_) => malformed("a text is not UTF-8"),
        }
    }

    pub(super) fn name(&mut self) -> Parsed<Name> {
        match self.optional_name()? {
            Some(name) => Ok(name),
            None => malformed("a name is empty"),
        }
    }

    /// A name, or the empty text for none (PR-NAME-2).
    pub(super) fn optional_name(&mut self) -> Parsed<Option<Name>> {
        let text = self.text()?;
        if text.is_empty() {
            return Ok(None);
        }
        match Name::new(text) {
            Ok(name) => Ok(Some(name)),
            Err(_) => malformed("a name breaks the rule of names"),
        }
    }

    /// A key of a header: checked like a name, not kept as one.
    pub(super) fn key(&mut self) -> Parsed<&'a str> {
        let text = self.text()?;
        match name::check(text.as_bytes()) {
            Ok(()) => Ok(text),
            Err(_) => malformed("a header's key breaks the rule of names"),
        }
    }

    /// A byte of flags of which only `known` may be set (PR-ENC-4).
    pub(super) fn flags(&mut self, known: u8) -> Parsed<u8> {
        let flags = self.byte()?;
        if flags & !known == 0 {
            Ok(flags)
        } else {
            violation(CloseCode::ReservedFlags, "a reserved flag is set")
        }
    }
}

/// The varint at the front and its length; `None` when more bytes are needed.
#[inline]
pub(super) fn parse_varint(bytes: &[u8]) -> Parsed<Option<(u64, usize)>> {
    match bytes.first() {
        Some(&byte) if byte < 0x80 => Ok(Some((byte.into(), 1))),
        _ => parse_long_varint(bytes),
    }
}

fn parse_long_varint(bytes: &[u8]) -> Parsed<Option<(u64, usize)>> {
    let mut value = 0_u64;
    let mut shift = 0_u32;
    for (position, &byte) in bytes.iter().enumerate() {
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit.
        if shift > 63 || (shift == 63 && bits > 1) {
            return malformed("a number exceeds 64 bits");
        }
        value |= bits.wrapping_shl(shift);
        if byte & 0x80 == 0 {
            if byte == 0 && position > 0 {
                return malformed("a number is longer than it needs to be");
            }
            return Ok(Some((value, position.saturating_add(1))));
        }
        shift = shift.saturating_add(7);
    }
    if bytes.len() >= 10 {
        malformed("a number exceeds 64 bits")
    } else {
        Ok(None)
    }
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that [`put_varint`] writes for `value`.
pub(super) fn varint_len(value: u64) -> usize {
    let bits = 64_u32.saturating_sub(value.leading_zeros()).max(1);
    bits.div_ceil(7) as usize
}

pub(super) fn put_size(out: &mut Vec<u8>, size: usize) {
    put_varint(out, size as u64);
}

pub(super) fn put_counted(out: &mut Vec<u8>, bytes: &[u8]) {
    put_size(out, bytes.len());
    out.extend_from_slice(bytes);
}

pub(super) fn put_name(out: &mut Vec<u8>, name: &Name) {
    put_counted(out, name.as_str().as_bytes());
}

pub(super) fn put_optional_name(out: &mut Vec<u8>, name: Option<&Name>) {
    put_counted(out, name.map_or(&[], |name| name.as_str().as_bytes()));
}

/// A text cut to at most `max` bytes, at a character's boundary.
pub(super) fn cut_text(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

/// Signed differences as unsigned numbers, the small ones small.
pub(super) fn zigzag(value: i64) -> u64 {
    (value.wrapping_shl(1) ^ value.wrapping_shr(63)) as u64
}

pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ ((value & 1) as i64).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_has_one_encoding() {
        for value in [
            0,
            1,
            127,
            128,
            300,
            16_383,
            16_384,
            u64::from(u32::MAX),
            u64::MAX,
        ] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out.len(), varint_len(value));
            assert_eq!(parse_varint(&out), Ok(Some((value, out.len()))));
            for cut in 0..out.len() {
                assert_eq!(parse_varint(&out[..cut]), Ok(None));
            }
        }
        for bad in [
            &[0x81, 0x80, 0x00][..],
            &[0x80, 0x00],
            &[0xff; 10],
            &[0xff; 11],
        ] {
            assert_eq!(parse_varint(bad).unwrap_err().code, CloseCode::Malformed);
        }
        let mut too_wide = vec![0xff; 9];
        too_wide.push(2);
        assert!(parse_varint(&too_wide).is_err());
    }

    #[test]
    fn zigzag_is_its_own_inverse_at_the_edges() {
        for value in [0, 1, -1, 2, i64::MAX, i64::MIN] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
        assert_eq!((zigzag(1), zigzag(-1)), (2, 1));
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut_text("aé", 2), "a");
        assert_eq!(cut_text("aé", 3), "aé");
    }
}
