//! What a connection takes that says nothing.

use std::thread;
use std::time::Duration;

use tidings::Bus;

use crate::arguments::Measure;
use crate::counters::{allocations, switches};
use crate::groups::socket::{HUB_ROLE, connect};
use crate::harness::Target;
use crate::place::Place;
use crate::report::{Report, Row, Section, Unit};
use crate::runtimes::Driver;
use crate::setting::Wire;

const HUB: &str = "an idle connection, at the hub";
const MEMBER: &str = "an idle connection, at the member";
const WAKE_UPS: &str = "context switches of that hub in a second";

pub(super) fn run(measure: &Measure, report: &mut Report) {
    // A hub takes 256 connections of one user.
    let many = if measure.quick { 10 } else { 250 };
    let place = Place::new();
    let (address, hub) = place.serve(Wire::Unix, HUB_ROLE);
    let driver = Driver::tokio_beside();
    let open = || {
        let bus = connect(&address, &driver, "");
        // Answered by the hub: there is no such server. From then on the connection is open, and idle.
        let call = bus.call::<u64>("nobody.serves", &7_u64).into_future();
        driver.block_on(call).expect_err("nobody serves");
        bus
    };
    let first = open(); // With it comes what all connections share.
    hub.start_counting();
    let mut members: Vec<Bus> = Vec::with_capacity(many);
    allocations::start_counting();
    members.extend((0..many).map(|_| open()));
    let own = allocations::stop_counting().live as f64 / many as f64;
    let hubs = hub.stop_counting().live as f64 / many as f64;

    let second = Duration::from_millis(if measure.quick { 10 } else { 1000 });
    let before = switches::count(&[hub.id()]);
    thread::sleep(second);
    let woken = switches::count(&[hub.id()]).saturating_sub(before);
    let rows = vec![
        Row::of(HUB, Unit::Bytes, hubs),
        Row::of(MEMBER, Unit::Bytes, own),
        Row::of(WAKE_UPS, Unit::Count, woken as f64 / second.as_secs_f64()),
    ];
    const KIB_16: f64 = 16.0 * 1024.0;
    report.add(Section::judged(
        format!("Footprint: {many} connections that say nothing"),
        rows,
        &[
            Target::at_most(HUB, KIB_16),
            Target::at_most(MEMBER, KIB_16),
            // A ping of each connection every 15 s and its answer, and something to spare.
            Target::at_most(WAKE_UPS, many as f64 / 15.0 * 2.0 + 10.0),
        ],
    ));
    drop((first, members));
}
