//! What debug output shows.

use std::fmt::Debug;

use tidings_core::session::{WireError, error_code, fate_code};

use crate::pair::{Pair, call, cast};

const SECRET: &[u8] = b"the content of a payload";

/// As text, and as the numbers of its bytes.
fn hides(what: &impl Debug) {
    for shown in [format!("{what:?}"), format!("{what:#?}")] {
        let shown: String = shown.split_whitespace().collect();
        let numbers = format!("{SECRET:?}").replace(' ', "");
        assert!(!shown.contains("content"), "{shown}");
        assert!(!shown.contains(numbers.trim_matches(['[', ']'])), "{shown}");
    }
}

/// S12: wherever a payload is at the time.
#[test]
fn no_payload_is_in_debug_output() {
    let (mut pair, _) = Pair::bound();
    let large = SECRET.repeat(100_000);
    for request in [
        call(1, SECRET.to_vec()),
        cast(2, SECRET.to_vec()),
        call(3, large.clone()),
    ] {
        hides(&request);
        pair.member.request(request, pair.now).unwrap();
    }
    hides(&pair.member);
    // Half of it is on its way.
    hides(&pair.member.transmit(pair.now));
    let part = pair.member.transmit(pair.now).collect::<Vec<_>>().concat();
    pair.member.wrote(part.len(), pair.now);
    pair.hub.receive(&part, pair.now);
    hides(&pair.member);
    hides(&pair.hub);
    pair.settle();
    hides(&pair.hub_events);
    let [(first, _), _, (third, _)] = pair.at_hub().try_into().unwrap();
    pair.hub.reply(first, Ok(SECRET.to_vec().into()));
    let mut failed = WireError::bare(error_code::APPLICATION, fate_code::EXECUTED);
    failed.details = SECRET.to_vec().into();
    hides(&failed);
    pair.hub.reply(third, Err(failed));
    hides(&pair.hub);
    pair.settle();
    assert_eq!(pair.member_events.len(), 3, "{:?}", pair.member_events);
    hides(&pair.member_events);
}
