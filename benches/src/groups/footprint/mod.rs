//! What there is of everything costs in memory: bytes that were asked of the allocator and not given back.

mod idle;
mod overload;
mod pieces;

use crate::arguments::Measure;
use crate::peer::Peer;
use crate::place::Address;
use crate::report::Report;

pub(super) fn run(measure: &Measure, _: &'static [Peer], report: &mut Report) {
    if measure.profiled.is_some() {
        return;
    }
    pieces::run(measure, report);
    idle::run(measure, report);
    overload::run(measure, report);
}

/// What the process at the other end does under overload.
pub(super) fn role(name: &str) -> Option<fn(&Address)> {
    (name == overload::ROLE).then_some(overload::serve)
}
