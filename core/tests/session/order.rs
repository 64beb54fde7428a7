//! Order, fairness, credit and overhead.

use std::time::Instant;

use tidings_core::session::{Event, IncomingId, Limits};

use crate::pair::{Pair, call, cast, method, target};

const LARGE: usize = 1_000_000;

#[test]
fn a_small_call_costs_twelve_bytes_there_and_back() {
    let (mut pair, _) = Pair::bound();
    let exchange = |pair: &mut Pair, payload: usize| {
        let before = pair.carried;
        // Names given anew each time are found by value.
        pair.member
            .request(call(1, vec![1; payload]), pair.now)
            .unwrap();
        pair.settle();
        let [(id, _)] = pair.at_hub().try_into().unwrap();
        pair.hub.reply(id, Ok(vec![2; payload].into()));
        pair.settle();
        let there = pair.carried.0 - before.0 - payload;
        (there, pair.carried.1 - before.1 - payload)
    };
    exchange(&mut pair, 64);
    for _ in 0..10_000 {
        let (there, back) = exchange(&mut pair, 64);
        assert!(there + back <= 12, "{there} + {back} bytes");
    }
}

#[test]
fn names_beyond_the_dictionary_travel_in_full() {
    let limits = Limits {
        max_names: 2,
        ..Limits::default()
    };
    let mut pair = Pair::with(limits, Limits::default());
    for round in 0..3 {
        for topic in ["a", "b", "c", "d"] {
            let mut request = cast(round, vec![]);
            request.header.destination = tidings_core::session::Destination::Topic(target(topic));
            request.header.method = method(topic);
            pair.member.request(request, pair.now).unwrap();
            pair.settle();
            let Some(Event::Request { header, .. }) = pair.hub_events.pop() else {
                panic!()
            };
            assert_eq!(header.method, method(topic));
        }
    }
}

/// The tokens of the requests in the order in which they became complete at the hub; each payload
/// begins with its token.
fn order(pair: &mut Pair) -> Vec<u8> {
    pair.at_hub()
        .iter()
        .map(|(_, payload)| payload[0])
        .collect()
}

#[test]
fn a_flow_keeps_its_order_and_other_flows_pass() {
    let (mut pair, _) = Pair::bound();
    for (token, flow, size) in [
        (1, 1, 10),
        (2, 1, LARGE),
        (3, 1, 10),
        (4, 2, 10),
        (5, 1, LARGE),
        (6, 1, 10),
        (7, 3, 10),
        (8, 2, LARGE / 2),
        (9, 2, 10),
    ] {
        let mut request = call(token.into(), vec![token; size]);
        request.flow = flow;
        pair.member.request(request, pair.now).unwrap();
    }
    pair.settle();
    assert_eq!(order(&mut pair), [1, 4, 7, 8, 9, 2, 3, 5, 6]);
}

#[test]
fn a_small_call_and_a_reply_and_a_ping_wait_for_a_frame_of_bulk_at_most() {
    let (mut pair, bound) = Pair::bound();
    // The hub asks the member something, so that the member has a reply to give.
    let mut asked = call(1, vec![]);
    asked.header = crate::pair::header(tidings_core::session::Destination::Bound(bound));
    pair.hub.request(asked, pair.now).unwrap();
    pair.settle();
    let [(id, _)] = crate::pair::requests(&mut pair.member_events)
        .try_into()
        .unwrap();
    pair.member
        .request(call(1, vec![1; 16 * LARGE]), pair.now)
        .unwrap();
    let _ = pair.member.transmit(pair.now).count();
    // The bulk is on its way; now these come.
    pair.member.request(call(2, vec![2]), pair.now).unwrap();
    pair.member.reply(id, Ok(vec![3].into()));
    let mut carried = 0;
    while pair.hub_events.len() < 2 {
        let bytes = pair.member.transmit(pair.now).collect::<Vec<_>>().concat();
        pair.member.wrote(bytes.len(), pair.now);
        for bytes in bytes.chunks(10) {
            carried += bytes.len();
            pair.hub.receive(bytes, pair.now);
            pair.hub_events
                .extend(std::iter::from_fn(|| pair.hub.poll_event()));
            if pair.hub_events.len() == 2 {
                break;
            }
        }
    }
    assert!(
        carried <= 2 * 64 * 1024 + 100,
        "{carried} bytes went before"
    );
    assert!(
        matches!(pair.hub_events[0], Event::Reply { .. }),
        "the reply first"
    );
}

