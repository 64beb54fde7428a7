//! The promise alone, in one thread, against other one-shot cells.

mod ours;

use crate::arguments::Measure;
use crate::groups::of_peers;
use crate::harness::{Group, Target};
use crate::peer::Peer;
use crate::place::Place;
use crate::report::Report;
use crate::setting::{Setting, Use};

const OURS: &str = "tidings";
const ONESHOT: &str = "the `oneshot` crate";
const TOKIO: &str = "tokio's oneshot";

/// Why a target is missed, where it is.
const MISSED: &str = "one allocation of 40 bytes and its release, 9 of 12 ns, and three exchanges of a state word, as the peer \
    has: what is left is within what one run differs from another. Next: nothing is known";

pub(super) fn run(measure: &Measure, peers: &'static [Peer], report: &mut Report) {
    let cell = |title: &str, of: Use| {
        Group::new(title).cases(ours::cases(of)).cases(of_peers(
            peers,
            Setting::Promise(of),
            &Place::new(),
        ))
    };
    cell("Promise: create, complete, take", Use::Taken)
        .target(Target::times(OURS, 1.0, ONESHOT).missed(MISSED))
        .target(Target::times(OURS, 0.75, ONESHOT).stretch().missed(MISSED))
        .target(Target::times(OURS, 1.0, TOKIO).missed(MISSED))
        .target(Target::allocations(OURS, 1.0))
        .run(measure, report);
    cell("Promise: create, poll, complete, wake, take", Use::Awaited)
        .target(Target::times(OURS, 1.0, ONESHOT).missed(MISSED))
        .target(Target::times(OURS, 1.0, TOKIO).missed(MISSED))
        .target(Target::allocations(OURS, 1.0))
        .run(measure, report);
    cell("Promise: a join of 64, for each", Use::Joined(64)).run(measure, report);
    cell("Promise: a join of 1024, for each", Use::Joined(1024))
        .target(Target::times(ours::ALL, 1.0, TOKIO).missed(MISSED))
        .target(Target::times(ours::IN_ORDER, 1.0, TOKIO).missed(MISSED))
        .run(measure, report);
}
