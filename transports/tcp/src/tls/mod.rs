//! TLS by rustls, whose connections do no I/O of their own: one implementation serves both
//! runtimes, over the same seam as plain TCP.
//!
//! Version 1.3 only, with the provider `ring`. No session is resumed, so that a certificate is
//! looked at for every connection. In reading order: `material` is what the user gives, `config`
//! what rustls makes of it, `socket` a connection, `records` what it keeps, `step` what rustls does, `identity`
//! the name in a certificate, `words` what is told when it goes wrong.

mod config;
mod identity;
mod material;
mod records;
mod socket;
mod step;
mod words;

pub use material::Tls;

pub(crate) use config::Client;
pub(crate) use material::of_address;
pub(crate) use socket::TlsSocket;

/// The application protocol that both sides must name (ALPN).
const PROTOCOL: &[u8] = b"tidings/1";
