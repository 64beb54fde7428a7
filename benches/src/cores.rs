//! Which cores processes run on.
//!
//! A wake-up on another core can cost twenty times one on the same core: calls in sequence
//! between two cores measure that and little else.

use std::fs;
use std::io;
use std::str::FromStr;
use std::sync::OnceLock;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Where the processes of a group run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cores {
    /// All on the same core.
    One,
    /// The client on one, the servers on another.
    Two,
    /// Wherever the system puts them.
    Any,
}

impl FromStr for Cores {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "one" => Ok(Cores::One),
            "two" => Ok(Cores::Two),
            "any" => Ok(Cores::Any),
            _ => Err(()),
        }
    }
}

impl Cores {
    /// In words, for the title of a group.
    pub fn title(self) -> &'static str {
        match self {
            Cores::One => "on one core",
            Cores::Two => "on two cores",
            Cores::Any => "not pinned",
        }
    }

    /// Moves this process and `servers` there, with all threads that they have by now; threads
    /// started later go where the one that starts them is.
    pub fn take(self, servers: &[u32]) -> io::Result<()> {
        let usable = usable();
        let (first, last) = match self {
            Cores::Any => (usable, usable),
            Cores::One => (&usable[..1], &usable[..1]),
            Cores::Two => (&usable[..1], &usable[usable.len() - 1..]),
        };
        move_process(std::process::id(), first)?;
        for &server in servers {
            move_process(server, last)?;
        }
        Ok(())
    }
}

/// The cores that this process was given when it started.
fn usable() -> &'static [usize] {
    static USABLE: OnceLock<Vec<usize>> = OnceLock::new();
    USABLE.get_or_init(|| {
        let given = sched_getaffinity(None).expect("a thread may ask where it may run");
        (0..CpuSet::MAX_CPU)
            .filter(|core| given.is_set(*core))
            .collect()
    })
}

fn move_process(id: u32, cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    for thread in fs::read_dir(format!("/proc/{id}/task"))? {
        let thread: Option<i32> = thread?.file_name().to_str().and_then(|id| id.parse().ok());
        match sched_setaffinity(thread.and_then(Pid::from_raw), &set) {
            // It has ended in the meantime.
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
