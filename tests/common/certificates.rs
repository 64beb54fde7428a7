//! Certificates for a hub on this host, and the options of an address that use them.

use std::sync::LazyLock;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// For `tcp:…?listen&`.
pub(crate) fn of_hub() -> String {
    format!("tls&cert={}&key={}", file("hub.pem"), file("hub.key"))
}

/// For those who connect to it.
pub(crate) fn of_member() -> String {
    format!("tls&ca={}&name=hub.test", file("ca.pem"))
}

fn file(name: &str) -> String {
    CERTIFICATES.path().join(name).display().to_string()
}

/// A certificate for the hub, and the authority that all trust.
static CERTIFICATES: LazyLock<TempDir> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, pem: String| std::fs::write(directory.path().join(name), pem);
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = authority.self_signed(&key).unwrap();
    write("ca.pem", certificate.pem()).unwrap();
    let issuer = Issuer::new(authority, key);
    let params = CertificateParams::new(vec!["hub.test".into()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    write("hub.pem", certificate.pem()).unwrap();
    write("hub.key", key.serialize_pem()).unwrap();
    directory
});
