//! Frames made by hand, as a peer might that keeps no rule.

use std::time::Instant;

use tidings_core::session::{CloseCode, CloseReason, Closed, Config, Event, Limits, Role, Session};

use crate::pair::output;

pub(crate) const MAGIC: &[u8] = b"\x89TIDING\n";

pub(crate) const HELLO: u8 = 1;
pub(crate) const CALL: u8 = 2;
pub(crate) const CAST: u8 = 3;
pub(crate) const REPLY: u8 = 4;
pub(crate) const FAILURE: u8 = 5;
pub(crate) const REPLY_BEGIN: u8 = 6;
pub(crate) const ENDED: u8 = 8;
pub(crate) const CHUNK: u8 = 9;
pub(crate) const REPLY_CHUNK: u8 = 10;
pub(crate) const CANCEL: u8 = 11;
pub(crate) const CREDIT: u8 = 12;
pub(crate) const PING: u8 = 13;
pub(crate) const PONG: u8 = 14;
pub(crate) const GO_AWAY: u8 = 15;
pub(crate) const CLOSE: u8 = 16;
pub(crate) const BIND: u8 = 17;
pub(crate) const BIND_RESULT: u8 = 18;
pub(crate) const UNBIND: u8 = 19;
pub(crate) const AUTH: u8 = 20;
pub(crate) const AUTH_RESULT: u8 = 21;
pub(crate) const MISSED: u8 = 24;
pub(crate) const RETIRE: u8 = 25;
pub(crate) const RETIRED: u8 = 26;
pub(crate) const BEAT: u8 = 23;

pub(crate) const PARTS: u8 = 32;
pub(crate) const EXTENSIONS: u8 = 16;

pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

pub(crate) fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = varint(body.len() as u64 + 1);
    out.push(kind);
    out.extend(body);
    out
}

pub(crate) fn counted(bytes: &[u8]) -> Vec<u8> {
    [varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// The body of a request to topic `t`, method `m`, with the given flags and what follows the
/// method.
pub(crate) fn request(flags: u8, rest: &[u8]) -> Vec<u8> {
    named(b"t", flags, rest)
}

/// The same to another topic.
pub(crate) fn named(topic: &[u8], flags: u8, rest: &[u8]) -> Vec<u8> {
    let mut body = vec![1, flags, 0];
    body.extend(counted(b"x"));
    body.extend(counted(topic));
    body.extend(counted(b""));
    body.push(0);
    body.extend(counted(b"m"));
    body.extend(counted(b""));
    body.push(0);
    body.extend(rest);
    body
}

/// A request with one extension.
pub(crate) fn extended(tag: u64, value: &[u8]) -> Vec<u8> {
    request(EXTENSIONS, &[vec![1], varint(tag), counted(value)].concat())
}

/// As many offers, of versions 1.0 and on.
pub(crate) fn offers(count: u8) -> Vec<u8> {
    let each = (1..=count).flat_map(|major| [0, major, 0, 0]);
    std::iter::once(count).chain(each).collect()
}

/// A session in the given role that a peer of the other role has just greeted, with what the peer
/// read of it taken away.
pub(crate) fn open(role: Role, limits: Limits, now: Instant) -> Session {
    let mut peer = Session::new(role.peer(), Config::new([7; 16]), now);
    let mut session = Session::new(
        role,
        Config {
            limits,
            ..Config::new([8; 16])
        },
        now,
    );
    for _ in 0..2 {
        session.receive(&output(&mut peer, now), now);
        peer.receive(&output(&mut session, now), now);
    }
    assert!(matches!(session.poll_event(), Some(Event::Opened(_))));
    session
}

pub(crate) fn events(session: &mut Session) -> Vec<Event> {
    std::iter::from_fn(|| session.poll_event()).collect()
}

/// How the session ended, if it has.
pub(crate) fn ended(session: &mut Session) -> Option<Closed> {
    match events(session).pop() {
        Some(Event::Closed(closed)) => Some(closed),
        _ => None,
    }
}

/// Expects that the session ended itself with the code, and told the peer so, last of all.
pub(crate) fn expect_closed(session: &mut Session, code: CloseCode, what: &str, now: Instant) {
    let closed = ended(session).unwrap_or_else(|| panic!("{what}: still open"));
    assert_eq!(
        closed.reason,
        CloseReason::Us(code),
        "{what}: {}",
        closed.text
    );
    let mut body = varint(code.to_u16().into());
    body.extend(counted(closed.text.as_bytes()));
    let notice = frame(CLOSE, &body);
    let told = output(session, now);
    assert!(
        told.ends_with(&notice),
        "{what}: the peer was told {told:?}"
    );
    session.receive(&frame(PING, &[1]), now);
    assert!(
        events(session).is_empty() && !session.has_output(),
        "{what}: it ended"
    );
}
