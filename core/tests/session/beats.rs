//! Heartbeats on the wire (PR-BEAT).

use std::time::{Duration, Instant};

use tidings_core::session::{
    CloseCode, CloseReason, Destination, Event, IncomingId, Limits, Role, Verb,
};

use crate::pair::{Pair, call, cast, output, request, target};
use crate::raw::{BEAT, CALL, REPLY, events, expect_closed, extended, frame, open, varint};

/// What beats came, by the tokens of their calls.
fn beats(events: &mut Vec<Event>) -> Vec<u64> {
    let mut tokens = Vec::new();
    events.retain(|event| match event {
        Event::Beat { token } => {
            tokens.push(*token);
            false
        }
        _ => true,
    });
    tokens
}

/// Calls of the member's that have come to the hub.
fn called(pair: &mut Pair, tokens: std::ops::Range<u64>) -> Vec<IncomingId> {
    for token in tokens {
        pair.member.request(call(token, vec![]), pair.now).unwrap();
    }
    pair.settle();
    pair.at_hub().into_iter().map(|(id, _)| id).collect()
}

#[test]
fn the_wish_for_heartbeats_travels_in_whole_milliseconds() {
    let (mut pair, _) = Pair::bound();
    for (wish, heard) in [
        (
            Some(Duration::from_millis(250)),
            Some(Duration::from_millis(250)),
        ),
        (
            Some(Duration::from_micros(10_001)),
            Some(Duration::from_millis(11)),
        ),
        (None, None),
    ] {
        let mut wished = request(1, Verb::Call, vec![]);
        if wish.is_some() {
            wished.header.rare_mut().heartbeat = wish;
        }
        wished.header.destination = Destination::Topic(target("greeter"));
        pair.member.request(wished, pair.now).unwrap();
        pair.settle();
        let Some(Event::Request { header, .. }) = pair.hub_events.pop() else {
            panic!("no request");
        };
        assert_eq!(header.rare.and_then(|rare| rare.heartbeat), heard);
    }
}

/// PR-BEAT-2: one frame for all, and one word for each, however often it was said.
#[test]
fn beats_that_wait_are_one_for_each_call() {
    let (mut pair, _) = Pair::bound();
    let ids = called(&mut pair, 1..4);
    for _ in 0..1000 {
        for id in &ids {
            pair.hub.beat(*id);
        }
    }
    let before = pair.carried.1;
    pair.settle();
    assert_eq!(beats(&mut pair.member_events), [1, 2, 3]);
    assert_eq!(
        pair.carried.1 - before,
        5,
        "one frame: length, kind, three ids"
    );
    pair.settle();
    assert!(pair.member_events.is_empty());
    // And again at the next.
    pair.hub.beat(ids[1]);
    pair.settle();
    assert_eq!(beats(&mut pair.member_events), [2]);
}

/// PR-BEAT-2: none behind the answer, nor for what was cancelled, nor for a cast.
#[test]
fn nothing_is_said_of_what_has_ended() {
    let (mut pair, _) = Pair::bound();
    let ids = called(&mut pair, 1..3);
    pair.hub.beat(ids[0]);
    pair.hub.reply(ids[0], Ok(vec![7].into()));
    pair.hub.beat(ids[0]);
    pair.hub.beat(ids[1]);
    pair.hub.release(ids[1]);
    pair.hub.beat(ids[1]);
    pair.settle();
    assert!(beats(&mut pair.member_events).is_empty());
    assert_eq!(pair.member_events.len(), 2);
    pair.member_events.clear();

    let id = pair.member.request(call(5, vec![]), pair.now).unwrap();
    pair.member.request(cast(6, vec![]), pair.now).unwrap();
    pair.settle();
    let served: Vec<IncomingId> = pair.at_hub().into_iter().map(|(id, _)| id).collect();
    pair.member_events.clear();
    pair.hub.beat(served[1]);
    pair.member.cancel(id);
    pair.settle();
    for id in &served {
        pair.hub.beat(*id);
    }
    assert!(!pair.hub.has_output(), "there is nothing to say");
    for id in served {
        pair.hub.release(id);
    }
    pair.settle();
    // But that the handler of the one that was cancelled has ended.
    assert_eq!(pair.member_events, [Event::Ended { token: 5 }]);
    assert!(pair.hub.is_empty() && pair.member.is_empty());
}

/// PR-BEAT-2: more calls than one frame speaks of.
#[test]
fn beats_for_many_calls_take_several_frames() {
    const CALLS: u64 = 2500;
    let limits = Limits {
        max_in_flight: CALLS as u32,
        queue_requests: CALLS as usize,
        ..Limits::default()
    };
    let mut pair = Pair::with(limits.clone(), limits);
    pair.settle();
    pair.hub_events.clear();
    pair.member_events.clear();
    let ids = called(&mut pair, 0..CALLS);
    assert_eq!(ids.len() as u64, CALLS);
    for id in ids.iter().rev() {
        pair.hub.beat(*id);
    }
    pair.settle();
    assert_eq!(
        beats(&mut pair.member_events),
        (0..CALLS).collect::<Vec<_>>()
    );
}

