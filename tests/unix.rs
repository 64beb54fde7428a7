//! The Unix socket transport passes the suite, on both runtimes and whoever is the hub.
#![cfg(all(unix, any(feature = "tokio", feature = "smol")))]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use tidings_conformance::{Engine, Layout, Place, Setup, suite};
use tidings_unix::Unix;

/// The limits of a connection are raised to what the cases about numbers need; the usual ones are tested for
/// themselves.
fn unix(engine: Engine, layout: Layout) -> Setup {
    Setup::new(
        Unix,
        || place("?in_flight=16384&queue=16384"),
        engine,
        layout,
    )
    .in_column("unix")
}

fn place(options: &str) -> Place {
    // One that nobody else can enter.
    let mut builder = tempfile::Builder::new();
    let private = Permissions::from_mode(0o700);
    let builder = builder.prefix("tidings-").permissions(private);
    let directory = builder.tempdir().unwrap();
    let address = format!("unix:{}{options}", directory.path().join("bus").display());
    Place::keeping(directory, address)
}

#[cfg(feature = "tokio")]
mod on_tokio {
    use super::*;

    suite!(one_thread, unix(Engine::TokioCurrentThread, Layout::Apart));
    suite!(threads, unix(Engine::TokioMultiThread, Layout::Apart));
    suite!(
        threads_caller_is_hub,
        unix(Engine::TokioMultiThread, Layout::CallerFirst)
    );
    suite!(
        threads_hub_between,
        unix(Engine::TokioMultiThread, Layout::Between)
    );
    suite!(
        threads_together,
        unix(Engine::TokioMultiThread, Layout::Together)
    );
}

#[cfg(feature = "smol")]
mod on_smol {
    use super::*;

    suite!(plain, unix(Engine::Smol, Layout::Apart));
    suite!(caller_is_hub, unix(Engine::Smol, Layout::CallerFirst));
    suite!(hub_between, unix(Engine::Smol, Layout::Between));
}

#[cfg(all(feature = "tokio", feature = "smol"))]
mod tokio_serves_smol {
    use super::*;

    suite!(
        over_one_connection,
        unix(Engine::TokioMultiThread, Layout::Apart).callers_on(Engine::Smol)
    );
}

#[cfg(all(feature = "tokio", feature = "smol"))]
mod smol_serves_tokio {
    use super::*;

    suite!(
        over_one_connection,
        unix(Engine::Smol, Layout::Apart).callers_on(Engine::TokioCurrentThread)
    );
}
