//! The name in a certificate.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use tidings_core::session::Name;
use x509_cert::Certificate;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::Decode;
use x509_cert::der::asn1::{Ia5StringRef, ObjectIdentifier, PrintableStringRef, Utf8StringRef};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// The first of its DNS names, else its common name: whichever is a name of the bus.
pub(super) fn name_in(certificate: &CertificateDer<'_>) -> Option<Arc<str>> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let certificate = certificate.tbs_certificate();
    let alternatives = certificate.get_extension::<SubjectAltName>().ok().flatten();
    let alternatives = alternatives.map_or_else(Vec::new, |(_, names)| names.0);
    let dns_names = alternatives.iter().filter_map(|name| match name {
        GeneralName::DnsName(name) => Some(name.as_str()),
        _ => None,
    });
    let subject = certificate.subject();
    let common_names = subject.iter().filter_map(common_name);
    let name = dns_names
        .chain(common_names)
        .find_map(|name| Name::new(name).ok());
    name.map(Name::into_arc)
}

fn common_name(attribute: &AttributeTypeAndValue) -> Option<&str> {
    if attribute.oid != COMMON_NAME {
        return None;
    }
    let value = &attribute.value;
    let utf8 = value
        .decode_as::<Utf8StringRef<'_>>()
        .map(|text| text.as_str());
    let printable = || {
        value
            .decode_as::<PrintableStringRef<'_>>()
            .map(|text| text.as_str())
    };
    let ia5 = || {
        value
            .decode_as::<Ia5StringRef<'_>>()
            .map(|text| text.as_str())
    };
    utf8.or_else(|_| printable()).or_else(|_| ia5()).ok()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair};

    use super::*;

    fn name(dns: &[&str], common: &[DnValue]) -> Option<String> {
        let dns: Vec<String> = dns.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(dns).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Example");
        for value in common {
            params
                .distinguished_name
                .push(DnType::CommonName, value.clone());
        }
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        name_in(certificate.der()).map(|name| name.to_string())
    }

    fn utf8(text: &str) -> DnValue {
        DnValue::Utf8String(text.into())
    }

    #[test]
    fn it_is_the_first_dns_name_else_the_common_name() {
        let common = [utf8("common")];
        assert_eq!(
            name(&["a.test", "b.test"], &common).as_deref(),
            Some("a.test")
        );
        assert_eq!(name(&[], &common).as_deref(), Some("common"));
        let printable = DnValue::PrintableString("printable".try_into().unwrap());
        assert_eq!(name(&[], &[printable]).as_deref(), Some("printable"));
        assert_eq!(name(&[], &[]), None);
    }

    #[test]
    fn what_is_no_name_of_the_bus_is_passed_over() {
        let common = [utf8("common")];
        assert_eq!(
            name(&["*.test", "b.test"], &common).as_deref(),
            Some("b.test")
        );
        assert_eq!(name(&["*.test"], &common).as_deref(), Some("common"));
        assert_eq!(name(&[], &[utf8("Ada Lovelace")]), None);
        assert_eq!(name(&[], &[utf8("root\n")]), None);
        // An address is where something is, and not its name.
        assert_eq!(name(&["127.0.0.1"], &[]), None);
    }

    #[test]
    fn what_is_no_certificate_has_no_name() {
        assert_eq!(name_in(&CertificateDer::from(&b"no certificate"[..])), None);
        assert_eq!(name_in(&CertificateDer::from(&b""[..])), None);
    }
}
