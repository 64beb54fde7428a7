//! What `call` and `invoke` take for the same work.

use std::fmt;
use std::time::Duration;

/// The times of the three passes over the same files.
pub struct Timings<'a> {
    pub files: usize,
    pub in_flight: usize,
    /// Workers, runtime and transport.
    pub setting: &'a str,
    pub first: Duration,
    pub call: Duration,
    pub invoke: Duration,
    /// Whether all three passes gave the same report.
    pub same_reports: bool,
}

impl fmt::Display for Timings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Timings {
            files,
            in_flight,
            setting,
            first,
            call,
            invoke,
            same_reports,
        } = self;
        let rate = |took: &Duration| *files as f64 / took.as_secs_f64().max(1e-9);
        writeln!(f, "\nthe same work by both verbs ({setting}):")?;
        writeln!(
            f,
            "  call, one file after another     {call:>9.3?} {:>8.0} files/s",
            rate(call)
        )?;
        writeln!(
            f,
            "  invoke, up to {in_flight:>4} files at once {invoke:>9.3?} {:>8.0} files/s, {:.2} times as fast",
            rate(invoke),
            call.as_secs_f64() / invoke.as_secs_f64().max(1e-9)
        )?;
        writeln!(
            f,
            "Both came after a first pass of {first:.3?}, by invoke: so both found the files in the system's cache, as far \
             as it goes,\nand both replaced the same rows. A file is one request to a worker, then one to the conductor."
        )?;
        if *same_reports {
            writeln!(f, "The report was the same after each of the three passes.")
        } else {
            writeln!(
                f,
                "The reports differ: files were changed while they were indexed. The one above is of the first pass."
            )
        }
    }
}
