//! Opening the bus: the same for every process of a run.

use tidings::{Bus, OpenError};

use crate::args::RuntimeName;
use crate::error::Failure;

/// The bus of a run, and what drives it.
pub struct Opened {
    pub bus: Bus,
    _runtime: Option<Tokio>,
}

/// Opens the bus at `address`. A run has an exchange of its own, so that two runs on one address do not mix.
///
/// # Errors
/// When the runtime cannot be started or the bus cannot be opened.
pub fn open(address: &str, exchange: &str, runtime: RuntimeName) -> Result<Opened, Failure> {
    let builder = Bus::builder().exchange(exchange);
    let open = |builder: tidings::BusBuilder| -> Result<Bus, OpenError> { builder.open(address) };
    match runtime {
        RuntimeName::Smol => {
            let bus = open(builder.runtime(tidings::runtime::smol::global()))?;
            Ok(Opened {
                bus,
                _runtime: None,
            })
        }
        RuntimeName::Tokio => {
            let tokio = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()
                .map_err(|error| Failure::system("start tokio", error))?;
            let handle = tokio.handle().clone();
            let tokio = Some(Tokio(Some(tokio)));
            let bus = open(builder.runtime(tidings::runtime::tokio::handle(handle)))?;
            Ok(Opened {
                bus,
                _runtime: tokio,
            })
        }
    }
}

/// A tokio runtime whose end waits for nobody: a handler may be reading a large file when the run is interrupted.
struct Tokio(Option<tokio::runtime::Runtime>);

impl Drop for Tokio {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
