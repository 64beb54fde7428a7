//! The conductor's report against a direct computation, whatever happens to its processes meanwhile.
#![allow(
    unreachable_pub,
    reason = "a test has no API: `pub` means here, for its other files"
)]

#[path = "../../conductor/file_path.rs"]
#[allow(dead_code, reason = "the example's own, which uses all of it")]
mod file_path;
#[path = "../../conductor/kind.rs"]
#[allow(dead_code, reason = "the example's own, which uses all of it")]
mod kind;
#[path = "../../conductor/report.rs"]
mod report;
mod run;
mod tree;

use std::os::unix::process::ExitStatusExt;

use tempfile::TempDir;

use crate::run::{Ended, Run, ends, signal};
use crate::tree::Tree;

const SIGKILL: i32 = 9;

#[test]
fn one_process_gives_the_direct_report() {
    let tree = Tree::generate();
    let ended = Run::start(tree.path(), &["--bus", "mem:"]).end();
    assert_the_direct_report(&ended, &tree);
    assert_both_verbs_were_compared(&ended);
}

#[test]
fn several_processes_give_the_direct_report() {
    let tree = Tree::generate();
    let ended = Run::start(tree.path(), &["--workers", "3"]).end();
    assert_the_direct_report(&ended, &tree);
    assert_both_verbs_were_compared(&ended);
}

#[test]
fn several_processes_on_smol_give_the_direct_report() {
    let tree = Tree::generate();
    let arguments = ["--runtime", "smol", "--no-comparison"];
    let ended = Run::start(tree.path(), &arguments).end();
    assert_the_direct_report(&ended, &tree);
}

#[test]
fn a_worker_killed_in_mid_run_loses_nothing() {
    let tree = Tree::generate();
    let mut run = Run::start(tree.path(), &["--workers", "3", "--no-comparison"]);
    run.wait_for_progress();
    // Stopped first, and killed after the run went on: so it surely has files that it never answered for.
    let worker = run.process("indexer-2");
    signal("STOP", worker);
    run.wait_for_progress();
    run.wait_for_progress();
    signal("KILL", worker);
    let ended = run.end();
    assert!(
        ended.stderr.contains("indexer-2 ended (signal: 9"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("requests were sent again"),
        "{}",
        ended.stderr
    );
    assert_the_direct_report(&ended, &tree);
}

#[test]
fn a_run_whose_conductor_is_killed_says_so() {
    let tree = Tree::generate();
    let mut run = Run::start(tree.path(), &["--no-comparison"]);
    run.wait_for_progress();
    signal("KILL", run.process("conductor"));
    let ended = run.end();
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        ended
            .stderr
            .contains("the conductor ended in mid-run (signal: 9"),
        "{}",
        ended.stderr
    );
    assert!(ended.stdout.is_empty(), "half a report is none");
    assert!(ended.left_behind.is_empty(), "{:?}", ended.left_behind);
}

#[test]
fn a_run_whose_last_worker_is_killed_says_so() {
    let tree = Tree::generate();
    let mut run = Run::start(tree.path(), &["--workers", "2", "--no-comparison"]);
    run.wait_for_progress();
    signal("KILL", run.process("indexer-1"));
    signal("KILL", run.process("indexer-2"));
    let ended = run.end();
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        ended.stderr.contains("no worker is left"),
        "{}",
        ended.stderr
    );
    assert!(ended.left_behind.is_empty(), "{:?}", ended.left_behind);
}

#[test]
fn an_interrupted_run_leaves_nothing_behind() {
    let tree = Tree::generate();
    let mut run = Run::start(tree.path(), &[]);
    run.wait_for_progress();
    let children = run.processes();
    assert!(children.len() > 1);
    signal("INT", run.front());
    let ended = run.end();
    assert_eq!(ended.status.code(), Some(130));
    assert!(children.into_iter().all(ends));
    assert!(ended.left_behind.is_empty(), "{:?}", ended.left_behind);
}

#[test]
fn a_killed_front_process_leaves_nothing_behind() {
    let tree = Tree::generate();
    let mut run = Run::start(tree.path(), &[]);
    run.wait_for_progress();
    let children = run.processes();
    assert!(children.len() > 1);
    signal("KILL", run.front());
    let ended = run.end();
    assert_eq!(ended.status.signal(), Some(SIGKILL));
    assert!(children.into_iter().all(ends));
    assert!(ended.left_behind.is_empty(), "{:?}", ended.left_behind);
}

#[test]
fn a_database_that_cannot_be_made_is_told_with_the_way_out() {
    let kept = TempDir::new().unwrap();
    for (place, reason) in [
        ("nowhere/files.db", "No such file"),
        ("taken.db", "File exists"),
    ] {
        std::fs::write(kept.path().join("taken.db"), "somebody's").unwrap();
        let database = kept.path().join(place).display().to_string();
        for bus in [&["--bus", "mem:"][..], &[]] {
            let arguments = [bus, &["--database", &database]].concat();
            let ended = Run::start(kept.path(), &arguments).end();
            assert_eq!(ended.status.code(), Some(1));
            for part in [
                "cannot create the database",
                &database,
                reason,
                "with `--database` give",
            ] {
                assert!(
                    ended.stderr.contains(part),
                    "{part} is missing from: {}",
                    ended.stderr
                );
            }
            assert!(ended.left_behind.is_empty(), "{:?}", ended.left_behind);
        }
    }
    assert_eq!(
        std::fs::read(kept.path().join("taken.db")).unwrap(),
        b"somebody's"
    );
}

#[test]
fn a_database_that_is_wanted_is_kept() {
    let kept = TempDir::new().unwrap();
    std::fs::write(kept.path().join("a file"), "one word\n").unwrap();
    let database = kept.path().join("files.db");
    let arguments = ["--bus", "mem:", "--database", database.to_str().unwrap()];
    assert!(
        Run::start(&kept.path().join("a file"), &arguments)
            .end()
            .status
            .success()
    );
    let rows = rusqlite::Connection::open(&database).unwrap();
    let words: u64 = rows
        .query_row("SELECT words FROM files", [], |row| row.get(0))
        .unwrap();
    assert_eq!(words, 2);
}

fn assert_the_direct_report(ended: &Ended, tree: &Tree) {
    assert!(ended.status.success(), "{}", ended.stderr);
    let report = tree.report().to_string();
    assert!(
        ended.stdout.starts_with(&report),
        "expected:\n{report}\ngot:\n{}",
        ended.stdout
    );
    assert!(ended.stderr.contains("cannot read "), "{}", ended.stderr);
    assert!(ended.left_behind.is_empty(), "{:?}", ended.left_behind);
}

fn assert_both_verbs_were_compared(ended: &Ended) {
    for part in [
        "call, one file after another",
        "times as fast",
        "The report was the same",
    ] {
        assert!(
            ended.stdout.contains(part),
            "{part} is missing from: {}",
            ended.stdout
        );
    }
}
