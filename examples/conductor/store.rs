//! The conductor's database. Only the process that serves the topic `conductor` has one of these.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::types::Type;
use rusqlite::{Connection, Row, ToSql, params};

use crate::file_path::FilePath;
use crate::kind::Kind;
use crate::report::{Content, Duplicates, Report, Totals};
use crate::services::{Conductor, IndexedFile, StoreError, Unreadable};

/// The SQLite file.
///
/// The lock is for the compiler only: the server is serial, so that one handler at a time comes here.
pub struct Store(Mutex<Connection>);

/// One row per file, by path. `unreadable` has the reason where there is one, and then the rest is empty.
const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;     -- with NORMAL: no wait for the disk at each row
    PRAGMA synchronous = NORMAL;
    CREATE TABLE files (
        path BLOB NOT NULL PRIMARY KEY,
        kind TEXT, bytes INTEGER, lines INTEGER, words INTEGER, hash BLOB,
        unreadable TEXT
    ) WITHOUT ROWID;
";

impl Store {
    /// Makes the database. The file must not be there: a run has an index of its own, and overwrites nobody's.
    ///
    /// # Errors
    /// [`CannotCreate`], with the system's or SQLite's reason.
    pub fn create(path: &Path) -> Result<Self, CannotCreate> {
        let cannot = |reason| CannotCreate {
            path: path.to_owned(),
            reason,
        };
        File::create_new(path).map_err(|error| cannot(Reason::File(error)))?;
        let database = Connection::open(path).map_err(|error| cannot(Reason::Sqlite(error)))?;
        database
            .execute_batch(SCHEMA)
            .map_err(|error| cannot(Reason::Sqlite(error)))?;
        Ok(Store(Mutex::new(database)))
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        // A handler that panicked left at most a statement half-way, which SQLite has rolled back.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Conductor for Store {
    fn save(&self, file: IndexedFile) -> Result<(), StoreError> {
        let row = params![
            file.path.as_bytes(),
            file.kind.name(),
            file.bytes,
            file.lines,
            file.words,
            file.hash
        ];
        let sql = "INSERT OR REPLACE INTO files (path, kind, bytes, lines, words, hash) VALUES (?, ?, ?, ?, ?, ?)";
        execute(&self.database(), sql, row).map_err(while_doing("saving a file"))
    }

    fn save_unreadable(&self, file: Unreadable) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO files (path, unreadable) VALUES (?, ?)";
        execute(
            &self.database(),
            sql,
            params![file.path.as_bytes(), file.reason],
        )
        .map_err(while_doing("saving an unreadable file"))
    }

    fn report(&self, longest: u32) -> Result<Report, StoreError> {
        report(&self.database(), longest).map_err(while_doing("reporting"))
    }
}

fn execute(database: &Connection, sql: &str, row: &[&dyn ToSql]) -> rusqlite::Result<()> {
    database.prepare_cached(sql)?.execute(row).map(drop)
}

fn report(database: &Connection, longest: u32) -> rusqlite::Result<Report> {
    let sums = "count(*), ifnull(sum(bytes), 0), ifnull(sum(lines), 0), ifnull(sum(words), 0)";
    let readable = "FROM files WHERE unreadable IS NULL";
    Ok(Report {
        total: database.query_row(&format!("SELECT {sums} {readable}"), [], |row| {
            totals(row, 0)
        })?,
        unreadable: database.query_row(
            "SELECT count(*) FROM files WHERE unreadable IS NOT NULL",
            [],
            |row| row.get(0),
        )?,
        kinds: list(
            database,
            &format!(
                "SELECT kind, {sums} {readable} GROUP BY kind ORDER BY count(*) DESC, kind LIMIT ?"
            ),
            u32::MAX,
            |row| Ok((kind(row, 0)?, totals(row, 1)?)),
        )?,
        largest: list(
            database,
            &format!("SELECT path, bytes {readable} ORDER BY bytes DESC, path LIMIT ?"),
            longest,
            |row| Ok((FilePath::from_bytes(row.get(0)?), row.get(1)?)),
        )?,
        duplicates: duplicates(database, longest)?,
    })
}

fn duplicates(database: &Connection, longest: u32) -> rusqlite::Result<Duplicates> {
    let contents =
        "SELECT hash, max(bytes) AS size, count(*) AS files, min(path) AS example FROM files
                    WHERE unreadable IS NULL AND bytes > 0 GROUP BY hash HAVING count(*) > 1";
    let worst = list(
        database,
        &format!("{contents} ORDER BY (files - 1) * size DESC, hash LIMIT ?"),
        longest,
        |row| {
            Ok(Content {
                hash: row.get(0)?,
                bytes: row.get(1)?,
                files: row.get(2)?,
                example: FilePath::from_bytes(row.get(3)?),
            })
        },
    )?;
    let sums = "count(*), ifnull(sum(files - 1), 0), ifnull(sum((files - 1) * size), 0)";
    database.query_row(&format!("SELECT {sums} FROM ({contents})"), [], |row| {
        Ok(Duplicates {
            contents: row.get(0)?,
            copies: row.get(1)?,
            bytes: row.get(2)?,
            worst,
        })
    })
}

fn list<T>(
    database: &Connection,
    sql: &str,
    longest: u32,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    database.prepare(sql)?.query_map([longest], read)?.collect()
}

fn totals(row: &Row<'_>, first: usize) -> rusqlite::Result<Totals> {
    Ok(Totals {
        files: row.get(first)?,
        bytes: row.get(first + 1)?,
        lines: row.get(first + 2)?,
        words: row.get(first + 3)?,
    })
}

fn kind(row: &Row<'_>, column: usize) -> rusqlite::Result<Kind> {
    let name: String = row.get(column)?;
    let unknown = || format!("`{name}` is no kind of file: was the database changed by hand?");
    Kind::from_name(&name).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, unknown().into())
    })
}

fn while_doing(doing: &str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |error| StoreError {
        doing: doing.into(),
        reason: error.to_string(),
    }
}

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot create the database {path}: {reason}; with `--database` give a file that is not there yet, \
     in a directory that can be written to"
)]
pub struct CannotCreate {
    path: PathBuf,
    reason: Reason,
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    File(io::Error),
    #[error(transparent)]
    Sqlite(rusqlite::Error),
}
