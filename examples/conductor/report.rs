//! The final report: what the conductor answers and what is printed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::file_path::FilePath;
use crate::kind::Kind;

/// What the database says of all files.
///
/// Every list has one order only, so that two runs over the same files print the same text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// All files that were read.
    pub total: Totals,
    /// Files that could not be read.
    pub unreadable: u64,
    /// Most files first, then by name.
    pub kinds: Vec<(Kind, Totals)>,
    /// Largest first, then by path.
    pub largest: Vec<(FilePath, u64)>,
    /// Files with the same content, the empty ones apart.
    pub duplicates: Duplicates,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub files: u64,
    pub bytes: u64,
    pub lines: u64,
    pub words: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicates {
    /// Contents that more than one file has.
    pub contents: u64,
    /// Files that could go without losing a content.
    pub copies: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// The contents whose copies take the most bytes, first; then by hash.
    pub worst: Vec<Content>,
}

/// A content that several files have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// SHA-256.
    pub hash: [u8; 32],
    /// Bytes of each file.
    pub bytes: u64,
    /// Files that have it.
    pub files: u64,
    /// The first of them by path.
    pub example: FilePath,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals {
            files,
            bytes,
            lines,
            words,
        } = self.total;
        writeln!(
            f,
            "{files} files, {bytes} bytes, {lines} lines, {words} words; {} not readable",
            self.unreadable
        )?;
        writeln!(f, "\nby kind:")?;
        for (kind, of_kind) in &self.kinds {
            let Totals { files, bytes, .. } = of_kind;
            writeln!(f, "  {kind:<14} {files:>8} files {bytes:>14} bytes")?;
        }
        writeln!(f, "\nlargest:")?;
        for (path, bytes) in &self.largest {
            writeln!(f, "  {bytes:>14} bytes  {path}")?;
        }
        let Duplicates {
            contents,
            copies,
            bytes,
            worst,
        } = &self.duplicates;
        writeln!(
            f,
            "\nduplicates: {copies} copies of {contents} contents, {bytes} bytes"
        )?;
        for content in worst {
            let [a, b, c, d, ..] = content.hash;
            writeln!(
                f,
                "  {a:02x}{b:02x}{c:02x}{d:02x}  {} files of {} bytes, one is {}",
                content.files, content.bytes, content.example
            )?;
        }
        Ok(())
    }
}
