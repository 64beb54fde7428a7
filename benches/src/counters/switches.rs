//! Context switches, by the kernel's own count.

use std::fs;

/// How many there were so far in the threads of `processes`, of their own will or not.
pub(crate) fn count(processes: &[u32]) -> u64 {
    processes
        .iter()
        .filter_map(|process| fs::read_dir(format!("/proc/{process}/task")).ok())
        .flat_map(|threads| threads.flatten())
        .filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok())
        .map(|status| {
            let counts = status
                .lines()
                .filter_map(|line| line.split_once("ctxt_switches:"));
            counts
                .filter_map(|(_, count)| count.trim().parse::<u64>().ok())
                .sum::<u64>()
        })
        .sum()
}
