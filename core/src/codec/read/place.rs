//! Where in the value the reader stands.

use super::reader::Reader;
use crate::codec::kinds::Note;
use crate::codec::unread::Unread;
use crate::codec::watch::Breach;

/// Where in the value the reader stands, and the memory already paid for there.
pub(in crate::codec) struct Place<'r, 'de, N> {
    pub(super) reader: &'r mut Reader<'de>,
    /// Levels that may still open below.
    depth: u16,
    /// Bytes of the place that the value goes into. A value that is larger is behind a pointer.
    pub(super) slot: usize,
    pub(super) note: N,
}

impl<'de> Reader<'de> {
    /// The place of the whole value, of `slot` bytes; what is asked for there is told to `note`.
    pub(in crate::codec) fn root<N: Note>(&mut self, slot: usize, note: N) -> Place<'_, 'de, N> {
        Place {
            depth: self.watch.depth(),
            slot,
            note,
            reader: self,
        }
    }
}

impl<'de, N: Note> Place<'_, 'de, N> {
    /// The same level, in a place of `slot` bytes.
    #[inline]
    pub(super) fn part(&mut self, slot: usize) -> Place<'_, 'de, N> {
        Place {
            reader: self.reader,
            depth: self.depth,
            slot,
            note: self.note,
        }
    }

    /// One level down, for a value of `size` bytes: what exceeds the place is charged.
    #[inline]
    pub(super) fn enter(&mut self, size: usize) -> Result<(), Unread> {
        let watch = &mut self.reader.watch;
        let Some(depth) = self.depth.checked_sub(1) else {
            return Err(watch.refuse(Breach::Depth));
        };
        self.depth = depth;
        if size > self.slot {
            watch.charge(size - self.slot)?;
        }
        Ok(())
    }

    /// The type wants to be told what comes.
    pub(super) fn untyped(self) -> Unread {
        self.reader.watch.refuse(Breach::Untyped)
    }
}
