//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::GROUPS;
use crate::cores::Cores;
use crate::unix::Role;

/// What the program was started for.
pub(crate) enum Command {
    Measure(Arguments),
    /// Started by itself: the process at the other end of a socket.
    Serve(Role, PathBuf),
}

/// What to measure, and how.
pub(crate) struct Arguments {
    /// Only the group of this name.
    pub(crate) group: Option<String>,
    /// Only cases whose name contains this.
    pub(crate) case: Option<String>,
    /// Run each case once with so many operations, and measure nothing: for a profiler.
    pub(crate) operations: Option<u64>,
    /// Where the processes of the groups on sockets run; unset, each group has its own.
    pub(crate) cores: Option<Cores>,
    pub(crate) rounds: usize,
    pub(crate) round: Duration,
}

const USAGE: &str = "\
usage: tidings-benches [--quick] [--group promise|memory|unix] [--case TEXT] [--cores one|two|any] [--operations N]
  --quick         a few seconds in all; the figures mean little
  --group NAME    only this group
  --case TEXT     only the cases whose name contains TEXT
  --cores C       where client and server processes run: all on one core, each on one of its own, or anywhere;
                  unset, on one for one call in flight, else on two
  --operations N  run each case once, N times its operation, and measure nothing: for a profiler";

impl Command {
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Command, String> {
        let mut arguments = Arguments {
            group: None,
            case: None,
            operations: None,
            cores: None,
            rounds: 9,
            round: Duration::from_millis(60),
        };
        while let Some(word) = words.next() {
            let mut value = |what: &str| {
                let missing = || format!("`{word}` needs {what}\n{USAGE}");
                words.next().ok_or_else(missing)
            };
            match word.as_str() {
                "--quick" => (arguments.rounds, arguments.round) = (3, Duration::from_millis(2)),
                "--group" => {
                    let name = value("a name")?;
                    if GROUPS.iter().all(|(known, _)| *known != name) {
                        return Err(format!("there is no group `{name}`\n{USAGE}"));
                    }
                    arguments.group = Some(name);
                }
                "--case" => arguments.case = Some(value("a text")?),
                "--cores" => arguments.cores = Some(parsed(&value("one, two or any")?)?),
                "--operations" => arguments.operations = Some(parsed(&value("a number")?)?),
                "--serve" => {
                    let role = parsed(&value("a role")?)?;
                    return Ok(Command::Serve(role, value("a path")?.into()));
                }
                _ => return Err(format!("`{word}` is not known\n{USAGE}")),
            }
        }
        Ok(Command::Measure(arguments))
    }
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not understood\n{USAGE}"))
}
