//! The indexer: reads one file from its first byte to its last.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use sha2::{Digest, Sha256};
use tidings::Context;

use crate::file_path::FilePath;
use crate::kind::Kind;
use crate::services::{IndexedFile, Indexer, Unreadable};

/// Reads from the disks of the machine it runs on.
pub struct DiskIndexer;

impl Indexer for DiskIndexer {
    fn index(&self, path: FilePath) -> Result<IndexedFile, Unreadable> {
        read(path.as_path())
            .map(|read| read.into_indexed(path.clone()))
            .map_err(|error| Unreadable {
                path,
                reason: error.to_string(),
            })
    }
}

/// How much is read at once, and at most looked at to tell the kind.
const CHUNK: usize = 64 * 1024;

fn read(path: &Path) -> io::Result<Content> {
    let context = Context::current();
    let mut file = File::open(path)?;
    let mut chunk = vec![0; CHUNK];
    let mut content = Content::new(path);
    loop {
        // A blocking handler is not stopped from outside: it looks by itself whether anyone still waits (C-DL-3).
        if context.as_ref().is_some_and(Context::is_cancelled) {
            return Err(io::Error::other("nobody waits for it any more"));
        }
        match file.read(&mut chunk) {
            Ok(0) => return Ok(content),
            Ok(read) => content.add(path, &chunk[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// What is known of a file so far.
struct Content {
    kind: Kind,
    bytes: u64,
    lines: u64,
    words: u64,
    in_word: bool,
    hash: Sha256,
}

impl Content {
    fn new(path: &Path) -> Self {
        Content {
            kind: Kind::detect(path, &[]),
            bytes: 0,
            lines: 0,
            words: 0,
            in_word: false,
            hash: Sha256::new(),
        }
    }

    fn add(&mut self, path: &Path, chunk: &[u8]) {
        if self.bytes == 0 {
            self.kind = Kind::detect(path, chunk);
        }
        self.bytes += chunk.len() as u64;
        self.hash.update(chunk);
        for byte in chunk {
            self.lines += u64::from(*byte == b'\n');
            // A word may lie across two chunks, and is counted where it begins.
            let in_word = !byte.is_ascii_whitespace();
            self.words += u64::from(in_word && !self.in_word);
            self.in_word = in_word;
        }
    }

    fn into_indexed(self, path: FilePath) -> IndexedFile {
        IndexedFile {
            path,
            kind: self.kind,
            bytes: self.bytes,
            lines: self.lines,
            words: self.words,
            hash: self.hash.finalize().into(),
        }
    }
}
