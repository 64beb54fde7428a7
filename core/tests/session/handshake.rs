//! Before anything else: Hello.

use std::time::{Duration, Instant};

use tidings_core::session::{CloseCode, CloseReason, Config, Event, Limits, Role, Session};

use crate::pair::{Pair, call, output};
use crate::raw::*;

fn session(role: Role, now: Instant) -> Session {
    Session::new(role, Config::new([1; 16]), now)
}

/// A Hello frame of a member's with these versions and limits.
fn hello(versions: (u8, u8), max_frame: u64, max_message: u64, window: u64) -> Vec<u8> {
    let mut body = vec![1, versions.0, versions.1, 0];
    for number in [max_frame, max_message, 10, window, 4, 4] {
        body.extend(varint(number));
    }
    body.extend([9; 16]);
    body.extend(counted(b"test"));
    body.push(0);
    frame(HELLO, &body)
}

fn good() -> Vec<u8> {
    hello((1, 1), 65_536, 65_536, 65_536)
}

#[test]
fn both_learn_who_the_other_is_and_what_they_have_in_common() {
    let now = Instant::now();
    let config = |instance, capabilities, versions| Config {
        capabilities,
        versions,
        ..Config::new([instance; 16])
    };
    let mut hub = Session::new(Role::Hub, config(1, 0b0111, (1, 3)), now);
    let mut member = Session::new(Role::Member, config(2, 0b1101, (2, 9)), now);
    assert!(!hub.has_output(), "a hub waits");
    hub.receive(&output(&mut member, now), now);
    member.receive(&output(&mut hub, now), now);
    for (session, instance) in [(&mut hub, 2), (&mut member, 1)] {
        let Some(Event::Opened(peer)) = session.poll_event() else {
            panic!()
        };
        assert_eq!((peer.version, peer.capabilities), (3, 0b0101));
        assert_eq!((peer.instance, peer.max_in_flight), ([instance; 16], 1024));
        assert!(peer.software.starts_with("tidings/"));
        assert!(session.is_open());
    }
}

#[test]
fn whatever_else_connects_is_left_without_a_word() {
    let now = Instant::now();
    let strangers: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"\x89TIDINGS",
        b"\0",
    ];
    for stranger in strangers {
        for role in [Role::Hub, Role::Member] {
            let mut session = session(role, now);
            output(&mut session, now);
            for byte in stranger {
                session.receive(&[*byte], now);
            }
            let closed = ended(&mut session).unwrap();
            let CloseReason::NotTidings(first) = closed.reason else {
                panic!("{closed:?}")
            };
            let differs = MAGIC
                .iter()
                .zip(stranger)
                .take_while(|(a, b)| a == b)
                .count();
            assert_eq!(first[..=differs], stranger[..=differs]);
            assert!(!session.has_output());
        }
    }
}

#[test]
fn the_first_frame_is_hello_and_small_and_in_time() {
    let now = Instant::now();
    let broken = |bytes: &[u8], code| {
        let mut session = session(Role::Hub, now);
        session.receive(&[MAGIC, bytes].concat(), now);
        expect_closed(&mut session, code, "P8", now);
    };
    broken(&frame(CALL, &request(0, b"")), CloseCode::HandshakeRequired);
    broken(&frame(PING, &[1]), CloseCode::HandshakeRequired);
    broken(&frame(0x80, b""), CloseCode::HandshakeRequired);
    broken(&frame(CLOSE, &[0, 0]), CloseCode::HandshakeRequired);
    broken(&varint(4097), CloseCode::HandshakeTooLarge);
    broken(&hello((1, 1), 16_383, 65_536, 65_536), CloseCode::Malformed);
    broken(&hello((1, 1), 65_536, 16_383, 65_536), CloseCode::Malformed);
    broken(&hello((1, 1), 65_536, 65_536, 65_535), CloseCode::Malformed);
    broken(&hello((2, 1), 65_536, 65_536, 65_536), CloseCode::Malformed);
    broken(&[good(), good()].concat(), CloseCode::UnexpectedFrame);
    let mut hub_hello = good();
    hub_hello[2] = 0;
    broken(&hub_hello, CloseCode::WrongRole);

    for sent in [0, 8, 20] {
        let mut session = session(Role::Hub, now);
        session.receive(&[MAGIC, &good()[..]].concat()[..sent], now);
        let limit = now + Duration::from_secs(5);
        assert_eq!(session.next_deadline(), Some(limit));
        session.advance(limit - Duration::from_nanos(1));
        assert!(!session.is_closed());
        session.advance(limit);
        if sent == 0 {
            let reason = ended(&mut session).unwrap().reason;
            assert_eq!(reason, CloseReason::Us(CloseCode::HandshakeTimeout));
            assert!(
                !session.has_output(),
                "nothing to whom nothing came from (S20)"
            );
        } else {
            expect_closed(&mut session, CloseCode::HandshakeTimeout, "P9", now);
        }
    }
}

