//! A process as the kernel sees it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::process::Process;

/// What the kernel says of a process.
pub(crate) struct Watched(PathBuf);

impl Watched {
    pub(crate) fn of(process: &Process) -> Watched {
        Watched(format!("/proc/{}", process.id()).into())
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
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
        fs::write(self.0.join("clear_refs"), "5").unwrap();
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
        let tasks = fs::read_dir(self.0.join("task")).unwrap();
        tasks
            .flatten()
            .filter_map(|task| fs::read_to_string(task.path().join("status")).ok())
            .filter_map(|status| {
                let line = status.lines().find(|l| l.starts_with("voluntary"))?;
                line.split_whitespace().nth(1)?.parse::<u64>().ok()
            })
            .sum()
    }
    pub(crate) fn threads(&self) -> usize {
        self.status("Threads:")
    }

    /// File descriptors that it has.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(self.0.join("fd")).unwrap().count()
    }
}

/// The most memory that the kernel lets a process have: a control group, which goes when this is dropped. The process
/// must have ended by then.
pub(crate) struct Cage(PathBuf);

impl Cage {
    /// Around what `process` has now and takes from now on, `most` in all; `None` where this system has no such groups,
    /// or this user may not make any.
    pub(crate) fn around(process: &Process, most: usize) -> Option<Cage> {
        let more = most.checked_sub(Watched::of(process).resident())?;
        let name = format!("tidings-{}", process.id());
        [("", "memory.max"), ("memory", "memory.limit_in_bytes")]
            .into_iter()
            .find_map(|(version, limit)| {
                let group = Path::new("/sys/fs/cgroup").join(version).join(&name);
                fs::create_dir(&group).ok()?;
                let cage = Cage(group);
                // What it has already stays with the group that it comes from. A new file would be none of a group's.
                let write = |file: &str, text: String| {
                    let mut options = fs::File::options();
                    let file = options.write(true).open(cage.0.join(file));
                    file.and_then(|mut file| file.write_all(text.as_bytes()))
                };
                write(limit, more.to_string()).ok()?;
                write("cgroup.procs", process.id().to_string()).ok()?;
                Some(cage)
            })
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        // The kernel may be busy for a moment yet with whom it has killed.
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
