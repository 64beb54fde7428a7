//! What the processes of a test meet over.

#[cfg(feature = "tls")]
use crate::certificates;
use crate::engine::Directory;
#[cfg(feature = "tcp")]
use crate::loopback;

/// A transport of this build that reaches other processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Unix,
    #[cfg(feature = "tcp")]
    Tcp,
    #[cfg(feature = "tls")]
    Tls,
}

impl Wire {
    /// A directory whose processes meet over it.
    pub(crate) fn directory(self) -> Directory {
        match self {
            Wire::Unix => Directory::new(),
            #[cfg(feature = "tcp")]
            Wire::Tcp => Directory::with_bus_at(loopback::fresh(), "", ""),
            #[cfg(feature = "tls")]
            Wire::Tls => {
                let (hub, member) = (certificates::of_hub(), certificates::of_member());
                Directory::with_bus_at(loopback::fresh(), &hub, &member)
            }
        }
    }
}
