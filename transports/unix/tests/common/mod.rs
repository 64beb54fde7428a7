//! What the tests of this crate share.
#![allow(dead_code, reason = "each test file uses some of it")]

#[path = "../../../../tests/common/process.rs"]
pub(crate) mod process;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidings_core::runtime::{self, Runtime};
use tidings_core::{Bus, OpenError};
use tidings_unix::Unix;

/// The longest that anything may take.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A directory of its own, mode 0700, removed at the end.
pub(crate) struct Directory(TempDir);

impl Directory {
    pub(crate) fn new() -> Directory {
        let mut builder = tempfile::Builder::new();
        let private = Permissions::from_mode(0o700);
        let builder = builder.prefix("tidings-").permissions(private);
        Directory(builder.tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path().join("bus.sock")
    }

    /// The address of a bus in this directory, with `options` behind it.
    pub(crate) fn address(&self, options: &str) -> String {
        format!("unix:{}{options}", self.socket().display())
    }
}

/// Runs `test` on each runtime.
pub(crate) fn on_each_runtime(test: impl Fn(&Arc<dyn Runtime>)) {
    with_runtimes(|runtimes| {
        for runtime in runtimes {
            eprintln!("on {}", runtime.name());
            test(runtime);
        }
    });
}

/// The same at the same time, for tests that wait for a limit of several seconds.
pub(crate) fn on_all_runtimes_at_once(test: impl Fn(&Arc<dyn Runtime>) + Sync) {
    with_runtimes(|runtimes| {
        std::thread::scope(|scope| {
            for runtime in runtimes {
                scope.spawn(|| test(runtime));
            }
        });
    });
}

fn with_runtimes(run: impl FnOnce(&[Arc<dyn Runtime>])) {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    run(&[
        runtime::tokio::handle(tokio.handle().clone()),
        runtime::smol::global(),
    ]);
}

pub(crate) fn try_open(runtime: &Arc<dyn Runtime>, address: &str) -> Result<Bus, OpenError> {
    Bus::builder()
        .runtime(runtime.clone())
        .open_with(&Unix, address)
}

pub(crate) fn open(runtime: &Arc<dyn Runtime>, address: &str) -> Bus {
    try_open(runtime, address).unwrap()
}

/// A hub and its members, at one address with these options.
pub(crate) fn together<const N: usize>(
    runtime: &Arc<dyn Runtime>,
    directory: &Directory,
    options: &str,
) -> [Bus; N] {
    [(); N].map(|()| open(runtime, &directory.address(options)))
}

/// Waits until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::yield_now();
    }
}
