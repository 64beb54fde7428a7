//! What two good sessions do for their users.

use std::sync::Arc;
use std::time::Duration;

use tidings_core::Bytes;
use tidings_core::bytes::Pieces;
use tidings_core::codec::{CodecId, encode};
use tidings_core::payload::Payload;
use tidings_core::session::{
    BindRefusal, Body, Caller, CloseCode, CloseReason, Destination, Event, IdempotencyKey, Refusal,
    Refused, Verb, WireError, error_code, fate_code,
};

use crate::pair::{Pair, call, cast, header, name, registration, request, requests, target};

#[test]
fn a_call_is_answered_and_everything_is_forgotten() {
    let (mut pair, _) = Pair::bound();
    pair.member
        .request(call(7, b"question".to_vec()), pair.now)
        .unwrap();
    pair.settle();
    assert_eq!(pair.member.in_flight(), 1);
    let [(id, payload)] = pair.at_hub().try_into().unwrap();
    assert_eq!(payload, b"question");
    pair.hub.reply(id, Ok(b"answer".to_vec().into()));
    pair.settle();
    let reply = Ok(b"answer".to_vec().into());
    assert_eq!(pair.member_events, [Event::Reply { token: 7, reply }]);
    assert!(pair.member.is_empty() && pair.hub.is_empty());
}

#[test]
fn a_payload_that_others_have_as_well_arrives_like_one_of_its_own() {
    for size in [0, 10, 5_000, 300_000] {
        let (mut pair, _) = Pair::bound();
        let shared = Arc::new(Pieces::from(vec![3; size]));
        for token in [1, 2] {
            let mut request = call(token, vec![]);
            request.payload = Body::Shared(shared.clone());
            pair.member.request(request, pair.now).unwrap();
        }
        pair.settle();
        let came = pair.at_hub();
        assert_eq!(came.len(), 2);
        assert!(came.iter().all(|(_, payload)| *payload == vec![3; size]));
        assert_eq!(Arc::strong_count(&shared), 1, "nothing of it is kept");
    }
}

#[test]
fn a_payload_in_pieces_arrives_whole() {
    for sizes in [[3, 20_000, 0], [70_000, 70_000, 70_000], [1, 300_000, 5]] {
        let (mut pair, _) = Pair::bound();
        let mut value = Vec::new();
        for (n, size) in sizes.into_iter().enumerate() {
            value.push((n, Bytes::from(vec![n as u8; size])));
        }
        let encoded = encode(&value, 1 << 20).unwrap();
        let payload = Payload::value(value)
            .encode(1 << 20, CodecId::POSTCARD)
            .unwrap();
        let Payload::Shared(shared) = payload else {
            panic!("{payload:?} is in one place");
        };
        let mut request = call(7, vec![]);
        request.payload = Body::Shared(shared.clone().into_pieces());
        pair.member.request(request, pair.now).unwrap();
        pair.settle();
        let [(id, came)] = pair.at_hub().try_into().unwrap();
        assert!(came == encoded);
        pair.hub
            .reply(id, Ok(Body::Shared(shared.clone().into_pieces())));
        pair.settle();
        let reply = Ok(encoded.into());
        assert_eq!(pair.member_events, [Event::Reply { token: 7, reply }]);
    }
}

#[test]
fn a_session_can_go_to_another_thread() {
    fn is_send<T: Send + Sync>() {}
    is_send::<tidings_core::session::Session>();
}

#[test]
fn every_field_of_a_request_arrives_as_it_was_sent() {
    let (mut pair, bound) = Pair::bound();
    let mut sent = header(Destination::Bound(bound));
    sent.codec = 3;
    sent.depth = 31;
    sent.fanout = true;
    sent.wait_for_server = true;
    sent.remaining = Some(Duration::from_millis(1500));
    sent.rare_mut().idempotency_key = Some(IdempotencyKey([9; 16]));
    sent.rare_mut().headers = vec![
        ("trace-id".into(), "ü".into()),
        ("empty".into(), String::new()),
    ];
    sent.caller = Some(
        Caller {
            transport: name("unix"),
            uid: Some(0),
            gid: Some(1000),
            pid: Some(4_000_000),
            name: None,
        }
        .into(),
    );
    for _ in 0..2 {
        // The second time by interned names.
        let mut request = cast(1, vec![]);
        request.header = sent.clone();
        pair.hub.request(request, pair.now).unwrap();
        pair.settle();
        let came = pair.member_events.pop();
        let Some(Event::Request {
            verb: Verb::Cast,
            header,
            payload,
            ..
        }) = came
        else {
            panic!("{came:?}")
        };
        assert_eq!((header, payload), (sent.clone(), vec![].into()));
    }
}

