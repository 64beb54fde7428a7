//! Large messages that do not come to their end as planned.

use tidings_core::session::{Destination, Event, Limits, WireError, error_code, fate_code};

use crate::pair::{Pair, call, cast, header, requests};

const LARGE: usize = 1_000_000;

/// Carries one write of the member's to the hub.
fn carry_some(pair: &mut Pair) -> usize {
    let part = pair.member.transmit(pair.now).collect::<Vec<_>>().concat();
    pair.member.wrote(part.len(), pair.now);
    pair.hub.receive(&part, pair.now);
    part.len()
}

/// Carries one write of the hub's to the member.
fn carry_back(pair: &mut Pair) -> usize {
    let part = pair.hub.transmit(pair.now).collect::<Vec<_>>().concat();
    pair.hub.wrote(part.len(), pair.now);
    pair.member.receive(&part, pair.now);
    part.len()
}

#[test]
fn a_cast_cancelled_in_its_middle_never_runs() {
    let (mut pair, _) = Pair::bound();
    let id = pair
        .member
        .request(cast(1, vec![1; 1_000_000]), pair.now)
        .unwrap();
    let part = pair.member.transmit(pair.now).collect::<Vec<_>>().concat();
    pair.member.wrote(part.len(), pair.now);
    pair.hub.receive(&part, pair.now);
    assert_eq!(pair.hub.serving(), 1);
    pair.member.cancel(id);
    pair.settle();
    assert!(pair.hub_events.is_empty() && pair.member_events.is_empty());
    pair.member.request(cast(2, vec![]), pair.now).unwrap();
    pair.settle();
    let [(id, _)] = pair.at_hub().try_into().unwrap();
    pair.hub.release(id);
    pair.settle();
    assert!(pair.hub.is_empty() && pair.member.is_empty());
}

#[test]
fn a_call_cancelled_in_its_middle_never_runs_and_gives_its_credit_back() {
    let (mut pair, _) = Pair::bound();
    for token in 0..5 {
        // Three of these take all the credit in bytes there is.
        let id = pair
            .member
            .request(call(token, vec![1; 10 * LARGE]), pair.now)
            .unwrap();
        carry_some(&mut pair);
        carry_some(&mut pair);
        assert_eq!((pair.member.in_flight(), pair.hub.serving()), (1, 1));
        assert!(pair.member.cancel(id));
        pair.settle();
        assert!(pair.hub_events.is_empty());
        assert_eq!(pair.member_events, [Event::Ended { token }]);
        pair.member_events.clear();
        assert!(pair.hub.is_empty() && pair.member.is_empty());
    }
}

#[test]
fn a_large_request_refused_at_its_start_is_not_sent_to_its_end() {
    let (mut pair, bound) = Pair::bound();
    let mut large = call(1, vec![1; 10 * LARGE]);
    large.header = header(Destination::Bound(bound));
    pair.hub.request(large, pair.now).unwrap();
    pair.member.unbind(bound);
    // It crosses the withdrawal.
    carry_back(&mut pair);
    assert!(pair.member.serving() == 0 && pair.member.buffered_bytes() < 100);
    let before = pair.carried.1;
    pair.settle();
    // `settle` lets the hub write all it has before it reads: this much and no more.
    assert!(pair.carried.1 - before < 100, "the rest stays here");
    let reply = Err(WireError::bare(
        error_code::NO_SERVER,
        fate_code::NOT_EXECUTED,
    ));
    let unbound = Event::Unbind { id: bound };
    assert_eq!(pair.hub_events, [unbound, Event::Reply { token: 1, reply }]);
    assert!(pair.hub.is_empty() && pair.member.is_empty());
}

#[test]
fn a_cast_that_is_dropped_on_arrival_gives_its_credit_back() {
    let limits = Limits {
        max_message: 100_000,
        max_in_flight_bytes: 250_000,
        max_in_flight: 8,
        ..Limits::default()
    };
    let mut pair = Pair::with(Limits::default(), limits);
    for round in 0..20 {
        let bound = pair.member.bind(crate::pair::registration()).unwrap();
        pair.settle();
        pair.hub.bind_result(bound, Ok(()));
        pair.settle();
        for size in [80_000, 10] {
            let mut lost = cast(round, vec![1; size]);
            lost.header = header(Destination::Bound(bound));
            pair.hub.request(lost, pair.now).unwrap();
        }
        pair.member.unbind(bound);
        carry_back(&mut pair);
        carry_back(&mut pair);
        pair.settle();
        assert!(requests(&mut pair.member_events).is_empty());
        assert!(
            pair.hub.is_empty() && pair.member.is_empty(),
            "round {round}"
        );
    }
}

#[test]
fn a_large_reply_that_nobody_waits_for_is_not_kept() {
    let (mut pair, _) = Pair::bound();
    let id = pair.member.request(call(1, vec![]), pair.now).unwrap();
    pair.settle();
    let [(incoming, _)] = pair.at_hub().try_into().unwrap();
    pair.hub.reply(incoming, Ok(vec![7; LARGE].into()));
    carry_back(&mut pair);
    carry_back(&mut pair);
    assert!(pair.member.buffered_bytes() > 100_000);
    pair.member.cancel(id);
    assert!(pair.member.buffered_bytes() < 100);
    carry_back(&mut pair);
    assert!(pair.member.buffered_bytes() < 100);
    pair.settle();
    assert_eq!(pair.member_events, [Event::Ended { token: 1 }]);
    assert!(pair.hub.is_empty() && pair.member.is_empty());
}

#[test]
fn a_large_request_that_waits_behind_another_gives_its_credit_back_when_cancelled() {
    let (mut pair, _) = Pair::bound();
    let ids = [10 * LARGE, LARGE, 10].map(|size| {
        let mut request = call(0, vec![1; size]);
        request.flow = 1;
        let id = pair.member.request(request, pair.now).unwrap();
        carry_some(&mut pair);
        id
    });
    // The second waits in the lane of the first, its credit taken.
    pair.member.cancel(ids[1]);
    pair.settle();
    let came = pair.at_hub();
    assert_eq!(came.len(), 2);
    came.into_iter().for_each(|(id, _)| pair.hub.release(id));
    pair.settle();
    assert!(pair.hub.is_empty() && pair.member.is_empty());
    // All the credit is there again.
    for token in [1, 2] {
        pair.member
            .request(call(token, vec![1; 16 * 1024 * 1024]), pair.now)
            .unwrap();
        pair.settle();
    }
    assert_eq!(pair.at_hub().len(), 2);
}
