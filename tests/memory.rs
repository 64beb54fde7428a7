//! The memory transport passes the suite, on every runtime.

use std::sync::atomic::{AtomicU64, Ordering};

use tidings_conformance::{Engine, Layout, Place, Setup, suite};
use tidings_memory::Memory;

/// Values are moved.
fn memory(engine: Engine, layout: Layout) -> Setup {
    Setup::new(Memory, || place(""), engine, layout)
        .shares_queues()
        .in_column("memory")
}

/// Everything is encoded, and the limits of a socket are kept.
fn strict(engine: Engine, layout: Layout) -> Setup {
    let options = "?codec=strict&max_message=1048576";
    Setup::new(Memory, move || place(options), engine, layout)
        .shares_queues()
        .in_column("memory, strict")
}

fn place(options: &str) -> Place {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Place::new(format!("mem:place-{number}{options}"))
}

suite!(no_runtime, memory(Engine::None, Layout::Apart));
suite!(no_runtime_together, memory(Engine::None, Layout::Together));
suite!(no_runtime_strict, strict(Engine::None, Layout::Apart));

#[cfg(feature = "tokio")]
mod on_tokio {
    use super::*;

    suite!(
        one_thread,
        memory(Engine::TokioCurrentThread, Layout::Apart)
    );
    suite!(threads, memory(Engine::TokioMultiThread, Layout::Apart));
    suite!(
        one_thread_strict,
        strict(Engine::TokioCurrentThread, Layout::Apart)
    );
    suite!(
        threads_strict,
        strict(Engine::TokioMultiThread, Layout::Apart)
    );
}

#[cfg(feature = "smol")]
mod on_smol {
    use super::*;

    suite!(plain, memory(Engine::Smol, Layout::Apart));
    suite!(plain_strict, strict(Engine::Smol, Layout::Apart));
}

/// Two runtimes in one process, whose buses call each other.
#[cfg(all(feature = "tokio", feature = "smol"))]
mod tokio_serves_smol {
    use super::*;

    fn called(setup: fn(Engine, Layout) -> Setup) -> Setup {
        setup(Engine::TokioMultiThread, Layout::Apart).callers_on(Engine::Smol)
    }

    suite!(in_one_process, called(memory));
    suite!(in_one_process_strict, called(strict));
}

#[cfg(all(feature = "tokio", feature = "smol"))]
mod smol_serves_tokio {
    use super::*;

    fn called(setup: fn(Engine, Layout) -> Setup) -> Setup {
        setup(Engine::Smol, Layout::Apart).callers_on(Engine::TokioCurrentThread)
    }

    suite!(in_one_process, called(memory));
    suite!(in_one_process_strict, called(strict));
}
