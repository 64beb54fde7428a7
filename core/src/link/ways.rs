//! The ways that requests of one connection take: one for each destination, so that one that is stuck does not hold up
//! the others (C-OV-2).

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

use super::outbox::{Outgoing, To};
use crate::bus::{Head, Verb};
use crate::mailbox::Limits;
use crate::name::{Exchange, ServerName, Topic};
use crate::name_map::IdMap;
use crate::overload::WhenFull;
use crate::session::{BindId, Session};

/// Where requests go, as both ends of the outbox know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Bound(BindId),
    Named(Exchange, Topic, Option<ServerName>),
}

impl Place {
    fn of(to: To, head: &Head) -> Place {
        match to {
            To::Bound(id) => Place::Bound(id),
            To::Named => Place::Named(
                head.exchange.clone(),
                head.topic.clone(),
                head.server.clone(),
            ),
        }
    }

    pub(super) fn is_of(&self, to: To, head: &Head) -> bool {
        match (self, to) {
            (Place::Bound(known), To::Bound(id)) => *known == id,
            (Place::Named(exchange, topic, server), To::Named) => {
                (topic, server, exchange) == (&head.topic, &head.server, &head.exchange)
            }
            _ => false,
        }
    }
}

/// The ways of one connection's requests, and what is set aside on each.
pub(super) struct Ways {
    hasher: RandomState,
    by_place: IdMap<u64, usize>,
    all: Vec<Way>,
    /// The one used last: most requests go the same way again.
    last: usize,
    /// Where the search for one that may be forgotten goes on.
    turn: usize,
    /// Those with requests set aside.
    lines: Vec<usize>,
    aside: Held,
}

struct Way {
    /// The hash of its place.
    key: u64,
    /// The same for all ways on which a server may be reached.
    lane: u64,
    place: Place,
    line: VecDeque<Outgoing>,
    held: Held,
    /// Its senders are told that there is no room.
    full: bool,
}

/// Requests, and the bytes of their payhelds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) requests: usize,
    pub(super) bytes: usize,
}

impl Held {
    fn add(&mut self, bytes: usize) {
        self.requests += 1;
        self.bytes += bytes;
    }

    fn take(&mut self, bytes: usize) {
        self.requests -= 1;
        self.bytes -= bytes;
    }
}

/// Ways that are remembered; beyond that, one without anything set aside is forgotten for each new one, which is counted
/// together with whatever the session still has of that: less fair for a moment, and no more than that.
const REMEMBERED: usize = 4096;

impl Ways {
    pub(super) fn new() -> Ways {
        Ways {
            hasher: RandomState::new(),
            by_place: IdMap::default(),
            all: Vec::new(),
            last: 0,
            turn: 0,
            lines: Vec::new(),
            aside: Held::default(),
        }
    }

    /// The way of a request.
    pub(super) fn of(&mut self, to: To, head: &Head) -> usize {
        if let Some(way) = self.all.get(self.last) {
            if way.place.is_of(to, head) {
                return self.last;
            }
        }
        let key = match to {
            To::Bound(id) => self.hasher.hash_one(id),
            To::Named => self.hasher.hash_one((
                head.exchange.as_str(),
                head.topic.as_str(),
                head.server.as_ref().map(|server| server.as_str()),
            )),
        };
        let known = self.by_place.get(&key).copied();
        self.last = known.unwrap_or_else(|| self.begin(key, Place::of(to, head)));
        self.last
    }

    fn begin(&mut self, key: u64, place: Place) -> usize {
        let lane = match &place {
            Place::Bound(_) => key,
            Place::Named(exchange, topic, _) => {
                self.hasher.hash_one((exchange.as_str(), topic.as_str()))
            }
        };
        let way = Way {
            key,
            lane,
            place,
            line: VecDeque::new(),
            held: Held::default(),
            full: false,
        };
        let index = self.next_to_forget().unwrap_or(self.all.len());
        match self.all.get_mut(index) {
            Some(forgotten) => {
                self.by_place.remove(&forgotten.key);
                *forgotten = way;
            }
            None => self.all.push(way),
        }
        self.by_place.insert(key, index);
        index
    }

    /// The next one in turn that has nothing, when there are many.
    fn next_to_forget(&mut self) -> Option<usize> {
        if self.all.len() < REMEMBERED {
            return None;
        }
        let turns = (self.turn..self.all.len()).chain(0..self.turn);
        let is_empty = |index: &usize| {
            let way = self.all.get(*index);
            way.is_some_and(|way| way.line.is_empty() && way.held == Held::default() && !way.full)
        };
        let found = turns.into_iter().find(is_empty)?;
        self.turn = found + 1;
        Some(found)
    }

    /// A number for all that has to keep its order with what goes this way: requests to one topic may be for one server,
    /// whether they name it or not (C-VB-4).
    pub(super) fn lane(&self, way: usize) -> u64 {
        self.all.get(way).map_or(0, |way| way.lane)
    }

    /// What is set aside on all ways.
    pub(super) fn aside(&self) -> Held {
        self.aside
    }

    /// Whether requests on this way wait behind others of it.
    pub(super) fn has_line(&self, way: usize) -> bool {
        self.all.get(way).is_some_and(|way| !way.line.is_empty())
    }

    /// Sets a request aside.
    pub(super) fn set_aside(&mut self, way: usize, outgoing: Outgoing) {
        let weight = outgoing.delivery.weight();
        let Some(line) = self.all.get_mut(way) else {
            return; // Ways are given out by `of`.
        };
        if line.line.is_empty() {
            self.lines.push(way);
        }
        line.held.add(weight);
        self.aside.add(weight);
        line.line.push_back(outgoing);
    }

