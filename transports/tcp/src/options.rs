//! The options of an address.

use std::path::PathBuf;
use std::time::Duration;

use tidings_core::link::{LinkOptions, number};
use tidings_core::{Address, Caller, OpenError};

use crate::timing::Timing;

/// What stands behind the `?` of an address.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Become the hub.
    pub(crate) listen: bool,
    pub(crate) allow_plaintext: bool,
    pub(crate) allow_anyone: bool,
    pub(crate) tls: TlsOptions,
    pub(crate) timing: Timing,
    /// What the link is told.
    pub(crate) link: LinkOptions,
}

/// What an address says of TLS. Files are named, never their content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TlsOptions {
    pub(crate) tls: bool,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) client_ca: Option<PathBuf>,
    pub(crate) crl: Option<PathBuf>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) name: Option<String>,
}

/// It would look as if somebody were kept out.
pub(crate) const CRL_WITHOUT_CLIENT_CA: &str =
    "`crl` takes back certificates, and nobody is asked for one: add `client_ca`";

impl Options {
    pub(crate) fn of(address: &Address) -> Result<Options, OpenError> {
        let identity = Caller::this_process("tcp");
        let mut options = Options {
            listen: false,
            allow_plaintext: false,
            allow_anyone: false,
            tls: TlsOptions::default(),
            timing: Timing::default(),
            link: LinkOptions::new(address.to_string(), identity),
        };
        for (name, value) in address.options() {
            match (name, value) {
                ("listen", "") => options.listen = true,
                ("allow_plaintext", "") => options.allow_plaintext = true,
                ("allow_anyone", "") => options.allow_anyone = true,
                ("dead_after", seconds) => {
                    let dead_after = Duration::from_secs(number(address, name, seconds)?);
                    options.timing = Timing::of(dead_after).ok_or_else(|| {
                        address.refuse("`dead_after` is in seconds, and 2 at least")
                    })?;
                }
                (name, value) if options.link.take(address, name, value)? => {}
                (name, value) if options.tls.take(address, name, value)? => {}
                _ => {
                    return Err(address.refuse(
                        "`tcp:` has the options `listen`, `allow_plaintext`, `allow_anyone`, \
                         `tls`, `ca`, `client_ca`, `crl`, `cert`, `key`, `name`, `dead_after`, \
                         `max_message`, `in_flight` and `queue`",
                    ));
                }
            }
        }
        options.timing.limit(&mut options.link.limits);
        options.check(address)?;
        Ok(options)
    }

    /// What contradicts itself is refused: it may not be what was meant.
    fn check(&self, address: &Address) -> Result<(), OpenError> {
        let tls = &self.tls;
        let reason = if !tls.tls && *tls != TlsOptions::default() {
            "`ca`, `client_ca`, `crl`, `cert`, `key` and `name` are for TLS: add `tls`"
        } else if tls.tls && self.allow_plaintext {
            "with `tls` nothing is in plaintext: leave `allow_plaintext` out"
        } else if self.allow_plaintext && !self.listen {
            "`allow_plaintext` is for whoever serves: leave it out, or add `listen`"
        } else if self.allow_anyone && !self.listen {
            "`allow_anyone` is for whoever serves: leave it out, or add `listen`"
        } else if self.listen && (tls.ca.is_some() || tls.name.is_some()) {
            "`ca` and `name` say whom to trust as the hub; one that serves takes `cert` and `key`, \
             and `client_ca` to ask those who connect for certificates"
        } else if !self.listen && tls.client_ca.is_some() {
            "`client_ca` is for whoever serves: one that connects trusts the hub by `ca`"
        } else if self.listen && tls.crl.is_some() && tls.client_ca.is_none() {
            CRL_WITHOUT_CLIENT_CA
        } else if tls.cert.is_some() != tls.key.is_some() {
            "`cert` and `key` go together"
        } else {
            return Ok(());
        };
        Err(address.refuse(reason))
    }
}

impl TlsOptions {
    /// Takes one option, if it is about TLS.
    fn take(&mut self, address: &Address, name: &str, value: &str) -> Result<bool, OpenError> {
        if (name, value) == ("tls", "") {
            self.tls = true;
            return Ok(true);
        }
        let path = match name {
            "ca" => &mut self.ca,
            "client_ca" => &mut self.client_ca,
            "crl" => &mut self.crl,
            "cert" => &mut self.cert,
            "key" => &mut self.key,
            "name" if !value.is_empty() => {
                self.name = Some(value.to_owned());
                return Ok(true);
            }
            _ => return Ok(false),
        };
        if value.is_empty() {
            let reason = format!("`{name}` is a file, for example `{name}=/etc/app/{name}.pem`");
            return Err(address.refuse(reason));
        }
        *path = Some(PathBuf::from(value));
        Ok(true)
    }
}
