//! What rustls makes of the material.

use std::sync::Arc;

use rustls::client::{ClientConfig, Resumption, VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, ServerConfig, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{RootCertStore, SupportedProtocolVersion};

use super::{PROTOCOL, Tls};
use crate::places::{Host, Place};

static VERSIONS: &[&SupportedProtocolVersion] = &[&TLS13];

/// What a member's connections are made with.
pub(crate) struct Client {
    pub(super) config: Arc<ClientConfig>,
    /// For each place of the address, the name that its certificate must have (S17).
    pub(super) names: Vec<ServerName<'static>>,
}

impl Tls {
    /// For a hub.
    pub(crate) fn server(&self) -> Result<Arc<ServerConfig>, String> {
        let identity = self.identity()?;
        let (chain, key) =
            identity.ok_or("a hub needs its own certificate: add `cert` and `key`")?;
        let versions = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)
            .map_err(|error| error.to_string())?;
        let verified = match &self.client_ca {
            None => versions.with_no_client_auth(),
            Some(pem) => {
                let roots = Arc::new(roots("client_ca", pem)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
                    .with_crls(self.taken_back()?)
                    .build()
                    .map_err(unusable)?;
                versions.with_client_cert_verifier(verifier)
            }
        };
        let mut config = verified.with_single_cert(chain, key).map_err(unfit)?;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }

    /// Whether a hub with it lets in only those who show a certificate.
    pub(crate) fn asks_for_certificates(&self) -> bool {
        self.client_ca.is_some()
    }

    /// For a member that connects to `places`.
    pub(crate) fn client(&self, places: &[Place]) -> Result<Client, String> {
        let ca = self.ca.as_ref().ok_or(
            "nobody is trusted to be the hub: add `ca=FILE`, the certificate that has signed the \
             hub's",
        )?;
        let trusting = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)
            .map_err(|error| error.to_string())?
            .with_webpki_verifier(
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots("ca", ca)?), provider())
                    .with_crls(self.taken_back()?)
                    .build()
                    .map_err(unusable)?,
            );
        let mut config = match self.identity()? {
            None => trusting.with_no_client_auth(),
            Some((chain, key)) => trusting.with_client_auth_cert(chain, key).map_err(unfit)?,
        };
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        config.resumption = Resumption::disabled();
        let names = places.iter().map(|place| self.name_of(place));
        Ok(Client {
            config: Arc::new(config),
            names: names.collect::<Result<_, String>>()?,
        })
    }

    /// Whose certificates do not count any more.
    fn taken_back(&self) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
        let Some(pem) = &self.crl else {
            return Ok(Vec::new());
        };
        let all: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
        match all {
            Ok(all) if !all.is_empty() => Ok(all),
            _ => Err("`crl` holds no lists of revoked certificates in PEM".to_owned()),
        }
    }

    /// From this side's configuration alone, never from what is looked up or told.
    fn name_of(&self, place: &Place) -> Result<ServerName<'static>, String> {
        let name = match (&self.name, &place.host) {
            (Some(name), _) => name,
            (None, Host::Name(name)) => name,
            (None, Host::Ip(ip)) => return Ok(ServerName::from(*ip)),
            (None, Host::Any) => return Err("`*` is no host to connect to".into()),
        };
        ServerName::try_from(name.as_str())
            .map(|name| name.to_owned())
            .map_err(|_| format!("`{name}` is no name that a certificate can have: give `name`"))
    }

    fn identity(&self) -> Result<Option<Identity>, String> {
        let (Some(certificate), Some(key)) = (&self.certificate, &self.key) else {
            return Ok(None);
        };
        let chain = certificates("cert", certificate)?;
        // The reason could hold some of the key (S12).
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| "`key` holds no private key in PEM".to_owned())?;
        Ok(Some((chain, key)))
    }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certificates(option: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(format!("`{option}` holds no certificates in PEM")),
    }
}

fn roots(option: &str, pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(option, pem)? {
        roots
            .add(certificate)
            .map_err(|error| format!("`{option}` holds a certificate that is none: {error}"))?;
    }
    Ok(roots)
}

/// A list is none.
fn unusable(error: VerifierBuilderError) -> String {
    format!("`ca`, `client_ca` or `crl` cannot be used: {error}")
}

/// The certificate and the key do not go together, or cannot be used.
fn unfit(error: rustls::Error) -> String {
    format!("`cert` and `key` cannot be used: {error}")
}
