//! Runs the cases of a group in turn, and takes their figures.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::allocations;
use crate::arguments::Arguments;
use crate::cores::Cores;
use crate::process::{Server, context_switches};
use crate::report;
use crate::target::Target;

/// Things that are compared with each other.
pub(crate) struct Group {
    title: String,
    cases: Vec<Case>,
    targets: Vec<Target>,
    cores: Option<Cores>,
}

/// One thing that is timed.
pub(crate) struct Case {
    name: String,
    /// How many operations come together: calls in flight, promises in a join.
    grain: u64,
    run: Box<dyn FnMut(u64)>,
    servers: Vec<Rc<Server>>,
}

impl Case {
    /// `run` does the operation as many times as it is told.
    pub(crate) fn new(name: impl Into<String>, run: impl FnMut(u64) + 'static) -> Self {
        Case {
            name: name.into(),
            grain: 1,
            run: Box::new(run),
            servers: Vec::new(),
        }
    }

    /// `run` is told multiples of `operations`.
    pub(crate) fn in_grains_of(self, operations: u64) -> Self {
        Case {
            grain: operations,
            ..self
        }
    }

    /// These processes do their part of the work.
    pub(crate) fn with_servers(self, servers: impl IntoIterator<Item = Rc<Server>>) -> Self {
        Case {
            servers: servers.into_iter().collect(),
            ..self
        }
    }

    fn time(&mut self, operations: u64) -> Duration {
        let start = Instant::now();
        (self.run)(operations);
        start.elapsed()
    }

    /// How many operations take about `round`.
    fn calibrate(&mut self, round: Duration) -> u64 {
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

    /// One more run, for what is counted rather than timed.
    fn count(&mut self, operations: u64) -> Counts {
        let processes: Vec<u32> = [std::process::id()]
            .into_iter()
            .chain(self.servers.iter().map(|server| server.id()))
            .collect();
        let before = context_switches(&processes);
        self.servers
            .iter()
            .for_each(|server| server.start_counting());
        allocations::start_counting();
        (self.run)(operations);
        let own = allocations::stop_counting();
        let others: u64 = self
            .servers
            .iter()
            .map(|server| server.stop_counting())
            .sum();
        let switches = context_switches(&processes).saturating_sub(before);
        let each = |count: u64| count as f64 / operations as f64;
        Counts {
            allocations: each(own + others),
            switches: each(switches),
        }
    }
}

/// What one operation takes beside time, in all processes together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) allocations: f64,
    pub(crate) switches: f64,
}

/// The figures of one case.
pub(crate) struct Row {
    pub(crate) name: String,
    /// Nanoseconds per operation in each round, in ascending order.
    times: Vec<f64>,
    pub(crate) counts: Counts,
}

impl Row {
    pub(crate) fn median(&self) -> f64 {
        self.times[self.times.len() / 2]
    }

    pub(crate) fn range(&self) -> (f64, f64) {
        (self.times[0], self.times[self.times.len() - 1])
    }
}

impl Group {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Group {
            title: title.into(),
            cases: Vec::new(),
            targets: Vec::new(),
            cores: None,
        }
    }

    /// Adds a case. Those that a comparison starts from come first.
    pub(crate) fn case(mut self, case: Case) -> Self {
        self.cases.push(case);
        self
    }

    /// Adds cases.
    #[cfg_attr(
        not(feature = "peers"),
        allow(dead_code, reason = "peers come in numbers")
    )]
    pub(crate) fn cases(mut self, cases: impl IntoIterator<Item = Case>) -> Self {
        self.cases.extend(cases);
        self
    }

    /// Adds a target; it is left out when one of its cases is.
    pub(crate) fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// Runs its processes on these cores, unless the user said otherwise.
    pub(crate) fn on(self, cores: Cores) -> Self {
        Group {
            cores: Some(cores),
            ..self
        }
    }

    /// Measures and prints.
    pub(crate) fn run(mut self, arguments: &Arguments) {
        if let Some(text) = &arguments.case {
            self.cases.retain(|case| case.name.contains(text.as_str()));
        }
        if self.cases.is_empty() {
            return;
        }
        let cores = self.cores.map(|own| arguments.cores.unwrap_or(own));
        if let Some(cores) = cores {
            let servers = self.cases.iter().flat_map(|case| &case.servers);
            let servers: Vec<u32> = servers.map(|server| server.id()).collect();
            if let Err(error) = cores.take(&servers) {
                eprintln!("could not run {}: {error}", cores.title());
            }
        }
        if let Some(operations) = arguments.operations {
            for case in &mut self.cases {
                let grains = operations.div_ceil(case.grain);
                case.time(grains * case.grain);
            }
            return;
        }
        let title = match cores {
            Some(cores) => format!("{}, {}", self.title, cores.title()),
            None => self.title.clone(),
        };
        let on_sockets = cores.is_some();
        let rows = self.measure(arguments);
        report::table(&title, &rows, on_sockets);
        report::targets(&self.targets, &rows);
        if cores.is_some() {
            let _ = Cores::Any.take(&[]);
        }
    }

    fn measure(&mut self, arguments: &Arguments) -> Vec<Row> {
        let operations: Vec<u64> = self
            .cases
            .iter_mut()
            .map(|case| case.calibrate(arguments.round))
            .collect();
        let mut times = vec![Vec::new(); self.cases.len()];
        for round in 0..arguments.rounds {
            for turn in 0..self.cases.len() {
                // Each round begins with another case, so that none always follows the same one.
                let at = (turn + round) % self.cases.len();
                let took = self.cases[at].time(operations[at]);
                times[at].push(took.as_nanos() as f64 / operations[at] as f64);
            }
        }
        self.cases
            .iter_mut()
            .zip(times)
            .zip(operations)
            .map(|((case, mut times), operations)| {
                times.sort_by(f64::total_cmp);
                Row {
                    name: case.name.clone(),
                    times,
                    counts: case.count(operations),
                }
            })
            .collect()
    }
}
