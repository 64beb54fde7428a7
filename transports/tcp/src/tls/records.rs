//! Between plain bytes and TLS records: what rustls has to do next is done, and what it leaves to others kept.

use std::cell::RefCell;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::{ClientConfig, CommonState, ServerConfig};

use super::step::{End, OVERHEAD, Step, Wish};
use super::words;

/// Plain bytes of one record, at most (RFC 8446, 5.1).
const RECORD: usize = 16 * 1024;
/// Plain bytes that are sealed in one go.
const SEALED: usize = 4 * RECORD;
/// Bytes that are received in one go, with those before them that are not whole: more than any message.
pub(super) const RECEIVED: usize = 128 * 1024;
/// How much memory a connection keeps for what it sends next.
const KEPT: usize = 1024;

// One of each for a thread, not for a connection: nothing in them is of use to the next one.
thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; RECEIVED].into_boxed_slice());
    static GATHERED: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(RECORD));
}

/// One end of a connection under TLS, without input and output.
///
/// What it keeps is bounded: the beginning of a message, the plain bytes of one [`receive`](Self::receive), the records of
/// one [`seal`](Self::seal).
pub(super) struct Records {
    end: End,
    /// What came, and is not whole yet.
    incoming: Vec<u8>,
    /// Plain bytes for which there was no room.
    opened: Vec<u8>,
    outgoing: Vec<u8>,
    /// How many of the outgoing bytes have left.
    sent: usize,
    is_closed: bool,
    /// What rustls does from then on is not defined.
    has_failed: bool,
}

impl Records {
    pub(super) fn client(config: Arc<ClientConfig>, name: ServerName<'static>) -> io::Result<Self> {
        let end = UnbufferedClientConnection::new(config, name);
        let mut records = Records::of(End::Client(end.map_err(io::Error::other)?));
        // The first word is the client's.
        records.open(&mut [], &mut Room::new(&mut []))?;
        Ok(records)
    }

    pub(super) fn server(config: Arc<ServerConfig>) -> io::Result<Self> {
        let end = UnbufferedServerConnection::new(config);
        Ok(Records::of(End::Server(end.map_err(io::Error::other)?)))
    }

    fn of(end: End) -> Records {
        Records {
            end,
            incoming: Vec::new(),
            opened: Vec::new(),
            outgoing: Vec::new(),
            sent: 0,
            is_closed: false,
            has_failed: false,
        }
    }

    /// What the handshake has come to.
    pub(super) fn state(&self) -> &CommonState {
        self.end.state()
    }

    /// The peer has said that nothing more comes.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Whether there are plain bytes to [take](Self::take).
    pub(super) fn has_opened(&self) -> bool {
        !self.opened.is_empty()
    }

    /// How many they are.
    #[cfg(test)]
    pub(super) fn opened(&self) -> usize {
        self.opened.len()
    }

    /// Moves plain bytes that were opened before to `room`.
    pub(super) fn take(&mut self, room: &mut Room<'_, '_>) {
        if self.has_opened() {
            let taken = room.put(&self.opened);
            self.opened = self.opened.split_off(taken);
        }
    }

