//! Why a TLS connection is not there: [`Trouble`], with whose fault it is and what to do next.
//!
//! Promises sentences that a person who has never seen a certificate can act on. They hold names, dates and
//! fingerprints of certificates, which are no secrets and no patients.

use super::facts::{self, day};
use super::provider::provider;
use crate::clock::Clock;
use crate::conditions::Fault;
use crate::config::PeerId;
use orugate_protocol::time::ClockQuality;
use rustls::pki_types::CertificateDer;
use rustls::{AlertDescription, CertRevocationListError, CertificateError, Error, PeerIncompatible};
use std::fmt;
use std::io;
use std::time::Duration;

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A destination's engine.
    Engine,
    /// An instrument.
    Instrument,
}

impl Peer {
    /// What names a condition of it. Instruments and destinations may have the same names.
    #[must_use]
    pub fn subject(self, name: &str) -> String {
        match self {
            Self::Engine => format!("destination {name}"),
            Self::Instrument => format!("instrument {name}"),
        }
    }
}

/// Why there is no TLS connection. Displays as what is wrong and, in brackets, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Who is at the other end.
    pub peer: Peer,
    /// What is wrong.
    pub what: What,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The gateway's own files cannot be used.
    Files(String),
    /// Nobody in the file of authorities signed the peer's certificate.
    UnknownIssuer {
        /// Who says to have signed it.
        issuer: String,
        /// The certificate.
        hash: String,
    },
    /// The peer shows an authority's certificate, as `openssl req -x509` makes it.
    AuthorityAsPeer {
        /// The certificate.
        hash: String,
    },
    /// The certificate has other names.
    WrongName {
        /// The name that was asked for.
        expected: String,
        /// The names that it has.
        names: Vec<String>,
    },
    /// The certificate has a common name and no subjectAltName, which is where names have to be.
    OnlyCommonName {
        /// The common name.
        common_name: String,
    },
    /// The certificate is not among those that are pinned or allowed.
    NotAllowed {
        /// The names that it has.
        names: Vec<String>,
        /// The certificate.
        hash: String,
    },
    /// Out of date.
    Expired {
        /// Seconds since 1970.
        until: i64,
        /// This box's clock.
        now: i64,
    },
    /// Not yet valid.
    NotYet {
        /// Seconds since 1970.
        from: i64,
        /// This box's clock.
        now: i64,
    },
    /// A date does not fit, and this box's clock is known to be wrong.
    Clock {
        /// This box's clock, in seconds since 1970.
        now: i64,
    },
    /// On a revocation list.
    Revoked,
    /// No list of the one who signed it.
    NoList,
    /// The list is out of date.
    ListExpired {
        /// When the next one was due.
        until: i64,
        /// This box's clock.
        now: i64,
    },
    /// For another purpose.
    Purpose,
    /// Anything else that is wrong with the certificate.
    BadCertificate(String),
    /// The peer wants a certificate, and none is configured.
    WantsCertificate,
    /// A client showed no certificate.
    NoCertificate,
    /// The peer refuses this gateway's certificate; its own word for it.
    RefusesOurs(&'static str),
    /// The peer does not speak TLS.
    Plain,
    /// No version in common.
    Version,
    /// No cipher or key exchange in common.
    Cipher,
    /// The handshake came to no end.
    TimedOut(Duration),
    /// The peer hung up in the handshake.
    HungUp,
    /// The peer ended it with an alert.
    Alert(String),
    /// The connection broke in the handshake.
    Broke(io::ErrorKind),
    /// Anything else.
    Other(String),
}

