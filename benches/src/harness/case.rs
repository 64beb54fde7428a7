//! One thing that is timed.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Laps;
use crate::counters::{self, Counts};
use crate::process::Server;

/// Does an operation as many times as it is told.
type Run = dyn FnMut(u64, &Laps);

/// One thing that is timed.
pub struct Case {
    pub(super) name: String,
    /// How many operations come together: calls in flight, promises in a join.
    grain: u64,
    run: Box<Run>,
    /// Its run tells of single operations.
    has_laps: bool,
    pub(super) servers: Vec<Rc<Server>>,
}

impl Case {
    /// `run` does the operation as many times as it is told.
    pub fn new(name: impl Into<String>, mut run: impl FnMut(u64) + 'static) -> Self {
        Case {
            has_laps: false,
            ..Case::with_laps(name, move |operations, _| run(operations))
        }
    }

    /// `run` also tells when each operation begins and ends.
    pub fn with_laps(name: impl Into<String>, run: impl FnMut(u64, &Laps) + 'static) -> Self {
        Case {
            name: name.into(),
            grain: 1,
            run: Box::new(run),
            has_laps: true,
            servers: Vec::new(),
        }
    }

    /// `run` is told multiples of `operations`.
    pub fn in_grains_of(self, operations: u64) -> Self {
        Case {
            grain: operations,
            ..self
        }
    }

    /// These processes do their part of the work.
    pub fn with_servers(self, servers: impl IntoIterator<Item = Rc<Server>>) -> Self {
        Case {
            servers: servers.into_iter().collect(),
            ..self
        }
    }

    /// Runs `operations` or a few more, to a whole number of grains.
    pub(super) fn run(&mut self, operations: u64) {
        let grains = operations.div_ceil(self.grain).max(1);
        (self.run)(grains * self.grain, &Laps::default());
    }

    /// How many operations take about `round`.
    pub(super) fn calibrate(&mut self, round: Duration) -> u64 {
        let mut operations = self.grain;
        loop {
            let took = self.time(operations);
            if took * 4 >= round {
                let scaled = operations as f64 * round.as_secs_f64() / took.as_secs_f64();
                let grains = (scaled / self.grain as f64).round().max(1.0);
                return grains as u64 * self.grain;
            }
            operations *= 2;
        }
    }

    pub(super) fn time(&mut self, operations: u64) -> Duration {
        let start = Instant::now();
        (self.run)(operations, &Laps::default());
        start.elapsed()
    }

    /// What single operations take, in a run of their own: taking it is not free.
    pub(super) fn percentiles(&mut self, operations: u64) -> Option<(f64, f64)> {
        if !self.has_laps {
            return None;
        }
        let laps = Laps::taken();
        (self.run)(operations, &laps);
        laps.percentiles()
    }

    /// What is counted rather than timed, in a run of its own.
    pub(super) fn count(&mut self, operations: u64, syscalls: bool) -> Counts {
        let Case { run, servers, .. } = self;
        counters::count(operations, servers, syscalls, || {
            run(operations, &Laps::default());
        })
    }
}