/// A call that its requester leaves goes on at the peer, and its answer is dropped.
#[test]
fn a_call_that_is_left_goes_on_at_the_peer() {
    let (mut pair, _) = Pair::bound();
    let id = pair.member.request(call(1, vec![]), pair.now).unwrap();
    pair.settle();
    let [(incoming, _)] = pair.at_hub().try_into().unwrap();
    pair.member.leave(id);
    pair.hub.beat(incoming);
    pair.settle();
    assert!(pair.hub_events.is_empty() && pair.member_events.is_empty());
    assert_eq!((pair.member.in_flight(), pair.hub.serving()), (0, 1));
    pair.hub.reply(incoming, Ok(vec![1].into()));
    pair.settle();
    assert_eq!(pair.member_events, [Event::Ended { token: 1 }]);
    pair.member_events.clear();
    // What has not left is never sent, and what has left in part is not finished.
    let waiting = pair.member.request(call(2, vec![]), pair.now).unwrap();
    pair.member.leave(waiting);
    let large = pair
        .member
        .request(call(3, vec![1; 1_000_000]), pair.now)
        .unwrap();
    let part = pair.member.transmit(pair.now).collect::<Vec<_>>().concat();
    pair.member.wrote(part.len(), pair.now);
    pair.hub.receive(&part, pair.now);
    pair.member.leave(large);
    pair.settle();
    assert!(pair.hub_events.is_empty());
    assert_eq!(pair.member_events, [Event::Ended { token: 3 }]);
    assert!(pair.hub.is_empty() && pair.member.is_empty());
}

/// PR-BEAT-3
#[test]
fn beats_that_no_server_sends_end_the_session() {
    let now = Instant::now();
    let rows: [(&[u8], CloseCode); 6] = [
        (&[], CloseCode::Malformed),
        // Of the other side's, never begun, out of order, twice, cut off.
        (&[2], CloseCode::WrongDirection),
        (&[9], CloseCode::UnknownId),
        (&[5, 3], CloseCode::Malformed),
        (&[3, 3], CloseCode::Malformed),
        (&[0x83], CloseCode::Malformed),
    ];
    for (body, code) in rows {
        let mut member = open(Role::Member, Limits::default(), now);
        for token in 0..3 {
            member.request(call(token, vec![]), now).unwrap();
        }
        output(&mut member, now);
        member.receive(&frame(BEAT, body), now);
        // What came before the fault was good.
        let closed = events(&mut member)
            .iter()
            .any(|event| matches!(event, Event::Closed(closed) if closed.reason == CloseReason::Us(code)));
        assert!(closed, "{body:?}");
    }
}

/// PR-BEAT-3: a beat that crossed the end of its call moves nothing, but not without end.
#[test]
fn beats_are_counted_as_idle() {
    let now = Instant::now();
    let limits = Limits {
        idle_frames_per_second: 10,
        ..Limits::default()
    };
    let mut member = open(Role::Member, limits, now);
    member.request(call(1, vec![]), now).unwrap();
    output(&mut member, now);
    member.receive(&frame(BEAT, &[3]), now);
    assert_eq!(events(&mut member), [Event::Beat { token: 1 }]);
    member.receive(&frame(REPLY, &[2, 7]), now);
    assert_eq!(events(&mut member).len(), 1);
    for _ in 0..9 {
        member.receive(&frame(BEAT, &[3]), now);
        assert!(events(&mut member).is_empty());
    }
    member.receive(&frame(BEAT, &[3]), now);
    expect_closed(&mut member, CloseCode::FrameFlood, "beats without end", now);
}

/// PR-BEAT-1: who does not know the wish must not take the call; who knows it takes one form only.
#[test]
fn the_wish_is_critical_and_has_one_form() {
    let now = Instant::now();
    let mut hub = open(Role::Hub, Limits::default(), now);
    hub.receive(&frame(CALL, &extended(9, &varint(250))), now);
    let [Event::Request { ref header, .. }] = events(&mut hub)[..] else {
        panic!()
    };
    let heartbeat = header.rare.as_ref().and_then(|rare| rare.heartbeat);
    assert_eq!(heartbeat, Some(Duration::from_millis(250)));
    for wrong in [&[][..], &[0x80, 0], &[1, 1]] {
        let mut hub = open(Role::Hub, Limits::default(), now);
        hub.receive(&frame(CALL, &extended(9, wrong)), now);
        expect_closed(
            &mut hub,
            CloseCode::Malformed,
            "a wish of another form",
            now,
        );
    }
}
