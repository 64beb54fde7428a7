//! The adapter to tokio.

mod watch;

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
#[cfg(not(feature = "smol"))]
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ::tokio::runtime::{Handle, RuntimeFlavor};

use super::{BoxFuture, Descriptor, Readiness, Runtime};
use watch::Watch;

/// The tokio runtime in whose context this thread is, if it is in one.
pub fn current() -> Option<Arc<dyn Runtime>> {
    Handle::try_current().ok().map(handle)
}

/// The tokio runtime of `handle`, which may be used from any thread.
///
/// Sockets need a runtime built with `enable_io` (or `enable_all`). Without `enable_time` the
/// deadlines are kept by the `tidings-timer` thread.
pub fn handle(handle: Handle) -> Arc<dyn Runtime> {
    let by_itself = handle.runtime_flavor() != RuntimeFlavor::CurrentThread;
    adapter(handle, by_itself)
}

fn adapter(handle: Handle, by_itself: bool) -> Arc<dyn Runtime> {
    let timed = {
        let _context = handle.enter();
        quietly_tried(|| drop(::tokio::time::sleep(Duration::ZERO))).is_some()
    };
    Arc::new(Tokio {
        handle,
        timed,
        by_itself,
    })
}

/// The runtime of the library itself, for a program that has none: one thread named
/// `tidings-tokio`, started at the first call and kept as long as the process.
#[cfg(not(feature = "smol"))]
pub(super) fn background() -> io::Result<Arc<dyn Runtime>> {
    static BACKGROUND: Mutex<Option<Arc<dyn Runtime>>> = Mutex::new(None);
    let mut background = BACKGROUND
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(runtime) = &*background {
        return Ok(runtime.clone());
    }
    let runtime = ::tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .thread_name("tidings-tokio-blocking")
        .build()?;
    let adapter = adapter(runtime.handle().clone(), true);
    std::thread::Builder::new()
        .name("tidings-tokio".into())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    Ok(background.insert(adapter).clone())
}

struct Tokio {
    handle: Handle,
    /// Whether the runtime has a timer: tokio panics where one is used that is not there.
    timed: bool,
    /// Whether it has threads of its own.
    by_itself: bool,
}

impl Runtime for Tokio {
    fn name(&self) -> &'static str {
        "tokio"
    }

    fn spawn(&self, future: BoxFuture<()>) {
        drop(self.handle.spawn(future)); // Dropping the handle detaches.
    }

    fn is_current(&self) -> bool {
        Handle::try_current().is_ok_and(|current| current.id() == self.handle.id())
    }

    fn runs_by_itself(&self) -> bool {
        self.by_itself
    }

    fn spawn_blocking(&self, job: Box<dyn FnOnce() + Send>) {
        drop(self.handle.spawn_blocking(job));
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        if !self.timed {
            return crate::timer::sleep(duration);
        }
        let _context = self.handle.enter();
        Box::pin(::tokio::time::sleep(duration))
    }

    fn has_timer(&self) -> bool {
        self.timed
    }

    fn now(&self) -> Instant {
        let _context = self.handle.enter();
        ::tokio::time::Instant::now().into_std()
    }

    fn has_io(&self) -> bool {
        true
    }

    fn register(&self, descriptor: Descriptor) -> io::Result<Box<dyn Readiness>> {
        let _context = self.handle.enter();
        let watch = quietly_tried(|| Watch::new(descriptor, self.handle.clone()));
        match watch {
            Some(watch) => Ok(Box::new(watch?)),
            None => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this tokio runtime cannot watch sockets: build it with `enable_io`",
            )),
        }
    }
}

impl fmt::Debug for Tokio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tokio").field(&self.handle.id()).finish()
    }
}

/// What `try_it` gave; `None` where tokio panicked, which it does for a driver that its runtime
/// was built without. There is no way to ask beforehand.
fn quietly_tried<R>(try_it: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(try_it)).ok()
}
