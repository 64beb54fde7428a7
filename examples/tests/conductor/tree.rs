//! A directory full of files, and what there is to say of it, computed directly.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::file_path::FilePath;
use crate::kind::Kind;
use crate::report::{Content, Duplicates, Report, Totals};

/// How many files there are to read.
pub const FILES: usize = 2400;
/// How long the lists of the report are.
const LONGEST: usize = 10;

/// A generated directory. It is removed when this is dropped.
pub struct Tree {
    directory: TempDir,
    files: Vec<Written>,
    unreadable: u64,
}

/// A file as it was written.
struct Written {
    path: PathBuf,
    kind: Kind,
    content: Vec<u8>,
}

impl Tree {
    /// Writes [`FILES`] files of all kinds, with duplicates and odd names among them, and one that nobody can read.
    pub fn generate() -> Self {
        let mut tree = Tree {
            directory: TempDir::new().unwrap(),
            files: Vec::new(),
            unreadable: 0,
        };
        for number in 0..FILES {
            let (name, kind, content) = file(number);
            tree.write(&format!("part-{}", number % 40), &name, kind, content);
        }
        tree.write_one_with_too_long_a_path();
        tree
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&mut self, directory: &str, name: &[u8], kind: Kind, content: Vec<u8>) {
        let directory = self.path().join(directory);
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join(std::ffi::OsStr::from_bytes(name));
        fs::write(&path, &content).unwrap();
        self.files.push(Written {
            path,
            kind,
            content,
        });
    }

    /// A file that can be found and not opened: not even by root, for whom permissions are nothing.
    fn write_one_with_too_long_a_path(&mut self) {
        const PATH_MAX: usize = 4096;
        let mut directory = self.path().join("deep");
        while directory.as_os_str().len() < PATH_MAX - 250 {
            directory.push("d".repeat(100));
        }
        fs::create_dir_all(&directory).unwrap();
        let touched = Command::new("touch")
            .current_dir(&directory)
            .arg("f".repeat(250))
            .status();
        assert!(touched.unwrap().success());
        self.unreadable += 1;
    }

    /// The report that a run over it must give.
    pub fn report(&self) -> Report {
        let mut kinds = BTreeMap::new();
        let mut total = Totals::default();
        for file in &self.files {
            let of_kind = kinds
                .entry(file.kind.name())
                .or_insert((file.kind, Totals::default()));
            for totals in [&mut of_kind.1, &mut total] {
                totals.files += 1;
                totals.bytes += file.content.len() as u64;
                totals.lines += file.lines();
                totals.words += file.words();
            }
        }
        let mut kinds: Vec<_> = kinds.into_values().collect();
        kinds.sort_by_key(|(_, totals)| std::cmp::Reverse(totals.files));
        let mut largest: Vec<_> = self
            .files
            .iter()
            .map(|file| (FilePath::from(file.path.clone()), file.content.len() as u64))
            .collect();
        largest.sort_by(|(path, bytes), (other_path, other_bytes)| {
            other_bytes.cmp(bytes).then(path.cmp(other_path))
        });
        largest.truncate(LONGEST);
        Report {
            total,
            unreadable: self.unreadable,
            kinds,
            largest,
            duplicates: self.duplicates(),
        }
    }

    fn duplicates(&self) -> Duplicates {
        let mut contents: BTreeMap<&[u8], Vec<FilePath>> = BTreeMap::new();
        for file in self.files.iter().filter(|file| !file.content.is_empty()) {
            contents
                .entry(&file.content)
                .or_default()
                .push(file.path.clone().into());
        }
        let mut worst: Vec<_> = contents
            .into_iter()
            .filter(|(_, paths)| paths.len() > 1)
            .map(|(content, paths)| Content {
                hash: Sha256::digest(content).into(),
                bytes: content.len() as u64,
                files: paths.len() as u64,
                example: paths.into_iter().min().unwrap(),
            })
            .collect();
        let copied = |content: &Content| (content.files - 1) * content.bytes;
        worst.sort_by_key(|content| (std::cmp::Reverse(copied(content)), content.hash));
        let mut duplicates = Duplicates {
            contents: worst.len() as u64,
            copies: worst.iter().map(|content| content.files - 1).sum(),
            bytes: worst.iter().map(copied).sum(),
            worst,
        };
        duplicates.worst.truncate(LONGEST);
        duplicates
    }
}

impl Written {
    fn lines(&self) -> u64 {
        self.content.split(|byte| *byte == b'\n').count() as u64 - 1
    }

    fn words(&self) -> u64 {
        self.content
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .count() as u64
    }
}

/// The name, kind and content of one file.
fn file(number: usize) -> (Vec<u8>, Kind, Vec<u8>) {
    // Every sixteenth has the same content as the others of its kind: those are the duplicates.
    let seed = if number % 16 == 0 { 7 } else { number };
    let text = text(seed);
    let name = |extension: &str| format!("file {number}{extension}").into_bytes();
    match number % 9 {
        0 => (name(".rs"), Kind::Rust, text),
        1 => (name(".h"), Kind::C, text),
        2 => (name(".md"), Kind::Markup, text),
        3 => (name(".toml"), Kind::Configuration, text),
        4 => (
            name(""),
            Kind::Script,
            [b"#!/bin/sh\n".as_slice(), &text].concat(),
        ),
        5 => (
            name(".png"),
            Kind::Image,
            [b"\x89PNG\r\n\x1a\n".as_slice(), &text].concat(),
        ),
        6 => (
            name(".dat"),
            Kind::Binary,
            [b"\x01\0\x02".as_slice(), &text].concat(),
        ),
        7 => (name(".txt"), Kind::Empty, Vec::new()),
        _ => ([&name(".")[..], b"\xff\xfe"].concat(), Kind::Text, text),
    }
}

/// Words and lines; now and then more than is read at once, with a word across every boundary.
fn text(seed: usize) -> Vec<u8> {
    let length = if seed % 400 == 8 {
        150_000
    } else {
        300 + seed % 700
    };
    let mut text = format!("{seed} is the seed\n").into_bytes();
    while text.len() < length {
        let word = "bus".repeat(1 + text.len() % 5);
        let space = [" ", "\n", "\t ", " \n\n"][text.len() % 4];
        text.extend_from_slice(word.as_bytes());
        text.extend_from_slice(space.as_bytes());
    }
    text
}
