//! A library that runs its bus on tokio and knows of no other runtime.

use tidings::{Bus, OpenError, Result, Server};
use tokio::runtime::Handle;

/// Opens `address` on the tokio runtime of `handle`.
///
/// # Errors
/// As [`Bus::open`].
pub fn open(address: &str, handle: &Handle) -> Result<Bus, OpenError> {
    let runtime = tidings::runtime::tokio::handle(handle.clone());
    Bus::builder().runtime(runtime).open(address)
}

/// Serves `on-tokio.where`, which says whether its handler runs in a tokio runtime.
///
/// # Errors
/// As for any server.
pub fn serve(bus: &Bus) -> Result<Server> {
    let server = bus.listen("on-tokio").on_async("where", |(): ()| async {
        tokio::task::yield_now().await;
        Handle::try_current().is_ok()
    });
    Ok(server.start()?)
}
