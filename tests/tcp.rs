//! The TCP transport passes the suite, plain and with TLS, on both runtimes, and between them.
#![cfg(all(unix, any(feature = "tokio", feature = "smol")))]

#[cfg(feature = "tls")]
#[path = "common/certificates.rs"]
mod certificates;
#[path = "common/loopback.rs"]
mod loopback;

use loopback::fresh;
use tidings_conformance::{Engine, Layout, Place, Setup, suite};
use tidings_tcp::Tcp;

/// The limits of a connection are raised to what the cases about numbers need; the usual ones are tested for
/// themselves.
const OPTIONS: &str = "in_flight=16384&queue=16384";

fn tcp(engine: Engine, layout: Layout) -> Setup {
    let place = || {
        let at = fresh();
        let place = Place::new(format!("{at}?listen&{OPTIONS}"));
        place.when_in_use(format!("{at}?{OPTIONS}"))
    };
    Setup::new(Tcp::new(), place, engine, layout).in_column("tcp")
}

#[cfg(feature = "tls")]
fn tls(engine: Engine, layout: Layout) -> Setup {
    let place = || {
        let at = fresh();
        let (hub, member) = (certificates::of_hub(), certificates::of_member());
        let place = Place::new(format!("{at}?listen&{hub}&{OPTIONS}"));
        place.when_in_use(format!("{at}?{member}&{OPTIONS}"))
    };
    Setup::new(Tcp::new(), place, engine, layout).in_column("tcp, TLS")
}

#[cfg(feature = "tokio")]
mod on_tokio {
    use super::*;

    suite!(one_thread, tcp(Engine::TokioCurrentThread, Layout::Apart));
    suite!(threads, tcp(Engine::TokioMultiThread, Layout::Apart));
    suite!(
        threads_caller_is_hub,
        tcp(Engine::TokioMultiThread, Layout::CallerFirst)
    );
    suite!(
        threads_hub_between,
        tcp(Engine::TokioMultiThread, Layout::Between)
    );
    #[cfg(feature = "tls")]
    suite!(
        one_thread_tls,
        tls(Engine::TokioCurrentThread, Layout::Apart)
    );
    #[cfg(feature = "tls")]
    suite!(threads_tls, tls(Engine::TokioMultiThread, Layout::Apart));
    #[cfg(feature = "tls")]
    suite!(
        threads_hub_between_tls,
        tls(Engine::TokioMultiThread, Layout::Between)
    );
}

#[cfg(feature = "smol")]
mod on_smol {
    use super::*;

    suite!(plain, tcp(Engine::Smol, Layout::Apart));
    #[cfg(feature = "tls")]
    suite!(plain_tls, tls(Engine::Smol, Layout::Apart));
}

#[cfg(all(feature = "tokio", feature = "smol"))]
mod tokio_serves_smol {
    use super::*;

    suite!(
        over_one_connection,
        tcp(Engine::TokioMultiThread, Layout::Apart).callers_on(Engine::Smol)
    );
    #[cfg(feature = "tls")]
    suite!(
        over_one_connection_tls,
        tls(Engine::TokioMultiThread, Layout::Apart).callers_on(Engine::Smol)
    );
}

#[cfg(all(feature = "tokio", feature = "smol"))]
mod smol_serves_tokio {
    use super::*;

    suite!(
        over_one_connection,
        tcp(Engine::Smol, Layout::Apart).callers_on(Engine::TokioCurrentThread)
    );
    #[cfg(feature = "tls")]
    suite!(
        over_one_connection_tls,
        tls(Engine::Smol, Layout::Apart).callers_on(Engine::TokioCurrentThread)
    );
}
