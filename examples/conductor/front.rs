//! The front process: finds the files, has the work done, and prints what came of it.

use std::fs;
use std::thread;

use tidings::{Address, IdempotencyKey};

use crate::args::Args;
use crate::crew::{Crew, Plan};
use crate::error::Failure;
use crate::file_path::FilePath;
use crate::interrupt;
use crate::open::open;
use crate::pass::{Clients, Outcome, Pass, Way};
use crate::progress::Listener;
use crate::report::Report;
use crate::scratch::Scratch;
use crate::timings::Timings;
use crate::walk::{Found, walk};

/// How long the lists of the report are.
const LONGEST: u32 = 10;

/// A whole run. However it ends, the processes that it started end first, and then its temporary directory goes.
pub fn run(args: &Args) -> Result<(), Failure> {
    interrupt::catch()?;
    fs::metadata(args.directory()).map_err(|error| {
        Failure::system(format!("index `{}`", args.directory().display()), error)
    })?;
    let scratch = Scratch::new()?;
    let address = args.bus.clone().unwrap_or_else(|| scratch.address());
    let scheme = Address::parse(&address)?.scheme().to_owned();
    let plan = Plan {
        address,
        exchange: format!("conductor-{}", std::process::id()),
        database: args.database.clone().unwrap_or_else(|| scratch.database()),
        scratch: scratch.path().to_owned(),
        runtime: args.runtime,
        workers: args.workers.unwrap_or_else(one_per_core),
    };
    // The first to open a `unix:` address is its hub. That is this process, since it lives as long as the run.
    let opened = open(&plan.address, &plan.exchange, plan.runtime)?;
    let crew = match scheme.as_str() {
        "mem" => Crew::here(&opened.bus, &plan)?,
        _ => Crew::apart(&plan)?,
    };
    let front = Front {
        clients: Clients::new(&opened.bus),
        listener: Listener::start(&opened.bus)?,
        crew,
        in_flight: args.in_flight.into(),
    };
    let setting = format!("{} workers, {}, {scheme}:", plan.workers, plan.runtime);
    front.work(walk(args.directory())?, args, &setting)
}

fn one_per_core() -> u16 {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    u16::try_from(cores).unwrap_or(u16::MAX)
}

/// The front process once everybody is there. Its fields go in this order: what was cast is shown, then all go home.
struct Front {
    clients: Clients,
    listener: Listener,
    crew: Crew,
    in_flight: usize,
}

impl Front {
    /// The job, and then the comparison of the two verbs.
    fn work(mut self, found: Found, args: &Args, setting: &str) -> Result<(), Failure> {
        for directory in found.unreadable {
            self.listener.show(&directory.to_string());
            let saved = self.clients.conductor.save_unreadable(directory);
            saved.idempotent(IdempotencyKey::unique()).wait()?;
        }
        let by_invoke = Way::Invoke {
            in_flight: self.in_flight,
        };
        let first = self.pass("indexing", by_invoke, &found.files)?;
        let report = self.report()?;
        self.listener.print(&report.to_string());
        if args.no_comparison || found.files.is_empty() {
            return Ok(());
        }
        let call = self.pass("by call", Way::Call, &found.files)?;
        let after_call = self.report()?;
        let invoke = self.pass("by invoke", by_invoke, &found.files)?;
        let timings = Timings {
            files: found.files.len(),
            in_flight: self.in_flight,
            setting,
            first: first.took,
            call: call.took,
            invoke: invoke.took,
            same_reports: after_call == report && self.report()? == report,
        };
        self.listener.print(&timings.to_string());
        Ok(())
    }

    fn pass(
        &mut self,
        name: &'static str,
        way: Way,
        files: &[FilePath],
    ) -> Result<Outcome, Failure> {
        let outcome = Pass::new(name, way, &self.clients, &mut self.crew).run(files)?;
        if outcome.repeated > 0 {
            let repeated = outcome.repeated;
            self.listener
                .show(&format!("{name}: {repeated} requests were sent again"));
        }
        Ok(outcome)
    }

    fn report(&self) -> Result<Report, Failure> {
        Ok(self.clients.conductor.report(LONGEST).wait()?)
    }
}
