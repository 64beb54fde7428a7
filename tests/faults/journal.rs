//! What processes write down as it happens, so that it can be read when they have been killed.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use tidings::Fate;

use crate::traffic::Outcome;

/// A file to which each line is added by one write. A line is there as soon as the write has returned, whatever
/// becomes of the process.
struct Lines(File);

impl Lines {
    fn create(directory: &Path, name: &str, kind: &str) -> Lines {
        let path = directory.join(format!("{name}-{}.{kind}", std::process::id()));
        let mut options = OpenOptions::new();
        Lines(options.append(true).create_new(true).open(path).unwrap())
    }

    fn add(&self, word: &str, id: u64) {
        let line = format!("{word} {id}\n");
        let written = (&self.0).write(line.as_bytes()).unwrap();
        assert_eq!(written, line.len());
    }

    /// All lines of this kind, of all processes.
    fn read(directory: &Path, kind: &str) -> Vec<(String, u64)> {
        let mut all = Vec::new();
        for entry in directory.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == kind) {
                let text = std::fs::read_to_string(path).unwrap();
                all.extend(text.lines().map(|line| {
                    let (word, id) = line.split_once(' ').unwrap();
                    (word.to_owned(), id.parse().unwrap())
                }));
            }
        }
        all
    }
}

/// What one worker ran.
pub(crate) struct Journal(Lines);

impl Journal {
    pub(crate) fn create(directory: &Path, name: &str) -> Journal {
        Journal(Lines::create(directory, name, "ran"))
    }

    pub(crate) fn started(&self, id: u64) {
        self.0.add("start", id);
    }

    pub(crate) fn ended(&self, id: u64) {
        self.0.add("end", id);
    }
}

/// How often a request was run, by the workers' own word.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Runs {
    pub(crate) started: u32,
    pub(crate) ended: u32,
}

/// Reads the journals of all workers.
pub(crate) fn runs(directory: &Path) -> HashMap<u64, Runs> {
    let mut runs: HashMap<u64, Runs> = HashMap::new();
    for (word, id) in Lines::read(directory, "ran") {
        let run = runs.entry(id).or_default();
        match word.as_str() {
            "start" => run.started += 1,
            _ => run.ended += 1,
        }
    }
    runs
}

/// What one client was told of its requests.
pub(crate) struct Told(Lines);

impl Told {
    pub(crate) fn create(directory: &Path, name: &str) -> Told {
        Told(Lines::create(directory, name, "told"))
    }

    pub(crate) fn note(&self, id: u64, outcome: Outcome) {
        self.0.add(word(outcome), id);
    }
}

/// Reads what all clients were told.
pub(crate) fn told(directory: &Path) -> Vec<(u64, Outcome)> {
    let lines = Lines::read(directory, "told").into_iter();
    lines.map(|(word, id)| (id, outcome(&word))).collect()
}

const WORDS: [(Outcome, &str); 5] = [
    (Outcome::Answered, "answered"),
    (Outcome::Failed(Fate::NotSent), "not-sent"),
    (Outcome::Failed(Fate::NotExecuted), "not-executed"),
    (Outcome::Failed(Fate::Executed), "executed"),
    (Outcome::Failed(Fate::Unknown), "unknown"),
];

fn word(outcome: Outcome) -> &'static str {
    WORDS.iter().find(|(known, _)| *known == outcome).unwrap().1
}

fn outcome(word: &str) -> Outcome {
    WORDS.iter().find(|(_, known)| *known == word).unwrap().0
}
