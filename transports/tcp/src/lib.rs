//! The TCP transport of tidings: `tcp:host:port`.
//!
//! One process serves the address with `?listen` and is its hub; the others connect. All of them
//! serve and call, as on a Unix socket, and on both sides of a connection.
//!
//! ```text
//! tcp:127.0.0.1:4000?listen                  serves this host alone
//! tcp:127.0.0.1:4000                         connects
//! tcp:[::1]:4000                             an IPv6 address stands in brackets
//! tcp:db1.example:4000,db2.example:4000      several places, and all addresses of a name, are tried in turn
//! tcp:*:4000?listen&tls&cert=a.pem&key=a.key&client_ca=ca.pem  serves all addresses of the host
//! ```
//!
//! A host that is left out (`tcp::4000`) is `127.0.0.1`. Nothing is served to other hosts by
//! accident: a wildcard must be written out (`*` for both families, `0.0.0.0`, `[::]`), what other
//! hosts can reach must be encrypted or say `allow_plaintext` (S15, S16), and it must say who may
//! come in, by `client_ca`, tokens or a policy, or say `allow_anyone` (S9). Port 0 serves a port of
//! the system's choice; [`Bus::address`](tidings_core::Bus::address) tells it.
//!
//! | option | meaning |
//! |---|---|
//! | `?listen` | serve the address and be the hub, or fail with `AddressInUse` |
//! | `?allow_plaintext` | serve other hosts without TLS: everybody on the way can read and change all of it |
//! | `?allow_anyone` | serve other hosts without `client_ca`, tokens or a policy: everybody who can reach the port can serve and call |
//! | `?tls` | with TLS 1.3 (feature `tls`), by these: |
//! | `?ca=FILE` | who connects: the certificates by which the hub is trusted |
//! | `?name=NAME` | who connects: the name that the hub's certificate must have. Unless given, it is the host as it stands in the address |
//! | `?cert=FILE&key=FILE` | this side's certificate, with those between it and its root, and its private key. Who serves must have one |
//! | `?client_ca=FILE` | who serves: those who connect must have a certificate that these have signed |
//! | `?crl=FILE` | certificates that their authorities have taken back are refused: on either side, those in the lists of this file. It has a list of every authority in the chains that are looked at; that a list's date has passed is no reason to refuse anybody |
//! | `?dead_after=SECONDS` | how long a host that vanished without a word may go unnoticed: 30 unless given, 2 at least. After half of it the peer is asked, and after two thirds the kernel gives up what is not acknowledged |
//! | `?max_message=BYTES` | the largest message, 16 MiB unless given |
//! | `?in_flight=N` | requests that one connection has in flight, 1024 unless given |
//! | `?queue=N` | requests that wait here for one connection, 1024 unless given |
//!
//! Files are in PEM. A path cannot contain `&`. Certificates may also be given in memory, by
//! `Tcp::with_tls`. Both are read when the bus is opened, and used until it is closed.
//!
//! # Who calls
//! With `client_ca`, handlers see the name in the caller's certificate as
//! [`Caller::name`](tidings_core::Caller): its first DNS name, else its common name (CN). What is
//! no name of the bus (letters, digits, `_`, `.`, `-`) is passed over; a certificate with neither
//! gives no name. Without certificates nothing is known of a caller but that it can reach the port.
//!
//! With tokens (`.token(..)`, `.accept_tokens(..)` on the builder of a bus), plain or within TLS, both sides prove who
//! they are, and the token's name takes the place of the certificate's.
//!
//! # Opening
//! The thread that opens the bus looks names up and connects, for 5 s at most at each address, and
//! then waits for the hub's greeting: so that it is told at once when nobody listens, or who does
//! is not the hub it should be. A thread that must not be put to sleep (one that drives a
//! current-thread runtime) does not wait: it looks names up, gives connecting 0.1 s, and leaves
//! the rest to the runtime; what goes wrong then is told by the requests.
//!
//! This crate is for Linux.

mod dial;
mod listen;
mod local;
mod options;
mod places;
mod security;
mod socket;
mod stream;
mod timing;
#[cfg(feature = "tls")]
mod tls;

use std::sync::Arc;

use tidings_core::link::{Hub, HubLimits, Member};
use tidings_core::runtime;
use tidings_core::transport::{OpenOptions, Plugin, Transport};
use tidings_core::{Address, OpenError};

use dial::Dialer;
use listen::TcpListener;
use options::Options;
use places::Place;
use security::{ClientSecurity, Given, ServerSecurity};

#[cfg(feature = "tls")]
pub use tls::Tls;

/// Opens `tcp:` addresses.
#[derive(Debug, Clone, Default)]
pub struct Tcp {
    given: Given,
}

impl Tcp {
    /// With certificates from the files that an address names.
    #[must_use]
    pub const fn new() -> Tcp {
        Tcp {
            #[cfg(feature = "tls")]
            given: None,
            #[cfg(not(feature = "tls"))]
            given: (),
        }
    }

    /// With certificates from memory. The addresses say `?tls`, and name no files.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(tls: Tls) -> Tcp {
        Tcp { given: Some(tls) }
    }

    fn listen(
        &self,
        address: &Address,
        options: Options,
        given: &OpenOptions,
        runtime: Arc<dyn runtime::Runtime>,
    ) -> Result<Arc<dyn Transport>, OpenError> {
        let mut link = options.link.clone().as_hub(given)?;
        let security = ServerSecurity::of(address, &options, &self.given)?;
        let listener = TcpListener::bind(address, &options, given, security)?;
        link.reachable = Some(listener.reachable());
        let hub = Hub::start(listener, link, HubLimits::default(), runtime);
        Ok(Arc::new(hub.map_err(|error| unwatched(address, error))?))
    }

    fn connect(
        &self,
        address: &Address,
        options: Options,
        given: &OpenOptions,
        runtime: Arc<dyn runtime::Runtime>,
    ) -> Result<Arc<dyn Transport>, OpenError> {
        let link = options.link.clone().as_member(given)?;
        let places = Place::all_of(address)?;
        let security = ClientSecurity::of(address, &options, &self.given, &places)?;
        let dialer = Dialer::new(address, &options, places, security)?;
        let first = dialer.first(address)?;
        let patience = link.limits.handshake * 2;
        let member = Member::start(dialer, first, link, runtime)
            .map_err(|error| unwatched(address, error))?;
        match member.wait_for_hello(patience) {
            Ok(()) => Ok(Arc::new(member)),
            Err(reason) => Err(OpenError::Refused {
                address: address.to_string(),
                reason,
            }),
        }
    }
}

impl Plugin for Tcp {
    fn scheme(&self) -> &'static str {
        "tcp"
    }

    fn authenticates(&self) -> bool {
        true
    }

    fn open(
        &self,
        address: &Address,
        options: &OpenOptions,
    ) -> Result<Arc<dyn Transport>, OpenError> {
        let parsed = Options::of(address)?;
        let runtime = runtime::choose(options.runtime.clone(), true, &format!("open {address}"))?;
        if parsed.listen {
            self.listen(address, parsed, options, runtime)
        } else {
            self.connect(address, parsed, options, runtime)
        }
    }
}

fn unwatched(address: &Address, source: std::io::Error) -> OpenError {
    OpenError::Bind {
        address: address.to_string(),
        advice: "the runtime cannot watch its socket".into(),
        source: Arc::new(source),
    }
}
