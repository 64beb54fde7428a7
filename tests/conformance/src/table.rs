//! The table of clauses and setups, for a reader.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::case::Verdict;
use crate::{CASES, Setup, run};

/// Runs every case on every setup, and says for each clause how many cases passed, of how many that apply.
pub fn clauses_by_setup(setups: &[(&str, Setup)]) -> String {
    let mut rows: BTreeMap<&str, Vec<(usize, usize)>> = BTreeMap::new();
    for (column, (_, setup)) in setups.iter().enumerate() {
        for case in CASES {
            let outcome = catch_unwind(AssertUnwindSafe(|| run(setup, case.name)));
            for clause in case.clauses {
                let row = rows
                    .entry(clause)
                    .or_insert_with(|| vec![(0, 0); setups.len()]);
                let (passed, of) = &mut row[column];
                match &outcome {
                    Ok(Verdict::Skipped(_)) => {}
                    Ok(Verdict::Passed) => {
                        *passed += 1;
                        *of += 1;
                    }
                    Err(_) => *of += 1,
                }
            }
        }
    }
    let mut text = String::from("clause     ");
    for (name, _) in setups {
        let _ = write!(text, "  {name}");
    }
    for (clause, row) in rows {
        let _ = write!(text, "\n{clause:<11}");
        for ((passed, of), (name, _)) in row.iter().zip(setups) {
            let _ = write!(
                text,
                "  {:>width$}",
                format!("{passed}/{of}"),
                width = name.len()
            );
        }
    }
    text
}
