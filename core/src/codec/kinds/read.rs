//! What the guard notes of what is asked of it.

use super::{Kind, Run, Sum};

/// Notes what is asked for, or does nothing.
pub(in crate::codec) trait Note: Copy {
    /// What is kept of a collection while it is read.
    type Run: Default;

    /// A value of this kind is asked for.
    fn note(self, kind: Kind);

    /// A string of bytes was read in one.
    fn bytes(self, bytes: &[u8]);

    /// An element is asked for.
    fn begin(self, run: &mut Self::Run);

    /// It was read.
    fn end(self, run: &mut Self::Run);

    /// There was none: the collection has ended.
    fn none(self, run: &mut Self::Run);
}

/// For types that were compared by their fingerprints: nothing is noted, at no cost.
#[derive(Clone, Copy)]
pub(in crate::codec) struct Silent;

impl Note for Silent {
    type Run = ();

    #[inline]
    fn note(self, _kind: Kind) {}
    #[inline]
    fn bytes(self, _bytes: &[u8]) {}
    #[inline]
    fn begin(self, (): &mut ()) {}
    #[inline]
    fn end(self, (): &mut ()) {}
    #[inline]
    fn none(self, (): &mut ()) {}
}

/// For types that were not.
impl Note for &Sum {
    type Run = Run;

    #[inline]
    fn note(self, kind: Kind) {
        Sum::note(self, kind);
    }
    fn bytes(self, bytes: &[u8]) {
        Sum::bytes(self, bytes);
    }
    #[inline]
    fn begin(self, run: &mut Run) {
        Sum::begin(self, run);
    }
    #[inline]
    fn end(self, run: &mut Run) {
        Sum::end(self, run);
    }
    #[inline]
    fn none(self, run: &mut Run) {
        Sum::none(self, run);
    }
}