#[test]
fn a_hub_does_not_believe_a_member_who_the_caller_is() {
    let (mut pair, _) = Pair::bound();
    let mut forged = call(1, vec![]);
    let root = Caller {
        transport: name("unix"),
        uid: Some(0),
        gid: None,
        pid: None,
        name: None,
    };
    forged.header.caller = Some(root.into());
    pair.member.request(forged, pair.now).unwrap();
    pair.settle();
    let Some(Event::Request { header, .. }) = pair.hub_events.pop() else {
        panic!()
    };
    assert_eq!(header.caller, None);
}

#[test]
fn time_spent_waiting_counts_against_the_deadline() {
    let (mut pair, _) = Pair::bound();
    pair.member.request(call(1, vec![]), pair.now).unwrap();
    let mut brief = call(2, vec![]);
    brief.header.remaining = Some(Duration::from_secs(2));
    pair.member.request(brief, pair.now).unwrap();
    pair.pass(Duration::from_secs(3));
    pair.settle();
    let why = Refused::Expired;
    assert_eq!(pair.member_events, [Event::Refused { token: 2, why }]);
    let [Event::Request { header, .. }] = &pair.hub_events[..] else {
        panic!()
    };
    assert_eq!(header.remaining, Some(Duration::from_secs(27)));
}

#[test]
fn a_failure_travels_whole_with_a_code_nobody_knows() {
    for size in [0, 300_000] {
        let (mut pair, _) = Pair::bound();
        pair.member.request(call(1, vec![]), pair.now).unwrap();
        pair.settle();
        let [(id, _)] = pair.at_hub().try_into().unwrap();
        let failure = WireError {
            code: 65_000,
            fate: fate_code::EXECUTED,
            kind: "app.Error".into(),
            message: "ünable".into(),
            details: vec![5; size].into(),
        };
        pair.hub.reply(id, Err(failure.clone()));
        pair.settle();
        assert_eq!(
            pair.member_events,
            [Event::Reply {
                token: 1,
                reply: Err(failure)
            }]
        );
    }
}

#[test]
fn a_cancelled_call_tells_the_handler_and_keeps_its_slot_until_it_ends() {
    let (mut pair, _) = Pair::bound();
    let id = pair.member.request(call(1, vec![]), pair.now).unwrap();
    pair.settle();
    let [(incoming, _)] = pair.at_hub().try_into().unwrap();
    assert!(pair.member.cancel(id), "the peer has it");
    assert!(pair.member.cancel(id), "the peer has it still");
    pair.settle();
    assert_eq!(pair.hub_events, [Event::Cancelled(incoming)]);
    assert_eq!((pair.member.in_flight(), pair.hub.serving()), (0, 1));
    pair.hub.reply(incoming, Ok(vec![0; 1000].into()));
    let before = pair.carried.1;
    pair.settle();
    assert!(
        pair.carried.1 - before <= 4,
        "a late reply is dropped at its source"
    );
    assert_eq!(pair.member_events, [Event::Ended { token: 1 }]);
    assert!(!pair.member.cancel(id), "it is over");
    assert!(pair.hub.is_empty() && pair.member.is_empty());
}

#[test]
fn a_call_cancelled_at_a_peer_that_goes_is_lost() {
    let (mut pair, _) = Pair::bound();
    let id = pair.member.request(call(1, vec![]), pair.now).unwrap();
    pair.settle();
    assert!(pair.member.cancel(id));
    pair.member.receive_eof(pair.now);
    let lost = pair.member.poll_event();
    let handed_over = true;
    assert_eq!(
        lost,
        Some(Event::Lost {
            token: 1,
            handed_over
        })
    );
}

#[test]
fn copies_that_a_registration_missed_are_told_of_many_at_once() {
    let (mut pair, bound) = Pair::bound();
    for copies in [1, 0, 300] {
        pair.hub.missed(bound, copies);
    }
    let before = pair.carried.1;
    pair.settle();
    let copies = 301;
    assert_eq!(pair.member_events, [Event::Missed { id: bound, copies }]);
    assert_eq!(pair.carried.1 - before, 5, "one frame");

    // A withdrawn registration misses nothing, and no word on it crosses its withdrawal.
    pair.member_events.clear();
    pair.hub.missed(bound, 1);
    pair.member.unbind(bound);
    pair.settle();
    pair.hub.missed(bound, 1);
    assert!(!pair.hub.has_output());
    pair.settle();
    assert!(pair.member_events.is_empty());
}

