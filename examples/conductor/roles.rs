//! What a process serves, whether it has the role for itself or all roles together.

use std::io::{Read, Write, stdin, stdout};
use std::path::Path;
use std::time::Duration;

use tidings::{Bus, Server};

use crate::args::{Args, Role};
use crate::error::Failure;
use crate::indexer::DiskIndexer;
use crate::open::open;
use crate::scratch;
use crate::services::{ConductorServer, IndexerServer};
use crate::store::Store;

/// Serves the database. Serial: SQLite has one writer at a time, so more handlers would only wait for each other.
pub fn serve_conductor(bus: &Bus, database: &Path) -> Result<Server, Failure> {
    let store = Store::create(database)?;
    Ok(bus.server(ConductorServer::new(store)).serial().start()?)
}

/// Serves as a worker. Serial: there is one worker per core, and one file at a time keeps a core busy.
pub fn serve_worker(bus: &Bus, name: &str) -> Result<Server, Failure> {
    let server = bus.server(IndexerServer::new(DiskIndexer)).name(name);
    Ok(server.serial().start()?)
}

/// What a child says on its standard output once it serves.
pub const READY: &str = "ready";
/// What a child hears on its standard input when the run ends in order.
pub const DONE: u8 = b'.';

/// How long what runs may take to end when the run is over.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A child process, from its start to its end.
///
/// It ends when its standard input does. That needs nobody's help: the system closes the pipe however the front process
/// ends, by `kill -9` as well.
pub fn child(args: &Args) -> Result<(), Failure> {
    let address = args.bus.as_deref().unwrap_or_default();
    let opened = open(address, &args.exchange, args.runtime)?;
    let server = match (args.role, &args.database) {
        (Role::Conductor, Some(database)) => serve_conductor(&opened.bus, database)?,
        _ => serve_worker(&opened.bus, &args.name)?,
    };
    writeln!(stdout(), "{READY}")
        .map_err(|error| Failure::system("tell the front process", error))?;
    let mut last_words = Vec::new();
    // An error is an end as well.
    let _ = stdin().read_to_end(&mut last_words);
    server.drain_wait(LAST_WORDS);
    drop(server);
    drop(opened);
    match &args.scratch {
        Some(scratch) if !last_words.contains(&DONE) => scratch::remove_after_a_kill(scratch),
        _ => {}
    }
    Ok(())
}
