//! The bytes of a message, taken one value after the other.

use std::slice::Iter;

use crate::codec::unread::Unread;
use crate::codec::watch::Watch;

/// What is being read.
pub(in crate::codec) struct Reader<'de> {
    /// What has not been read yet.
    pub(super) input: Iter<'de, u8>,
    pub(super) watch: Watch,
}

impl<'de> Reader<'de> {
    pub(in crate::codec) fn new(input: &'de [u8], watch: Watch) -> Self {
        let input = input.iter();
        Reader { input, watch }
    }

    /// What was not read, and what was counted.
    pub(in crate::codec) fn finish(self) -> (&'de [u8], Watch) {
        (self.input.as_slice(), self.watch)
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Unread> {
        self.input.next().copied().ok_or(Unread::End)
    }

    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Result<&'de [u8], Unread> {
        let input = self.input.as_slice();
        let (taken, rest) = input.split_at_checked(length).ok_or(Unread::End)?;
        self.input = rest.iter();
        Ok(taken)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Unread> {
        let input = self.input.as_slice();
        let (taken, rest) = input.split_first_chunk().ok_or(Unread::End)?;
        self.input = rest.iter();
        Ok(*taken)
    }

    /// A number of as many bits.
    #[inline]
    pub(super) fn varint<const BITS: u32>(&mut self) -> Result<u64, Unread> {
        match self.byte()? {
            byte @ 0..0x80 => Ok(byte.into()),
            first => self.longer_varint::<BITS>(first),
        }
    }

    fn longer_varint<const BITS: u32>(&mut self, first: u8) -> Result<u64, Unread> {
        let mut number = u64::from(first & 0x7f);
        let mut shift = 7;
        loop {
            let byte = self.byte()?;
            if BITS - shift < 7 && byte >> (BITS - shift) > 0 {
                return Err(Unread::Number); // It goes on, or is too large.
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
            shift += 7;
        }
    }

    pub(super) fn long_varint(&mut self) -> Result<u128, Unread> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            if u128::BITS - shift < 7 && byte >> (u128::BITS - shift) > 0 {
                return Err(Unread::Number);
            }
            number |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
            shift += 7;
        }
    }

    #[inline]
    pub(super) fn length(&mut self) -> Result<usize, Unread> {
        self.varint::<{ usize::BITS }>()
            .map(|length| length as usize)
    }

    #[inline]
    pub(super) fn counted(&mut self) -> Result<&'de [u8], Unread> {
        let length = self.length()?;
        self.take(length)
    }

    #[inline]
    pub(super) fn text(&mut self) -> Result<&'de str, Unread> {
        std::str::from_utf8(self.counted()?).map_err(|_| Unread::Text)
    }

    pub(super) fn char(&mut self) -> Result<char, Unread> {
        let length = self.length()?;
        if length > 4 {
            return Err(Unread::Char);
        }
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| Unread::Char)?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(char), None) => Ok(char),
            _ => Err(Unread::Char),
        }
    }
}
