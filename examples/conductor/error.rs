//! Why a run ends without a report.

use std::io;
use std::process::ExitStatus;

use crate::file_path::FilePath;
use crate::services::StoreError;
use crate::store::CannotCreate;

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("interrupted")]
    Interrupted,
    #[error("cannot {doing}: {source}")]
    System { doing: String, source: io::Error },
    #[error("cannot catch Ctrl-C: {0}")]
    Signals(ctrlc::Error),
    #[error(transparent)]
    Bus(#[from] tidings::Error),
    #[error(transparent)]
    Database(#[from] CannotCreate),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot do {path}, tried {attempts} times: {error}")]
    NotDone {
        path: FilePath,
        attempts: u32,
        error: tidings::CallError,
    },
    #[error("{member} did not start ({status}): its own message is above")]
    NotStarted { member: String, status: ExitStatus },
    #[error("{member} was not ready after {seconds} s: is the machine that busy?")]
    Slow { member: String, seconds: u64 },
    #[error("the conductor ended in mid-run ({status}), and the database with it: start again")]
    ConductorLost { status: ExitStatus },
    #[error("no worker is left, see above what ended them: start again, with more `--workers`")]
    NoWorkers,
}

impl Failure {
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
