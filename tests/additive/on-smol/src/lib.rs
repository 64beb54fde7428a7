//! A library that runs its bus on smol and knows of no other runtime.

use tidings::{Bus, OpenError, Result, Server};

/// Opens `address` on smol's executor.
///
/// # Errors
/// As [`Bus::open`].
pub fn open(address: &str) -> Result<Bus, OpenError> {
    let runtime = tidings::runtime::smol::global();
    Bus::builder().runtime(runtime).open(address)
}

/// Serves `on-smol.where`, which names the thread that its handler runs on.
///
/// # Errors
/// As for any server.
pub fn serve(bus: &Bus) -> Result<Server> {
    let server = bus.listen("on-smol").on_async("where", |(): ()| async {
        let thread = std::thread::current();
        thread.name().unwrap_or_default().to_owned()
    });
    Ok(server.start()?)
}
