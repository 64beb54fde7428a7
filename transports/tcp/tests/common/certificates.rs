//! Certificates that are made for a test.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};

/// An authority, with the directory where its certificates lie.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    directory: tempfile::TempDir,
}

/// A certificate and its key, as files.
pub(crate) struct Files {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    serial: SerialNumber,
}

impl Files {
    /// As options of an address.
    pub(crate) fn options(&self) -> String {
        format!("cert={}&key={}", self.cert.display(), self.key.display())
    }
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        // A name of its own: one authority is not another under the same name.
        params.distinguished_name = DistinguishedName::new();
        let name = format!("authority {:02x?}", &key.public_key_raw()[1..9]);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).unwrap();
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("ca.pem"), certificate.pem()).unwrap();
        Authority {
            issuer: Issuer::new(params, key),
            directory,
        }
    }

    /// Its own certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// The option by which a member trusts it.
    pub(crate) fn trusted(&self) -> String {
        format!("ca={}", self.ca().display())
    }

    /// The option by which a hub asks for its certificates.
    pub(crate) fn asked_for(&self) -> String {
        format!("client_ca={}", self.ca().display())
    }

    /// A certificate for `names`.
    pub(crate) fn certificate(&self, names: &[&str]) -> Files {
        self.signed(names, |_| {})
    }

    /// One for a person or program without a name in the network.
    pub(crate) fn of_common_name(&self, name: &str) -> Files {
        self.signed(&[], |params| {
            params.distinguished_name.push(DnType::CommonName, name);
        })
    }

    /// One whose time has passed.
    pub(crate) fn expired(&self, names: &[&str]) -> Files {
        self.signed(names, |params| {
            params.not_before = date_time_ymd(2019, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 1);
        })
    }

    /// The list of its certificates that it has taken back: whose date has passed.
    pub(crate) fn list_of(&self, taken_back: &[&Files]) -> PathBuf {
        let revoked = |files: &&Files| RevokedCertParams {
            serial_number: files.serial.clone(),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2024, 2, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: taken_back.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.issuer).unwrap();
        let path = self.fresh().with_extension("crl");
        fs::write(&path, list.pem().unwrap()).unwrap();
        path
    }

    fn signed(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Files {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = DistinguishedName::new();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let serial = SerialNumber::from_slice(&key.public_key_raw()[1..17]);
        params.serial_number = Some(serial.clone());
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let base = self.fresh();
        let files = Files {
            cert: base.with_extension("pem"),
            key: base.with_extension("key"),
            serial,
        };
        fs::write(&files.cert, certificate.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    fn fresh(&self) -> PathBuf {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        Path::new(self.directory.path()).join(format!("certificate-{serial}"))
    }
}
