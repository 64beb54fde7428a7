//! What a user's build takes: crates, and seconds from nothing.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

use crate::arguments::Measure;
use crate::harness::Target;
use crate::peer::Peer;
use crate::report::{Report, Row, Section, Unit};

/// Features that are measured, beside none: the default ones.
const BUILDS: [(&str, &[&str]); 3] = [
    ("the default features", &[]),
    (
        "`unix,tokio`",
        &["--no-default-features", "--features", "unix,tokio"],
    ),
    (
        "`tcp,tls,smol`",
        &["--no-default-features", "--features", "tcp,tls,smol"],
    ),
];

/// Why that takes longer than it should, when it does.
const SLOW: &str = "half of it is `tidings-core`, the rest mostly serde and the crates of the macros. Next: fewer instances of \
    what is generic over its message";

pub(super) fn run(measure: &Measure, _: &'static [Peer], report: &mut Report) {
    if measure.profiled.is_some() {
        return;
    }
    let mut rows = Vec::new();
    let mut targets = Vec::new();
    for (name, features) in BUILDS {
        let crates = format!("crates with {name}");
        let seconds = format!("debug build with {name}");
        rows.extend(counted(features).map(|count| Row::of(&*crates, Unit::Count, count)));
        if !measure.quick {
            rows.extend(built(features).map(|took| Row::of(&*seconds, Unit::Nanoseconds, took)));
        }
        if features.is_empty() {
            targets.push(Target::at_most(crates, 20.0));
            targets.push(Target::at_most(seconds, 15e9).missed(SLOW));
        }
    }
    report.add(Section::judged("Build".into(), rows, &targets));
}

/// Crates in the build, itself among them; none where cargo does not say.
fn counted(features: &[&str]) -> Option<f64> {
    let output = cargo("tree", features)
        .args([
            "-e",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--no-dedupe",
        ])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut crates: Vec<&str> = printed
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    crates.sort_unstable();
    crates.dedup();
    Some(crates.len() as f64)
}

/// Nanoseconds for a build without anything to start from; none where it fails.
fn built(features: &[&str]) -> Option<f64> {
    let directory = TempDir::with_prefix("tidings-benches-").ok()?;
    // What has to be downloaded is no part of it.
    cargo("fetch", &[]).output().ok()?;
    let start = Instant::now();
    let output = cargo("build", features)
        .arg("--target-dir")
        .arg(directory.path())
        .output()
        .ok()?;
    let took = start.elapsed().as_nanos() as f64;
    output.status.success().then_some(took)
}

/// cargo, for the crate `tidings`.
fn cargo(command: &str, features: &[&str]) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut cargo = Command::new("cargo");
    cargo.arg(command).current_dir(root);
    if command != "fetch" {
        cargo.args(["-p", "tidings"]).args(features);
    }
    cargo
}
