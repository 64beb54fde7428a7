//! Floods and silences: what a peer may do how often, and how long it may wait.

use std::time::{Duration, Instant};

use tidings_core::session::{
    CloseCode, CloseReason, Event, Limits, Offer, Refusal, Registration, Role, error_code,
    fate_code,
};

use crate::pair::{Pair, call, output, registration};
use crate::raw::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn requests_above_the_credit_are_refused_and_far_above_end_the_session() {
    let now = Instant::now();
    let limits = Limits {
        max_in_flight: 3,
        ..Limits::default()
    };
    let mut session = open(Role::Hub, limits, now);
    let one = frame(CALL, &request(0, b""));
    session.receive(&one.repeat(5), now);
    assert_eq!(events(&mut session).len(), 3);
    assert_eq!(session.serving(), 3);
    let refusal = |distance: u8| {
        let content = [
            distance,
            error_code::OVERLOADED as u8,
            fate_code::NOT_EXECUTED,
            0,
            0,
        ];
        frame(FAILURE, &content)
    };
    assert_eq!(output(&mut session, now), [refusal(8), refusal(2)].concat());
    session.receive(&one.repeat(30), now);
    assert!(session.is_open() && events(&mut session).is_empty());
    session.receive(&one, now);
    let all = events(&mut session);
    let Some(Event::Closed(closed)) = all.last() else {
        panic!("{all:?}")
    };
    assert_eq!(closed.reason, CloseReason::Us(CloseCode::Overloaded));
}

#[test]
fn opening_and_cancelling_without_end_never_runs_more_than_the_limit() {
    let now = Instant::now();
    let limits = Limits {
        max_in_flight: 3,
        ..Limits::default()
    };
    let mut session = open(Role::Hub, limits, now);
    let mut running = 0;
    for number in 1..=20_000_u64 {
        session.receive(&frame(CALL, &request(0, b"")), now);
        session.receive(&frame(CANCEL, &varint(2 * number + 1)), now);
        let came = events(&mut session);
        running += came
            .iter()
            .filter(|event| matches!(event, Event::Request { .. }))
            .count();
        assert!(running <= 3, "a cancel frees no slot (C-DL-4)");
        output(&mut session, now);
        assert!(session.buffered_bytes() < 1000);
    }
    assert!(session.is_open());
}

#[test]
fn pings_are_answered_once_for_many_and_too_many_end_the_session() {
    let now = Instant::now();
    let mut session = open(Role::Hub, Limits::default(), now);
    for number in 1..=100 {
        session.receive(&frame(PING, &[number]), now);
    }
    assert_eq!(output(&mut session, now), frame(PONG, &[100]));
    session.receive(&frame(PING, &[101]), now);
    expect_closed(&mut session, CloseCode::PingFlood, "P21", now);

    let mut session = open(Role::Hub, Limits::default(), now);
    for number in 0..1000 {
        session.receive(&frame(PING, &[1]), now + ms(10 * number));
    }
    assert!(session.is_open(), "a hundred a second are allowed");
}

#[test]
fn frames_that_move_nothing_end_the_session_when_there_are_too_many() {
    let limits = Limits {
        idle_frames_per_second: 50,
        ..Limits::default()
    };
    let now = Instant::now();
    let kinds = [frame(0x80, b""), frame(PONG, &[9]), frame(CANCEL, &[3])];
    for (index, idle) in kinds.into_iter().enumerate() {
        let mut session = open(Role::Hub, limits.clone(), now);
        if index == 2 {
            // A call that is answered: cancels of it are late.
            session.receive(&frame(CALL, &request(0, b"")), now);
            let [Event::Request { id, .. }] = events(&mut session)[..] else {
                panic!()
            };
            session.reply(id, Ok(vec![].into()));
            output(&mut session, now);
        }
        session.receive(&idle.repeat(50), now);
        assert!(session.is_open(), "{idle:?}");
        session.receive(&idle, now);
        expect_closed(&mut session, CloseCode::FrameFlood, "P5, P19, P23", now);
    }
}

