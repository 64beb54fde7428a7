//! The three services on the bus, and what travels between them: the only thing that the processes share.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::file_path::FilePath;
use crate::kind::Kind;
use crate::report::Report;

/// Owns the database: nobody else opens it. Others have its rows as values, saved and fetched over the bus.
#[tidings::service(version = "1.0")]
pub trait Conductor {
    /// Saves a file, in place of what is known of it: saving it twice is saving it once.
    #[blocking]
    fn save(&self, file: IndexedFile) -> Result<(), StoreError>;

    /// Saves that a file could not be read, in place of what is known of it.
    #[blocking]
    fn save_unreadable(&self, file: Unreadable) -> Result<(), StoreError>;

    /// The report, with at most `longest` lines in each of its lists.
    #[blocking]
    fn report(&self, longest: u32) -> Result<Report, StoreError>;
}

/// Reads files. Every worker serves it, and the bus gives each request to the least busy one.
#[tidings::service(version = "1.0")]
pub trait Indexer {
    /// Counts, hashes and judges one file. It changes nothing, so it may be repeated at will.
    #[blocking]
    fn index(&self, path: FilePath) -> Result<IndexedFile, Unreadable>;
}

/// Shows how far it is. Meant for `cast`: nobody waits for it.
#[tidings::service(version = "1.0")]
pub trait Progress {
    /// How far the pass is. It says how much, not how much more, so that one lost among many does no harm.
    #[blocking]
    fn advanced(&self, to: Advance);

    /// A line of its own: something that the user should know now.
    #[blocking]
    fn note(&self, text: String);
}

/// What is known of a file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexedFile {
    pub path: FilePath,
    pub kind: Kind,
    pub bytes: u64,
    /// Newline characters, as `wc -l` counts them.
    pub lines: u64,
    /// Longest runs of bytes that are not ASCII white space.
    pub words: u64,
    /// SHA-256 of its content.
    pub hash: [u8; 32],
}

/// A file that cannot be read: the indexer's own error. It travels as this type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("cannot read {path}: {reason}")]
pub struct Unreadable {
    pub path: FilePath,
    pub reason: String,
}

/// The database failed: the conductor's own error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("the database failed while {doing}: {reason}")]
pub struct StoreError {
    pub doing: String,
    pub reason: String,
}

/// How far a pass over the files is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advance {
    pub pass: String,
    pub done: u64,
    pub total: u64,
}

impl fmt::Display for Advance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Advance { pass, done, total } = self;
        write!(f, "{pass}: {done} of {total} files")
    }
}
