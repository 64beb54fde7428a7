//! Side-by-side benchmarks: tidings, what a user would pick instead, and what the machine allows.
//!
//! ```text
//! cargo run --release -p tidings-benches --features peers
//! ```
//!
//! prints Markdown tables. The cases of a group are run in turn, in several rounds, so that
//! whatever else the machine does meets all of them; a figure is the median of its rounds. Times
//! move from machine to machine, so what is claimed are ratios within a run: each group's second
//! table has its targets, reached or not.
//!
//! Without the feature `peers` it has only the cases that need nothing but tidings.
#![deny(unsafe_code)]

mod allocations;
mod arguments;
mod cores;
mod harness;
mod memory;
mod process;
mod promise;
mod report;
mod runtimes;
mod target;
mod unix;

use std::process::ExitCode;

use arguments::{Arguments, Command};

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

fn main() -> ExitCode {
    match Command::read(std::env::args().skip(1)) {
        Ok(Command::Measure(arguments)) => measure(&arguments),
        Ok(Command::Serve(role, path)) => unix::serve(role, &path),
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// A group by its name.
type Group = (&'static str, fn(&Arguments));

/// The groups, in the order in which they are run.
const GROUPS: [Group; 3] = [
    ("promise", promise::run),
    ("memory", memory::run),
    ("unix", unix::run),
];

fn measure(arguments: &Arguments) {
    report::opening(arguments);
    for (name, run) in GROUPS {
        if arguments.group.as_deref().is_none_or(|only| only == name) {
            run(arguments);
        }
    }
}
