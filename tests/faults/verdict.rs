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
    let (tally, lies) = compare(directory, told);
    assert!(lies.is_empty(), "{} of {tally}: {lies:#?}", lies.len());
    tally
}

fn compare(
    directory: &Path,
    told: impl IntoIterator<Item = (u64, Outcome)>,
) -> (Tally, Vec<String>) {
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
    (tally, lies)
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

mod tests {
    use super::*;
    use crate::engine::Directory;
    use crate::journal::Journal;

    /// What a worker wrote that ran 1 to its end, was killed in 2, and never heard of 3.
    fn written() -> Directory {
        let directory = Directory::new();
        let journal = Journal::create(directory.path(), "worker");
        journal.started(1);
        journal.ended(1);
        journal.started(2);
        directory
    }

    fn is_found_out(directory: &Directory, id: u64, outcome: Outcome) -> bool {
        !compare(directory.path(), [(id, outcome)]).1.is_empty()
    }

    #[test]
    fn a_fate_stronger_than_the_truth_is_found_out_and_a_weaker_one_is_not() {
        use Fate::{Executed, NotExecuted, NotSent, Unknown};
        use Outcome::{Answered, Failed};
        let directory = written();
        let allowed: [(u64, &[Outcome]); 3] = [
            (1, &[Answered, Failed(Executed), Failed(Unknown)]),
            (2, &[Failed(Unknown)]),
            (3, &[Failed(NotSent), Failed(NotExecuted), Failed(Unknown)]),
        ];
        for (id, allowed) in allowed {
            let fates = [NotSent, NotExecuted, Executed, Unknown].map(Failed);
            for outcome in fates.into_iter().chain([Answered]) {
                let found = is_found_out(&directory, id, outcome);
                assert_eq!(found, !allowed.contains(&outcome), "{id} {outcome:?}");
            }
        }
    }

    #[test]
    fn what_ran_twice_is_found_out_whoever_ran_it() {
        let directory = written();
        Journal::create(directory.path(), "other").started(1);
        assert!(is_found_out(&directory, 3, Outcome::Failed(Fate::NotSent)));
    }
}
