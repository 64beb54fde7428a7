//! What is noted of a value while it is written or read.

use super::{Kind, Run, Sum};

/// Notes what comes, or does nothing.
pub(in crate::codec) trait Note: Copy {
    /// What is kept of a collection meanwhile.
    type Run: Default;

    /// A value of this kind comes.
    fn note(self, kind: Kind);

    /// So many bytes come in one.
    fn bytes(self, count: usize);

    /// An element comes.
    fn begin(self, run: &mut Self::Run);

    /// It has ended.
    fn end(self, run: &mut Self::Run);
}

/// For types that were compared by their fingerprints: nothing is noted, at no cost.
#[derive(Clone, Copy)]
pub(in crate::codec) struct Silent;

impl Note for Silent {
    type Run = ();

    #[inline]
    fn note(self, _kind: Kind) {}
    #[inline]
    fn bytes(self, _count: usize) {}
    #[inline]
    fn begin(self, (): &mut ()) {}
    #[inline]
    fn end(self, (): &mut ()) {}
}

/// For types that were not.
impl Note for &Sum {
    type Run = Run;

    #[inline]
    fn note(self, kind: Kind) {
        Sum::note(self, kind);
    }
    fn bytes(self, count: usize) {
        Sum::bytes(self, count);
    }
    #[inline]
    fn begin(self, run: &mut Run) {
        Sum::begin(self, run);
    }
    #[inline]
    fn end(self, run: &mut Run) {
        Sum::end(self, run);
    }
}
