//! A table indexed by ids that strictly increase.

use std::collections::{BTreeMap, VecDeque};

/// How far apart the ids of entries may lie that are reached by index alone.
const SPAN: usize = 4096;
/// How many ids may be left out: ours are without gaps, and a peer's gaps must not cost time.
const GAP: u64 = 64;

/// Entries by id: a ring for the newest ids, so that the usual entry costs no search, and a tree
/// for those that stay long, so that one slow call does not make the ring grow without end.
#[derive(Debug)]
pub(super) struct Window<T> {
    base: u64,
    ring: VecDeque<Option<T>>,
    old: BTreeMap<u64, T>,
    live: usize,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self {
            base: 0,
            ring: VecDeque::new(),
            old: BTreeMap::new(),
            live: 0,
        }
    }
}

impl<T> Window<T> {
    /// Adds an entry; `id` is above every id that was added before.
    #[inline]
    pub(super) fn insert(&mut self, id: u64, entry: T) {
        if self.ring.is_empty() {
            self.base = id;
        }
        let gap = id
            .saturating_sub(self.base)
            .saturating_sub(self.ring.len() as u64);
        if gap >= GAP {
            self.age(0);
            self.base = id;
        } else if gap > 0 {
            self.ring.extend((0..gap).map(|_| None));
        }
        self.ring.push_back(Some(entry));
        self.live = self.live.saturating_add(1);
        self.age(SPAN);
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        match self.index(id) {
            Some(index) => self.ring.get_mut(index)?.as_mut(),
            None => self.old.get_mut(&id),
        }
    }

    #[inline]
    pub(super) fn remove(&mut self, id: u64) -> Option<T> {
        let entry = match self.index(id) {
            Some(index) => self.ring.get_mut(index)?.take(),
            None => self.old.remove(&id),
        }?;
        self.live = self.live.saturating_sub(1);
        while let Some(None) = self.ring.front() {
            self.ring.pop_front();
            self.base = self.base.saturating_add(1);
        }
        Some(entry)
    }

    /// Gives back memory that a quiet session does not need.
    pub(super) fn shrink(&mut self) {
        self.ring.shrink_to_fit();
    }

    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// All entries, by rising id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let ring = (self.base..).zip(&self.ring);
        let ring = ring.filter_map(|(id, entry)| Some((id, entry.as_ref()?)));
        self.old.iter().map(|(&id, entry)| (id, entry)).chain(ring)
    }

    fn index(&self, id: u64) -> Option<usize> {
        usize::try_from(id.checked_sub(self.base)?).ok()
    }

    /// Moves what is oldest to the tree until the ring has at most `length` places.
    fn age(&mut self, length: usize) {
        while self.ring.len() > length {
            if let Some(Some(entry)) = self.ring.pop_front() {
                self.old.insert(self.base, entry);
            }
            self.base = self.base.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_however_old_and_far_apart() {
        const LAST: u64 = u64::MAX >> 1;
        let mut window = Window::default();
        let ids = [
            0,
            1,
            5,
            4000,
            4097,
            9000,
            1 << 40,
            (1 << 40) + 1,
            LAST - 1,
            LAST,
        ];
        for id in ids {
            window.insert(id, id);
            assert!(window.ring.len() <= SPAN);
        }
        assert_eq!(window.iter().map(|(id, _)| id).collect::<Vec<_>>(), ids);
        assert_eq!(window.get_mut(2), None);
        for id in [
            4000,
            0,
            LAST,
            1 << 40,
            1,
            5,
            9000,
            4097,
            LAST - 1,
            (1 << 40) + 1,
        ] {
            assert_eq!(window.get_mut(id), Some(&mut id.clone()));
            assert_eq!(window.remove(id), Some(id));
            assert_eq!(window.remove(id), None);
        }
        assert_eq!(
            (window.len(), window.ring.len(), window.old.len()),
            (0, 0, 0)
        );
    }

    #[test]
    fn one_slow_entry_does_not_grow_the_ring() {
        let mut window = Window::default();
        window.insert(0, 0);
        for id in 1..100_000 {
            window.insert(id, id);
            window.remove(id);
        }
        assert!(window.ring.len() <= SPAN && window.ring.capacity() <= 4 * SPAN);
        assert_eq!(window.remove(0), Some(0));
    }
}