#[test]
fn a_frame_that_was_begun_has_thirty_seconds() {
    let start = Instant::now();
    let mut session = open(Role::Hub, Limits::default(), start);
    let bytes = frame(CALL, &request(0, b"some payload"));
    // One byte every five seconds keeps the connection alive, and does not help.
    for (index, byte) in bytes.iter().take(6).enumerate() {
        let now = start + ms(5000 * index as u64);
        session.receive(&[*byte], now);
        session.advance(now);
        assert!(session.is_open());
    }
    assert_eq!(session.next_deadline(), Some(start + ms(30_000)));
    session.advance(start + ms(29_999));
    assert!(session.is_open());
    session.advance(start + ms(30_000));
    expect_closed(&mut session, CloseCode::FrameTimeout, "P2", start);
}

#[test]
fn a_peer_that_does_not_read_is_given_up_after_ten_seconds_without_progress() {
    let start = Instant::now();
    let mut session = open(Role::Member, Limits::default(), start);
    session.request(call(1, vec![0; 100_000]), start).unwrap();
    assert!(session.transmit(start).count() > 0);
    session.wrote(10, start + ms(9000));
    session.advance(start + ms(18_999));
    assert!(session.is_open());
    // It is heard, so it is not dead; it only does not read.
    session.receive(&frame(PING, &[1]), start + ms(18_000));
    session.advance(start + ms(19_000));
    let all = events(&mut session);
    assert_eq!(
        all[0],
        Event::Lost {
            token: 1,
            handed_over: false
        }
    );
    let Some(Event::Closed(closed)) = all.last() else {
        panic!()
    };
    assert_eq!(closed.reason, CloseReason::Us(CloseCode::WriteStall));
    assert!(!session.has_output());
}

#[test]
fn silence_is_asked_about_after_fifteen_seconds_and_ends_after_thirty() {
    let mut pair = Pair::new();
    pair.settle();
    let start = pair.now;
    for _ in 0..10 {
        pair.pass(ms(15_000));
        assert!(pair.hub.has_output() && pair.member.has_output());
        pair.settle();
    }
    assert!(pair.hub.is_open() && pair.member.is_open());
    assert!(
        pair.carried.0 < 300,
        "a ping and a pong each time: {}",
        pair.carried.0
    );
    // Now the link is silent.
    pair.pass(ms(15_000));
    let _ = output(&mut pair.member, pair.now);
    assert_eq!(
        pair.member.next_deadline(),
        Some(start + ms(11 * 15_000 + 15_000))
    );
    pair.member.advance(pair.now + ms(14_999));
    assert!(pair.member.is_open());
    pair.member.advance(pair.now + ms(15_000));
    let closed = ended(&mut pair.member).unwrap();
    assert_eq!(closed.reason, CloseReason::Us(CloseCode::PeerDead));
}

#[test]
fn a_process_that_was_stopped_asks_before_it_gives_up() {
    let now = Instant::now();
    let mut session = open(Role::Hub, Limits::default(), now);
    let later = now + ms(3_600_000);
    session.advance(later);
    assert!(session.is_open());
    let ping = output(&mut session, later);
    assert_eq!(ping, frame(PING, &[1]));
    session.receive(&frame(PONG, &[1]), later + ms(10));
    session.advance(later + ms(14_000));
    assert!(session.is_open());
}

#[test]
fn an_answer_that_is_not_read_keeps_its_slot() {
    let now = Instant::now();
    let limits = Limits {
        max_in_flight: 4,
        reply_bytes: 1000,
        ..Limits::default()
    };
    let mut session = open(Role::Hub, limits, now);
    session.receive(&frame(CALL, &request(0, b"")).repeat(4), now);
    assert!(session.reply_room());
    for event in events(&mut session) {
        let Event::Request { id, .. } = event else {
            panic!()
        };
        session.reply(id, Ok(vec![0; 60_000].into()));
    }
    assert!(!session.reply_room(), "the driver is to hold results back");
    // Two are staged for a socket that takes nothing; the others still have their slots.
    let _ = session.transmit(now).count();
    assert_eq!(session.serving(), 2);
    let staged = session.buffered_bytes();
    let _ = session.transmit(now).count();
    assert_eq!(session.buffered_bytes(), staged);
}

