//! A table whose keys are given out by itself and never mean another entry later.

use super::event::RequestId;

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    entry: Option<T>,
}

/// Entries by [`RequestId`]: the index of a slot and how often the slot was used before.
#[derive(Debug)]
pub(super) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    pub(super) fn insert(&mut self, entry: T) -> RequestId {
        if let Some(index) = self.free.pop() {
            if let Some(slot) = self.slots.get_mut(index as usize) {
                slot.entry = Some(entry);
                return RequestId {
                    index,
                    generation: slot.generation,
                };
            }
        }
        // The queue and the credit are limited far below 2^32.
        let index = self.slots.len() as u32;
        self.slots.push(Slot {
            generation: 0,
            entry: Some(entry),
        });
        RequestId {
            index,
            generation: 0,
        }
    }

    pub(super) fn get_mut(&mut self, id: RequestId) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation == id.generation {
            slot.entry.as_mut()
        } else {
            None
        }
    }

    pub(super) fn get(&self, id: RequestId) -> Option<&T> {
        let slot = self.slots.get(id.index as usize)?;
        if slot.generation == id.generation {
            slot.entry.as_ref()
        } else {
            None
        }
    }

    /// Takes an entry out. It is looked at where it lies, before: that costs less than to move it.
    pub(super) fn remove(&mut self, id: RequestId) {
        let slot = self.slots.get_mut(id.index as usize);
        let Some(slot) = slot.filter(|slot| slot.generation == id.generation) else {
            return;
        };
        if slot.entry.is_some() {
            slot.entry = None;
            slot.generation = slot.generation.wrapping_add(1);
            self.free.push(id.index);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }

    /// The ids of all entries.
    pub(super) fn ids(&self) -> Vec<RequestId> {
        let ids = (0..)
            .zip(&self.slots)
            .filter(|(_, slot)| slot.entry.is_some());
        ids.map(|(index, slot)| RequestId {
            index,
            generation: slot.generation,
        })
        .collect()
    }
}
