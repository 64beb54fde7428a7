//! Side-by-side benchmarks: tidings, what a user would pick instead, and what the machine allows.
//!
//! This crate has the harness and the cases of tidings and of the bare machine. The peers are in a workspace of their
//! own, `benches/peers`, so that their packages weigh on nobody else: it hands them to [`run`] as [`Peer`]s, and both
//! are then measured in one run. `benches/run` does that and writes the report.
//!
//! In reading order:
//! * [`harness`]: a [`harness::Case`] is one thing that is timed; those of a [`harness::Group`] are run in turn.
//! * [`counters`]: what is counted rather than timed: allocations, context switches, system calls.
//! * [`setting`], [`peer`], [`loads`]: what a peer is asked to do, and what helps it.
//! * `groups`: what is measured.
//! * [`report`]: Markdown, JSON, pictures, and two runs compared.
#![deny(unsafe_code)]
#![allow(missing_docs, reason = "its only user is benches/peers")]

pub mod arguments;
pub mod cores;
pub mod counters;
mod groups;
pub mod guard;
pub mod harness;
pub mod loads;
pub mod peer;
pub mod place;
pub mod process;
pub mod report;
pub mod runtimes;
pub mod setting;
pub mod streams;

use std::process::ExitCode;

use arguments::{Command, Measure};
use peer::{Peer, packages};
use report::Report;

#[global_allocator]
static ALLOCATOR: counters::allocations::Counting = counters::allocations::Counting;

/// The program: measures tidings beside `peers`, or whatever else its arguments say. `lock` is the lock file that has the
/// peers' versions.
pub fn run(peers: &'static [Peer], lock: &str) -> ExitCode {
    let done = Command::read(std::env::args().skip(1)).and_then(|command| match command {
        Command::Measure(measure) => self::measure(&measure, peers, lock),
        Command::Compare(before, after) => report::compare(&before, &after),
        Command::Serve(role, address) => groups::serve(&role, &address, peers),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn measure(measure: &Measure, peers: &'static [Peer], lock: &str) -> Result<(), String> {
    let mut report = Report::begin(measure, packages(peers, lock));
    print!("{}", report.opening());
    for group in groups::all(measure) {
        group(measure, peers, &mut report);
    }
    if measure.profiled.is_some() {
        return Ok(());
    }
    print!("{}", report.summary());
    match &measure.write {
        Some(directory) => report.write(directory),
        None => Ok(()),
    }
}
