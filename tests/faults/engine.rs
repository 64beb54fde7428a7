//! What the buses of a test run on, and where they meet.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
    path: PathBuf,
    hub: String,
    member: String,
}

impl Directory {
    /// With a bus at a socket in it.
    pub(crate) fn new() -> Directory {
        let path = Directory::create();
        let at = format!("unix:{}", socket_in(&path).display());
        Directory::of(path, &at, "", "connect")
    }

    /// With a bus at this address, and the options of those who serve it and of those who connect.
    pub(crate) fn with_bus_at(at: String, hub: &str, member: &str) -> Directory {
        Directory::of(Directory::create(), &at, hub, member)
    }

    fn of(path: PathBuf, at: &str, hub: &str, member: &str) -> Directory {
        Directory {
            path,
            hub: with_options(at, &["listen", hub]),
            member: with_options(at, &[member]),
        }
    }

    fn create() -> PathBuf {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tidings-faults-{}-{serial}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).unwrap();
        path
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn socket(&self) -> PathBuf {
        socket_in(&self.path)
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

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
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
