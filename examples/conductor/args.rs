//! The command line.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};

/// Indexes the files of a directory with several processes, and reports on them.
///
/// One process keeps a SQLite database and is the only one to open it. Workers read, count and hash files. The process
/// that you start finds the files, has them indexed and saved over a tidings bus, and prints the conductor's report.
/// Then it does the same work twice more, to compare `call` with `invoke`.
#[derive(Debug, Clone, Parser)]
#[command(name = "conductor", version)]
pub struct Args {
    /// The directory to index; unset, the sources of tidings.
    pub directory: Option<PathBuf>,

    /// The address of the bus. With `mem:` all runs in this process; unset, processes meet at a `unix:` socket in a
    /// temporary directory.
    #[arg(long, value_name = "ADDRESS")]
    pub bus: Option<String>,

    /// What runs the tasks of the bus.
    #[arg(long, value_enum, default_value_t = RuntimeName::Tokio)]
    pub runtime: RuntimeName,

    /// How many workers read files; unset, one per core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,

    /// How many files are on their way at the same time, at most.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub in_flight: u16,

    /// Keeps the database in this file, which must not be there yet; unset, it goes when the run ends.
    #[arg(long, value_name = "FILE")]
    pub database: Option<PathBuf>,

    /// Prints the report only, without the comparison of `call` and `invoke`.
    #[arg(long)]
    pub no_comparison: bool,

    /// What this process is; set by the front process for its children.
    #[arg(long, value_enum, hide = true, default_value_t = Role::Front)]
    pub role: Role,

    /// The exchange of the run; set by the front process for its children.
    #[arg(long, hide = true, default_value = "")]
    pub exchange: String,

    /// The name of this worker; set by the front process for its children.
    #[arg(long, hide = true, default_value = "")]
    pub name: String,

    /// The temporary directory of the run; set by the front process for the conductor.
    #[arg(long, hide = true)]
    pub scratch: Option<PathBuf>,
}

impl Args {
    /// The directory that was asked for, or the one that this program was built from.
    pub fn directory(&self) -> &Path {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let sources = package.parent().unwrap_or(package);
        self.directory.as_deref().unwrap_or(sources)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    Front,
    Conductor,
    Worker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RuntimeName {
    Tokio,
    Smol,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Front => "front",
            Role::Conductor => "conductor",
            Role::Worker => "worker",
        })
    }
}

impl fmt::Display for RuntimeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RuntimeName::Tokio => "tokio",
            RuntimeName::Smol => "smol",
        })
    }
}
