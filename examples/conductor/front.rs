//! The front process: finds the files, has the work done, and prints what came of it.

use std::fs;
use std::io::{Write, stdout};
use std::thread;

use tempfile::TempDir;
use tidings::Address;

use crate::args::Args;
use crate::crew::{Call, Crew};
use crate::error::Failure;
use crate::file_path::FilePath;
use crate::interrupt;
use crate::open::open;
use crate::pass::{Clients, Outcome, Pass, Way};
use crate::progress::Listener;
use crate::report::Report;
use crate::timings::Timings;
use crate::walk::{Found, walk};

/// How long the lists of the report are.
const LONGEST: u32 = 10;

/// A whole run. However it ends, the processes that it started end first, and then its temporary directory goes.
pub fn run(args: &Args) -> Result<(), Failure> {
    interrupt::catch()?;
    fs::metadata(&args.directory)
        .map_err(|error| Failure::system(format!("index `{}`", args.directory.display()), error))?;
    let scratch = TempDir::with_prefix("conductor-")
        .map_err(|error| Failure::system("make a temporary directory", error))?;
    let address = match &args.bus {
        Some(address) => address.clone(),
        None => format!("unix:{}", scratch.path().join("bus.sock").display()),
    };
    let scheme = Address::parse(&address)?.scheme().to_owned();
    let call = Call {
        address,
        exchange: format!("conductor-{}", std::process::id()),
        database: match &args.database {
            Some(kept) => kept.clone(),
            None => scratch.path().join("conductor.db"),
        },
        scratch: scratch.path().to_owned(),
        runtime: args.runtime,
        workers: args.workers.unwrap_or_else(one_per_core),
    };
    // The first to open a `unix:` address is its hub. That is this process, since it lives as long as the run.
    let opened = open(&call.address, &call.exchange, call.runtime)?;
    let crew = match scheme.as_str() {
        "mem" => Crew::here(&opened.bus, &call)?,
        _ => Crew::processes(&call)?,
    };
    let front = Front {
        clients: Clients::new(&opened.bus),
        listener: Listener::start(&opened.bus)?,
        crew,
        in_flight: args.in_flight.into(),
    };
    let setting = format!("{} workers, {}, {scheme}:", call.workers, call.runtime);
    let text = front.work(walk(&args.directory)?, args, &setting)?;
    // A reader that has gone away (`| head`) is no failure of the run.
    let _ = stdout().write_all(text.as_bytes());
    Ok(())
}

fn one_per_core() -> u16 {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    u16::try_from(cores).unwrap_or(u16::MAX)
}

struct Front {
    clients: Clients,
    listener: Listener,
    crew: Crew,
    in_flight: usize,
}

impl Front {
    /// All passes; the text for standard output.
    fn work(mut self, found: Found, args: &Args, setting: &str) -> Result<String, Failure> {
        let invoke = Way::Invoke {
            in_flight: self.in_flight,
        };
        for directory in found.unreadable {
            self.listener.show(&directory.to_string());
            self.clients
                .conductor
                .save_unreadable(directory)
                .idempotent()
                .wait()?;
        }
        let first = self.pass("indexing", invoke, &found.files)?;
        let report = self.report()?;
        let mut text = report.to_string();
        if !args.no_comparison {
            let call = self.pass("by call", Way::Call, &found.files)?;
            let after_call = self.report()?;
            let invoke = self.pass("by invoke", invoke, &found.files)?;
            let timings = Timings {
                files: found.files.len(),
                in_flight: self.in_flight,
                setting,
                first: first.took,
                call: call.took,
                invoke: invoke.took,
                same_reports: after_call == report && self.report()? == report,
            };
            text.push_str(&timings.to_string());
        }
        Ok(text)
    }

    fn pass(
        &mut self,
        name: &'static str,
        way: Way,
        files: &[FilePath],
    ) -> Result<Outcome, Failure> {
        let outcome = Pass::new(name, way, &self.clients, &mut self.crew).run(files)?;
        if outcome.repeated > 0 {
            self.listener.show(&format!(
                "{name}: {} requests were sent again",
                outcome.repeated
            ));
        }
        Ok(outcome)
    }

    fn report(&self) -> Result<Report, Failure> {
        Ok(self.clients.conductor.report(LONGEST).wait()?)
    }
}
