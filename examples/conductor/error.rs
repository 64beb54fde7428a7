//! Why a run ends without a report.

use std::io;
use std::process::ExitStatus;

use crate::file_path::FilePath;
use crate::services::StoreError;
use crate::store::CannotCreate;

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// By Ctrl-C, or a request to terminate.
    #[error("interrupted")]
    Interrupted,
    /// The operating system refused something.
    #[error("cannot {doing}: {source}")]
    System { doing: String, source: io::Error },
    /// It refused the signal handler.
    #[error("cannot catch Ctrl-C: {0}")]
    Signals(ctrlc::Error),
    /// The bus could not be opened, or did not bring a reply.
    #[error(transparent)]
    Bus(#[from] tidings::Error),
    /// There is no database to save in.
    #[error(transparent)]
    Database(#[from] CannotCreate),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One file could not be done, and not for a reason of its own.
    #[error("cannot do {path}, tried {attempts} times: {error}")]
    NotDone {
        path: FilePath,
        attempts: u32,
        error: tidings::CallError,
    },
    /// A child process ended before it served.
    #[error("{member} did not start ({status}): its own message is above")]
    NotStarted { member: String, status: ExitStatus },
    /// A child process does not come to serving.
    #[error("{member} was not ready after {seconds} s: is the machine that busy?")]
    Slow { member: String, seconds: u64 },
    /// Without it nothing can be saved.
    #[error(
        "the conductor ended in mid-run ({status}), so nothing can be saved any more: start again"
    )]
    ConductorLost { status: ExitStatus },
    /// Without any worker nothing can be read.
    #[error("no worker is left, see above what ended them: start again, with more `--workers`")]
    NoWorkers,
}

impl Failure {
    /// The exit status that a shell expects of a program that Ctrl-C ended.
    pub const INTERRUPTED_STATUS: u8 = 130;

    /// The exit status of the process.
    pub fn status(&self) -> u8 {
        match self {
            Failure::Interrupted => Self::INTERRUPTED_STATUS,
            _ => 1,
        }
    }

    pub fn system(doing: impl Into<String>, source: io::Error) -> Self {
        let doing = doing.into();
        Failure::System { doing, source }
    }
}

impl From<tidings::OpenError> for Failure {
    fn from(error: tidings::OpenError) -> Self {
        Failure::Bus(error.into())
    }
}

impl From<tidings::ServeError> for Failure {
    fn from(error: tidings::ServeError) -> Self {
        Failure::Bus(error.into())
    }
}

impl From<tidings::CallError> for Failure {
    fn from(error: tidings::CallError) -> Self {
        Failure::Bus(error.into())
    }
}

/// A method's own error is told as that, else the bus's.
impl<A: Into<Failure>> From<tidings::MethodError<A>> for Failure {
    fn from(error: tidings::MethodError<A>) -> Self {
        match error {
            tidings::MethodError::Application(error) => error.into(),
            tidings::MethodError::Call(error) => error.into(),
        }
    }
}
