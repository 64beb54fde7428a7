//! One case, and how it is run: on a thread of its own, within a time limit.

use std::panic::resume_unwind;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::record;
use crate::registry::CASES;
use crate::{Setup, World};

/// One thing that every transport must do.
pub struct Case {
    /// What it states.
    pub name: &'static str,
    /// The clauses of the contract that it shows, for example `C-DL-2`.
    pub clauses: &'static [&'static str],
    /// How long it may take before it counts as hanging.
    pub limit: Duration,
    /// What it does; it panics where the transport does otherwise.
    pub run: fn(&World),
}

impl Case {
    /// The case named `name`.
    pub fn find(name: &str) -> Option<&'static Case> {
        CASES.iter().find(|case| case.name == name)
    }
}

/// How a case ended that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The transport does what the case states.
    Passed,
    /// The case says nothing about this setup, for this reason.
    Skipped(String),
}

/// Runs the case named `name` on `setup`.
///
/// # Panics
/// When it fails, does not end in time, leaves something in flight, or there is none of that name.
pub fn run(setup: &Setup, name: &str) -> Verdict {
    let Some(case) = Case::find(name) else {
        panic!("there is no case `{name}`");
    };
    let (done, ended) = mpsc::channel::<()>();
    let of_case = setup.clone();
    let runner = thread::Builder::new()
        .name(case.name.to_owned())
        .spawn(move || {
            let _done = done;
            let world = World::open(&of_case);
            (case.run)(&world);
            world.check_out()
        })
        .expect("a thread starts");
    match ended.recv_timeout(case.limit) {
        // The thread has dropped its end: it returned or panicked.
        Err(RecvTimeoutError::Disconnected) | Ok(()) => match runner.join() {
            Ok(skipped) => {
                let verdict = skipped.map_or(Verdict::Passed, Verdict::Skipped);
                if let Verdict::Skipped(reason) = &verdict {
                    println!("`{name}` skipped on {setup:?}: {reason}");
                }
                record::note(setup, case, &verdict);
                verdict
            }
            Err(panic) => resume_unwind(panic),
        },
        // Its thread is left behind; the process of the test ends soon.
        Err(RecvTimeoutError::Timeout) => panic!(
            "`{name}` ({}) hangs on {setup:?}: not ended after {:?}",
            case.clauses.join(", "),
            case.limit
        ),
    }
}
