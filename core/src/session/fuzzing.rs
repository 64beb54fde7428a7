//! What the fuzz targets call: a session against bytes from anywhere, and what must hold then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::auth::{Accepted, Auth, Proof, Secret};
use super::config::{Config, Limits, Role};
use super::event::{Event, IncomingId};
use super::frame::MAGIC;
use super::head::{HeadReader, HeadWriter};
use super::hello::Hello;
use super::message::{
    Destination, Method, Registration, Request, RequestHeader, Target, Verb, WireError,
};
use super::name::Name;
use super::session::Session;
use super::wire::{Reader, parse_varint, put_varint};

/// More than a session with [`limits`] may hold.
const MEMORY: usize = 2 * 1024 * 1024;
/// Requests of ours that wait for the peer's answers.
const TOKENS: u64 = 4;

fn limits() -> Limits {
    Limits {
        max_frame: 16 * 1024,
        max_message: 32 * 1024,
        max_in_flight: 8,
        max_in_flight_bytes: 64 * 1024,
        max_partial: 2,
        max_names: 4,
        max_bindings: 4,
        ..Limits::default()
    }
}

/// A secret that everybody guesses, so that some of the bytes get past it.
#[derive(Debug)]
struct Guessed;

impl Secret for Guessed {
    fn prove(&self, _message: &[u8]) -> Proof {
        Proof::new([7; 32])
    }

    fn verifies(&self, _message: &[u8], proof: &Proof) -> bool {
        *proof.as_bytes() == [7; 32]
    }
}

/// How a session of this role authenticates by the token `t`.
fn auth(role: Role) -> Option<Auth> {
    let (name, secret) = (Name::new("t").ok()?, Arc::new(Guessed));
    Some(match role {
        Role::Member => Auth::Prove {
            nonce: [3; 32],
            name,
            secret,
        },
        Role::Hub => Auth::Demand {
            nonce: [4; 32],
            accepted: Arc::new(Accepted::new(vec![(name, secret.clone())], secret)),
        },
    })
}

/// Drives a session in the given role with bytes of a peer's. The first byte says how: whether a
/// good Hello goes before the rest, whether a token is asked for and whether its proof goes there
/// too, and how long the reads are; some events are answered.
///
/// Checked is that nothing panics, that memory stays bounded, that nothing is given out before the
/// handshake is done, and that every request of ours has exactly one completion at the end.
pub fn drive(role: Role, input: &[u8]) {
    let Some((&how, bytes)) = input.split_first() else {
        return;
    };
    let mut now = Instant::now();
    let (greeted, tokens, proved) = (how & 1 != 0, how & 8 != 0, how & 16 != 0);
    let config = |role, instance, limits| Config {
        limits,
        auth: tokens.then(|| auth(role)).flatten(),
        ..Config::new([instance; 16])
    };
    let mut peer = Session::new(role.peer(), config(role.peer(), 2, Limits::default()), now);
    let mut session = Session::new(role, config(role, 1, limits()), now);
    let mut ours = Ours::default();
    if greeted {
        let rounds = match (tokens, proved) {
            (false, _) => 2,
            (true, false) => 1,
            (true, true) => 3,
        };
        greet(&mut session, &mut peer, rounds, now);
        ours.start(&mut session, now);
    }
    let read = [1, 3, 17, 4096]
        .get(usize::from(how >> 1 & 3))
        .copied()
        .unwrap_or(1);
    for (turn, piece) in bytes.chunks(read).enumerate() {
        let placed = if turn % 2 == 0 {
            read_to_places(&mut session, piece, now)
        } else {
            0
        };
        session.receive(piece.get(placed..).unwrap_or_default(), now);
        ours.take_events(&mut session);
        let staged = session
            .transmit(now)
            .fold(0_usize, |sum, part| sum.saturating_add(part.len()));
        // A peer that reads half of what there is.
        session.wrote(staged.div_ceil(2), now);
        ours.take_events(&mut session);
        now = now
            .checked_add(Duration::from_millis(u64::from(how >> 5)))
            .unwrap_or(now);
        session.advance(now);
        assert!(session.buffered_bytes() <= MEMORY, "memory is bounded");
        assert!(session.serving() <= 8, "requests in flight are bounded");
    }
    session.receive_eof(now);
    ours.take_events(&mut session);
    assert!(
        session.is_closed() && ours.open == 0,
        "every request has its completion"
    );
}

/// Reads what there is room for, and says how much that was.
fn read_to_places(session: &mut Session, bytes: &[u8], now: Instant) -> usize {
    let mut left = bytes;
    for place in session.room() {
        let (here, behind) = left.split_at(place.len().min(left.len()));
        if let Some(place) = place.get_mut(..here.len()) {
            place.copy_from_slice(here);
        }
        left = behind;
    }
    let came = bytes.len().saturating_sub(left.len());
    session.came(came, now);
    came
}

/// The handshake, and from a hub's side a registration to call.
fn greet(session: &mut Session, peer: &mut Session, rounds: usize, now: Instant) {
    if let (Ok(exchange), Ok(topic)) = (Name::new("x"), Name::new("t")) {
        let server = topic.clone();
        let registration = Registration {
            exchange,
            topic,
            server,
            offers: Vec::new(),
        };
        let _ = session.bind(registration.clone());
        let _ = peer.bind(registration);
    }
    for _ in 0..rounds {
        carry(session, peer, now);
        carry(peer, session, now);
    }
}

