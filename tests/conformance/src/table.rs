//! The page that tells a reader which clause of the contract was shown where, made from a [`Record`].

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::CASES;
use crate::case::{Case, Verdict};
use crate::record::Record;

/// The cases that show `clause`.
pub fn cases_of(clause: &str) -> impl Iterator<Item = &'static Case> {
    CASES
        .iter()
        .filter(move |case| case.clauses.contains(&clause))
}

/// The ids of the clauses in `contract`, in its order: of its rows (`| C-DL-2 |`), and of its parts (`## .. (C-OC)`) where
/// cases cite a part as a whole.
pub fn clauses(contract: &str) -> Vec<&str> {
    let ids = contract.lines().filter_map(|line| {
        if let Some(row) = line.strip_prefix("| C-") {
            let length = row.find(' ')?;
            return line.get(2..4 + length);
        }
        let (_, part) = line.strip_prefix("## ")?.split_once('(')?;
        let part = part.strip_suffix(')')?;
        cases_of(part).next().map(|_| part)
    });
    ids.collect()
}

/// One row for each clause: how many runs of its cases passed in each of `columns`, and how many had nothing to show there.
/// Below it why, and the cases by name.
pub fn page(contract: &str, columns: &[&str], record: &Record) -> String {
    let mut page = String::from(INTRODUCTION);
    let _ = write!(page, "\n| clause | cases |");
    for column in columns {
        let _ = write!(page, " {column} |");
    }
    let _ = write!(page, "\n|---|---:|{}", "---:|".repeat(columns.len()));
    let _ = write!(page, "\n| *setups* | |");
    for column in columns {
        let _ = write!(page, " *{}* |", record.setups(column).count());
    }
    for clause in clauses(contract) {
        let _ = write!(page, "\n| {clause} | {} |", cases_of(clause).count());
        for column in columns {
            let _ = write!(page, " {} |", cell(record, column, clause));
        }
    }
    page.push_str("\n\n## What has nothing to show\n\n| case | where | why |\n|---|---|---|\n");
    for case in CASES {
        for column in columns {
            for (reason, count) in skipped(record, column, case) {
                let of = record.setups(column).count();
                let _ = writeln!(
                    page,
                    "| `{}` | {column}, {count} of {of} | {reason} |",
                    case.name
                );
            }
        }
    }
    page + &list(contract)
}

/// The end of the page: the cases of each clause by name.
pub fn list(contract: &str) -> String {
    let mut list = String::from("\n## The cases\n");
    for clause in clauses(contract) {
        let names = cases_of(clause).map(|case| format!("`{}`", case.name));
        let names: Vec<String> = names.collect();
        let _ = writeln!(list, "\n**{clause}**\n{}", names.join(", "));
    }
    list
}

/// What a cell says where no case showed anything.
pub const GAP: &str = "**none**";

const INTRODUCTION: &str = "\
# What was shown where

Each clause of [the contract](contract.md), and how many runs of the conformance suite's cases for it passed over each
transport. A case runs on every setup of a transport: each runtime (none, tokio on one thread or several, smol, one of them
calling the other), and each order in which the processes may come. Made by `tests/conformance/table` from such a run;
`tests/run conformance` fails when it is no longer true, or a case is not in it.

What is beside a number says how many runs had nothing to show there; why is told below. What the suite cannot show,
because it takes several processes, hosts, or a peer that misbehaves, is in [faults.md](faults.md).
";

/// The runs of the cases for a clause.
fn cell(record: &Record, column: &str, clause: &str) -> String {
    let ends = cases_of(clause).flat_map(|case| record.ends(column, case));
    let (passed, skipped): (Vec<_>, Vec<_>) = ends.partition(|end| **end == Verdict::Passed);
    match (passed.len(), skipped.len()) {
        (0, 0) => GAP.into(),
        (passed, 0) => passed.to_string(),
        (passed, skipped) => format!("{passed} ({skipped} skipped)"),
    }
}

/// On how many setups of a column a case had nothing to show, by reason.
fn skipped<'a>(record: &'a Record, column: &'a str, case: &'a Case) -> BTreeMap<&'a str, usize> {
    let mut reasons = BTreeMap::new();
    for end in record.ends(column, case) {
        if let Verdict::Skipped(reason) = end {
            *reasons.entry(reason.as_str()).or_default() += 1;
        }
    }
    reasons
}
