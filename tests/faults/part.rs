//! Which part a process of a test plays, and how it is told.

use std::path::PathBuf;

use crate::engine::{Directory, Engine};
use crate::process::Process;

/// Who a process is, as its environment tells it.
pub(crate) struct Part {
    pub(crate) role: String,
    /// Its name among the processes of the test.
    pub(crate) name: String,
    pub(crate) engine: Engine,
    pub(crate) directory: PathBuf,
    /// Where the bus of the directory is, for the process that serves it and for one that connects.
    pub(crate) hub: String,
    pub(crate) member: String,
}

const ROLE: &str = "TIDINGS_FAULTS_ROLE";
const NAME: &str = "TIDINGS_FAULTS_NAME";
const ENGINE: &str = "TIDINGS_FAULTS_ENGINE";
const DIRECTORY: &str = "TIDINGS_FAULTS_DIRECTORY";
const HUB: &str = "TIDINGS_FAULTS_HUB";
const MEMBER: &str = "TIDINGS_FAULTS_MEMBER";

impl Part {
    /// The part of this process; none for one that nobody of us started.
    pub(crate) fn of_the_environment() -> Option<Part> {
        let variable = |name| std::env::var(name).ok();
        Some(Part {
            role: variable(ROLE)?,
            name: variable(NAME)?,
            engine: Engine::named(&variable(ENGINE)?),
            directory: variable(DIRECTORY)?.into(),
            hub: variable(HUB)?,
            member: variable(MEMBER)?,
        })
    }
}

impl Process {
    /// Starts one that plays `role`, and waits until it says that it is ready.
    pub(crate) fn start(role: &str, name: &str, engine: Engine, directory: &Directory) -> Process {
        let mut command = Process::again("as_another_process");
        command
            .env(ROLE, role)
            .env(NAME, name)
            .env(ENGINE, engine.name())
            .env(DIRECTORY, directory.path())
            .env(HUB, directory.hub())
            .env(MEMBER, directory.member());
        Process::launch(&format!("{role} {name}"), &mut command).0
    }
}
