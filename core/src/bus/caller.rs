//! Who makes requests.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

/// Who made a request: told by the transport, never by the message (S10).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Caller {
    /// The transport it came by: `mem`, `unix`, ...
    pub transport: Arc<str>,
    /// The user id, where the kernel says it.
    pub uid: Option<u32>,
    /// The group id, where the kernel says it.
    pub gid: Option<u32>,
    /// The process id, where the kernel says it.
    pub pid: Option<u32>,
    /// A name that the transport has verified: of a certificate, of a token, of a broker's user.
    pub name: Option<Arc<str>>,
    /// Where it is in the network, where this process itself has the connection. That is for a log: it says nothing
    /// of who it is.
    pub address: Option<SocketAddr>,
}

impl Caller {
    /// A caller known by its transport only.
    pub fn of_transport(transport: impl Into<Arc<str>>) -> Self {
        Caller {
            transport: transport.into(),
            ..Caller::default()
        }
    }

    /// This process, over `transport`.
    pub fn this_process(transport: impl Into<Arc<str>>) -> Self {
        Caller {
            transport: transport.into(),
            pid: Some(std::process::id()),
            ..Caller::default()
        }
    }

    /// The same caller with the credentials that the kernel tells.
    pub fn with_credentials(self, uid: u32, gid: u32, pid: Option<u32>) -> Self {
        Caller {
            uid: Some(uid),
            gid: Some(gid),
            pid,
            ..self
        }
    }

    /// The same caller under a name that the transport has verified.
    pub fn with_name(self, name: impl Into<Arc<str>>) -> Self {
        Caller {
            name: Some(name.into()),
            ..self
        }
    }

    /// The same caller at an address in the network.
    pub fn with_address(self, address: SocketAddr) -> Self {
        Caller {
            address: Some(address),
            ..self
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.transport)?;
        if let Some(name) = &self.name {
            write!(f, " `{}`", name.escape_debug())?;
        }
        // Without the port, which each connection has its own of.
        if let Some(address) = self.address {
            write!(f, " at {}", address.ip())?;
        }
        if let Some(uid) = self.uid {
            write!(f, " user {uid}")?;
        }
        if let Some(pid) = self.pid {
            write!(f, " process {pid}")?;
        }
        Ok(())
    }
}

/// A caller that many requests name: cheap to clone.
#[derive(Debug, Clone)]
pub enum CallerRef {
    /// One that is the same for as long as the program runs; nothing is counted.
    Static(&'static Caller),
    /// One that is shared.
    Shared(Arc<Caller>),
}

impl Deref for CallerRef {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        match self {
            CallerRef::Static(caller) => caller,
            CallerRef::Shared(caller) => caller,
        }
    }
}

impl From<Arc<Caller>> for CallerRef {
    fn from(caller: Arc<Caller>) -> Self {
        CallerRef::Shared(caller)
    }
}
