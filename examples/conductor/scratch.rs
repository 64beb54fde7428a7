//! The temporary directory of a run, and who removes it: the front process; after a `kill -9` of that, the conductor. With
//! `mem:` these are one process, so that a `kill -9` leaves the directory behind.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::Failure;

/// The directory; removed when this is dropped.
pub struct Scratch(TempDir);

const SOCKET: &str = "bus.sock";
/// The hub's lock, beside its socket.
const LOCK: &str = "bus.sock.lock";
const DATABASE: &str = "conductor.db";
/// SQLite's own, beside the database.
const BESIDE_DATABASE: [&str; 2] = ["conductor.db-wal", "conductor.db-shm"];

impl Scratch {
    pub fn new() -> Result<Self, Failure> {
        TempDir::with_prefix("conductor-")
            .map(Scratch)
            .map_err(|error| Failure::system("make a temporary directory", error))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The address of a bus in it.
    pub fn address(&self) -> String {
        format!("unix:{}", self.path().join(SOCKET).display())
    }

    /// A place for the database in it.
    pub fn database(&self) -> PathBuf {
        self.path().join(DATABASE)
    }
}

/// Removes the scratch directory of a front process that was killed and cannot do it any more.
///
/// Only what a run makes is removed, by name, and then the directory if it is empty: it came from a command line.
pub fn remove_after_a_kill(scratch: &Path) {
    // What fails here would have failed there, and nobody is left to be told.
    for name in [SOCKET, LOCK, DATABASE].iter().chain(&BESIDE_DATABASE) {
        let _ = fs::remove_file(scratch.join(name));
    }
    let _ = fs::remove_dir(scratch);
}