#[test]
fn large_replies_take_turns_and_small_ones_pass() {
    let (mut pair, _) = Pair::bound();
    for token in 1..=3 {
        pair.member
            .request(call(token, vec![token as u8]), pair.now)
            .unwrap();
    }
    pair.settle();
    let ids: Vec<IncomingId> = pair.at_hub().into_iter().map(|(id, _)| id).collect();
    pair.hub.reply(ids[0], Ok(vec![1; LARGE].into()));
    pair.hub.reply(ids[1], Ok(vec![2; LARGE / 2].into()));
    pair.hub.reply(ids[2], Ok(vec![3; 10].into()));
    pair.settle();
    let tokens: Vec<u64> = pair
        .member_events
        .iter()
        .map(|event| match event {
            Event::Reply {
                token,
                reply: Ok(_),
            } => *token,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(tokens, [3, 2, 1]);
}

#[test]
fn more_large_messages_than_may_be_in_parts_at_a_time_all_arrive() {
    let limits = Limits {
        max_partial: 2,
        max_message: 200_000,
        ..Limits::default()
    };
    let mut pair = Pair::with(limits.clone(), limits);
    for token in 0..7 {
        pair.member
            .request(call(token, vec![1; 200_000]), pair.now)
            .unwrap();
    }
    pair.settle();
    let came = pair.at_hub();
    assert_eq!(came.len(), 7);
    came.into_iter()
        .for_each(|(id, payload)| pair.hub.reply(id, Ok(payload.into())));
    pair.settle();
    assert!(pair.member.is_empty() && pair.hub.is_empty());
}

#[test]
fn requests_without_credit_wait_and_go_when_it_comes_back() {
    let limits = Limits {
        max_in_flight: 2,
        ..Limits::default()
    };
    let mut pair = Pair::with(limits, Limits::default());
    for token in 1..=3 {
        pair.member
            .request(call(token, vec![token as u8]), pair.now)
            .unwrap();
    }
    for token in 4..=6 {
        pair.member
            .request(cast(token, vec![token as u8]), pair.now)
            .unwrap();
    }
    let mut came = Vec::new();
    for _ in 0..6 {
        pair.settle();
        assert!(pair.hub.serving() <= 2);
        came.extend(pair.at_hub());
        let (id, payload) = came.remove(0);
        if payload[0] <= 3 {
            pair.hub.reply(id, Ok(payload.into()));
        } else {
            pair.hub.release(id);
        }
    }
    pair.settle();
    assert!(came.is_empty() && pair.hub.is_empty() && pair.member.is_empty());
}

#[test]
fn bytes_are_credit_too() {
    let limits = Limits {
        max_message: 100_000,
        max_in_flight_bytes: 150_000,
        ..Limits::default()
    };
    let mut pair = Pair::with(limits, Limits::default());
    for token in 1..=3 {
        pair.member
            .request(cast(token, vec![token as u8; 80_000]), pair.now)
            .unwrap();
    }
    for expected in 1..=3 {
        pair.settle();
        let [(id, payload)] = pair.at_hub().try_into().unwrap();
        assert_eq!(payload[0], expected);
        pair.hub.release(id);
    }
    pair.settle();
    assert!(pair.member.is_empty());
}

#[test]
fn the_queue_is_bounded_in_number_and_in_bytes() {
    let limits = Limits {
        queue_requests: 3,
        queue_bytes: 1000,
        ..Limits::default()
    };
    let mut pair = Pair::with(Limits::default(), limits);
    assert!(
        pair.member.can_accept(5000),
        "one alone may be larger than the limit"
    );
    for token in 0..3 {
        pair.member
            .request(call(token, vec![0; 100]), pair.now)
            .unwrap();
    }
    assert!(!pair.member.can_accept(0));
    assert!(pair.member.request(call(4, vec![]), pair.now).is_err());
    pair.settle();
    pair.member
        .request(call(5, vec![0; 900]), pair.now)
        .unwrap();
    assert!(pair.member.can_accept(100) && !pair.member.can_accept(101));
}

#[test]
fn casts_in_a_stream_need_few_credit_frames() {
    let (mut pair, _) = Pair::bound();
    let before = pair.carried.1;
    for token in 0..10_000_u64 {
        pair.member
            .request(cast(token, vec![0; 64]), pair.now)
            .unwrap();
        if token % 100 == 99 {
            pair.settle();
            pair.at_hub()
                .into_iter()
                .for_each(|(id, _)| pair.hub.release(id));
        }
    }
    pair.settle();
    let credit = pair.carried.1 - before;
    assert!(credit <= 10_000 / 500 * 8, "{credit} bytes of credit");
}

#[test]
fn hundreds_of_thousands_of_cancelled_requests_leave_nothing() {
    let (mut pair, _) = Pair::bound();
    let start = Instant::now();
    for round in 0..200_u64 {
        let ids: Vec<_> = (0..1000)
            .map(|token| pair.member.request(call(token, vec![]), pair.now).unwrap())
            .collect();
        if round % 2 == 0 {
            pair.settle();
        }
        for id in ids {
            assert_eq!(pair.member.cancel(id), round % 2 == 0, "whether it left");
        }
        assert_eq!(
            (pair.member.in_flight(), pair.member.queued_requests()),
            (0, 0)
        );
        pair.settle();
        pair.at_hub()
            .into_iter()
            .for_each(|(id, _)| pair.hub.release(id));
        pair.settle();
        let ended = std::mem::take(&mut pair.member_events);
        assert_eq!(ended.len(), if round % 2 == 0 { 1000 } else { 0 });
    }
    assert!(pair.member.is_empty() && pair.hub.is_empty());
    assert!(start.elapsed().as_secs() < 60, "quadratic");
}
