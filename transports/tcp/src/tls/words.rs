//! What went wrong in a handshake, in words that say what to do.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

/// `error` for whoever opens a bus, or reads the log of one.
pub(super) fn told(error: Error) -> io::Error {
    let text = match &error {
        Error::InvalidMessage(_) => {
            "the other side does not speak TLS: is `tls` in its address?".into()
        }
        Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => "the certificate is not signed by any of those that are trusted: check `ca` here, or \
             `client_ca` where the hub says so"
            .into(),
        Error::InvalidCertificate(CertificateError::Revoked) => {
            "the certificate has been taken back: it is on a list in `crl`".into()
        }
        Error::InvalidCertificate(CertificateError::UnknownRevocationStatus) => {
            "no list in `crl` is of the authority that has signed the certificate: add that one's"
                .into()
        }
        Error::NoCertificatesPresented => {
            "no certificate was shown, and `client_ca` asks for one".into()
        }
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the hub asks for a certificate: add `cert` and `key`".into()
        }
        Error::AlertReceived(
            alert @ (AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError),
        ) => {
            format!("the other side does not accept the certificate that it was shown ({alert:?})")
        }
        Error::AlertReceived(AlertDescription::NoApplicationProtocol)
        | Error::NoApplicationProtocol => return another_protocol(),
        other => format!("{other}"),
    };
    // What stands in a peer's certificate may stand in the text (S13).
    let text = text.replace(['"', '\''], "`");
    let text: String = text
        .chars()
        .take(512)
        .flat_map(char::escape_debug)
        .collect();
    io::Error::new(io::ErrorKind::InvalidData, format!("TLS: {text}"))
}

/// The connection was closed before the handshake had ended.
pub(super) fn closed_early() -> io::Error {
    let text = "TLS: the other side closed the connection during the handshake; it may not speak \
                TLS (is `tls` in its address?), or have no room";
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}

/// A message of the handshake is longer than any that is meant.
pub(super) fn too_long() -> io::Error {
    let text = "TLS: the other side sends a message of the handshake that is too long";
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Both speak TLS, and not tidings over it.
pub(super) fn another_protocol() -> io::Error {
    let text = "TLS: the other side speaks another protocol than tidings";
    io::Error::new(io::ErrorKind::InvalidData, text)
}
