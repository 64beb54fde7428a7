//! The conductor and the workers of a run: in processes of their own, or all in this one.

use std::path::PathBuf;

use tidings::{Bus, Server};

use crate::args::RuntimeName;
use crate::error::Failure;
use crate::processes::Processes;
use crate::roles;

/// Who does the work. Dropping it sends everyone home.
pub enum Crew {
    /// The servers live as long as this does.
    Here {
        _servers: Vec<Server>,
    },
    Processes(Processes),
}

/// Who works together, and where they meet.
pub struct Plan {
    pub address: String,
    pub exchange: String,
    pub database: PathBuf,
    pub scratch: PathBuf,
    pub runtime: RuntimeName,
    pub workers: u16,
}

impl Plan {
    pub fn worker_names(&self) -> impl Iterator<Item = String> {
        (1..=self.workers).map(|number| format!("indexer-{number}"))
    }
}

impl Crew {
    /// Serves everything in this process.
    pub fn here(bus: &Bus, plan: &Plan) -> Result<Self, Failure> {
        let mut servers = vec![roles::serve_conductor(bus, &plan.database)?];
        for name in plan.worker_names() {
            servers.push(roles::serve_worker(bus, &name)?);
        }
        Ok(Crew::Here { _servers: servers })
    }

    /// Serves in processes of their own; when this returns, each of them does.
    pub fn apart(plan: &Plan) -> Result<Self, Failure> {
        Processes::start(plan).map(Crew::Processes)
    }

    /// Looks who has ended since the last time, and gives a line for each worker that did. The run goes on without it:
    /// what it had is given to the others.
    ///
    /// # Errors
    /// When the run cannot go on: without its conductor, or without any worker.
    pub fn check(&mut self) -> Result<Vec<String>, Failure> {
        match self {
            Crew::Here { .. } => Ok(Vec::new()),
            Crew::Processes(processes) => processes.check(),
        }
    }
}
