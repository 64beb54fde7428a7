//! Finding the files.

use std::path::Path;

use walkdir::{DirEntry, WalkDir};

use crate::error::Failure;
use crate::file_path::FilePath;
use crate::interrupt;
use crate::services::Unreadable;

/// What is below a directory.
pub struct Found {
    pub files: Vec<FilePath>,
    /// Directories that could not be read: what is in them is not known.
    pub unreadable: Vec<Unreadable>,
}

/// Finds all regular files below `directory`, in one order only.
///
/// Symbolic links are not followed, so that nothing is found twice and no circle is walked. What git and build tools
/// keep for themselves is left out: `.git`, and directories that are marked as caches by a `CACHEDIR.TAG`.
///
/// # Errors
/// When it is interrupted.
pub fn walk(directory: &Path) -> Result<Found, Failure> {
    let mut found = Found {
        files: Vec::new(),
        unreadable: Vec::new(),
    };
    let walk = WalkDir::new(directory).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(|entry| entry.depth() == 0 || !is_private(entry)) {
        interrupt::check()?;
        match entry {
            Ok(entry) if entry.file_type().is_file() => {
                found.files.push(entry.into_path().into());
            }
            Ok(_) => {}
            Err(error) => found.unreadable.push(Unreadable {
                path: error.path().unwrap_or(directory).to_owned().into(),
                reason: error
                    .io_error()
                    .map_or_else(|| error.to_string(), ToString::to_string),
            }),
        }
    }
    Ok(found)
}

fn is_private(entry: &DirEntry) -> bool {
    entry.file_type().is_dir()
        && (entry.file_name() == ".git" || entry.path().join("CACHEDIR.TAG").exists())
}
