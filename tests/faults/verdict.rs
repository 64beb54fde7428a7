//! Whether what callers were told is true.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use tidings::Fate;

use crate::journal::{self, Runs};
use crate::traffic::Outcome;

/// Compares what was told with what the workers in `directory` wrote down: a fate may be weaker than the truth, never
/// stronger (C-OC), and nothing runs twice (C-VB-5), whatever anybody was told.
pub(crate) fn check(directory: &Path, told: impl IntoIterator<Item = (u64, Outcome)>) -> Tally {
    let runs = journal::runs(directory);
    let mut tally = Tally::default();
    let mut lies: Vec<String> = runs
        .iter()
        .filter(|(_, runs)| runs.started > 1)
        .map(|(id, runs)| format!("{id} was started {} times", runs.started))
        .collect();
    for (id, outcome) in told {
        *tally.0.entry(outcome).or_default() += 1;
        let runs = runs.get(&id).copied().unwrap_or_default();
        if !is_true(outcome, runs) {
            lies.push(format!("{id}: {outcome:?}, but {runs:?}"));
        }
    }
    assert!(lies.is_empty(), "{} of {tally}: {lies:#?}", lies.len());
    tally
}

fn is_true(outcome: Outcome, runs: Runs) -> bool {
    match outcome {
        Outcome::Answered | Outcome::Failed(Fate::Executed) => runs.started == 1 && runs.ended == 1,
        Outcome::Failed(Fate::NotSent | Fate::NotExecuted) => runs.started == 0,
        Outcome::Failed(Fate::Unknown) => runs.started <= 1,
    }
}

/// How many were told what.
#[derive(Debug, Default)]
pub(crate) struct Tally(HashMap<Outcome, usize>);

impl Tally {
    pub(crate) fn of(&self, outcome: Outcome) -> usize {
        self.0.get(&outcome).copied().unwrap_or(0)
    }

    pub(crate) fn add(&mut self, other: &Tally) {
        for (outcome, count) in &other.0 {
            *self.0.entry(*outcome).or_default() += count;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered", self.of(Outcome::Answered))?;
        for fate in [
            Fate::NotSent,
            Fate::NotExecuted,
            Fate::Executed,
            Fate::Unknown,
        ] {
            write!(f, ", {} {fate:?}", self.of(Outcome::Failed(fate)))?;
        }
        Ok(())
    }
}
