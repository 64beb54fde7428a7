//! What a run of the suite has shown, kept in a file for a [table](crate::table).
//!
//! A run writes a line for each case that ends without a failure, where the environment variable [`FILE`] names a file and
//! the setup has a [column](Setup::in_column). Each test may be a process of its own, and several may write at a time.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::{env, fs, io, path::Path};

use crate::case::{Case, Verdict};
use crate::{CASES, Setup};

/// The environment variable that names the file.
pub const FILE: &str = "TIDINGS_CONFORMANCE_RECORD";

pub(crate) fn note(setup: &Setup, case: &Case, verdict: &Verdict) {
    let (Some(file), Some(column)) = (env::var_os(FILE), setup.column) else {
        return;
    };
    let reason = match verdict {
        Verdict::Passed => "",
        Verdict::Skipped(reason) => reason,
    };
    let line = format!("{column}\t{setup:?}\t{}\t{reason}\n", case.name);
    let opened = OpenOptions::new().create(true).append(true).open(file);
    // In one write, between which and those of others nothing can come.
    let written = opened.and_then(|mut file| file.write_all(line.as_bytes()));
    written.expect("the record of the run can be written");
}

/// What a run has shown.
#[derive(Debug, Default)]
pub struct Record {
    /// For each column, setup and case: why the case had nothing to show there, or that it passed.
    columns: BTreeMap<String, BTreeMap<String, BTreeMap<String, Verdict>>>,
}

impl Record {
    /// Reads what runs have written into `file`. Of a case that was run twice on a setup, the last end counts.
    ///
    /// # Errors
    /// When it cannot be read, or a line in it is not one of theirs.
    pub fn read(file: &Path) -> io::Result<Record> {
        let mut record = Record::default();
        for line in fs::read_to_string(file)?.lines() {
            let wrong = || io::Error::other(format!("not a line of a record: {line}"));
            let cells: Vec<&str> = line.split('\t').collect();
            let [column, setup, case, reason] = cells[..] else {
                return Err(wrong());
            };
            Case::find(case).ok_or_else(wrong)?;
            let verdict = match reason {
                "" => Verdict::Passed,
                reason => Verdict::Skipped(reason.to_owned()),
            };
            let setups = record.columns.entry(column.to_owned()).or_default();
            let cases = setups.entry(setup.to_owned()).or_default();
            cases.insert(case.to_owned(), verdict);
        }
        Ok(record)
    }

    /// The setups of `column`.
    pub fn setups(&self, column: &str) -> impl Iterator<Item = &str> {
        let setups = self.columns.get(column).into_iter().flatten();
        setups.map(|(setup, _)| setup.as_str())
    }

    /// How `case` ended on each setup of `column` on which it did not fail.
    pub fn ends(&self, column: &str, case: &Case) -> impl Iterator<Item = &Verdict> {
        let setups = self.columns.get(column).into_iter().flatten();
        setups.filter_map(|(_, cases)| cases.get(case.name))
    }

    /// What is not in it though it should be: cases that failed on a setup, or were not run there.
    pub fn missing(&self) -> Vec<String> {
        let setups = self.columns.values().flatten();
        let missing = setups.flat_map(|(setup, cases)| {
            let absent = CASES.iter().filter(|case| !cases.contains_key(case.name));
            absent.map(move |case| format!("`{}` on {setup}", case.name))
        });
        missing.collect()
    }
}