#[test]
fn requests_may_follow_a_members_hello_at_once() {
    let now = Instant::now();
    let mut hub = session(Role::Hub, now);
    hub.receive(
        &[MAGIC, &good(), &frame(CALL, &request(0, b"hi"))].concat(),
        now,
    );
    let events = events(&mut hub);
    assert!(
        matches!(events[..], [Event::Opened(_), Event::Request { .. }]),
        "{events:?}"
    );
}

#[test]
fn without_a_common_version_both_sides_know_both() {
    let now = Instant::now();
    let mut hub = session(Role::Hub, now);
    let config = Config {
        versions: (4, 6),
        ..Config::new([1; 16])
    };
    let mut member = Session::new(Role::Member, config, now);
    hub.receive(&output(&mut member, now), now);
    member.receive(&output(&mut hub, now), now);
    let reason = |ours, theirs| CloseReason::VersionMismatch { ours, theirs };
    assert_eq!(ended(&mut hub).unwrap().reason, reason((1, 1), (4, 6)));
    assert_eq!(ended(&mut member).unwrap().reason, reason((4, 6), (1, 1)));
}

#[test]
fn a_hub_may_refuse_before_its_hello() {
    let now = Instant::now();
    let mut pair = Pair::new();
    pair.member.request(call(1, vec![]), now).unwrap();
    pair.hub.receive(MAGIC, now);
    pair.hub.close(CloseCode::TooManyConnections, "full");
    let refusal = output(&mut pair.hub, now);
    pair.member.receive(&refusal, now);
    let events = events(&mut pair.member);
    assert_eq!(
        events[0],
        Event::Lost {
            token: 1,
            handed_over: false
        }
    );
    let Event::Closed(closed) = &events[1] else {
        panic!()
    };
    assert_eq!(
        closed.reason,
        CloseReason::Peer(CloseCode::TooManyConnections)
    );
    assert_eq!(closed.text, "full");
}

#[test]
fn a_stream_that_ends_within_something_is_truncated() {
    let now = Instant::now();
    let whole = [MAGIC, &good()].concat();
    for cut in 0..=whole.len() {
        let mut session = session(Role::Hub, now);
        session.receive(&whole[..cut], now);
        session.receive_eof(now);
        let reason = ended(&mut session).unwrap().reason;
        let between = [0, MAGIC.len(), whole.len()].contains(&cut);
        let expected = if between {
            CloseReason::Eof
        } else {
            CloseReason::Truncated
        };
        assert_eq!(reason, expected, "{cut}");
    }
}

#[test]
fn limits_below_the_floor_are_raised_so_that_both_can_work() {
    let none = Limits {
        max_frame: 0,
        max_message: 0,
        max_in_flight: 0,
        max_in_flight_bytes: 0,
        max_partial: 0,
        max_names: 0,
        queue_requests: 0,
        queue_bytes: 0,
        ..Limits::default()
    };
    let mut pair = Pair::with(none.clone(), none);
    for token in 0..3 {
        pair.member
            .request(call(token, vec![0; 16 * 1024]), pair.now)
            .unwrap();
        pair.settle();
        let [(id, _)] = pair.at_hub().try_into().unwrap();
        pair.hub.reply(id, Ok(vec![0; 16 * 1024].into()));
        pair.settle();
    }
    assert!(pair.member.is_empty() && pair.hub.is_empty());
}
