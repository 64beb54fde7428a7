//! The listener that shows how far it is: a bar on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tidings::{Bus, Server};

use crate::error::Failure;
use crate::services::{Advance, Progress, ProgressServer};

/// Serves the topic `progress` until it is dropped. What was cast before that is still shown.
pub struct Listener {
    server: Server,
    display: Display,
}

/// How long the last casts may take to arrive.
const LAST_CASTS: Duration = Duration::from_secs(1);

impl Listener {
    /// Serial, so that what was cast first is shown first.
    pub fn start(bus: &Bus) -> Result<Self, Failure> {
        let display = Display::new();
        let server = bus.server(ProgressServer::new(display.clone())).serial();
        Ok(Listener {
            server: server.start()?,
            display,
        })
    }

    /// Shows a line of this process's own.
    pub fn show(&self, line: &str) {
        self.display.note(line.to_owned());
    }

    /// Prints a result on standard output, with the bar out of the way.
    pub fn print(&self, text: &str) {
        // A reader that has gone away (`| head`) is no failure of the run.
        self.display
            .aside(|| drop(stdout().write_all(text.as_bytes())));
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.server.drain_wait(LAST_CASTS);
        if let Display::Bar(bar) = &self.display {
            bar.finish_and_clear();
        }
    }
}

/// Shows progress on standard error, so that standard output has the report alone.
#[derive(Clone)]
enum Display {
    Bar(ProgressBar),
    Lines {
        /// The tenth of its pass that the last line told.
        told: Arc<AtomicU64>,
    },
}

impl Display {
    fn new() -> Self {
        if !stderr().is_terminal() {
            return Display::Lines {
                told: Arc::default(),
            };
        }
        let bar = ProgressBar::no_length();
        match ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} files, {eta} left") {
            Ok(style) => Display::Bar(bar.with_style(style)),
            Err(_) => Display::Bar(bar),
        }
    }

    /// Writes something else to the terminal that the bar is on.
    fn aside(&self, write: impl FnOnce()) {
        match self {
            Display::Bar(bar) => bar.suspend(write),
            Display::Lines { .. } => write(),
        }
    }
}

impl Progress for Display {
    fn advanced(&self, to: Advance) {
        match self {
            Display::Bar(bar) => {
                bar.set_length(to.total);
                bar.set_position(to.done);
                bar.set_message(to.pass);
            }
            Display::Lines { told } => {
                let tenth = to.done * 10 / to.total.max(1);
                if told.swap(tenth, Ordering::Relaxed) != tenth {
                    self.note(to.to_string());
                }
            }
        }
    }

    fn note(&self, line: String) {
        // Nobody to show it to is no reason to stop; `eprintln!` would panic.
        self.aside(|| drop(writeln!(stderr(), "{line}")));
    }
}
