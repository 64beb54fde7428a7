//! What was handed to the session and is not done: one entry for each request, found by a token.

use std::sync::Arc;

use super::outbox::Load;
use crate::bus::InFlight;
use crate::reply::Reply;
use crate::session::RequestId;

/// One request that the session has.
pub(super) struct Entry {
    pub(super) in_flight: Arc<InFlight>,
    /// The session's own name for it, once it has accepted it.
    pub(super) id: Option<RequestId>,
    pub(super) load: Option<Load>,
}

impl Entry {
    /// Decides the outcome. The server's load is less by one before anybody hears of that: who is
    /// woken and calls again must not find it busy with what is over.
    pub(super) fn finish(self, reply: Reply) {
        drop(self.load);
        self.in_flight.finish(reply);
    }
}

/// The token of what nobody asks about: a cast of this process, which no server's load counts. None is ever given out
/// for an entry.
pub(super) const UNTRACKED: u64 = u64::MAX;

/// A slab whose tokens are never used twice: a late cancel finds nothing.
#[derive(Default)]
pub(super) struct Pending {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    entry: Option<Entry>,
}

impl Pending {
    /// Adds an entry; the token names it.
    pub(super) fn insert(&mut self, entry: Entry) -> u64 {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.slots.push(Slot::default());
                // Bounded by the session's own limits, far below.
                (self.slots.len() - 1) as u32
            }
        };
        let slot = &mut self.slots[index as usize];
        slot.entry = Some(entry);
        u64::from(slot.generation) << 32 | u64::from(index)
    }

    pub(super) fn get(&mut self, token: u64) -> Option<&mut Entry> {
        self.slot(token)?.entry.as_mut()
    }

    pub(super) fn remove(&mut self, token: u64) -> Option<Entry> {
        let slot = self.slot(token)?;
        let entry = slot.entry.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(token as u32);
        Some(entry)
    }

    /// Takes everything out.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Entry> {
        self.free.clear();
        std::mem::take(&mut self.slots)
            .into_iter()
            .filter_map(|slot| slot.entry)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn slot(&mut self, token: u64) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(token as u32 as usize)?;
        (u64::from(slot.generation) == token >> 32).then_some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::{Head, Verb};
    use crate::name::{Exchange, Method, Topic};

    fn entry() -> Entry {
        let (topic, method) = (Topic::new("t").unwrap(), Method::new("m").unwrap());
        let head = Head::new(
            Verb::Cast,
            Exchange::DEFAULT,
            topic,
            method,
            std::time::Instant::now(),
        );
        Entry {
            in_flight: InFlight::new(head, None, None),
            id: None,
            load: None,
        }
    }

    #[test]
    fn a_token_out_of_date_finds_nothing_though_its_place_is_taken_again() {
        let mut pending = Pending::default();
        let first = pending.insert(entry());
        assert!(pending.remove(first).is_some());
        let second = pending.insert(entry());
        assert_ne!(first, second);
        assert!(pending.get(first).is_none() && pending.remove(first).is_none());
        assert!(pending.get(second).is_some());
        assert_eq!(pending.len(), 1);
    }
}