#[test]
fn a_deadline_from_afar_is_cut_to_the_longest_that_is_taken() {
    let now = Instant::now();
    let mut session = open(Role::Hub, Limits::default(), now);
    session.receive(&frame(CALL, &request(1, &varint(u64::MAX))), now);
    let [Event::Request { header, .. }] = &events(&mut session)[..] else {
        panic!()
    };
    assert_eq!(header.remaining, Some(Duration::from_secs(3600)));
}

#[test]
fn a_frame_of_the_longest_length_passes() {
    let now = Instant::now();
    for (length, passes) in [(65_535, true), (65_536, true), (65_537, false)] {
        let mut session = open(Role::Hub, Limits::default(), now);
        session.receive(&frame(0x80, &vec![0; length - 1]), now);
        assert_eq!(session.is_open(), passes, "{length}");
    }
}

#[test]
fn registrations_are_bounded_on_both_sides() {
    let limits = |max_bindings| Limits {
        max_bindings,
        ..Limits::default()
    };
    let mut pair = Pair::with(limits(2), limits(3));
    let ids: Vec<_> = (0..3)
        .map(|_| pair.member.bind(registration()).unwrap())
        .collect();
    let refusal = pair.member.bind(registration());
    assert_eq!(refusal, Err(Refusal::TooManyBindings));
    pair.settle();
    let bound = pair
        .hub_events
        .iter()
        .filter(|event| matches!(event, Event::Bind { .. }));
    assert_eq!(bound.count(), 2);
    let Some(Event::BindResult {
        id,
        result: Err(refusal),
    }) = pair.member_events.pop()
    else {
        panic!("{:?}", pair.member_events)
    };
    assert_eq!((id, refusal.code), (ids[2], error_code::OVERLOADED));
    // One that is withdrawn makes room, on both sides.
    pair.member.unbind(ids[0]);
    pair.settle();
    pair.member.bind(registration()).unwrap();
    pair.settle();
    assert!(matches!(pair.hub_events.pop(), Some(Event::Bind { .. })));
}

/// PR-BIND-5
#[test]
fn a_registration_names_32_offers_at_most() {
    let mut pair = Pair::new();
    let offering = |count: u16| {
        let offer = |major| Offer {
            namespace: None,
            version: (major, 0, 0),
        };
        Registration {
            offers: (1..=count).map(offer).collect(),
            ..registration()
        }
    };
    let refused = pair.member.bind(offering(33));
    assert_eq!(refused, Err(Refusal::TooManyOffers));
    // None at all is a registration as well, and written as nothing.
    for count in [0, 32] {
        pair.hub_events.clear();
        let id = pair.member.bind(offering(count)).unwrap();
        pair.settle();
        let registration = offering(count);
        let expected = Event::Bind { id, registration };
        assert_eq!(pair.hub_events.pop(), Some(expected));
    }
}

#[test]
fn a_member_that_binds_without_end_and_does_not_read_is_stopped() {
    let now = Instant::now();
    let mut session = open(
        Role::Hub,
        Limits {
            max_bindings: 2,
            ..Limits::default()
        },
        now,
    );
    for id in 1..100 {
        session.receive(&frame(BIND, &[&[id][..], b"\x01x\x01t\x01s"].concat()), now);
        for event in events(&mut session) {
            match event {
                Event::Bind { id, .. } => session.bind_result(id, Ok(())),
                Event::Closed(closed) => {
                    assert_eq!(closed.reason, CloseReason::Us(CloseCode::Overloaded));
                    return;
                }
                Event::Unbind { .. } => {}
                Event::Retire { id } => session.retired(id),
                other => panic!("{other:?}"),
            }
        }
        // Answered as well.
        session.receive(&frame(RETIRE, &[id]), now);
        session.receive(&frame(UNBIND, &[id]), now);
    }
    panic!("still open");
}

