//! The command line.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::cores::Cores;
use crate::groups;
use crate::place::Address;

/// What the program was started for.
pub enum Command {
    Measure(Measure),
    /// Two files that earlier runs have written, the older one first.
    Compare(PathBuf, PathBuf),
    /// Started by itself: the process at the other end of a socket.
    Serve(String, Address),
}

/// What to measure, and how.
pub struct Measure {
    /// Only the groups of this name.
    pub group: Option<String>,
    /// Only comparisons whose title contains this.
    pub title: Option<String>,
    /// Only cases whose name contains this.
    pub case: Option<String>,
    /// Run each case with so many operations, and measure nothing: for a profiler.
    pub profiled: Option<u64>,
    /// Where the processes of the groups on sockets run; unset, each group has its own.
    pub cores: Option<Cores>,
    /// The figures mean little.
    pub quick: bool,
    /// Where the report, its data and its pictures go.
    pub write: Option<PathBuf>,
}

impl Measure {
    /// How often each case is timed.
    pub fn rounds(&self) -> usize {
        if self.quick { 1 } else { 7 }
    }

    /// About how long a case is timed each time.
    pub fn round(&self) -> Duration {
        Duration::from_millis(if self.quick { 1 } else { 30 })
    }
}

fn usage() -> String {
    format!(
        "\
usage: tidings-benches [--quick] [--group NAME] [--title TEXT] [--case TEXT] [--cores one|two|any]
                       [--write DIRECTORY] [--profile N]
       tidings-benches --compare BEFORE.json AFTER.json
  --quick            a few seconds in all; the figures mean little
  --group NAME       only these groups: {}
  --title TEXT       only the comparisons whose title contains TEXT, such as \"1 MiB\"
  --case TEXT        only the cases whose name contains TEXT
  --cores C          where client and server processes run: all on one core, each on one of its own, or anywhere;
                     unset, on one for one call in flight, else on two
  --write DIRECTORY  write REPORT.md, report.json and pictures there
  --profile N        run each case once, N times its operation, and measure nothing: for a profiler
  --compare          print how the figures of two runs differ",
        groups::names().join(", ")
    )
}

impl Command {
    /// # Errors
    /// What is wrong with the words, and what may be written.
    pub fn read(mut words: impl Iterator<Item = String>) -> Result<Command, String> {
        let mut measure = Measure {
            group: None,
            title: None,
            case: None,
            profiled: None,
            cores: None,
            quick: false,
            write: None,
        };
        while let Some(word) = words.next() {
            let mut value = |what: &str| {
                let missing = || format!("`{word}` needs {what}\n{}", usage());
                words.next().ok_or_else(missing)
            };
            match word.as_str() {
                "--quick" => measure.quick = true,
                "--group" => {
                    let name = value("a name")?;
                    if !groups::names().contains(&name.as_str()) {
                        return Err(format!("there is no group `{name}`\n{}", usage()));
                    }
                    measure.group = Some(name);
                }
                "--title" => measure.title = Some(value("a text")?),
                "--case" => measure.case = Some(value("a text")?),
                "--cores" => measure.cores = Some(parsed(&value("one, two or any")?)?),
                "--profile" => measure.profiled = Some(parsed(&value("a number")?)?),
                "--write" => measure.write = Some(value("a directory")?.into()),
                "--compare" => {
                    let before = value("two files")?.into();
                    return Ok(Command::Compare(before, value("two files")?.into()));
                }
                "--serve" => {
                    let role = value("a role")?;
                    return Ok(Command::Serve(role, parsed(&value("an address")?)?));
                }
                _ => return Err(format!("`{word}` is not known\n{}", usage())),
            }
        }
        Ok(Command::Measure(measure))
    }
}

fn parsed<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not understood\n{}", usage()))
}
