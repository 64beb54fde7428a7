//! System calls, counted by `perf` where it is installed and allowed to.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

const EVENT: &str = "raw_syscalls:sys_enter";

/// `perf`, attached to some processes.
pub(super) struct Counting(Child);

impl Counting {
    /// None where the system does not count them for us.
    pub(super) fn start(processes: &[u32]) -> Option<Self> {
        if !is_possible() {
            return None;
        }
        let processes: Vec<String> = processes.iter().map(u32::to_string).collect();
        // perf counts as long as this command runs: it says that it does, and ends with its input.
        let mut perf = perf()
            .args(["-p", &processes.join(","), "--", "sh", "-c"])
            .arg("echo; read line")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        let told = BufReader::new(perf.stdout.as_mut()?).read_line(&mut String::new());
        told.ok().filter(|bytes| *bytes > 0)?;
        Some(Counting(perf))
    }

    /// How many there were.
    pub(super) fn stop(mut self) -> Option<u64> {
        drop(self.0.stdin.take());
        let mut printed = String::new();
        let read = self.0.stderr.as_mut()?.read_to_string(&mut printed);
        self.0.wait().ok()?;
        read.ok()?;
        counted(&printed)
    }
}

/// The count in what `perf` prints: `COUNT,,EVENT,...`.
fn counted(printed: &str) -> Option<u64> {
    let line = printed.lines().find(|line| line.contains(EVENT))?;
    line.split(',').next()?.parse().ok()
}

fn is_possible() -> bool {
    static POSSIBLE: OnceLock<bool> = OnceLock::new();
    *POSSIBLE.get_or_init(|| {
        let tried = perf().arg("true").output();
        tried.is_ok_and(|tried| counted(&String::from_utf8_lossy(&tried.stderr)).is_some())
    })
}

fn perf() -> Command {
    let mut perf = Command::new("perf");
    perf.args(["stat", "-x,", "-e", EVENT]);
    perf
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_read_from_what_perf_prints() {
        let printed = "1234,,raw_syscalls:sys_enter,9876,100.00,,\n";
        assert_eq!(counted(printed), Some(1234));
        assert_eq!(counted("<not counted>,,raw_syscalls:sys_enter,0\n"), None);
        assert_eq!(counted("perf: command not found\n"), None);
    }
}
