//! The files of one [`TlsPlan`]: read, understood, and compared with what is in use.
//!
//! Promises that what comes out of [`read`] fits together: the key belongs to the certificate, every authority can be
//! one, every list can be read. Leaves out whether it is in date ([`dates`](super::dates)).

use super::facts::{self, Facts};
use crate::config::{FileOrCredential, TlsPlan};
use crate::secret::{self, Unread, path_of};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A revocation list of half a million entries has so many bytes.
const MAX_FILE: u64 = 16 << 20;

/// Something about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The key of the `tls` table that names it.
    pub key: &'static str,
    /// What is wrong: a sentence that begins with the file.
    pub message: String,
    /// How bad.
    pub weight: Weight,
}

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It works; it should not stay so.
    Remark,
    /// The file is not on this machine, or not for this user.
    Absent,
    /// The file is there and cannot be used.
    Wrong,
}

/// What has a date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dated {
    pub(super) kind: Kind,
    /// What it is, with its file or its owner; names the condition.
    pub(super) what: String,
    /// From and until, in seconds since 1970.
    pub(super) valid: (i64, i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Own,
    Authority,
    List,
    Peer,
}

/// The contents.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) own: Option<Arc<CertifiedKey>>,
    pub(super) roots: Option<Arc<RootCertStore>>,
    pub(super) lists: Vec<CertificateRevocationListDer<'static>>,
    pub(super) dated: Vec<Dated>,
    pub(super) remarks: Vec<Finding>,
}

/// Reads all files of a plan.
///
/// # Errors
/// Everything that keeps them from being used.
pub(super) fn read(plan: &TlsPlan, provider: &CryptoProvider) -> Result<Files, Vec<Finding>> {
    let mut reader = Reader { provider, dated: Vec::new(), remarks: Vec::new(), faults: Vec::new() };
    let roots = plan.ca.as_ref().and_then(|path| reader.roots(ca_key(plan), path));
    let own = plan.own.as_ref().and_then(|own| reader.own(&own.cert, &own.key));
    let lists = plan.crl.as_ref().and_then(|path| reader.lists(path)).unwrap_or_default();
    let Reader { dated, remarks, faults, .. } = reader;
    if faults.is_empty() { Ok(Files { own, roots, lists, dated, remarks }) } else { Err(faults) }
}

/// By which key the authorities are named.
pub(super) const fn ca_key(plan: &TlsPlan) -> &'static str {
    match plan.side {
        crate::config::TlsSide::Client(_) => "ca",
        crate::config::TlsSide::Server => "clients",
    }
}

/// What changes when a file is written or replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp(Option<[i64; 7]>);

/// The stamps of all files of a plan. The time of change (ctime) is among them, so a tool that sets the old
/// modification time back is noticed too.
pub(super) fn stamps(plan: &TlsPlan) -> Vec<Stamp> {
    let stamp = |path: PathBuf| {
        let stamp = fs::metadata(path).ok().map(|m| {
            let (device, inode) = (m.dev().cast_signed(), m.ino().cast_signed());
            [device, inode, m.size().cast_signed(), m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec()]
        });
        Stamp(stamp)
    };
    all(plan).into_iter().map(stamp).collect()
}

/// All files of a plan.
pub(super) fn all(plan: &TlsPlan) -> Vec<PathBuf> {
    let own = plan.own.iter().flat_map(|own| [&own.cert, &own.key]).map(path_of);
    own.chain(plan.ca.iter().cloned()).chain(plan.crl.iter().cloned()).collect()
}

struct Reader<'p> {
    provider: &'p CryptoProvider,
    dated: Vec<Dated>,
    remarks: Vec<Finding>,
    faults: Vec<Finding>,
}

