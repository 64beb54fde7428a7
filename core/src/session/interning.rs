//! Dictionaries: what is often named is told once and then meant by a small number (PR-NAME-3).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::code::CloseCode;
use super::message::{Caller, Method, Target};
use super::wire::{Parsed, Reader, put_name, put_optional_name, put_size, put_varint, violation};

/// A literal that is not to be remembered.
const LITERAL: u64 = 0;
/// A literal that becomes the next entry.
const DEFINE: u64 = 1;
/// The reference to the first entry.
const FIRST: u64 = 2;

/// What a dictionary can hold.
pub(super) trait Entry: Ord + Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn parse(reader: &mut Reader<'_>) -> Parsed<Self>;
}

/// The sender's side of a dictionary. An entry given by the same `Arc` as lately is found by its
/// address; by value otherwise.
#[derive(Debug)]
pub(super) struct Told<T> {
    lately: Vec<Option<(Arc<T>, u64)>>,
    known: BTreeMap<Arc<T>, u64>,
    limit: usize,
}

/// Places for what was used lately: so many at first, and at most; powers of two.
const FEWEST: usize = 4;
const MOST: usize = 64;

impl<T: Entry> Told<T> {
    /// A dictionary of at most `limit` entries, the receiver's limit.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            lately: Vec::new(),
            known: BTreeMap::new(),
            limit,
        }
    }

    /// Writes a reference to `entry`, with the entry itself where the peer does not know it.
    #[inline]
    pub(super) fn put(&mut self, entry: &Arc<T>, out: &mut Vec<u8>) {
        let place = self.place_of(entry);
        if let Some(Some((known, reference))) = self.lately.get(place) {
            // The cache holds the Arc, so its address cannot belong to another entry by now.
            if Arc::ptr_eq(known, entry) {
                put_varint(out, *reference);
                return;
            }
        }
        let reference = match self.known.get(entry) {
            Some(&reference) => {
                put_varint(out, reference);
                reference
            }
            None if self.known.len() < self.limit => {
                put_varint(out, DEFINE);
                entry.put(out);
                let reference = FIRST.saturating_add(self.known.len() as u64);
                self.known.insert(entry.clone(), reference);
                reference
            }
            None => {
                put_varint(out, LITERAL);
                entry.put(out);
                return;
            }
        };
        self.used(entry, reference);
    }

    /// Remembers what was used. Where it would take the place of another, there are too few: those who name two in turn
    /// would look each of them up by value.
    #[cold]
    fn used(&mut self, entry: &Arc<T>, reference: u64) {
        loop {
            let (places, place) = (self.lately.len(), self.place_of(entry));
            match self.lately.get_mut(place) {
                Some(slot) if slot.is_none() || places == MOST => {
                    *slot = Some((entry.clone(), reference));
                    return;
                }
                _ => self.make_places(places.saturating_mul(2).clamp(FEWEST, MOST)),
            }
        }
    }

    fn make_places(&mut self, places: usize) {
        let known = std::mem::take(&mut self.lately);
        self.lately.resize_with(places, || None);
        for entry in known.into_iter().flatten() {
            let place = self.place_of(&entry.0);
            if let Some(slot) = self.lately.get_mut(place) {
                *slot = Some(entry);
            }
        }
    }

    /// None of those that there are, where there are none.
    fn place_of(&self, entry: &Arc<T>) -> usize {
        // Neighbouring allocations differ in the bits above the lowest four.
        (Arc::as_ptr(entry) as usize >> 4) & self.lately.len().wrapping_sub(1)
    }
}

/// The receiver's side of a dictionary.
#[derive(Debug)]
pub(super) struct Heard<T> {
    entries: Vec<Arc<T>>,
    limit: usize,
}

impl<T: Entry> Heard<T> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            entries: Vec::new(),
            limit,
        }
    }

    /// Reads what [`Told::put`] wrote.
    #[inline]
    pub(super) fn parse(&mut self, reader: &mut Reader<'_>) -> Parsed<Arc<T>> {
        let reference = reader.varint()?;
        let Some(index) = reference.checked_sub(FIRST) else {
            let entry = Arc::new(T::parse(reader)?);
            if reference == DEFINE {
                if self.entries.len() >= self.limit {
                    return violation(CloseCode::DictionaryFull, "more names than allowed");
                }
                self.entries.push(entry.clone());
            }
            return Ok(entry);
        };
        match usize::try_from(index)
            .ok()
            .and_then(|index| self.entries.get(index))
        {
            Some(entry) => Ok(entry.clone()),
            None => violation(CloseCode::UnknownId, "a name that was never told"),
        }
    }
}

impl Entry for Target {
    fn put(&self, out: &mut Vec<u8>) {
        put_name(out, &self.exchange);
        put_name(out, &self.topic);
        put_optional_name(out, self.server.as_ref());
    }

    fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        Ok(Self {
            exchange: reader.name()?,
            topic: reader.name()?,
            server: reader.optional_name()?,
        })
    }
}

const HAS_VERSION: u8 = 1;
const HAS_FINGERPRINT: u8 = 2;

