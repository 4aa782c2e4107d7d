//! Certificates for tests: an authority, what it signs, and its revocation list. Every date is given.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use std::path::{Path, PathBuf};

/// A day: year, month, day.
pub type Day = (i32, u8, u8);

/// Long before and long after every test's clock, and the real one.
pub const ALWAYS: (Day, Day) = ((2000, 1, 1), (2100, 1, 1));

/// An authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub pem: String,
}

/// A certificate and its key, in PEM.
pub struct Pair {
    /// The certificate.
    pub cert: String,
    /// PKCS#8.
    pub key: String,
    /// The certificate in DER.
    pub der: Vec<u8>,
}

#[allow(clippy::unwrap_used)] // Parameters of a test's own.
impl Authority {
    /// Makes one.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut params = params(&[], name, 1, ALWAYS);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Its own certificate and key, as somebody who has not read the manual gives them to an engine.
    #[must_use]
    pub fn itself(&self) -> Pair {
        Pair { cert: self.pem.clone(), key: self.issuer.key().serialize_pem(), der: Vec::new() }
    }

    /// Signs a certificate for these DNS names and addresses; the first is the common name.
    #[must_use]
    pub fn sign(&self, names: &[&str], serial: u64, valid: (Day, Day)) -> Pair {
        self.signed(params(names, names.first().unwrap_or(&""), serial, valid))
    }

    /// Signs a certificate that has its name where it does not count, in the common name alone.
    #[must_use]
    pub fn sign_common_name(&self, name: &str) -> Pair {
        self.signed(params(&[], name, 20, ALWAYS))
    }

    fn signed(&self, mut params: CertificateParams) -> Pair {
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Pair { cert: cert.pem(), key: key.serialize_pem(), der: cert.der().to_vec() }
    }

    /// Its revocation list.
    #[must_use]
    pub fn list(&self, revoked: &[u64], (from, until): (Day, Day)) -> String {
        let revoked = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(from.0, from.1, from.2),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(from.0, from.1, from.2),
            next_update: date_time_ymd(until.0, until.1, until.2),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

/// A certificate that signed itself and is no authority, as engines make it at their first start.
#[must_use]
#[allow(clippy::unwrap_used)] // Parameters of a test's own.
pub fn self_signed(name: &str, valid: (Day, Day)) -> Pair {
    let key = KeyPair::generate().unwrap();
    let cert = params(&[name], name, 1, valid).self_signed(&key).unwrap();
    Pair { cert: cert.pem(), key: key.serialize_pem(), der: cert.der().to_vec() }
}

/// Writes a file, and gives its path.
///
/// # Panics
/// When it cannot be written.
#[allow(clippy::unwrap_used)] // A test without its files has failed.
pub fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[allow(clippy::unwrap_used)] // Names of a test's own.
fn params(names: &[&str], common: &str, serial: u64, (from, until): (Day, Day)) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, common);
    params.serial_number = Some(SerialNumber::from(serial));
    (params.not_before, params.not_after) =
        (date_time_ymd(from.0, from.1, from.2), date_time_ymd(until.0, until.1, until.2));
    params
}