    /// Whether the senders on a way are told that there is no room.
    pub(super) fn is_full(&self, way: usize) -> bool {
        self.all.get(way).is_some_and(|way| way.full)
    }

    /// Whether a way has come to hold as much as it may: as much as is left for all.
    pub(super) fn fills_up(&mut self, way: usize, limits: Limits) -> bool {
        let left = (
            limits.items.saturating_sub(self.aside.requests),
            limits.bytes.saturating_sub(self.aside.bytes),
        );
        let Some(way) = self.all.get_mut(way) else {
            return false;
        };
        let full = way.held.requests >= left.0 || way.held.bytes >= left.1;
        full && !std::mem::replace(&mut way.full, true)
    }

    /// Whether a way that was full has room again: a quarter of what it held when it was alone.
    pub(super) fn has_room_again(&mut self, way: usize, limits: Limits) -> bool {
        let Some(way) = self.all.get_mut(way) else {
            return false;
        };
        let room = way.held.requests <= limits.items / 8 && way.held.bytes <= limits.bytes / 8;
        room && std::mem::replace(&mut way.full, false)
    }

    /// The next request that was set aside and may go now.
    pub(super) fn next(&mut self, session: &Session) -> Option<(usize, Outgoing)> {
        let at = self.lines.iter().position(|&way| {
            let first = self.all.get(way).and_then(|way| way.line.front());
            first.is_some_and(|first| may_go(session, way, first))
        })?;
        let way = self.lines.remove(at);
        let line = self.all.get_mut(way)?;
        let outgoing = line.line.pop_front()?;
        if !line.line.is_empty() {
            self.lines.push(way); // The others have their turn first.
        }
        self.left(way, &outgoing);
        Some((way, outgoing))
    }

    /// The ways that have something set aside.
    pub(super) fn lines(&self) -> Vec<usize> {
        self.lines.clone()
    }

    /// Takes out what nobody waits for any more, or is too late, on a way.
    pub(super) fn purge(&mut self, way: usize, now: Instant) -> Vec<Outgoing> {
        self.take_where(way, |outgoing| {
            let in_flight = outgoing.delivery.in_flight();
            in_flight.is_cancelled() || in_flight.head().is_late(now)
        })
    }

    fn take_where(&mut self, way: usize, goes: impl Fn(&Outgoing) -> bool) -> Vec<Outgoing> {
        let Some(line) = self.all.get_mut(way) else {
            return Vec::new();
        };
        let (gone, kept): (Vec<_>, Vec<_>) = line.line.drain(..).partition(goes);
        line.line.extend(kept);
        if line.line.is_empty() {
            self.lines.retain(|known| *known != way);
        }
        for outgoing in &gone {
            self.left(way, outgoing);
        }
        gone
    }

    /// Takes out all that is set aside on a way.
    pub(super) fn take_line(&mut self, way: usize) -> Vec<Outgoing> {
        self.take_where(way, |_| true)
    }

    /// Takes out the oldest cast on a way that gives its place to newer ones.
    pub(super) fn take_oldest_lossy(&mut self, way: usize) -> Option<Outgoing> {
        let line = &mut self.all.get_mut(way)?.line;
        let at = line.iter().position(|outgoing| {
            let head = outgoing.delivery.in_flight().head();
            head.when_full == WhenFull::DropOldest && head.verb == Verb::Cast
        })?;
        let oldest = line.remove(at)?;
        if line.is_empty() {
            self.lines.retain(|known| *known != way);
        }
        self.left(way, &oldest);
        Some(oldest)
    }

    fn left(&mut self, way: usize, outgoing: &Outgoing) {
        let weight = outgoing.delivery.weight();
        self.aside.take(weight);
        if let Some(way) = self.all.get_mut(way) {
            way.held.take(weight);
        }
    }

    /// Takes everything out that is set aside.
    pub(super) fn drain(&mut self) -> Vec<Outgoing> {
        self.aside = Held::default();
        let mut drained = Vec::new();
        for way in self.lines.drain(..) {
            if let Some(way) = self.all.get_mut(way) {
                way.held = Held::default();
                way.full = false;
                drained.extend(way.line.drain(..));
            }
        }
        drained
    }

    pub(super) fn place(&self, way: usize) -> Option<&Place> {
        self.all.get(way).map(|way| &way.place)
    }
}

/// Whether the session has room for a request, and others on other ways still have some after it.
pub(super) fn may_go(session: &Session, way: usize, outgoing: &Outgoing) -> bool {
    let size = outgoing.delivery.weight();
    session.can_accept(size) && session.is_fair(way as u64, size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::{Delivery, InFlight};
    use crate::name::Method;
    use crate::payload::Payload;

    fn head(topic: &str) -> Head {
        let (topic, method) = (Topic::new(topic).unwrap(), Method::new("m").unwrap());
        Head::new(Verb::Cast, Exchange::DEFAULT, topic, method, Instant::now())
    }

    #[test]
    fn however_many_ways_are_taken_one_that_is_stuck_keeps_its_place() {
        let mut ways = Ways::new();
        let stuck = ways.of(To::Named, &head("stuck"));
        let record = InFlight::new(head("stuck"), None, None);
        let outgoing = Outgoing {
            delivery: Delivery::new(record, Payload::Bytes(Vec::new())),
            to: To::Named,
            load: None,
        };
        ways.set_aside(stuck, outgoing);
        for n in 0..3 * REMEMBERED {
            ways.of(To::Named, &head(&format!("t{n}")));
        }
        assert_eq!(
            (ways.all.len(), ways.by_place.len()),
            (REMEMBERED, REMEMBERED)
        );
        assert_eq!(ways.of(To::Named, &head("stuck")), stuck);
        assert!(ways.has_line(stuck));
    }
}
