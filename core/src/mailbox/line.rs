//! A queue from whose middle one can leave.

use std::collections::VecDeque;

/// A place in a queue. Never valid again once its holder was served or left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// First in, first out; any place can be given up. Who leaves from the middle leaves the place empty until the line has
/// come there, or too many are.
pub(super) struct Line<V> {
    /// By ticket. The first one, if there is any, is not empty.
    places: VecDeque<(Ticket, Option<V>)>,
    len: usize,
    next: u64,
}

/// So many empty places may always be, however few are not.
const FEW: usize = 32;

impl<V> Line<V> {
    pub(super) const fn new() -> Self {
        Line {
            places: VecDeque::new(),
            len: 0,
            next: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The ticket of who comes next.
    pub(super) fn next(&self) -> Ticket {
        Ticket(self.next)
    }

    pub(super) fn push(&mut self, value: V) -> Ticket {
        let ticket = self.next();
        self.next += 1;
        self.len += 1;
        self.places.push_back((ticket, Some(value)));
        ticket
    }

    pub(super) fn first(&self) -> Option<&V> {
        self.places.front()?.1.as_ref()
    }

    pub(super) fn pop(&mut self) -> Option<V> {
        let (_, value) = self.places.pop_front()?;
        self.len -= 1;
        self.drop_empty();
        value
    }

    /// In a time that grows with the logarithm of the length.
    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<V> {
        let at = self.find(ticket)?;
        let value = self.places.get_mut(at)?.1.take()?;
        self.len -= 1;
        self.drop_empty();
        if self.places.len() > 2 * self.len + FEW {
            self.places.retain(|(_, value)| value.is_some());
        }
        Some(value)
    }

    pub(super) fn get_mut(&mut self, ticket: Ticket) -> Option<&mut V> {
        let at = self.find(ticket)?;
        self.places.get_mut(at)?.1.as_mut()
    }

    /// Everything, in order.
    pub(super) fn drain(&mut self) -> Vec<V> {
        self.len = 0;
        let places = self.places.drain(..);
        places.filter_map(|(_, value)| value).collect()
    }

    fn find(&self, ticket: Ticket) -> Option<usize> {
        let found = self
            .places
            .binary_search_by_key(&ticket.0, |(known, _)| known.0);
        found.ok()
    }

    /// Gives up the empty places that the line has come to.
    fn drop_empty(&mut self) {
        while let Some((_, None)) = self.places.front() {
            self.places.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_long_does_not_have_the_empty_places_behind_it_kept() {
        let mut line = Line::new();
        let first = line.push(0);
        for n in 1..10_000 {
            let (one, other) = (line.push(n), line.push(n));
            assert_eq!(line.remove(one), Some(n));
            assert_eq!(line.get_mut(one), None);
            assert!(line.places.len() <= 2 * line.len() + FEW);
            if n % 10 != 0 {
                assert_eq!(line.remove(other), Some(n));
            }
        }
        assert_eq!(line.len(), 1000);
        assert_eq!(line.get_mut(first), Some(&mut 0));
        assert_eq!(line.pop(), Some(0));
        assert_eq!(line.remove(first), None);
        let tens: Vec<_> = (1..1000).map(|n| n * 10).collect();
        assert_eq!(line.drain(), tens);
        assert!(line.is_empty() && line.first().is_none());
    }
}
