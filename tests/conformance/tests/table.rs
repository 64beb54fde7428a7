//! The table that is committed names every clause of the contract and every case of the registry. (That its numbers are what
//! a run has shown is the step `conformance` of `tests/run`.)

use tidings_conformance::{CASES, table};

const CONTRACT: &str = include_str!("../../../docs/contract.md");
const PAGE: &str = include_str!("../../../docs/conformance.md");

const ANEW: &str = "write docs/conformance.md anew by `tests/conformance/table`";

#[test]
fn every_clause_has_a_case_and_a_row() {
    let clauses = table::clauses(CONTRACT);
    assert!(
        clauses.len() > 30,
        "the contract is written otherwise now: {clauses:?}"
    );
    for clause in clauses {
        let cases = table::cases_of(clause).count();
        assert!(cases > 0, "no case shows {clause}");
        let row = format!("\n| {clause} | {cases} | ");
        assert!(PAGE.contains(&row), "{clause} has {cases} cases: {ANEW}");
    }
    assert!(!PAGE.contains(table::GAP), "{ANEW}");
}

/// The suite is as broad as the contract says; one that lost a module would still fit its own page.
#[test]
fn there_are_at_least_150_cases() {
    let cases = CASES.len();
    assert!(cases >= 150, "{cases} cases");
}

#[test]
fn every_case_is_listed() {
    assert!(PAGE.ends_with(&table::list(CONTRACT)), "{ANEW}");
}

#[test]
fn cases_cite_clauses_that_there_are() {
    let clauses = table::clauses(CONTRACT);
    for case in CASES {
        for cited in case.clauses {
            let known = clauses.contains(cited) || cited.starts_with("FAULTS-");
            assert!(known, "`{}` cites {cited}", case.name);
        }
    }
}
