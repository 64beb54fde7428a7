//! The most memory that a server takes which is sent ten times what it may keep.

use std::future::pending;

use tidings::Promise;

use crate::arguments::Measure;
use crate::groups::socket::{connect, listen};
use crate::harness::Target;
use crate::place::{Address, Place};
use crate::process;
use crate::report::{Report, Row, Section, Unit};
use crate::runtimes::Driver;
use crate::setting::{Blob, KIB, MIB, Wire};

pub(super) const ROLE: &str = "overloaded";

const BUDGET: usize = 8 * MIB;
const MESSAGE: usize = 16 * KIB;
const OFFERED: usize = 10 * BUDGET / MESSAGE;

/// A server whose handler never ends, and which may queue [`BUDGET`] bytes.
pub(super) fn serve(address: &Address) {
    let driver = Driver::tokio();
    let bus = listen(address, &driver, "");
    let server = bus
        .listen("slow")
        .serial()
        .queue(OFFERED)
        .queue_bytes(BUDGET);
    let server = server
        .on("ping", |()| ())
        .on_async("forever", |_: Blob| pending::<()>());
    let _server = server.start().expect("the topic is free");
    process::announce();
    driver.block_on(pending::<()>());
}

pub(super) fn run(measure: &Measure, report: &mut Report) {
    const PEAK: &str = "the most bytes at the server";
    const BUSY: &str = "requests that were refused";
    let place = Place::new();
    let (address, server) = place.serve(Wire::Unix, ROLE);
    let driver = Driver::tokio();
    let bus = connect(&address, &driver, "");
    let offered = if measure.quick { OFFERED / 10 } else { OFFERED };
    server.start_counting();
    let refused = driver.block_on(async {
        let (mut kept, mut refused) = (Vec::<Promise<()>>::new(), 0);
        for _ in 0..offered {
            let mut promise = bus.invoke("slow.forever", &Blob::of(MESSAGE));
            // As many turns as it takes to be refused, if it is.
            for _ in 0..8 {
                crate::runtimes::yield_now().await;
            }
            match promise.try_take() {
                Some(_) => refused += 1,
                None => kept.push(promise),
            }
        }
        refused
    });
    let peak = server.stop_counting().peak as f64;
    report.add(Section::judged(
        format!("Footprint: {offered} requests of 16 KiB to a server that may queue 8 MiB and answers none"),
        vec![
            Row::of(PEAK, Unit::Bytes, peak),
            Row::of(BUSY, Unit::Count, f64::from(refused)),
        ],
        &[Target::at_most(PEAK, 1.2 * BUDGET as f64)],
    ));
}
