//! The guard over the core's paths; see `guard` in the crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidings_benches::guard::run()
}
