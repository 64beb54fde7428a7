//! What a transport's author says: which transport, where, run by what, and who opens the address first.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

#[cfg(any(feature = "tokio", feature = "smol"))]
use tidings_core::runtime;
use tidings_core::runtime::Runtime;
use tidings_core::transport::Plugin;

#[cfg(feature = "tokio")]
use crate::stage::Gate;

/// One way to run a transport: a column of the matrix.
#[derive(Clone)]
pub struct Setup {
    pub(crate) plugin: Arc<dyn Plugin>,
    pub(crate) place: Arc<dyn Fn() -> Place + Send + Sync>,
    pub(crate) engine: Engine,
    /// What runs the bus that calls, where that is another one.
    pub(crate) callers: Option<Engine>,
    pub(crate) layout: Layout,
    /// Requests that may be in flight over one connection.
    pub(crate) in_flight: usize,
    /// Whether a sender is told of a full queue by the server's own.
    pub(crate) shares_queues: bool,
    /// The column of a table that it counts for; none unless said.
    pub(crate) column: Option<&'static str>,
}

impl Setup {
    /// The transport that `plugin` opens. `place` makes an address that nobody else uses: each case has its own.
    pub fn new(
        plugin: impl Plugin + 'static,
        place: impl Fn() -> Place + Send + Sync + 'static,
        engine: Engine,
        layout: Layout,
    ) -> Self {
        Setup {
            plugin: Arc::new(plugin),
            place: Arc::new(place),
            engine,
            callers: None,
            layout,
            in_flight: 10_000,
            shares_queues: layout == Layout::Together,
            column: None,
        }
    }

    /// The same with the bus that calls on another engine than the one that serves, in one process and over one
    /// connection.
    #[must_use]
    pub fn callers_on(self, engine: Engine) -> Self {
        Setup {
            callers: Some(engine),
            ..self
        }
    }

    /// The same for a transport without queues of its own: a cast is told of a full queue by the server's.
    #[must_use]
    pub fn shares_queues(self) -> Self {
        Setup {
            shares_queues: true,
            ..self
        }
    }

    /// The same as one of the setups that a [table](crate::table) shows together, in the column `name`.
    #[must_use]
    pub fn in_column(self, name: &'static str) -> Self {
        Setup {
            column: Some(name),
            ..self
        }
    }

    /// The same for a transport that lets fewer than 10,000 requests run at the same time over one connection.
    #[must_use]
    pub fn most_in_flight(self, in_flight: usize) -> Self {
        Setup { in_flight, ..self }
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: on {:?}, {:?}",
            self.plugin.scheme(),
            self.engine,
            self.layout
        )?;
        match self.callers {
            Some(engine) => write!(f, ", called on {engine:?}"),
            None => Ok(()),
        }
    }
}

/// A bus address of a case's own, and what must live as long as it is used (a temporary directory, say).
pub struct Place {
    pub(crate) address: String,
    pub(crate) when_in_use: Option<String>,
    pub(crate) _kept: Box<dyn Any + Send>,
}

impl Place {
    /// The place at `address`, for example `mem:case-17`.
    pub fn new(address: impl Into<String>) -> Self {
        Self::keeping((), address)
    }

    /// The same, dropping `kept` when the case has ended.
    pub fn keeping(kept: impl Any + Send, address: impl Into<String>) -> Self {
        Place {
            address: address.into(),
            when_in_use: None,
            _kept: Box::new(kept),
        }
    }

    /// The same for a transport whose addresses say who serves: `address` is opened instead by those who are told that
    /// the place is in use.
    #[must_use]
    pub fn when_in_use(self, address: impl Into<String>) -> Self {
        Place {
            when_in_use: Some(address.into()),
            ..self
        }
    }
}

/// Who opens the address first, where that makes a difference: on a socket, the first becomes the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One bus serves and calls.
    Together,
    /// The bus that serves opens the address, then the one that calls.
    Apart,
    /// The bus that calls opens the address, then the one that serves.
    CallerFirst,
    /// A third bus opens the address, and does nothing else.
    Between,
}

/// What runs the tasks of the buses. Cases themselves run on an ordinary thread.
#[derive(Clone, Copy)]
pub enum Engine {
    /// Nothing: the handler pool that is built into tidings.
    None,
    /// A tokio runtime that is driven by one thread.
    #[cfg(feature = "tokio")]
    TokioCurrentThread,
    /// A tokio runtime with two workers.
    #[cfg(feature = "tokio")]
    TokioMultiThread,
    /// smol's global executor.
    #[cfg(feature = "smol")]
    Smol,
    /// A runtime of another kind: its name, and what starts it.
    Other(&'static str, fn() -> Arc<dyn Runtime>),
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::None => "no runtime",
            #[cfg(feature = "tokio")]
            Engine::TokioCurrentThread => "tokio (current thread)",
            #[cfg(feature = "tokio")]
            Engine::TokioMultiThread => "tokio (multi thread)",
            #[cfg(feature = "smol")]
            Engine::Smol => "smol",
            Engine::Other(name, _) => name,
        })
    }
}

/// An engine that runs. It stops when this is dropped, without waiting for what it runs.
pub(crate) struct Running {
    /// For the builder of a bus; `None` for no runtime.
    pub(crate) runtime: Option<Arc<dyn Runtime>>,
    #[cfg(feature = "tokio")]
    tokio: Option<tokio::runtime::Runtime>,
    #[cfg(feature = "tokio")]
    driver: Option<Gate>,
}

impl Running {
    #[cfg(feature = "tokio")]
    fn of(runtime: Option<Arc<dyn Runtime>>) -> Self {
        Running {
            runtime,
            tokio: None,
            driver: None,
        }
    }

    #[cfg(not(feature = "tokio"))]
    fn of(runtime: Option<Arc<dyn Runtime>>) -> Self {
        Running { runtime }
    }
}

impl Engine {
    pub(crate) fn start(self) -> Running {
        match self {
            Engine::None => Running::of(None),
            #[cfg(feature = "tokio")]
            Engine::TokioCurrentThread => current_thread(),
            #[cfg(feature = "tokio")]
            Engine::TokioMultiThread => multi_thread(),
            #[cfg(feature = "smol")]
            Engine::Smol => Running::of(Some(runtime::smol::global())),
            Engine::Other(_, start) => Running::of(Some(start())),
        }
    }
}

#[cfg(feature = "tokio")]
fn multi_thread() -> Running {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a tokio runtime starts");
    let handle = runtime::tokio::handle(tokio.handle().clone());
    Running {
        tokio: Some(tokio),
        runtime: Some(handle),
        driver: None,
    }
}

#[cfg(feature = "tokio")]
fn current_thread() -> Running {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a tokio runtime starts");
    let handle = runtime::tokio::handle(tokio.handle().clone());
    let stop = Gate::new();
    let stopped = stop.clone();
    std::thread::Builder::new()
        .name("tokio-current-thread".into())
        .spawn(move || {
            tokio.block_on(stopped.pass());
            tokio.shutdown_background();
        })
        .expect("a thread starts");
    Running {
        runtime: Some(handle),
        tokio: None,
        driver: Some(stop),
    }
}

#[cfg(feature = "tokio")]
impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stop) = self.driver.take() {
            stop.open();
        }
        if let Some(tokio) = self.tokio.take() {
            tokio.shutdown_background();
        }
    }
}
