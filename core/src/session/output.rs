//! Bytes that are to be written.

use std::io::IoSlice;

/// The bytes to write, in order, as slices: small frames together in one, the parts of large
/// payloads where they lie.
#[derive(Debug, Clone)]
pub struct Transmit<'a> {
    pub(super) slices: std::slice::Iter<'a, Vec<u8>>,
}

impl<'a> Transmit<'a> {
    /// Fills `slices` for a vectored write; returns how many were filled.
    pub fn fill(&mut self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slot, bytes) in slices.iter_mut().zip(self) {
            *slot = IoSlice::new(bytes);
            filled += 1;
        }
        filled
    }
}

impl<'a> Iterator for Transmit<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.slices.next().map(Vec::as_slice)
    }
}
