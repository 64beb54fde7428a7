//! A queue from whose middle one can leave.

/// A place in a queue. Never valid again once its holder was served or left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    index: usize,
    generation: u64,
}

/// First in, first out; any place can be given up in constant time. A doubly linked list in a
/// vector whose places are used again.
pub(super) struct Line<V> {
    places: Vec<Place<V>>,
    first: Option<usize>,
    last: Option<usize>,
    vacant: Vec<usize>,
}

struct Place<V> {
    /// None when the place is vacant.
    value: Option<V>,
    generation: u64,
    before: Option<usize>,
    behind: Option<usize>,
}

impl<V> Line<V> {
    pub(super) const fn new() -> Self {
        Line {
            places: Vec::new(),
            first: None,
            last: None,
            vacant: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.vacant.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn push(&mut self, value: V) -> (Ticket, &mut V) {
        let index = self.vacant.pop().unwrap_or_else(|| {
            self.places.push(Place {
                value: None,
                generation: 0,
                before: None,
                behind: None,
            });
            self.places.len() - 1
        });
        let before = self.last.replace(index);
        match before {
            Some(before) => self.places[before].behind = Some(index),
            None => self.first = Some(index),
        }
        let place = &mut self.places[index];
        place.before = before;
        place.behind = None;
        let ticket = Ticket {
            index,
            generation: place.generation,
        };
        (ticket, place.value.insert(value))
    }

    pub(super) fn first(&self) -> Option<&V> {
        self.places.get(self.first?)?.value.as_ref()
    }

    pub(super) fn pop(&mut self) -> Option<V> {
        self.first.and_then(|index| self.unlink(index))
    }

    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<V> {
        self.get_mut(ticket)?;
        self.unlink(ticket.index)
    }

    pub(super) fn get_mut(&mut self, ticket: Ticket) -> Option<&mut V> {
        let place = self.places.get_mut(ticket.index)?;
        if place.generation == ticket.generation {
            place.value.as_mut()
        } else {
            None
        }
    }

    /// Everything, in order.
    pub(super) fn drain(&mut self) -> Vec<V> {
        let mut drained = Vec::with_capacity(self.len());
        while let Some(value) = self.pop() {
            drained.push(value);
        }
        drained
    }

    fn unlink(&mut self, index: usize) -> Option<V> {
        let place = &mut self.places[index];
        let value = place.value.take()?;
        place.generation += 1;
        let (before, behind) = (place.before, place.behind);
        match before {
            Some(before) => self.places[before].behind = behind,
            None => self.first = behind,
        }
        match behind {
            Some(behind) => self.places[behind].before = before,
            None => self.last = before,
        }
        self.vacant.push(index);
        Some(value)
    }
}