    /// Reads once, by `read`, opens all that is whole, and moves it to `room`: what has no room is to be taken. The
    /// next step of a handshake is there to be sent. Says how many bytes were read, and whether there may be more.
    pub(super) fn receive(
        &mut self,
        room: &mut Room<'_, '_>,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<(usize, bool)> {
        self.check()?;
        BUFFER.with_borrow_mut(|buffer| {
            let held = self.incoming.len();
            let (before, behind) = buffer
                .split_at_mut_checked(held)
                .filter(|(_, behind)| !behind.is_empty())
                .ok_or_else(words::too_long)?;
            let received = read(behind)?;
            let is_full = received == behind.len();
            before.copy_from_slice(&mem::take(&mut self.incoming));
            let records = buffer.get_mut(..held + received).unwrap_or_default();
            self.open(records, room)?;
            Ok((received, is_full))
        })
    }

    fn open(&mut self, records: &mut [u8], room: &mut Room<'_, '_>) -> io::Result<()> {
        let mut done = 0;
        let outcome = loop {
            let rest = records.get_mut(done..).unwrap_or_default();
            let opened = &mut self.opened;
            let put = &mut |plain: &[u8]| {
                let put = if opened.is_empty() {
                    room.put(plain)
                } else {
                    0
                };
                opened.extend_from_slice(plain.get(put..).unwrap_or_default());
            };
            let (used, step) = self.end.step(rest, put, &mut self.outgoing, Wish::Wait);
            done += used;
            match step {
                Ok(Step::First) => {}
                Ok(Step::Closed) => self.is_closed = true,
                Ok(Step::Granted | Step::Waits) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.incoming = records.get(done..).unwrap_or_default().to_vec();
        outcome.map_err(|error| self.failed(error))
    }

    /// Whether rustls may still be asked.
    fn check(&self) -> io::Result<()> {
        if self.has_failed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }

    /// The peer is to be told why.
    fn failed(&mut self, error: io::Error) -> io::Error {
        self.has_failed = true;
        while self.state().wants_write() {
            let put = &mut |_: &[u8]| {};
            let (_, step) = self
                .end
                .step(&mut self.incoming, put, &mut self.outgoing, Wish::Wait);
            if step.is_err() {
                break;
            }
        }
        error
    }

    /// The first of the plain bytes in `slices`, as records to be sent; says how many they are.
    pub(super) fn seal(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let all: usize = slices.iter().map(|slice| slice.len()).sum();
        let sealed = all.min(SEALED);
        let records = sealed.div_ceil(RECORD);
        self.outgoing.reserve(sealed + records * OVERHEAD);
        GATHERED.with_borrow_mut(|gathered| {
            gathered.clear(); // One that failed has left its bytes there.
            let mut left = sealed;
            for slice in slices {
                let mut rest = slice.get(..left.min(slice.len())).unwrap_or_default();
                left -= rest.len();
                while !rest.is_empty() {
                    let (part, behind) = rest.split_at(rest.len().min(RECORD - gathered.len()));
                    rest = behind;
                    if part.len() == RECORD {
                        self.seal_record(part)?;
                        continue;
                    }
                    gathered.extend_from_slice(part);
                    if gathered.len() == RECORD {
                        self.seal_record(gathered)?;
                        gathered.clear();
                    }
                }
            }
            if !gathered.is_empty() {
                self.seal_record(gathered)?;
            }
            Ok(sealed)
        })
    }

    fn seal_record(&mut self, plain: &[u8]) -> io::Result<()> {
        loop {
            match self.step(Wish::Seal(plain))? {
                Step::First | Step::Closed => {}
                Step::Granted => return Ok(()),
                Step::Waits => return Err(io::ErrorKind::NotConnected.into()),
            }
        }
    }

    /// Has the peer told that nothing more comes, where the handshake has ended.
    pub(super) fn close(&mut self) {
        while let Ok(Step::First | Step::Closed) = self.step(Wish::Close) {}
    }

    fn step(&mut self, wish: Wish<'_>) -> io::Result<Step> {
        self.check()?;
        // rustls remembers a message that is not whole by where it stands.
        let (incoming, opened) = (&mut self.incoming, &mut self.opened);
        let put = &mut |plain: &[u8]| opened.extend_from_slice(plain);
        let (used, step) = self.end.step(incoming, put, &mut self.outgoing, wish);
        self.incoming.drain(..used);
        self.is_closed |= matches!(step, Ok(Step::Closed));
        step.map_err(|error| self.failed(error))
    }

    /// Whether there is something to be sent.
    pub(super) fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// What is to be sent.
    pub(super) fn outgoing(&self) -> &[u8] {
        self.outgoing.get(self.sent..).unwrap_or_default()
    }

    /// So much of it was sent.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.sent >= self.outgoing.len() {
            self.sent = 0;
            self.outgoing.clear();
            if self.outgoing.capacity() > KEPT {
                self.outgoing = Vec::new();
            }
        }
    }
}

/// Where plain bytes are moved to, one slice after the other.
pub(super) struct Room<'a, 'b> {
    left: &'a mut [IoSliceMut<'b>],
    filled: usize,
}