impl What {
    /// What the verifier says of a peer's certificate.
    pub(super) fn of_certificate(error: &Error, leaf: &CertificateDer<'_>, clock: &Clock) -> Self {
        let facts = facts::of(leaf).unwrap_or_default();
        let now = clock.utc().0 / 1_000_000;
        let hash = || PeerId::Sha256(facts::hashes(&provider(), leaf)[0].unwrap_or_default()).to_string();
        let seconds = |time: rustls::pki_types::UnixTime| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let by_date = |what: Self| {
            if clock.quality() == ClockQuality::Unset { Self::Clock { now } } else { what }
        };
        use CertificateError as E;
        match error {
            Error::InvalidCertificate(error) => match error {
                E::UnknownIssuer => Self::UnknownIssuer { issuer: facts.issuer, hash: hash() },
                E::NotValidForNameContext { .. } | E::NotValidForName if facts.names.is_empty() => {
                    Self::OnlyCommonName {
                        common_name: facts.all_names().into_iter().next().unwrap_or_default(),
                    }
                }
                E::NotValidForNameContext { expected, .. } => {
                    Self::WrongName { expected: expected.to_str().into_owned(), names: facts.all_names() }
                }
                E::ApplicationVerificationFailure => {
                    Self::NotAllowed { names: facts.all_names(), hash: hash() }
                }
                E::ExpiredContext { not_after, .. } => {
                    by_date(Self::Expired { until: seconds(*not_after), now })
                }
                E::Expired => by_date(Self::Expired { until: facts.valid.1, now }),
                E::NotValidYetContext { not_before, .. } => {
                    by_date(Self::NotYet { from: seconds(*not_before), now })
                }
                E::NotValidYet => by_date(Self::NotYet { from: facts.valid.0, now }),
                E::Revoked => Self::Revoked,
                E::UnknownRevocationStatus => Self::NoList,
                E::ExpiredRevocationListContext { next_update, .. } => {
                    by_date(Self::ListExpired { until: seconds(*next_update), now })
                }
                E::InvalidPurpose | E::InvalidPurposeContext { .. } => Self::Purpose,
                // rustls has no name of its own for it.
                E::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
                    Self::AuthorityAsPeer { hash: hash() }
                }
                error => Self::BadCertificate(error.to_string()),
            },
            Error::InvalidCertRevocationList(CertRevocationListError::BadSignature) => {
                Self::BadCertificate("a revocation list has a wrong signature".to_owned())
            }
            error => Self::BadCertificate(error.to_string()),
        }
    }

    /// What rustls says of a connection; `asked` is true when the peer wanted a certificate and got none.
    pub(super) fn of_io(error: &io::Error, handshake: bool, asked: bool) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        match inner {
            Some(Error::AlertReceived(alert)) => Self::of_alert(*alert, asked),
            Some(Error::InvalidMessage(_)) if handshake => Self::Plain,
            Some(Error::NoCertificatesPresented) => Self::NoCertificate,
            Some(Error::PeerIncompatible(why)) => match why {
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                | PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled => Self::Version,
                _ => Self::Cipher,
            },
            Some(error) => Self::Other(error.to_string()),
            None if handshake && asked => Self::WantsCertificate,
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::HungUp,
            None => Self::Broke(error.kind()),
        }
    }

    fn of_alert(alert: AlertDescription, asked: bool) -> Self {
        use AlertDescription as A;
        match alert {
            A::CertificateRequired => Self::WantsCertificate,
            A::BadCertificate | A::HandshakeFailure | A::AccessDenied if asked => Self::WantsCertificate,
            A::BadCertificate | A::UnsupportedCertificate | A::CertificateUnknown => {
                Self::RefusesOurs("it gives no reason")
            }
            A::CertificateRevoked => Self::RefusesOurs("it says that it was revoked"),
            A::CertificateExpired => {
                Self::RefusesOurs("it says that it is out of date; are both clocks right?")
            }
            A::UnknownCA => Self::RefusesOurs("it does not know who signed it"),
            A::AccessDenied => Self::RefusesOurs("it says access denied"),
            A::ProtocolVersion => Self::Version,
            A::HandshakeFailure | A::InsufficientSecurity => Self::Cipher,
            alert => Self::Alert(format!("{alert:?}")),
        }
    }
}

