//! What the user gives: certificates, keys, and the name to expect.

use std::fmt;
use std::fs;
use std::path::Path;

use tidings_core::link::advice_on_scarcity;
use tidings_core::{Address, OpenError};

use crate::options::{CRL_WITHOUT_CLIENT_CA, Options, TlsOptions};

/// Certificates and keys in memory, each as PEM: instead of the files that an address names.
///
/// ```no_run
/// # fn secret(_: &str) -> Vec<u8> { Vec::new() }
/// use tidings_core::Bus;
/// use tidings_tcp::{Tcp, Tls};
///
/// let tls = Tls::new()
///     .ca(secret("ca.pem"))
///     .certificate(secret("this.pem"), secret("this.key"));
/// let bus = Bus::builder().open_with(&Tcp::with_tls(tls), "tcp:db.example:4000?tls")?;
/// # Ok::<(), tidings_core::OpenError>(())
/// ```
///
/// What is wrong with them is told when a bus is opened. Debug output names what was given, and
/// shows none of it.
#[derive(Clone, Default)]
#[must_use]
pub struct Tls {
    pub(super) ca: Option<Vec<u8>>,
    pub(super) client_ca: Option<Vec<u8>>,
    pub(super) crl: Option<Vec<u8>>,
    pub(super) certificate: Option<Vec<u8>>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) name: Option<String>,
}

impl Tls {
    /// Nothing yet.
    pub fn new() -> Self {
        Tls::default()
    }

    /// Who connects: the certificates by which the hub is trusted.
    pub fn ca(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca = Some(pem.into());
        self
    }

    /// Who serves: those who connect must have a certificate that these have signed.
    pub fn client_ca(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.client_ca = Some(pem.into());
        self
    }

    /// The lists of certificates that their authorities have taken back (CRL, one or several): whose certificate is on
    /// one is refused. For every authority in a chain that is looked at there must be a list; that its date has passed
    /// is no reason to refuse anybody.
    pub fn crl(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.crl = Some(pem.into());
        self
    }

    /// This side's certificate, with those between it and its root, and its private key.
    pub fn certificate(mut self, pem: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.certificate = Some(pem.into());
        self.key = Some(key.into());
        self
    }

    /// Who connects: the name that the hub's certificate must have. Unless given, it is the host
    /// as it stands in the address.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

/// S12.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = |what: &Option<Vec<u8>>| match what {
            Some(pem) => format!("{} bytes", pem.len()),
            None => "none".into(),
        };
        f.debug_struct("Tls")
            .field("ca", &given(&self.ca))
            .field("client_ca", &given(&self.client_ca))
            .field("crl", &given(&self.crl))
            .field("certificate", &given(&self.certificate))
            .field("key", &self.key.as_ref().map_or("none", |_| "given"))
            .field("name", &self.name)
            .finish()
    }
}

/// What `address` uses; `None` where it says nothing of TLS.
pub(crate) fn of_address(
    address: &Address,
    options: &Options,
    given: Option<&Tls>,
) -> Result<Option<Tls>, OpenError> {
    let files = &options.tls;
    let refuse = |reason: &str| Err(address.refuse(reason));
    match given {
        Some(_) if !files.tls => {
            refuse("certificates were given and it says nothing of TLS: add `tls`")
        }
        Some(_)
            if *files
                != (TlsOptions {
                    tls: true,
                    ..TlsOptions::default()
                }) =>
        {
            refuse(
                "certificates come from memory or from files: `tls` alone goes with `Tcp::with_tls`",
            )
        }
        Some(tls) if options.listen && (tls.ca.is_some() || tls.name.is_some()) => {
            refuse("`ca` and `name` are for who connects: one that serves takes `client_ca`")
        }
        Some(tls) if !options.listen && tls.client_ca.is_some() => {
            refuse("`client_ca` is for who serves: one that connects takes `ca`")
        }
        Some(tls) if options.listen && tls.crl.is_some() && tls.client_ca.is_none() => {
            refuse(CRL_WITHOUT_CLIENT_CA)
        }
        Some(tls) => Ok(Some(tls.clone())),
        None if files.tls => read(address, files).map(Some),
        None => Ok(None),
    }
}

fn read(address: &Address, files: &TlsOptions) -> Result<Tls, OpenError> {
    let read = |option: &str, path: &Option<std::path::PathBuf>| {
        let read = path.as_deref().map(|path: &Path| {
            fs::read(path).map_err(|error| {
                let path = path.display();
                let advice = advice_on_scarcity(&error).map(|advice| format!("; {advice}"));
                let advice = advice.unwrap_or_default();
                address.refuse(format!(
                    "its `{option}` {path} cannot be read: {error}{advice}"
                ))
            })
        });
        read.transpose()
    };
    Ok(Tls {
        ca: read("ca", &files.ca)?,
        client_ca: read("client_ca", &files.client_ca)?,
        crl: read("crl", &files.crl)?,
        certificate: read("cert", &files.cert)?,
        key: read("key", &files.key)?,
        name: files.name.clone(),
    })
}