impl Reader<'_> {
    fn roots(&mut self, key: &'static str, path: &Path) -> Option<Arc<RootCertStore>> {
        let from = FileOrCredential::File(path.to_owned());
        let certificates = self.certificates(key, &from)?;
        let mut roots = RootCertStore::empty();
        for (number, certificate) in (1..).zip(certificates) {
            if let Some(facts) = facts::of(&certificate) {
                let name =
                    facts.common_name.as_deref().map_or_else(|| format!("number {number}"), facts::clean);
                let what = format!("the authority {name} in {from}");
                self.dated.push(Dated { kind: Kind::Authority, what, valid: facts.valid });
            }
            if let Err(error) = roots.add(certificate) {
                self.wrong(key, format!("certificate {number} in {from} can be no authority: {error}"));
                return None;
            }
        }
        Some(Arc::new(roots))
    }

    fn own(&mut self, cert: &FileOrCredential, key: &FileOrCredential) -> Option<Arc<CertifiedKey>> {
        let chain = self.certificates("cert", cert);
        let secret = self.secret(key);
        let (chain, secret) = (chain?, secret?);
        let all: Vec<Option<Facts>> = chain.iter().map(|certificate| facts::of(certificate)).collect();
        match CertifiedKey::from_der(chain.clone(), secret.clone_key(), self.provider) {
            Ok(own) => {
                for (number, pair) in (2..).zip(all.windows(2)) {
                    if let [Some(one), Some(above)] = pair
                        && one.chain.0 != above.chain.1
                    {
                        let message = format!(
                            "{cert}: certificate {number} did not sign the one before it; some engines refuse such a \
                             chain. The order is: the gateway's own, then who signed it, and so on"
                        );
                        self.remarks.push(Finding { key: "cert", message, weight: Weight::Remark });
                    }
                }
                for facts in all.into_iter().flatten() {
                    let name = facts.all_names().into_iter().next().unwrap_or_default();
                    let what = format!("the gateway's certificate {name} in {cert}");
                    self.dated.push(Dated { kind: Kind::Own, what, valid: facts.valid });
                }
                Some(Arc::new(own))
            }
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                let fits = |certificate: &CertificateDer<'static>| {
                    let one = vec![certificate.clone()];
                    CertifiedKey::from_der(one, secret.clone_key(), self.provider).is_ok()
                };
                let message = match chain.iter().position(fits) {
                    Some(place) => format!(
                        "{cert}: its certificate {} belongs to the key; it must be the first, then who signed it",
                        place + 1
                    ),
                    None if matches!(
                        (cert, key),
                        (FileOrCredential::File(_), FileOrCredential::Credential(_))
                    ) =>
                    {
                        format!(
                            "{key} does not belong to the certificate in {cert}. systemd copies credentials when the \
                         service starts: restart it when both are in place"
                        )
                    }
                    None => format!("{key} does not belong to the certificate in {cert}"),
                };
                self.wrong("key", message);
                None
            }
            Err(error) => {
                self.wrong("key", format!("{key} with {cert} cannot be used: {error}"));
                None
            }
        }
    }

    fn lists(&mut self, path: &Path) -> Option<Vec<CertificateRevocationListDer<'static>>> {
        let from = FileOrCredential::File(path.to_owned());
        let bytes = self.bytes("crl", &from)?;
        let lists: Result<Vec<_>, _> = if is_pem(&bytes) {
            CertificateRevocationListDer::pem_slice_iter(&bytes).collect()
        } else {
            Ok(vec![CertificateRevocationListDer::from(bytes)])
        };
        match lists {
            Ok(lists) if !lists.is_empty() => {
                for (number, list) in (1..).zip(&lists) {
                    let Some(valid) = facts::list_dates(list) else {
                        let message = format!(
                            "list {number} in {from} is no revocation list with a date of the next one (nextUpdate)"
                        );
                        self.wrong("crl", message);
                        return None;
                    };
                    let what = format!("revocation list {number} in {from}");
                    self.dated.push(Dated { kind: Kind::List, what, valid });
                }
                Some(lists)
            }
            Ok(_) => {
                self.wrong("crl", format!("{from} holds no revocation list"));
                None
            }
            Err(error) => {
                self.wrong("crl", format!("{from} cannot be read: {}", words(&error)));
                None
            }
        }
    }

    fn certificates(
        &mut self,
        key: &'static str,
        from: &FileOrCredential,
    ) -> Option<Vec<CertificateDer<'static>>> {
        let bytes = self.bytes(key, from)?;
        let certificates: Result<Vec<_>, _> = if is_pem(&bytes) {
            CertificateDer::pem_slice_iter(&bytes).collect()
        } else {
            Ok(vec![CertificateDer::from(bytes)])
        };
        match certificates {
            Ok(list) if !list.is_empty() => {
                for (number, certificate) in (1..).zip(&list) {
                    if rustls::server::ParsedCertificate::try_from(certificate).is_err() {
                        let message = format!(
                            "certificate {number} in {from} is damaged or none. A .p12 or .pfx file is unpacked with: \
                             openssl pkcs12 -in FILE -nodes"
                        );
                        self.wrong(key, message);
                        return None;
                    }
                }
                Some(list)
            }
            Ok(_) => {
                self.wrong(key, format!("{from} holds no certificate"));
                None
            }
            Err(error) => {
                self.wrong(key, format!("{from} cannot be read: {}", words(&error)));
                None
            }
        }
    }

    fn secret(&mut self, from: &FileOrCredential) -> Option<PrivateKeyDer<'static>> {
        let bytes = self.bytes("key", from)?;
        if let Some(message) = secret::open_to_all(from) {
            self.remarks.push(Finding { key: "key", message, weight: Weight::Remark });
        }
        let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        match PrivateKeyDer::from_pem_slice(&bytes) {
            _ if has(b"ENCRYPTED") => {
                let message = format!(
                    "{from} is locked with a password, and nobody is there to type it. Unlock it: openssl pkey -in \
                     FILE -out NEW; keep it safe as a systemd credential"
                );
                self.wrong("key", message);
                None
            }
            Ok(key) => Some(key),
            Err(pem::Error::NoItemsFound) => {
                self.wrong("key", format!("{from} holds no private key in PEM (PKCS#8, PKCS#1 or SEC1)"));
                None
            }
            Err(error) => {
                self.wrong("key", format!("{from} cannot be read: {}", words(&error)));
                None
            }
        }
    }

    fn bytes(&mut self, key: &'static str, from: &FileOrCredential) -> Option<Vec<u8>> {
        let (message, weight) = match secret::read(from, MAX_FILE, "16 MiB") {
            Ok(mut bytes) => return Some(std::mem::take(&mut *bytes)),
            Err(Unread::Absent(message)) => (message, Weight::Absent),
            Err(Unread::Wrong(message)) => (message, Weight::Wrong),
        };
        self.faults.push(Finding { key, message, weight });
        None
    }

    fn wrong(&mut self, key: &'static str, message: String) {
        self.faults.push(Finding { key, message, weight: Weight::Wrong });
    }
}

fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

fn words(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a PEM section has no end; is the file half written?",
        pem::Error::Base64Decode(_) => "a PEM section is damaged",
        _ => "its PEM is damaged",
    }
}
