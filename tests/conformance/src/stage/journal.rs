//! What handlers write down, for the case to read.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What happened, in order. Clones write into the same one.
pub struct Journal<T>(Arc<(Mutex<Vec<T>>, Condvar)>);

impl<T> Clone for Journal<T> {
    fn clone(&self) -> Self {
        Journal(self.0.clone())
    }
}

impl<T> Default for Journal<T> {
    fn default() -> Self {
        Journal::new()
    }
}

impl<T> Journal<T> {
    /// An empty one.
    pub fn new() -> Self {
        Journal(Arc::new((Mutex::new(Vec::new()), Condvar::new())))
    }

    /// Writes `entry` down.
    pub fn note(&self, entry: T) {
        self.lock().push(entry);
        self.0.1.notify_all();
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether nothing was written down.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until there are `count` entries.
    pub fn wait_for(&self, count: usize) {
        let mut entries = self.lock();
        while entries.len() < count {
            entries = self
                .0
                .1
                .wait(entries)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes out what was written down so far.
    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes an entry into a journal when it is dropped: how a case learns that a handler was dropped.
pub struct NoteOnDrop<T>(Journal<T>, Option<T>);

impl<T> NoteOnDrop<T> {
    /// Writes `entry` into `journal` when dropped.
    pub fn new(journal: &Journal<T>, entry: T) -> Self {
        NoteOnDrop(journal.clone(), Some(entry))
    }
}

impl<T> Drop for NoteOnDrop<T> {
    fn drop(&mut self) {
        if let Some(entry) = self.1.take() {
            self.0.note(entry);
        }
    }
}