impl<'a, 'b> Room<'a, 'b> {
    pub(super) fn new(slices: &'a mut [IoSliceMut<'b>]) -> Room<'a, 'b> {
        Room {
            left: slices,
            filled: 0,
        }
    }

    /// How many were.
    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    fn put(&mut self, bytes: &[u8]) -> usize {
        let mut put = 0;
        while let (Some(place), Some(rest @ [_, ..])) = (self.left.first_mut(), bytes.get(put..)) {
            let count = place.len().min(rest.len());
            if let (Some(place), Some(part)) = (place.get_mut(..count), rest.get(..count)) {
                place.copy_from_slice(part);
            }
            put += count;
            IoSliceMut::advance_slices(&mut self.left, count);
        }
        self.filled += put;
        put
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::VecDeque;

    use rcgen::{CertificateParams, KeyPair};

    use super::super::{Client, Tls};
    use super::*;
    use crate::places::{Host, Place};

    /// What a member and a hub that trust each other are made with.
    pub(in crate::tls) fn ends() -> (Client, Arc<ServerConfig>) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["hub.test".into()]).unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let hub = Tls::new().certificate(pem.clone(), key.serialize_pem());
        let place = Place {
            host: Host::Name("hub.test".into()),
            port: 1,
        };
        let client = Tls::new().ca(pem).client(&[place]).unwrap();
        (client, hub.server().unwrap())
    }

    /// Both ends of a connection, and what is on its way to each.
    struct Pair {
        ends: [Records; 2],
        ways: [VecDeque<u8>; 2],
        came: [Vec<u8>; 2],
        /// How many bytes have left.
        left: usize,
        /// Which of them is another one when it comes.
        spoiled: Option<usize>,
    }

    impl Pair {
        fn new() -> Pair {
            let (client, hub) = ends();
            Pair {
                ends: [
                    Records::client(client.config.clone(), client.names[0].clone()).unwrap(),
                    Records::server(hub).unwrap(),
                ],
                ways: [VecDeque::new(), VecDeque::new()],
                came: [Vec::new(), Vec::new()],
                left: 0,
                spoiled: None,
            }
        }

        /// Moves what there is to move, at most so many bytes at a time, to an end with so much room for plain bytes.
        fn carry(&mut self, most: usize, room: usize) -> io::Result<()> {
            let mut outcome = Ok(());
            let mut has_moved = true;
            while has_moved && outcome.is_ok() {
                has_moved = false;
                for (from, to) in [(0, 1), (1, 0)] {
                    while self.ends[from].has_outgoing() {
                        for &byte in self.ends[from].outgoing() {
                            let is_spoiled = self.spoiled == Some(self.left);
                            self.ways[to].push_back(if is_spoiled { !byte } else { byte });
                            self.left += 1;
                        }
                        let sent = self.ends[from].outgoing().len();
                        self.ends[from].sent(sent);
                    }
                    while !self.ways[to].is_empty() && outcome.is_ok() {
                        has_moved = true;
                        outcome = self.receive(to, most, room);
                    }
                }
            }
            outcome
        }

        fn receive(&mut self, to: usize, most: usize, room: usize) -> io::Result<()> {
            let mut places = [vec![0; room], vec![0; room]];
            let way = &mut self.ways[to];
            let read = |buffer: &mut [u8]| {
                let count = buffer.len().min(most).min(way.len());
                for (place, byte) in buffer.iter_mut().zip(way.drain(..count)) {
                    *place = byte;
                }
                Ok(count)
            };
            let mut slices = places.each_mut().map(|place| IoSliceMut::new(place));
            let mut into = Room::new(&mut slices);
            let outcome = self.ends[to].receive(&mut into, read).map(drop);
            let filled = into.filled();
            self.came(to, places, filled);
            while self.ends[to].has_opened() {
                let mut places = [vec![0; 100], vec![0; 1]];
                let mut slices = places.each_mut().map(|place| IoSliceMut::new(place));
                let mut into = Room::new(&mut slices);
                self.ends[to].take(&mut into);
                let filled = into.filled();
                self.came(to, places, filled);
            }
            outcome
        }

        fn came(&mut self, to: usize, places: [Vec<u8>; 2], filled: usize) {
            self.came[to].extend(places.concat().iter().take(filled));
        }

        fn seal(&mut self, from: usize, slices: &[&[u8]]) {
            let mut slices: Vec<_> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
            let mut left = &mut slices[..];
            while !left.is_empty() {
                let sealed = self.ends[from].seal(left).unwrap();
                IoSlice::advance_slices(&mut left, sealed);
            }
        }
    }

    fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|n| (n % 251) as u8).collect()
    }

    #[test]
    fn what_one_end_seals_the_other_opens_however_it_is_cut() {
        for (most, room) in [
            (1, 1),
            (7, 64 * 1024),
            (1000, 0),
            (RECEIVED, 3),
            (RECEIVED, 1 << 20),
        ] {
            let mut pair = Pair::new();
            pair.carry(most, room).unwrap();
            let sizes: &[usize] = if most < 1000 {
                &[1, 20_000]
            } else {
                &[1, RECORD - 1, RECORD, 3 * RECORD + 1, 200_000]
            };
            for from in [0, 1] {
                let mut expected = Vec::new();
                for &size in sizes {
                    let plain = bytes(size);
                    pair.seal(from, &[&plain[..size / 3], &[], &plain[size / 3..], b"end"]);
                    expected.extend_from_slice(&plain);
                    expected.extend_from_slice(b"end");
                    pair.carry(most, room).unwrap();
                }
                assert!(pair.came[1 - from] == expected, "{most} at a time");
            }
            assert!(pair.ends.iter().all(|end| !end.state().is_handshaking()));
        }
    }

    #[test]
    fn a_byte_that_is_changed_on_its_way_brings_no_other_bytes_and_tells_the_peer() {
        let mut said = 0;
        let all = exchange(None).0.left;
        for at in (0..all).step_by(5) {
            let (pair, outcome) = exchange(Some(at));
            for (came, sent) in pair.came.iter().zip([ANSWER, QUESTION]) {
                assert!(came.is_empty() || came == sent, "byte {at}: {came:?}");
            }
            let Err(error) = outcome else {
                continue; // A few say nothing, like the version before there is one.
            };
            assert!(error.to_string().starts_with("TLS: "), "byte {at}: {error}");
            said += 1;
            for mut end in pair.ends {
                if end.has_failed {
                    assert!(end.receive(&mut Room::new(&mut []), |_| Ok(1)).is_err());
                    assert!(end.seal(&[IoSlice::new(b"more")]).is_err());
                    end.close();
                }
            }
        }
        assert!(said > all / 6, "{said} of {all}");
    }

    const QUESTION: &[u8] = b"question";
    const ANSWER: &[u8] = b"answer";

    fn exchange(spoiled: Option<usize>) -> (Pair, io::Result<()>) {
        let mut pair = Pair::new();
        pair.spoiled = spoiled;
        let mut outcome = pair.carry(RECEIVED, 64);
        for (from, plain) in [(0, QUESTION), (1, ANSWER)] {
            if outcome.is_ok() && !pair.ends[from].state().is_handshaking() {
                pair.seal(from, &[plain]);
                outcome = pair.carry(RECEIVED, 64);
            }
        }
        (pair, outcome)
    }

    #[test]
    fn who_does_not_speak_tls_is_told_so_in_its_words() {
        let mut pair = Pair::new();
        pair.ends[0].sent(usize::MAX);
        pair.ways[1].extend(b"tidings, without TLS");
        let error = pair.carry(RECEIVED, 64).unwrap_err();
        assert!(error.to_string().contains("does not speak TLS"), "{error}");
        assert_eq!(pair.ways[0].front(), Some(&21), "an alert");
    }

    #[test]
    fn a_message_of_a_handshake_that_does_not_end_is_not_kept() {
        let mut pair = Pair::new();
        let mut record = vec![22, 3, 3, 0x40, 0];
        record.extend([1, 0xff, 0xff, 0xff]);
        record.resize(5 + RECORD, 0);
        for _ in 0..2 * RECEIVED / RECORD {
            pair.ways[1].extend(&record);
        }
        pair.carry(RECEIVED, 64).unwrap_err();
        assert!(pair.ends[1].incoming.len() <= RECEIVED);
    }

    #[test]
    fn the_end_is_heard_behind_all_that_was_said() {
        let mut pair = Pair::new();
        pair.carry(RECEIVED, 64).unwrap();
        pair.seal(0, &[b"last words"]);
        pair.ends[0].close();
        pair.carry(RECEIVED, 64).unwrap();
        assert!(pair.came[1] == b"last words" && pair.ends[1].is_closed());
        assert!(!pair.ends[0].is_closed());
        // And the other way still is open.
        pair.seal(1, &[b"heard"]);
        pair.carry(RECEIVED, 64).unwrap();
        assert_eq!(pair.came[0], b"heard");
    }

    #[test]
    fn a_connection_that_was_busy_keeps_no_more_memory_than_others() {
        let mut pair = Pair::new();
        pair.carry(RECEIVED, 64).unwrap();
        let plain = bytes(1 << 20);
        for from in [0, 1] {
            pair.seal(from, &[&plain]);
            pair.carry(RECEIVED, 64).unwrap();
            assert!(pair.came[1 - from] == plain);
        }
        for end in &pair.ends {
            assert!(end.outgoing.capacity() <= KEPT);
            assert_eq!(end.incoming.capacity() + end.opened.capacity(), 0);
        }
    }
}