fn carry(from: &mut Session, to: &mut Session, now: Instant) {
    let bytes: Vec<u8> = from.transmit(now).flatten().copied().collect();
    from.wrote(bytes.len(), now);
    to.receive(&bytes, now);
}

/// What the session's user does and knows.
#[derive(Default)]
struct Ours {
    open: u64,
    came: u64,
    opened: bool,
    closed: bool,
}

impl Ours {
    /// Some requests, so that there is something to answer.
    fn start(&mut self, session: &mut Session, now: Instant) {
        let bound = loop {
            match session.poll_event() {
                Some(Event::Bind { id, .. }) => break Some(id),
                Some(Event::Opened(_)) => self.opened = true,
                Some(_) => {}
                None => break None,
            }
        };
        let (Ok(exchange), Ok(topic)) = (Name::new("x"), Name::new("t")) else {
            return;
        };
        let method = Method::named(topic.clone());
        let target = Target {
            exchange,
            topic,
            server: None,
        };
        let destination = match bound {
            Some(id) => Destination::Bound(id),
            None => Destination::Topic(target.into()),
        };
        let header = RequestHeader::new(destination, method.into());
        for token in 0..TOKENS {
            let verb = if token == 0 { Verb::Cast } else { Verb::Call };
            let payload = vec![0; if token == 1 { 100_000 } else { 10 }].into();
            let header = header.clone();
            let request = Request {
                token,
                flow: token,
                way: 0,
                verb,
                header,
                payload,
            };
            if session.request(request, now).is_ok() {
                self.open |= 1 << token;
            }
        }
    }

    fn take_events(&mut self, session: &mut Session) {
        while let Some(event) = session.poll_event() {
            assert!(!self.closed, "nothing comes after the end");
            match event {
                Event::Reply { token, .. }
                | Event::Sent { token }
                | Event::Refused { token, .. }
                | Event::Lost { token, .. } => {
                    assert!(self.open & 1 << token != 0, "a second completion");
                    self.open &= !(1 << token);
                }
                Event::Opened(_) => self.opened = true,
                Event::Request { .. } | Event::Bind { .. } if !self.opened => {
                    unreachable!("nothing is given out before the handshake is done")
                }
                Event::Ended { .. } => unreachable!("no call is cancelled here"),
                Event::Beat { token } => {
                    assert!(self.open & 1 << token != 0, "a beat after the end")
                }
                Event::Request { id, .. } => self.answer(session, id),
                Event::Bind { id, .. } => session.bind_result(id, Ok(())),
                Event::Cancelled(id) | Event::CallerLost(id) => session.release(id),
                Event::Closed(_) => self.closed = true,
                Event::Retire { id } => session.retired(id),
                Event::Unbind { .. }
                | Event::Retired { .. }
                | Event::BindResult { .. }
                | Event::Missed { .. }
                | Event::GoingAway { .. } => {}
            }
        }
    }

    /// Answers in every way in turn; every fourth request is left running.
    fn answer(&mut self, session: &mut Session, id: IncomingId) {
        self.came = self.came.wrapping_add(1);
        session.beat(id);
        match self.came % 4 {
            0 => {}
            1 => session.release(id),
            2 => session.reply(id, Err(WireError::bare(1, 1))),
            _ => session.reply(id, Ok(vec![0; 20_000].into())),
        }
    }
}

/// Reads bytes as a number, as a Hello and as the head of a request: what can be read is written
/// back as the same bytes, for there is one encoding only (PR-ENC).
pub fn frame_header(input: &[u8]) {
    if let Ok(Some((value, length))) = parse_varint(input) {
        let mut again = Vec::new();
        put_varint(&mut again, value);
        assert_eq!(
            input.get(..length),
            Some(&again[..]),
            "numbers are canonical"
        );
    }
    if let Ok(hello) = Hello::parse(Reader::new(input)) {
        let mut again = Vec::new();
        hello.put(&mut again);
    }
    for role in [Role::Hub, Role::Member] {
        head(role, input);
    }
    // The magic before it, so that whole streams in the corpus work here too.
    if let Some(rest) = input.strip_prefix(&MAGIC) {
        head(Role::Hub, rest);
    }
}

fn head(role: Role, input: &[u8]) {
    let longest = Duration::MAX;
    let mut reader = Reader::new(input);
    let Ok(head) = HeadReader::new(role, 4, longest).parse(&mut reader) else {
        return;
    };
    let mut again = Vec::new();
    let remaining = head.header.remaining;
    HeadWriter::new(4).put(&mut again, head.step, &head.header, remaining, head.total);
    let mut second = Reader::new(&again);
    // Extensions that were skipped are not written again.
    let same = HeadReader::new(role, 4, longest).parse(&mut second);
    assert_eq!(
        same.map(|same| same.header),
        Ok(head.header),
        "what was read is written"
    );
    assert!(second.is_empty(), "and nothing else");
}
