//! The benchmark program runs to its end, prints and writes what it promises, and reads it again. It is not timed.

use std::fs;
use std::process::{Command, Output};

fn run(words: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_tidings-benches");
    let output = Command::new(program).args(words).output();
    output.expect("the program starts")
}

fn printed_by(words: &[&str]) -> String {
    let output = run(words);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{told}");
    printed
}

#[test]
fn every_group_is_measured_and_the_report_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let written = directory.path().join("benches");
    let readme = directory.path().join("README.md");
    let before = "before\n\n<!-- benches: begin -->\nold\n<!-- benches: end -->\nafter\n";
    fs::write(&readme, before).unwrap();
    let printed = printed_by(&["--quick", "--write", written.to_str().unwrap()]);
    let report = fs::read_to_string(written.join("REPORT.md")).unwrap();
    for title in [
        "Promise: create, complete, take",
        "Promise: a join of 1024, for each",
        "Memory, u64: `call`, one after another",
        "Memory, 1 KiB: 1024 in flight",
        "Unix socket, 64 B: `call`, 1 in flight, on one core",
        "Unix socket, 64 B: `cast`, on two cores",
        "Unix socket, 1 MiB: 3 in flight, on two cores",
        "TCP, 64 B: `call`, 1 in flight, on one core",
        "TLS, 64 B: 64 in flight, on two cores",
        "Scale: requests in flight, memory, one thread",
        "Scale: topics in turn, Unix, 64 in flight, one thread",
        "Options: deadlines, `call` in memory",
        "Options: the codec's budget, 100 records",
        "Start: a process, until it has ended again",
        "Footprint: bytes for each",
        "Build",
        "Targets:",
    ] {
        let heading = format!("\n## {title}");
        assert!(
            printed.contains(&heading),
            "{heading} is not in:\n{printed}"
        );
        assert!(report.contains(&heading), "{heading} is not in:\n{report}");
    }

    let readme = fs::read_to_string(readme).unwrap();
    assert!(
        readme.starts_with("before\n") && readme.ends_with("after\n"),
        "{readme}"
    );
    assert!(
        readme.contains("| `call` in memory |") && !readme.contains("old"),
        "{readme}"
    );
    for picture in ["memory.svg", "unix.svg"] {
        let picture = fs::read_to_string(written.join(picture)).unwrap();
        assert!(
            picture.starts_with("<svg") && picture.contains(">tidings"),
            "{picture}"
        );
    }

    let data = written.join("report.json");
    let data = data.to_str().unwrap();
    let compared = printed_by(&["--compare", data, data]);
    assert!(
        compared.contains("\n## Unix socket, 64 B: `cast`, on two cores"),
        "{compared}"
    );
    assert!(compared.contains("| 1.00 |"), "{compared}");
}

#[test]
fn an_unknown_group_is_refused_with_the_usage() {
    let output = run(&["--group", "pigeons"]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("usage:"));
}
