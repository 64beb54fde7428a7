//! Where and with what a run was made.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// Where and with what a run was made.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Machine {
    date: String,
    processor: String,
    cores: usize,
    kernel: String,
    compiler: String,
    commit: String,
    optimised: bool,
}

impl Machine {
    pub(super) fn this_one() -> Self {
        Machine {
            date: told_by("date", &["-u", "+%Y-%m-%d"]),
            processor: processor(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: told_by("uname", &["-sr"]),
            compiler: told_by("rustc", &["--version"]),
            commit: told_by("git", &["describe", "--always", "--dirty"]),
            optimised: !cfg!(debug_assertions),
        }
    }

    pub(super) fn in_words(&self) -> String {
        let build = if self.optimised {
            "release build"
        } else {
            "debug build, whose figures mean nothing"
        };
        format!(
            "{}; {} with {} cores, {}; {}; tidings {} at {}, {build}.",
            self.date,
            self.processor,
            self.cores,
            self.kernel,
            self.compiler,
            env!("CARGO_PKG_VERSION"),
            self.commit
        )
    }
}

fn processor() -> String {
    let told = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = told.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": "));
    model.map_or_else(|| "a processor".into(), |(_, model)| model.to_owned())
}

/// What a program prints, or that it could not be asked.
fn told_by(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output().ok();
    let output = output.filter(|output| output.status.success());
    let told = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    told.unwrap_or_else(|| format!("unknown ({program} did not say)"))
}
