//! Where the sockets of a group are.

use std::cell::Cell;
use std::fmt;
use std::fs;
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
            Wire::Tcp => Address::Tcp(free_port()),
            Wire::Tls => {
                self.certify();
                Address::Tls(free_port(), self.directory.path().to_owned())
            }
        }
    }

    /// Puts a key into the directory and a certificate that stands for itself.
    fn certify(&self) {
        let certificate = self.directory.path().join(CERTIFICATE);
        if certificate.exists() {
            return;
        }
        let made = rcgen::generate_simple_self_signed([TLS_NAME.to_owned()]);
        let made = made.expect("a certificate can be made");
        let key = self.directory.path().join(KEY);
        let written = fs::write(certificate, made.cert.pem())
            .and_then(|()| fs::write(key, made.signing_key.serialize_pem()));
        written.expect("the directory can be written to");
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

/// What is in the directory of an address with TLS.
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
/// The name in that certificate.
const TLS_NAME: &str = "localhost";

fn free_port() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let port = listener.and_then(|listener| listener.local_addr());
    port.expect("there is a free port")
}

impl Default for Place {
    fn default() -> Self {
        Place::new()
    }
}

/// Where a process serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    Unix(PathBuf),
    Tcp(SocketAddr),
    /// With the directory of its certificate.
    Tls(SocketAddr, PathBuf),
}

impl Address {
    /// The address of its hub, as tidings writes it.
    pub(crate) fn listening(&self) -> String {
        match self {
            Address::Unix(_) | Address::Tcp(_) => format!("{self}?listen"),
            Address::Tls(port, directory) => {
                let file = |name| directory.join(name).display().to_string();
                let (certificate, key) = (file(CERTIFICATE), file(KEY));
                format!("tcp:{port}?listen&tls&cert={certificate}&key={key}")
            }
        }
    }

    /// The address of who connects to it, as tidings writes it.
    pub(crate) fn connecting(&self) -> String {
        match self {
            Address::Unix(_) => format!("{self}?connect"),
            // Who does not listen there connects.
            Address::Tcp(_) => format!("{self}?"),
            Address::Tls(port, directory) => {
                let certificate = directory.join(CERTIFICATE);
                format!(
                    "tcp:{port}?tls&ca={}&name={TLS_NAME}",
                    certificate.display()
                )
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
            Address::Tcp(port) => write!(f, "tcp:{port}"),
            Address::Tls(port, directory) => write!(f, "tls:{port}@{}", directory.display()),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = match text.split_once(':') {
            Some(("unix", path)) => Some(Address::Unix(path.into())),
            Some(("tcp", port)) => port.parse().map(Address::Tcp).ok(),
            Some(("tls", rest)) => rest.split_once('@').and_then(|(port, directory)| {
                Some(Address::Tls(port.parse().ok()?, directory.into()))
            }),
            _ => None,
        };
        address.ok_or_else(|| format!("`{text}` is no address"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        let place = Place::new();
        for wire in [Wire::Unix, Wire::Tcp, Wire::Tls] {
            let address = place.unused(wire);
            assert_eq!(address.to_string().parse(), Ok(address));
        }
        assert!("pigeons".parse::<Address>().is_err());
    }
}
