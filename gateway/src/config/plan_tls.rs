//! What a `tls` table means: [`TlsPlan`].
//!
//! Promises that whoever is at the other end is known in some way, or that the plan says that he is not
//! ([`TlsPlan::knows_the_peer`]). Leaves out what is in the files: they change while the gateway runs, and
//! [`tls`](crate::tls) reads them.

use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;

/// TLS on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsPlan {
    /// Who begins.
    pub side: TlsSide,
    /// The authorities that may have signed the peer's certificate; without them `allowed` alone decides.
    pub ca: Option<PathBuf>,
    /// Which peers; empty: all that `ca` signed.
    pub allowed: Vec<PeerId>,
    /// Certificate and key that are shown. Always there when listening.
    pub own: Option<OwnPem>,
    /// Revocation lists for the whole chain; only with `ca`.
    pub crl: Option<PathBuf>,
    /// The oldest version.
    pub min_version: TlsVersion,
}

/// Certificate and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnPem {
    /// The certificate, then its intermediates.
    pub cert: FileOrCredential,
    /// Its key.
    pub key: FileOrCredential,
}

/// Who begins the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsSide {
    /// The gateway connects to this name or address. It is sent as SNI, and with `ca` it must be in the certificate.
    Client(String),
    /// The gateway listens.
    Server,
}

/// Where something comes from that may be secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileOrCredential {
    /// An absolute path.
    File(PathBuf),
    /// A name in systemd's `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// A peer that is known by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerId {
    /// A DNS name or the common name of its certificate.
    Name(String),
    /// SHA-256 of its certificate or of its SubjectPublicKeyInfo, both in DER.
    Sha256([u8; 32]),
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum TlsVersion {
    /// RFC 5246.
    #[default]
    #[serde(rename = "1.2")]
    V12,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    V13,
}

impl TlsPlan {
    /// False when it only encrypts: anybody may be at the other end.
    #[must_use]
    pub fn knows_the_peer(&self) -> bool {
        self.ca.is_some() || !self.allowed.is_empty()
    }
}

impl fmt::Display for FileOrCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Credential(name) => write!(f, "credential:{name}"),
        }
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Sha256(hash) => {
                f.write_str("sha256:")?;
                hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

impl fmt::Display for TlsPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = if self.min_version == TlsVersion::V13 { "1.3" } else { "1.2" };
        write!(f, "TLS {least} or later")?;
        match (&self.side, &self.ca) {
            (TlsSide::Client(name), Some(ca)) => write!(f, " as {name} by {}", ca.display())?,
            (TlsSide::Server, Some(ca)) => write!(f, ", clients by {}", ca.display())?,
            (TlsSide::Client(_), None) => f.write_str(" by pinned certificate")?,
            (TlsSide::Server, None) if self.allowed.is_empty() => {
                f.write_str(", clients without certificates")?;
            }
            (TlsSide::Server, None) => f.write_str(", clients by pinned certificate")?,
        }
        if !self.allowed.is_empty() {
            let peers: Vec<String> = self.allowed.iter().map(ToString::to_string).collect();
            write!(f, " ({})", peers.join(", "))?;
        }
        if let Some(crl) = &self.crl {
            write!(f, ", revocation by {}", crl.display())?;
        }
        match &self.own {
            Some(own) => write!(f, ", own certificate {}", own.cert),
            None => Ok(()),
        }
    }
}
