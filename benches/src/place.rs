//! Where the sockets of a group are.

use std::cell::Cell;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::rc::Rc;
use std::str::FromStr;

use tempfile::TempDir;

use crate::process::Server;
use crate::setting::Wire;

/// A directory for sockets, and ports.
pub struct Place {
    directory: TempDir,
    /// How many unused addresses were given out.
    unused: Cell<u32>,
}

impl Place {
    pub fn new() -> Self {
        Place {
            directory: TempDir::with_prefix("tidings-benches-").expect("a directory can be made"),
            unused: Cell::new(0),
        }
    }

    /// An address that nobody serves at, on the loopback interface where it is a port.
    pub fn address(&self, wire: Wire, name: &str) -> Address {
        match wire {
            Wire::Unix => Address::Unix(self.directory.path().join(name)),
            Wire::Tcp => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
                let port = listener.and_then(|listener| listener.local_addr());
                Address::Tcp(port.expect("there is a free port"))
            }
        }
    }

    /// Another address that nobody serves at.
    pub(crate) fn unused(&self, wire: Wire) -> Address {
        self.unused.set(self.unused.get() + 1);
        self.address(wire, &format!("unused-{}", self.unused.get()))
    }

    /// Starts a process that serves as `role`, and says where.
    pub fn serve(&self, wire: Wire, role: &str) -> (Address, Rc<Server>) {
        let address = self.address(wire, role);
        let server = Rc::new(Server::start(role, &address));
        (address, server)
    }
}

impl Default for Place {
    fn default() -> Self {
        Place::new()
    }
}

/// Where a process serves; written as tidings writes addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
            Address::Tcp(port) => write!(f, "tcp:{port}"),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = match text.split_once(':') {
            Some(("unix", path)) => Some(Address::Unix(path.into())),
            Some(("tcp", port)) => port.parse().map(Address::Tcp).ok(),
            _ => None,
        };
        address.ok_or_else(|| format!("`{text}` is no address"))
    }
}
