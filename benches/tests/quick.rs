//! The benchmark program runs to its end, and prints what it promises. It is not timed.

use std::process::Command;

fn quick(group: &str) -> String {
    let program = env!("CARGO_BIN_EXE_tidings-benches");
    let output = Command::new(program)
        .args(["--quick", "--group", group])
        .output()
        .expect("the program starts");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{printed}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    printed
}

fn assert_has_titles(printed: &str, titles: &[&str]) {
    for title in titles {
        let heading = format!("## {title}");
        assert!(
            printed.contains(&heading),
            "{heading} is missing from:\n{printed}"
        );
    }
}

#[test]
fn the_promise_is_measured() {
    assert_has_titles(
        &quick("promise"),
        &[
            "Promise: create, complete, take",
            "Promise: create, poll, complete, wake, take",
            "Promise: a join of 1024",
        ],
    );
}

#[test]
fn the_verbs_are_measured_in_memory() {
    assert_has_titles(
        &quick("memory"),
        &[
            "Memory: `call`",
            "Memory: `invoke`, 64 in flight",
            "Memory: `cast`",
        ],
    );
}

#[test]
fn the_verbs_are_measured_over_a_unix_socket() {
    assert_has_titles(
        &quick("unix"),
        &[
            "Unix socket: `call`, 1 in flight, on one core",
            "Unix socket: 64 in flight",
            "Unix socket: 1024 in flight",
            "Unix socket: `cast`",
        ],
    );
}

#[test]
fn an_unknown_group_is_refused_with_the_usage() {
    let program = env!("CARGO_BIN_EXE_tidings-benches");
    let output = Command::new(program).args(["--group", "tcp"]).output();
    let output = output.expect("the program starts");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("usage:"));
}