#[test]
fn a_request_cancelled_in_the_queue_is_never_sent() {
    let mut pair = Pair::new();
    let first = pair
        .member
        .request(call(1, vec![1; 100]), pair.now)
        .unwrap();
    pair.member
        .request(call(2, vec![2; 100]), pair.now)
        .unwrap();
    assert_eq!(
        (pair.member.queued_requests(), pair.member.queued_bytes()),
        (2, 200)
    );
    pair.member.cancel(first);
    assert_eq!(
        (pair.member.queued_requests(), pair.member.queued_bytes()),
        (1, 100)
    );
    pair.settle();
    assert_eq!(pair.at_hub().len(), 1);
}

#[test]
fn a_handler_that_lets_its_call_go_answers_no_reply() {
    let (mut pair, _) = Pair::bound();
    pair.member.request(call(1, vec![]), pair.now).unwrap();
    pair.settle();
    let [(id, _)] = pair.at_hub().try_into().unwrap();
    pair.hub.release(id);
    pair.hub.release(id);
    pair.settle();
    let reply = Err(WireError::bare(error_code::NO_REPLY, fate_code::EXECUTED));
    assert_eq!(pair.member_events, [Event::Reply { token: 1, reply }]);
}

#[test]
fn registrations_are_made_refused_and_withdrawn() {
    let mut pair = Pair::new();
    let first = pair.member.bind(registration()).unwrap();
    let second = pair.member.bind(registration()).unwrap();
    assert_eq!(pair.hub.bind(registration()), Err(Refusal::WrongRole));
    pair.settle();
    pair.hub_events.remove(0);
    let bind = |id| Event::Bind {
        id,
        registration: registration(),
    };
    assert_eq!(pair.hub_events, [bind(first), bind(second)]);
    let refusal = BindRefusal {
        code: error_code::FORBIDDEN,
        text: "taken".into(),
    };
    pair.hub.bind_result(first, Ok(()));
    pair.hub.bind_result(second, Err(refusal.clone()));
    pair.settle();
    pair.member_events.remove(0);
    let results = [(first, Ok(())), (second, Err(refusal))];
    assert_eq!(
        pair.member_events,
        results.map(|(id, result)| Event::BindResult { id, result })
    );
    let to = |id| header(Destination::Bound(id));
    let mut lost = call(1, vec![]);
    lost.header = to(second);
    assert_eq!(
        pair.hub.request(lost, pair.now).unwrap_err().why,
        Refusal::NotBound
    );

    // A request and a withdrawal that cross.
    let mut crossing = call(2, vec![]);
    crossing.header = to(first);
    pair.member.unbind(first);
    pair.hub.request(crossing, pair.now).unwrap();
    let bytes = pair.hub.transmit(pair.now).collect::<Vec<_>>().concat();
    pair.hub.wrote(bytes.len(), pair.now);
    pair.member.receive(&bytes, pair.now);
    pair.hub_events.clear();
    pair.settle();
    let reply = Err(WireError::bare(
        error_code::NO_SERVER,
        fate_code::NOT_EXECUTED,
    ));
    let expected = [
        Event::Unbind { id: first },
        Event::Reply { token: 2, reply },
    ];
    assert_eq!(pair.hub_events, expected);
}

/// PR-BIND-6: what was on its way comes before the word that nothing more comes.
#[test]
fn a_registration_that_retires_gets_what_was_on_its_way() {
    let (mut pair, bound) = Pair::bound();
    let to_it = |token, size| {
        let mut cast = cast(token, vec![7; size]);
        cast.header = header(Destination::Bound(bound));
        cast
    };
    // In parts, and small: both are given before the question comes.
    pair.hub.request(to_it(1, 100_000), pair.now).unwrap();
    pair.hub.request(to_it(2, 10), pair.now).unwrap();
    assert!(pair.member.retire(bound));
    pair.settle();
    let sent = |event: &Event| matches!(event, Event::Sent { .. });
    assert_eq!(
        pair.hub_events.iter().filter(|event| sent(event)).count(),
        2
    );
    assert!(pair.hub_events.contains(&Event::Retire { id: bound }));
    pair.hub.retired(bound);
    pair.settle();
    let came = pair.member_events.iter().map(|event| match event {
        Event::Request { payload, .. } => payload.len(),
        Event::Retired { id } if *id == bound => 0,
        other => panic!("{other:?}"),
    });
    let mut came: Vec<usize> = came.collect();
    assert_eq!(came.pop(), Some(0), "the last word");
    came.sort_unstable();
    assert_eq!(came, [10, 100_000]);
    // It stays until it is withdrawn.
    pair.member.unbind(bound);
    pair.hub_events.clear();
    pair.settle();
    assert_eq!(pair.hub_events, [Event::Unbind { id: bound }]);
}

