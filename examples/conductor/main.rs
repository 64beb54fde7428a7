//! A program of several processes over one bus: the model for a program of your own.
//!
//! ```sh
//! cargo run --release --example conductor -- DIRECTORY
//! ```
//!
//! Three services (`services.rs`): a **conductor** owns a database (`store.rs`), **workers** read files (`indexer.rs`), and
//! the **front** process shows its progress (`progress.rs`). The front process starts the others (`processes.rs`), finds the
//! files (`walk.rs`) and sends every one of them through an `invoke` to a worker and an `invoke` to the conductor
//! (`pass.rs`: read this one first). At the end it `call`s the conductor for the report (`report.rs`), and does all of it
//! again with `call` in place of `invoke` to see what that costs (`timings.rs`).
//!
//! It tells the ids of its processes: `kill -9` a worker in mid-run and see that the report is the same.
//!
//! All processes are this same program in different roles (`args.rs`, `roles.rs`); with `--bus mem:` one process has all
//! the roles, and the rest of the code does not know.
#![allow(
    unreachable_pub,
    reason = "a program has no API: `pub` means here, for its other files"
)]

mod args;
mod crew;
mod error;
mod file_path;
mod front;
mod indexer;
mod interrupt;
mod kind;
mod open;
mod pass;
mod processes;
mod progress;
mod report;
mod roles;
mod scratch;
mod services;
mod store;
mod timings;
mod walk;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Role};

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match args.role {
        Role::Front => front::run(&args),
        Role::Conductor | Role::Worker => roles::child(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A child says who it is: all of them write to one terminal.
            let who = if args.name.is_empty() {
                "error"
            } else {
                &args.name
            };
            eprintln!("{who}: {failure}");
            ExitCode::from(failure.status())
        }
    }
}
