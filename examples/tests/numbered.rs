//! The numbered examples check their own results: here they are run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn the_three_verbs() {
    assert_runs("01_call_cast_invoke");
}

#[test]
fn a_typed_service() {
    assert_runs("02_typed_service");
}

#[test]
fn promises() {
    assert_runs("03_promises");
}

#[test]
fn the_context() {
    assert_runs("04_context");
}

#[test]
fn heartbeats() {
    assert_runs("09_heartbeats");
}

#[test]
fn retry_and_idempotency() {
    assert_runs("10_retry_and_idempotency");
}

#[test]
fn fanout_and_gather() {
    assert_runs("05_fanout_and_gather");
}

#[test]
fn exchanges_and_handles() {
    assert_runs("06_exchanges_and_handles");
}

#[test]
fn versions() {
    assert_runs("07_versions");
}

#[test]
fn namespaces() {
    assert_runs("08_namespaces");
}

#[test]
fn waiting_for_a_server() {
    assert_runs("11_wait_for_server");
}

#[test]
fn a_takeover() {
    assert_runs("12_takeover");
}

#[test]
fn overload() {
    assert_runs("13_overload");
}

#[test]
fn draining() {
    assert_runs("14_drain");
}

#[test]
fn over_tcp() {
    assert_runs("15_tcp");
}

#[test]
fn under_tls() {
    assert_runs("16_tls");
}

#[test]
fn who_may_do_what() {
    assert_runs("17_authorise");
}

#[test]
fn tokens() {
    assert_runs("18_token");
}

/// Each has a number of its own, fewer than 80 lines, a test above, and a line in the list for readers.
#[test]
fn each_is_small_and_run_and_listed() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(directory.join("README.md")).unwrap();
    let tests = include_str!("numbered.rs");
    let mut numbers = BTreeSet::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_example = path.extension().is_some_and(|extension| extension == "rs");
        if !is_example || !name.starts_with(|first: char| first.is_ascii_digit()) {
            continue;
        }
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines < 80, "{name} has {lines} lines");
        let run = format!("assert_runs(\"{name}\")");
        assert!(tests.contains(&run), "no test here runs {name}");
        let link = format!("({name}.rs)");
        assert!(list.contains(&link), "{name} is not in examples/README.md");
        assert!(
            numbers.insert(name[..2].to_owned()),
            "{name}: its number is taken"
        );
    }
    assert!(numbers.len() >= 16, "the examples are elsewhere now");
}

fn assert_runs(example: &str) {
    let output = Command::new(env!("CARGO"))
        .args([
            "run",
            "--quiet",
            "--package",
            "tidings-examples",
            "--example",
            example,
        ])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{example} failed: {told}");
}