#[test]
fn going_away_lets_work_end_and_refuses_what_is_new() {
    let (mut pair, _) = Pair::bound();
    pair.member.request(call(1, vec![]), pair.now).unwrap();
    pair.settle();
    let [(id, _)] = pair.at_hub().try_into().unwrap();
    // These two cross the notice: one leaves before it came, one is still here.
    pair.hub.go_away(CloseCode::ShuttingDown, "upgrade");
    pair.member.request(call(2, vec![]), pair.now).unwrap();
    let bytes = pair.member.transmit(pair.now).collect::<Vec<_>>().concat();
    pair.member.wrote(bytes.len(), pair.now);
    pair.member.request(call(3, vec![]), pair.now).unwrap();
    let notice: Vec<u8> = pair.hub.transmit(pair.now).collect::<Vec<_>>().concat();
    pair.hub.wrote(notice.len(), pair.now);
    pair.member.receive(&notice, pair.now);
    pair.hub.receive(&bytes, pair.now);
    pair.settle();
    let refused = |token, why| Event::Refused { token, why };
    assert_eq!(
        pair.member_events,
        [
            Event::GoingAway {
                code: CloseCode::ShuttingDown,
                text: "upgrade".into()
            },
            refused(2, Refused::GoingAwayNotExecuted),
            refused(3, Refused::GoingAwayNotSent),
        ]
    );
    assert!(
        requests(&mut pair.hub_events).is_empty(),
        "nothing new is executed"
    );
    let refusal = pair.member.request(call(4, vec![]), pair.now).unwrap_err();
    assert_eq!(refusal.why, Refusal::GoingAway);
    assert!(!pair.hub.is_drained());
    pair.hub.reply(id, Ok(vec![].into()));
    pair.member_events.clear();
    pair.settle();
    assert_eq!(
        pair.member_events,
        [Event::Reply {
            token: 1,
            reply: Ok(vec![].into())
        }]
    );
    assert!(pair.hub.is_drained() && pair.hub.is_empty() && pair.member.is_empty());
}

#[test]
fn the_end_tells_what_was_handed_over_and_what_was_not() {
    let (mut pair, _) = Pair::bound();
    pair.member.request(call(1, vec![]), pair.now).unwrap();
    let sent: usize = pair.member.transmit(pair.now).map(<[u8]>::len).sum();
    pair.member.wrote(sent, pair.now);
    pair.member.request(call(2, vec![]), pair.now).unwrap();
    pair.member.request(cast(3, vec![]), pair.now).unwrap();
    // All but the last byte of the third.
    let staged: usize = pair.member.transmit(pair.now).map(<[u8]>::len).sum();
    pair.member.wrote(staged - 1, pair.now);
    pair.member.request(call(4, vec![]), pair.now).unwrap();
    pair.member.receive_eof(pair.now);
    let events: Vec<_> = std::iter::from_fn(|| pair.member.poll_event()).collect();
    let lost = |token, handed_over| Event::Lost { token, handed_over };
    let [ref rest @ .., Event::Closed(ref closed)] = events[..] else {
        panic!("{events:?}")
    };
    let mut rest = rest.to_vec();
    rest.sort_by_key(|event| match event {
        Event::Lost { token, .. } => *token,
        other => panic!("{other:?}"),
    });
    assert_eq!(
        rest,
        [lost(1, true), lost(2, true), lost(3, false), lost(4, false)]
    );
    assert_eq!(closed.reason, CloseReason::Eof);
    assert!(!pair.member.has_output() && pair.member.next_deadline().is_none());
}

