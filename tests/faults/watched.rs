//! A process as the kernel sees it.

use std::path::PathBuf;

use crate::process::Process;

/// What the kernel says of a process.
pub(crate) struct Watched(PathBuf);

impl Watched {
    pub(crate) fn of(process: &Process) -> Watched {
        Watched(format!("/proc/{}", process.id()).into())
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }

    fn status(&self, name: &str) -> usize {
        let status = self.file("status");
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Bytes that it has in memory.
    pub(crate) fn resident(&self) -> usize {
        self.status("VmRSS:") * 1024
    }

    /// The most that it had since [`forget_peak`](Self::forget_peak).
    pub(crate) fn peak(&self) -> usize {
        self.status("VmHWM:") * 1024
    }

    pub(crate) fn forget_peak(&self) {
        std::fs::write(self.0.join("clear_refs"), "5").unwrap();
    }

    /// Time that its threads ran, in hundredths of a second.
    pub(crate) fn ran(&self) -> u64 {
        let stat = self.file("stat");
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let field = |n| fields.split(' ').nth(n).unwrap().parse::<u64>().unwrap();
        field(11) + field(12)
    }

    /// How often its threads went to sleep.
    pub(crate) fn sleeps(&self) -> u64 {
        let tasks = std::fs::read_dir(self.0.join("task")).unwrap();
        tasks
            .flatten()
            .filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok())
            .filter_map(|status| {
                let line = status.lines().find(|l| l.starts_with("voluntary"))?;
                line.split_whitespace().nth(1)?.parse::<u64>().ok()
            })
            .sum()
    }
    /// File descriptors that it has.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(self.0.join("fd")).unwrap().count()
    }
}
