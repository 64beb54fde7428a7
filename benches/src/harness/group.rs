//! Things that are compared with each other.

use super::{Case, Target};
use crate::arguments::Measure;
use crate::cores::Cores;
use crate::report::{Report, Row, Section};

/// Things that are compared with each other.
pub struct Group {
    title: String,
    cases: Vec<Case>,
    targets: Vec<Target>,
    cores: Option<Cores>,
}

impl Group {
    pub fn new(title: impl Into<String>) -> Self {
        Group {
            title: title.into(),
            cases: Vec::new(),
            targets: Vec::new(),
            cores: None,
        }
    }

    /// Adds a case. Those that a comparison starts from come first.
    pub fn case(mut self, case: Case) -> Self {
        self.cases.push(case);
        self
    }

    /// Adds cases.
    pub fn cases(mut self, cases: impl IntoIterator<Item = Case>) -> Self {
        self.cases.extend(cases);
        self
    }

    /// Adds a target; it is left out when one of its cases is.
    pub fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// Runs its processes on these cores, unless the user said otherwise.
    pub fn on(self, cores: Cores) -> Self {
        Group {
            cores: Some(cores),
            ..self
        }
    }

    /// Measures, prints, and leaves the figures in `report`.
    pub fn run(mut self, measure: &Measure, report: &mut Report) {
        if let Some(text) = &measure.case {
            self.cases.retain(|case| case.name.contains(text.as_str()));
        }
        let other = |text: &String| !self.title.contains(text.as_str());
        if self.cases.is_empty() || measure.title.as_ref().is_some_and(other) {
            return;
        }
        let cores = self.cores.map(|own| measure.cores.unwrap_or(own));
        if let Some(cores) = cores {
            let servers = self.cases.iter().flat_map(|case| &case.servers);
            let servers: Vec<u32> = servers.map(|server| server.id()).collect();
            if let Err(error) = cores.take(&servers) {
                eprintln!("could not run {}: {error}", cores.title());
            }
        }
        if let Some(operations) = measure.profiled {
            self.cases.iter_mut().for_each(|case| case.run(operations));
            return;
        }
        let title = match cores {
            Some(cores) => format!("{}, {}", self.title, cores.title()),
            None => self.title.clone(),
        };
        let rows = self.measure(measure);
        report.add(Section::judged(title, rows, &self.targets));
        if cores.is_some() {
            let _ = Cores::Any.take(&[]);
        }
    }

    fn measure(&mut self, measure: &Measure) -> Vec<Row> {
        let operations: Vec<u64> = self
            .cases
            .iter_mut()
            .map(|case| case.calibrate(measure.round()))
            .collect();
        let mut times = vec![Vec::new(); self.cases.len()];
        for round in 0..measure.rounds() {
            for turn in 0..self.cases.len() {
                // Each round begins with another case, so that none always follows the same one.
                let at = (turn + round) % self.cases.len();
                let took = self.cases[at].time(operations[at]);
                times[at].push(took.as_nanos() as f64 / operations[at] as f64);
            }
        }
        let on_sockets = self.cores.is_some();
        self.cases
            .iter_mut()
            .zip(times)
            .zip(operations)
            .enumerate()
            .map(|(at, ((case, times), operations))| {
                // Attaching to the processes takes its time: once, to show that it works, in a hurry.
                let syscalls = on_sockets && (!measure.quick || at == 0);
                let percentiles = case.percentiles(operations);
                let counts = case.count(operations, syscalls);
                Row::timed(&case.name, times, percentiles, counts, on_sockets)
            })
            .collect()
    }
}
