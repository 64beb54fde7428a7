//! Instructions, counted by callgrind.

use std::io::ErrorKind;
use std::process::Command;

use super::paths::Path;

/// How often a path is run, for a start and then: what both runs do beside it goes out of the difference.
const FEW: u64 = 64;
const MANY: u64 = FEW + 1280;

pub(super) enum Counted {
    /// Instructions of one run of a path.
    Each(f64),
    NotInstalled,
}

/// What one run of `path` takes.
pub(super) fn instructions(path: &Path) -> Result<Counted, String> {
    match (counted(path, FEW)?, counted(path, MANY)?) {
        (Some(few), Some(many)) => Ok(Counted::Each((many - few) as f64 / (MANY - FEW) as f64)),
        _ => Ok(Counted::NotInstalled),
    }
}

/// All instructions of a process that runs `path` so often; none where there is no valgrind.
fn counted(path: &Path, times: u64) -> Result<Option<u64>, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["--run", path.name, &times.to_string()])
        .output();
    let output = match output {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("valgrind cannot be run: {error}")),
        Ok(output) => output,
    };
    let told = String::from_utf8_lossy(&output.stderr);
    let collected = told
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, count)| count.trim().parse().ok());
    match collected {
        Some(count) if output.status.success() => Ok(Some(count)),
        _ => Err(format!("valgrind failed on `{}`:\n{told}", path.name)),
    }
}