impl Trouble {
    /// Who has to act.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        let peer = match self.peer {
            Peer::Engine => Fault::Engine,
            Peer::Instrument => Fault::Instrument,
        };
        match self.what {
            What::Files(_)
            | What::Clock { .. }
            | What::NotYet { .. }
            | What::NoList
            | What::ListExpired { .. }
            | What::WantsCertificate
            | What::RefusesOurs(_)
            | What::NotAllowed { .. }
            | What::UnknownIssuer { .. }
            | What::AuthorityAsPeer { .. }
            | What::OnlyCommonName { .. }
            | What::WrongName { .. } => Fault::Operator,
            _ => peer,
        }
    }

    /// What is wrong, without a full stop.
    #[must_use]
    pub fn text(&self) -> String {
        let who = self.who();
        match &self.what {
            What::Files(message) => message.clone(),
            What::UnknownIssuer { issuer, hash } => {
                format!(
                    "{who}'s certificate ({hash}) is signed by {issuer:?}, whom this gateway does not know"
                )
            }
            What::AuthorityAsPeer { hash } => {
                format!(
                    "{who} shows the certificate of an authority ({hash}), which may sign others but not speak"
                )
            }
            What::WrongName { expected, names } => {
                format!("{who}'s certificate is for {}, not for {expected}", list(names))
            }
            What::NotAllowed { names, hash } => {
                format!(
                    "{who}'s certificate for {} ({hash}) is not one of those that are allowed",
                    list(names)
                )
            }
            What::OnlyCommonName { common_name } => format!(
                "{who}'s certificate has no name in subjectAltName; its common name {common_name:?} does not count"
            ),
            What::Expired { until, now } => {
                let (until, now) = (day(*until), day(*now));
                format!("{who}'s certificate was valid until {until}, and this box's clock says {now}")
            }
            What::NotYet { from, now } => {
                format!(
                    "{who}'s certificate is valid from {}, and this box's clock says {}",
                    day(*from),
                    day(*now)
                )
            }
            What::Clock { now } => {
                format!("this box's clock is wrong, it says {}: no certificate can be checked", day(*now))
            }
            What::Revoked => format!("{who}'s certificate was revoked"),
            What::NoList => format!("there is no revocation list of an authority that signed for {who}"),
            What::ListExpired { until, now } => {
                let (until, now) = (day(*until), day(*now));
                format!("the revocation list is out of date since {until}, and this box's clock says {now}")
            }
            What::Purpose => format!("{who}'s certificate was made for another purpose"),
            What::BadCertificate(why) => format!("{who}'s certificate cannot be used: {why}"),
            What::WantsCertificate => {
                format!("{who} wants a certificate of this gateway, and none is configured")
            }
            What::NoCertificate => format!("{who} showed no certificate"),
            What::RefusesOurs(why) => format!("{who} refuses this gateway's certificate: {why}"),
            What::Plain => format!("{who} does not speak TLS at this port"),
            What::Version => format!("{who} speaks no version of TLS that is allowed here"),
            What::Cipher => format!("{who} and this gateway have no cipher in common"),
            What::TimedOut(wait) => format!("the TLS handshake with {who} came to no end in {wait:?}"),
            What::HungUp => format!("{who} hung up in the TLS handshake"),
            What::Alert(alert) => format!("{who} ended TLS with the alert {alert}"),
            What::Broke(kind) => format!("the connection to {who} broke in TLS: {kind}"),
            What::Other(error) => format!("TLS with {who} failed: {error}"),
        }
    }

    /// What to do, without a full stop.
    #[must_use]
    pub fn next(&self) -> String {
        let engine = self.peer == Peer::Engine;
        let ca = if engine { "tls.ca" } else { "tls.ca or tls.clients" };
        match &self.what {
            What::Files(_) => "put it right; it is looked at again every few seconds".to_owned(),
            What::UnknownIssuer { .. } => {
                format!(
                    "add that authority to {ca} if your house trusts it, or have intermediates sent along"
                )
            }
            What::AuthorityAsPeer { .. } => {
                "compare the fingerprint with its people and pin it in place of naming an authority"
                    .to_owned()
            }
            What::WrongName { .. } => {
                "correct the address or tls.name, or have a certificate made for that name".to_owned()
            }
            What::NotAllowed { .. } => {
                "if it was renewed, compare the fingerprint with its people and add it".to_owned()
            }
            What::OnlyCommonName { .. } => {
                "have it made anew with its name there; until then pin it, without ca".to_owned()
            }
            What::Expired { .. } => "if the clock is right, have it renewed".to_owned(),
            What::NotYet { .. } | What::Clock { .. } => "set the clock: timedatectl".to_owned(),
            What::Revoked => "ask whoever runs your authority why, and have a new one made".to_owned(),
            What::NoList => "add the list of every authority of the chain to tls.crl".to_owned(),
            What::ListExpired { .. } => "bring the newest list into the file of tls.crl".to_owned(),
            What::Purpose => {
                "have one made for serverAuth at the side that listens, clientAuth at the other".to_owned()
            }
            What::BadCertificate(_) => "show this to whoever made the certificate".to_owned(),
            What::WantsCertificate => "write tls.cert and tls.key".to_owned(),
            What::NoCertificate => "give it one that tls.clients signed".to_owned(),
            What::RefusesOurs(_) => "ask its people what it trusts; tls.cert is what is shown".to_owned(),
            What::Plain => "switch TLS on there, or take tls out here".to_owned(),
            What::Version => "have TLS 1.2 or 1.3 switched on there, or lower tls.min_version".to_owned(),
            What::Cipher => {
                "have AES-GCM with ECDHE switched on there, or a certificate asked for".to_owned()
            }
            What::TimedOut(_) | What::HungUp => {
                "does it speak TLS at this port? Its log may say why".to_owned()
            }
            What::Alert(_) | What::Broke(_) | What::Other(_) => "its log may say why".to_owned(),
        }
    }

    const fn who(&self) -> &'static str {
        match self.peer {
            Peer::Engine => "the engine",
            Peer::Instrument => "the instrument",
        }
    }

    /// The trouble in an error of a wire.
    #[must_use]
    pub fn in_error(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.next())
    }
}

impl std::error::Error for Trouble {}

impl From<Trouble> for io::Error {
    fn from(trouble: Trouble) -> Self {
        Self::other(trouble)
    }
}

fn list(names: &[String]) -> String {
    match names {
        [] => "no name".to_owned(),
        names => names.iter().take(5).cloned().collect::<Vec<_>>().join(", "),
    }
}

/// True when one of the peer's certificate's names or hashes is in the list.
pub(super) fn is_listed(list: &[PeerId], leaf: &CertificateDer<'_>) -> bool {
    let hashes = facts::hashes(&provider(), leaf);
    let facts = facts::of(leaf).unwrap_or_default();
    list.iter().any(|peer| match peer {
        PeerId::Sha256(hash) => hashes.contains(&Some(*hash)),
        PeerId::Name(name) => facts.has_name(name),
    })
}
