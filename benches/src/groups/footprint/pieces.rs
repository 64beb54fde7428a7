//! Bytes for each server, promise, and message.

use std::future::pending;

use tidings::{Bus, Promise, PromiseError, Server};

use crate::arguments::Measure;
use crate::counters::allocations;
use crate::report::{Report, Row, Section, Unit};
use crate::setting::BLOCK;

pub(super) fn run(measure: &Measure, report: &mut Report) {
    let many = if measure.quick { 100 } else { 10_000 };
    let bus = Bus::open("mem:").expect(OPENS);
    let rows = vec![
        Row::of(
            "a promise of its own",
            Unit::Bytes,
            each(many, |_| Promise::<u64, PromiseError>::channel()),
        ),
        Row::of(
            "a server with one method, in memory",
            Unit::Bytes,
            each(1_000, |nth| server(&bus, nth)),
        ),
        Row::of(
            "a call in flight whose async handler waits, in memory",
            Unit::Bytes,
            calls(many),
        ),
        Row::of(
            "a cast of 64 bytes that is queued, in memory",
            Unit::Bytes,
            casts(many),
        ),
    ];
    report.add(Section {
        title: "Footprint: bytes for each".into(),
        rows,
        verdicts: Vec::new(),
    });
}

/// Bytes for each of so many things that are made and kept.
fn each<T>(many: usize, make: impl FnMut(usize) -> T) -> f64 {
    // Its own place is not measured.
    let mut made = Vec::with_capacity(many);
    allocations::start_counting();
    made.extend((0..many).map(make));
    allocations::stop_counting().live as f64 / many as f64
}

fn server(bus: &Bus, nth: usize) -> Server {
    let server = bus
        .listen(format!("topic{nth}"))
        .on("number", |n: u64| n * 2);
    server.start().expect(OPENS)
}

fn calls(many: usize) -> f64 {
    let bus = Bus::open("mem:").expect(OPENS);
    let server = bus.listen("waits").concurrency(many).queue(many);
    let server = server.on_async("forever", |n: u64| async move {
        pending::<()>().await;
        n
    });
    let _server = server.start().expect(OPENS);
    each(many, |_| bus.invoke::<u64>("waits.forever", &7_u64))
}

fn casts(many: usize) -> f64 {
    let bus = Bus::open("mem:").expect(OPENS);
    let server = bus.listen("waits").serial().queue(many);
    let server = server.on_async("forever", |_: crate::setting::Block| pending::<()>());
    let _server = server.start().expect(OPENS);
    bus.cast("waits.forever", &BLOCK).expect(ROOM); // This one runs, so that the others wait.
    each(many - 1, |_| bus.cast("waits.forever", &BLOCK).expect(ROOM))
}

const OPENS: &str = "nothing stands in the way";
const ROOM: &str = "there is room";