impl Entry for Method {
    fn put(&self, out: &mut Vec<u8>) {
        put_name(out, &self.name);
        put_optional_name(out, self.namespace.as_ref());
        let version = self.version.map_or(0, |_| HAS_VERSION);
        let fingerprint = self.fingerprint.map_or(0, |_| HAS_FINGERPRINT);
        out.push(version | fingerprint);
        if let Some((major, minor, patch)) = self.version {
            for part in [major, minor, patch] {
                put_size(out, part.into());
            }
        }
        if let Some(fingerprint) = self.fingerprint {
            out.extend_from_slice(&fingerprint.to_le_bytes());
        }
    }

    fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        let name = reader.name()?;
        let namespace = reader.optional_name()?;
        let flags = reader.flags(HAS_VERSION | HAS_FINGERPRINT)?;
        let mut version = None;
        if flags & HAS_VERSION != 0 {
            version = Some((reader.u16()?, reader.u16()?, reader.u16()?));
        }
        let mut fingerprint = None;
        if flags & HAS_FINGERPRINT != 0 {
            fingerprint = Some(u64::from_le_bytes(reader.array()?));
        }
        Ok(Self {
            name,
            namespace,
            version,
            fingerprint,
        })
    }
}

const HAS_UID: u8 = 1;
const HAS_GID: u8 = 2;
const HAS_PID: u8 = 4;

impl Entry for Caller {
    fn put(&self, out: &mut Vec<u8>) {
        put_name(out, &self.transport);
        put_optional_name(out, self.name.as_ref());
        let ids = [
            (self.uid, HAS_UID),
            (self.gid, HAS_GID),
            (self.pid, HAS_PID),
        ];
        out.push(
            ids.iter()
                .fold(0, |flags, (id, bit)| flags | id.map_or(0, |_| *bit)),
        );
        for id in ids.into_iter().filter_map(|(id, _)| id) {
            put_varint(out, id.into());
        }
    }

    fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        let transport = reader.name()?;
        let name = reader.optional_name()?;
        let flags = reader.flags(HAS_UID | HAS_GID | HAS_PID)?;
        let mut id = |bit| {
            if flags & bit == 0 {
                Ok(None)
            } else {
                reader.u32().map(Some)
            }
        };
        Ok(Self {
            transport,
            uid: id(HAS_UID)?,
            gid: id(HAS_GID)?,
            pid: id(HAS_PID)?,
            name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::name::Name;
    use super::*;

    fn target(topic: &str) -> Arc<Target> {
        let exchange = Name::new("x").unwrap();
        Arc::new(Target {
            exchange,
            topic: Name::new(topic).unwrap(),
            server: None,
        })
    }

    #[test]
    fn a_name_is_told_once_and_literals_follow_a_full_dictionary() {
        let (mut told, mut heard) = (Told::new(2), Heard::new(2));
        let (a, b, c) = (target("a"), target("b"), target("c"));
        let same_as_a = target("a");
        for (entry, length) in [
            (&a, 6),
            (&a, 1),
            (&same_as_a, 1),
            (&b, 6),
            (&c, 6),
            (&c, 6),
            (&b, 1),
            (&a, 1),
        ] {
            let mut out = Vec::new();
            told.put(entry, &mut out);
            assert_eq!(out.len(), length, "{entry:?}");
            assert_eq!(&heard.parse(&mut Reader::new(&out)).unwrap(), entry);
        }
        let mut full = vec![DEFINE as u8];
        c.put(&mut full);
        let error = heard.parse(&mut Reader::new(&full)).unwrap_err();
        assert_eq!(error.code, CloseCode::DictionaryFull);
        let error = heard.parse(&mut Reader::new(&[4])).unwrap_err();
        assert_eq!(error.code, CloseCode::UnknownId);
    }

    #[test]
    fn places_for_what_was_used_lately_are_made_as_they_are_needed() {
        let (mut told, mut out) = (Told::new(usize::MAX), Vec::new());
        let first = target("first");
        told.put(&first, &mut out);
        told.put(&first, &mut out);
        assert_eq!(told.lately.len(), FEWEST);
        let more: Vec<_> = (0..1000).map(|n| target(&format!("t{n}"))).collect();
        for entry in &more {
            told.put(entry, &mut out);
            let place = told.place_of(entry);
            let (lately, _) = told.lately[place].as_ref().unwrap();
            assert!(Arc::ptr_eq(lately, entry));
        }
        assert_eq!(told.lately.len(), MOST);
        assert!(told.lately.iter().all(Option::is_some));
        // Each of them by the reference that it was given, wherever it is found.
        out.clear();
        let mut wanted = Vec::new();
        for (n, entry) in (FIRST..).zip([&first].into_iter().chain(&more)) {
            told.put(entry, &mut out);
            put_varint(&mut wanted, n);
        }
        assert_eq!(out, wanted);
    }

    #[test]
    fn every_entry_comes_back_as_it_was() {
        let name = |text| Name::new(text).unwrap();
        let method = Method {
            name: name("m"),
            namespace: Some(name("n")),
            version: Some((1, 65_535, 0)),
            fingerprint: Some(u64::MAX),
        };
        let caller = Caller {
            transport: name("unix"),
            uid: Some(0),
            gid: None,
            pid: Some(u32::MAX),
            name: Some(name("ada")),
        };
        let mut out = Vec::new();
        method.put(&mut out);
        caller.put(&mut out);
        let mut reader = Reader::new(&out);
        assert_eq!(Method::parse(&mut reader), Ok(method));
        assert_eq!(Caller::parse(&mut reader), Ok(caller));
        assert!(reader.is_empty());
    }
}
