//! What the buses of a test run on, and where they meet.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidings::Bus;
use tidings::runtime::{self, Runtime};

/// The longest that anything may take.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A runtime of this build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    #[cfg(feature = "tokio")]
    Tokio,
    #[cfg(feature = "smol")]
    Smol,
}

impl Engine {
    /// Runs `test`, and no other at the same time.
    pub(crate) fn alone(self, test: impl FnOnce(Engine)) {
        static ALONE: Mutex<()> = Mutex::new(());
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        test(self);
    }

    /// All of this build.
    pub(crate) const ALL: &[Engine] = &[
        #[cfg(feature = "tokio")]
        Engine::Tokio,
        #[cfg(feature = "smol")]
        Engine::Smol,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "tokio")]
            Engine::Tokio => "tokio",
            #[cfg(feature = "smol")]
            Engine::Smol => "smol",
        }
    }

    pub(crate) fn named(name: &str) -> Engine {
        match name {
            #[cfg(feature = "tokio")]
            "tokio" => Engine::Tokio,
            #[cfg(feature = "smol")]
            "smol" => Engine::Smol,
            other => panic!("no runtime `{other}` in this build"),
        }
    }

    pub(crate) fn runtime(self) -> Arc<dyn Runtime> {
        match self {
            #[cfg(feature = "tokio")]
            Engine::Tokio => tokio_runtime(),
            #[cfg(feature = "smol")]
            Engine::Smol => runtime::smol::global(),
        }
    }

    pub(crate) fn open(self, address: &str) -> Bus {
        let builder = Bus::builder().runtime(self.runtime());
        builder.open(address).unwrap()
    }
}

/// One for all tests, kept as long as the process.
#[cfg(feature = "tokio")]
fn tokio_runtime() -> Arc<dyn Runtime> {
    use tokio::runtime::{Builder, Runtime};
    static TOKIO: std::sync::OnceLock<Runtime> = std::sync::OnceLock::new();
    let started = TOKIO.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().unwrap()
    });
    runtime::tokio::handle(started.handle().clone())
}

/// A directory of its own, mode 0700, removed at the end.
pub(crate) struct Directory {
    directory: TempDir,
    hub: String,
    member: String,
}

impl Directory {
    /// With a bus at a socket in it.
    pub(crate) fn new() -> Directory {
        let directory = Directory::create();
        let at = format!("unix:{}", socket_in(directory.path()).display());
        Directory::of(directory, &at, "", "connect")
    }

    /// With a bus at this address, and the options of those who serve it and of those who connect.
    #[cfg(feature = "tcp")]
    pub(crate) fn with_bus_at(at: String, hub: &str, member: &str) -> Directory {
        Directory::of(Directory::create(), &at, hub, member)
    }

    fn of(directory: TempDir, at: &str, hub: &str, member: &str) -> Directory {
        Directory {
            directory,
            hub: with_options(at, &["listen", hub]),
            member: with_options(at, &[member]),
        }
    }

    fn create() -> TempDir {
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("tidings-faults-");
        let private = Permissions::from_mode(0o700);
        builder.permissions(private).tempdir().unwrap()
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        socket_in(self.path())
    }

    /// The address of the bus in this directory, for a process that connects.
    pub(crate) fn member(&self) -> String {
        self.member.clone()
    }

    /// The same for the process that serves it.
    pub(crate) fn hub(&self) -> String {
        self.hub.clone()
    }
}

/// The address with these options, those that are empty left out, beside any that it has.
pub(crate) fn with_options(address: &str, options: &[&str]) -> String {
    let mut address = address.to_owned();
    for option in options.iter().filter(|option| !option.is_empty()) {
        address.push(if address.contains('?') { '&' } else { '?' });
        address.push_str(option);
    }
    address
}

pub(crate) fn socket_in(directory: &Path) -> PathBuf {
    directory.join("bus.sock")
}

/// Waits until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(1)); // Two cores: those waited for need them.
    }
}
