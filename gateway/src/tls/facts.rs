//! What certificates and revocation lists say of themselves, for people.
//!
//! Promises to decide nothing: whether a certificate is good is rustls' business, and one that cannot be read here
//! only has no names and dates to show.

use super::provider::sha256;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use x509_cert::Certificate;
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// What a certificate says. Names are as a stranger wrote them: to be compared; shown only by [`clean`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// DNS names and addresses of the subjectAltName.
    pub(super) names: Vec<String>,
    /// The subject's common name.
    pub(super) common_name: Option<String>,
    /// The issuer's common name, or all of its name; for people.
    pub(super) issuer: String,
    /// The issuer, and the subject, as bytes.
    pub(super) chain: (Vec<u8>, Vec<u8>),
    /// Valid from and until, in seconds since 1970.
    pub(super) valid: (i64, i64),
}

impl Facts {
    /// True when one of the names is this one. A name with control characters, or with bytes that are no text, is
    /// nobody's.
    pub(super) fn has_name(&self, wanted: &str) -> bool {
        let odd = |c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER;
        !wanted.contains(odd)
            && self.names.iter().chain(&self.common_name).any(|name| name.eq_ignore_ascii_case(wanted))
    }

    /// All names of the subject, without doubles; for people.
    pub(super) fn all_names(&self) -> Vec<String> {
        let other = self.common_name.iter().filter(|name| !self.names.contains(name));
        self.names.iter().chain(other).map(|name| clean(name)).collect()
    }
}

/// `None` for what is no X.509 certificate by RFC 5280.
pub(super) fn of(certificate: &[u8]) -> Option<Facts> {
    use x509_cert::der::Encode as _;
    let certificate = Certificate::from_der(certificate).ok()?.tbs_certificate;
    let alternatives = certificate.get::<SubjectAltName>().ok().flatten();
    let names = alternatives.iter().flat_map(|(_, names)| &names.0).filter_map(|name| match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
        GeneralName::IpAddress(bytes) => address(bytes.as_bytes()).map(|ip| ip.to_string()),
        _ => None,
    });
    let seconds = |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_secs()).ok();
    Some(Facts {
        names: names.collect(),
        common_name: common_name(&certificate.subject),
        issuer: clean(&common_name(&certificate.issuer).unwrap_or_else(|| certificate.issuer.to_string())),
        chain: (certificate.issuer.to_der().ok()?, certificate.subject.to_der().ok()?),
        valid: (seconds(certificate.validity.not_before)?, seconds(certificate.validity.not_after)?),
    })
}

/// When a list was made and when the next one is due, in seconds since 1970.
pub(super) fn list_dates(list: &[u8]) -> Option<(i64, i64)> {
    let list = CertificateList::from_der(list).ok()?.tbs_cert_list;
    let seconds = |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_secs()).ok();
    Some((seconds(list.this_update)?, seconds(list.next_update?)?))
}

/// SHA-256 of a certificate and of its public key.
pub(super) fn hashes(provider: &CryptoProvider, certificate: &CertificateDer<'_>) -> [Option<[u8; 32]>; 2] {
    let key = ParsedCertificate::try_from(certificate).ok();
    let key = key.and_then(|parsed| sha256(provider, &parsed.subject_public_key_info()));
    [sha256(provider, certificate), key]
}

/// A point in time, in seconds since 1970, for people.
pub(super) fn day(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds);
    time.map_or_else(|_| "never".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

fn common_name(name: &Name) -> Option<String> {
    let mut parts = name.0.iter().flat_map(|part| part.0.iter());
    let part = parts.find(|part| part.oid == COMMON_NAME)?;
    Some(String::from_utf8_lossy(part.value.value()).into_owned())
}

/// A stranger wrote it, and it goes into logs and onto terminals.
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|six| Ipv6Addr::from(six).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_they_are_and_shown_clean() {
        let long = "a".repeat(120);
        let facts = Facts {
            names: vec!["analyzer\u{7}-7".to_owned(), long.clone()],
            common_name: Some("Analyzer-8".to_owned()),
            ..Facts::default()
        };
        assert!(facts.has_name("analyzer-8") && facts.has_name(&long));
        for name in ["analyzer-7", "analyzer\u{7}-7", &long[..100]] {
            assert!(!facts.has_name(name), "{name:?}");
        }
        assert_eq!(facts.all_names(), ["analyzer-7", &long[..100], "Analyzer-8"]);
    }
}
