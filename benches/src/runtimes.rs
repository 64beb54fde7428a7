//! The runtimes that cases are run on.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use tidings::runtime::{self, Runtime as AnyRuntime};
use tokio::runtime::{Builder, Handle, Runtime};

/// What polls a case.
#[derive(Clone)]
pub enum Driver {
    /// tokio on this thread, as long as the case runs.
    Tokio(Rc<Runtime>),
    /// tokio on another thread, so that this one may block.
    Beside(Handle),
    /// smol: this thread polls the case, its global executor on a thread of its own the rest.
    Smol,
}

impl Driver {
    pub fn tokio() -> Self {
        Driver::Tokio(Rc::new(current_thread()))
    }

    /// tokio on a thread of its own, which only the end of the process ends.
    pub fn tokio_beside() -> Self {
        let (sender, started) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = current_thread();
            let _ = sender.send(runtime.handle().clone());
            runtime.block_on(std::future::pending::<()>());
        });
        Driver::Beside(started.recv().expect("tokio can be started"))
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        match self {
            Driver::Tokio(runtime) => runtime.block_on(future),
            Driver::Beside(handle) => handle.block_on(future),
            Driver::Smol => smol::block_on(future),
        }
    }

    /// Runs `future` beside the cases.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        match self {
            Driver::Tokio(runtime) => drop(runtime.spawn(future)),
            Driver::Beside(handle) => drop(handle.spawn(future)),
            Driver::Smol => smol::spawn(future).detach(),
        }
    }

    /// For the bus.
    pub(crate) fn runtime(&self) -> Arc<dyn AnyRuntime> {
        match self {
            Driver::Tokio(runtime) => runtime::tokio::handle(runtime.handle().clone()),
            Driver::Beside(handle) => runtime::tokio::handle(handle.clone()),
            Driver::Smol => runtime::smol::global(),
        }
    }
}

fn current_thread() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("tokio can be started")
}

/// Lets other tasks of this thread run.
pub async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}
