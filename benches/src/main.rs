//! The benchmarks without peers; see the crate's first page.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidings_benches::run(&[], "")
}
