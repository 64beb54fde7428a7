//! What a run has found: kept as data, shown as Markdown and pictures.

mod compare;
mod machine;
mod markdown;
mod picture;
mod readme;
mod row;

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::arguments::Measure;
use crate::harness::Target;
pub(crate) use compare::compare;
use machine::Machine;
pub use row::{Row, Unit, Verdict};

/// Everything that a run has found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    machine: Machine,
    /// What was compared with, as package and version.
    peers: Vec<String>,
    /// How the figures were taken, in words.
    method: String,
    sections: Vec<Section>,
}

/// What a group has found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Section {
    pub title: String,
    pub rows: Vec<Row>,
    pub verdicts: Vec<Verdict>,
}

impl Section {
    /// With the verdicts on those targets whose figures are there.
    pub(crate) fn judged(title: String, rows: Vec<Row>, targets: &[Target]) -> Self {
        let verdicts = targets.iter().filter_map(|target| target.verdict(&rows));
        Section {
            title,
            verdicts: verdicts.collect(),
            rows,
        }
    }
}

impl Report {
    pub(crate) fn begin(measure: &Measure, peers: Vec<String>) -> Self {
        Report {
            machine: Machine::this_one(),
            peers,
            method: format!(
                "The cases of a table were run in turn, {} times each for about {:?}; a figure is the median of those rounds, \
                 per operation, with the least and the most. Percentiles and counts are from further runs. \
                 Allocations, context switches and system calls are those of all processes together. Bytes in our own cases \
                 over sockets are `tidings::Bytes`, which are not copied; a case with a `Vec<u8>`, which is, stands beside.",
                measure.rounds(),
                measure.round()
            ),
            sections: Vec::new(),
        }
    }

    /// Adds what a group has found, and prints it.
    pub(crate) fn add(&mut self, section: Section) {
        println!("{}", section.markdown());
        self.sections.push(section);
    }

    /// Writes the report, its data and its pictures into `directory`, and the short table into the README beside it.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), String> {
        let write = |name: &str, text: String| {
            let path = directory.join(name);
            fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
        };
        fs::create_dir_all(directory)
            .map_err(|error| format!("{}: {error}", directory.display()))?;
        let data = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        write("report.json", data + "\n")?;
        write("REPORT.md", self.markdown())?;
        for (name, picture) in picture::all(self) {
            write(name, picture)?;
        }
        readme::update(&directory.join("../README.md"), self)
    }

    fn read(path: &Path) -> Result<Self, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = fs::read_to_string(path).map_err(|error| wrong(&error))?;
        serde_json::from_str(&text).map_err(|error| wrong(&error))
    }

    /// The section whose title starts so.
    fn section(&self, title: &str) -> Option<&Section> {
        let mut sections = self.sections.iter();
        sections.find(|section| section.title.starts_with(title))
    }
}

impl Section {
    fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }
}