#[test]
fn a_close_finishes_the_frame_that_was_begun_and_tells_why() {
    let (mut pair, _) = Pair::bound();
    pair.member.request(cast(1, vec![1; 50]), pair.now).unwrap();
    pair.member.request(cast(2, vec![2; 50]), pair.now).unwrap();
    let bytes: Vec<u8> = pair
        .member
        .transmit(pair.now)
        .flatten()
        .copied()
        .take(10)
        .collect();
    pair.member.wrote(bytes.len(), pair.now);
    pair.hub.receive(&bytes, pair.now);
    pair.member.close(CloseCode::Normal, "done");
    pair.settle();
    let lost = |token, handed_over| Event::Lost { token, handed_over };
    assert_eq!(pair.member_events[..2], [lost(1, true), lost(2, false)]);
    assert_eq!(pair.at_hub().len(), 1, "only what was begun");
    let Some(Event::Closed(closed)) = pair.hub_events.pop() else {
        panic!()
    };
    assert_eq!(closed.reason, CloseReason::Peer(CloseCode::Normal));
    assert_eq!(closed.text, "done");
}

#[test]
fn running_calls_are_told_when_their_caller_is_gone() {
    let (mut pair, _) = Pair::bound();
    pair.member.request(call(1, vec![]), pair.now).unwrap();
    pair.member.request(cast(2, vec![]), pair.now).unwrap();
    pair.settle();
    let [(id, _), (cast_id, _)] = pair.at_hub().try_into().unwrap();
    pair.hub.receive_eof(pair.now);
    pair.settle();
    assert_eq!(pair.hub_events[0], Event::CallerLost(id));
    assert!(matches!(pair.hub_events[1..], [Event::Closed(_)]));
    // The handlers end later: nothing to do.
    pair.hub.reply(id, Ok(vec![].into()));
    pair.hub.release(cast_id);
    assert!(!pair.hub.has_output() && pair.hub.is_empty());
}

#[test]
fn what_breaks_the_rules_is_given_back_before_it_is_sent() {
    let (mut pair, bound) = Pair::bound();
    let mut refused = |header, size, why| {
        let mut request = request(1, Verb::Call, vec![0; size]);
        request.header = header;
        let rejected = pair.member.request(request.clone(), pair.now).unwrap_err();
        assert_eq!((rejected.request, rejected.why), (request, why));
    };
    refused(
        header(Destination::Bound(bound)),
        0,
        Refusal::WrongDestination,
    );
    let limit = 16 * 1024 * 1024;
    let plain = header(Destination::Topic(target("greeter")));
    refused(
        plain.clone(),
        limit + 1,
        Refusal::TooLarge {
            size: limit + 1,
            limit,
        },
    );
    let with = |headers: Vec<(&str, String)>| {
        let mut header = plain.clone();
        header.rare_mut().headers = headers
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .collect();
        header
    };
    refused(with(vec![("a b", String::new())]), 0, Refusal::BadHeaders);
    refused(
        with(vec![("bus.identity", "root".into())]),
        0,
        Refusal::BadHeaders,
    );
    refused(with(vec![("k", String::new()); 65]), 0, Refusal::BadHeaders);
    refused(
        with(vec![("k", "v".repeat(8 * 1024))]),
        0,
        Refusal::BadHeaders,
    );
    for headers in [
        vec![("k", "v".repeat(8 * 1024 - 1))],
        vec![("k", String::new()); 64],
    ] {
        let mut request = call(1, vec![]);
        request.header = with(headers);
        pair.member.request(request, pair.now).unwrap();
    }
    pair.settle();
    assert_eq!(pair.at_hub().len(), 2);
    assert!(pair.hub.is_open());
}

#[test]
fn a_message_too_large_for_the_peer_is_refused_also_when_it_was_accepted_before_hello() {
    let mut pair = Pair::with(
        tidings_core::session::Limits {
            max_message: 20_000,
            ..Default::default()
        },
        Default::default(),
    );
    pair.member
        .request(call(1, vec![0; 20_001]), pair.now)
        .unwrap();
    pair.member
        .request(call(2, vec![0; 20_000]), pair.now)
        .unwrap();
    pair.settle();
    let why = Refused::TooLarge {
        size: 20_001,
        limit: 20_000,
    };
    assert_eq!(pair.member_events[1..], [Event::Refused { token: 1, why }]);
    let [(id, _)] = pair.at_hub().try_into().unwrap();
    // And a reply larger than the caller takes is a failure that comes at once.
    pair.hub.reply(id, Ok(vec![0; 17 * 1024 * 1024].into()));
    pair.settle();
    let reply = Err(WireError::bare(
        error_code::REPLY_TOO_LARGE,
        fate_code::EXECUTED,
    ));
    assert_eq!(
        pair.member_events.pop(),
        Some(Event::Reply { token: 2, reply })
    );
}