/// FAULTS-P24: whoever calls for more than it reads loses answers, and nobody's memory grows without bound.
#[test]
fn answers_that_are_not_read_are_dropped_beyond_their_limit() {
    let limits = Limits {
        unread_bytes: 100_000,
        reply_bytes: 30_000,
        ..Limits::default()
    };
    let mut pair = Pair::with(limits, Limits::default());
    pair.settle();
    for token in 0..6 {
        let now = pair.now;
        pair.member.request(call(token, vec![1]), now).unwrap();
    }
    pair.settle();
    let ids: Vec<_> = pair.at_hub().into_iter().map(|(id, _)| id).collect();
    let value = vec![7; 40_000];
    for (n, id) in ids.iter().enumerate() {
        // From the fifth on, memory is scarce.
        pair.hub.limit_memory(usize::MAX, 0, n >= 4);
        pair.hub.reply(*id, Ok(value.clone().into()));
    }
    assert_eq!(pair.hub.take_shed(), 4);
    assert!(pair.hub.held_bytes() <= 100_000);
    pair.settle();
    let outcomes: Vec<_> = pair
        .member_events
        .iter()
        .filter_map(|event| match event {
            Event::Reply { reply, .. } => Some(
                reply
                    .as_ref()
                    .map(|value| value.len())
                    .map_err(|e| (e.code, e.fate)),
            ),
            _ => None,
        })
        .collect();
    let dropped = Err((error_code::REPLY_DROPPED, fate_code::EXECUTED));
    assert_eq!(outcomes.iter().filter(|o| **o == Ok(40_000)).count(), 2);
    assert_eq!(outcomes.iter().filter(|o| **o == dropped).count(), 4);
    // One alone is always kept.
    let now = pair.now;
    pair.member.request(call(9, vec![1]), now).unwrap();
    pair.settle();
    let (id, _) = pair.at_hub().remove(0);
    pair.hub.reply(id, Ok(vec![7; 200_000].into()));
    assert_eq!(pair.hub.take_shed(), 0);
}

/// What there is no memory for is refused, and is no fault of the peer's.
#[test]
fn requests_that_there_is_no_memory_for_are_refused() {
    let mut pair = Pair::new();
    pair.settle();
    pair.hub.limit_memory(1500, 0, false);
    for token in 0..3 {
        let now = pair.now;
        pair.member
            .request(call(token, vec![0; 1000]), now)
            .unwrap();
    }
    let now = pair.now;
    pair.member.request(call(3, vec![0; 100_000]), now).unwrap();
    pair.settle();
    assert_eq!(pair.at_hub().len(), 1);
    assert_eq!(pair.hub.take_shed(), 3);
    assert_eq!(refused(&pair), 3);
}

fn refused(pair: &Pair) -> usize {
    let refused = |event: &&Event| {
        matches!(event, Event::Reply { reply: Err(error), .. }
            if (error.code, error.fate) == (error_code::OVERLOADED, fate_code::NOT_EXECUTED))
    };
    pair.member_events.iter().filter(refused).count()
}

/// What is small is not refused because of what is large.
#[test]
fn large_requests_leave_memory_to_small_ones() {
    const ROOM: usize = 200_000;
    const KEPT: usize = 50_000;
    let mut pair = Pair::new();
    pair.settle();
    pair.hub.limit_memory(ROOM, KEPT, false);
    let mut ask = |bytes: usize| {
        let now = pair.now;
        let token = bytes as u64;
        pair.member
            .request(call(token, vec![0; bytes]), now)
            .unwrap();
        pair.settle();
        (pair.at_hub().len(), refused(&pair))
    };
    let (large, small) = (100_000, 1000);
    assert_eq!(ask(large), (1, 0), "came, and were refused in all");
    assert_eq!(ask(large + 1), (0, 1), "there is room, but that is kept");
    assert_eq!(ask(small), (1, 1));
    assert_eq!(ask(small + 1), (1, 1));
}
