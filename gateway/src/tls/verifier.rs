//! Who may be at the other end: [`Verifier`] decides, [`Handshake`] asks it for one connection and remembers why not.
//!
//! Promises that trust comes from the plan's files alone: the authorities of one file, the lists of another, the pins
//! and names of the configuration. Every connection is judged anew: there is no resumption, which would skip it.

use super::files::{self, Files, Finding, Weight};
use super::trouble::{What, is_listed};
use crate::clock::Clock;
use crate::config::{PeerId, TlsPlan, TlsSide};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert, VerifierBuilderError, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Decides by authorities, lists, names and pins.
#[derive(Debug)]
pub(super) struct Verifier {
    chain: Chain,
    allowed: Vec<PeerId>,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
enum Chain {
    /// Pins alone.
    None,
    Server(Arc<WebPkiServerVerifier>, ServerName<'static>),
    Client(Arc<dyn ClientCertVerifier>),
}

impl Verifier {
    /// # Errors
    /// A revocation list cannot be used.
    pub(super) fn new(
        plan: &TlsPlan,
        files: &mut Files,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, Finding> {
        let wrong = |key, message| Finding { key, message, weight: Weight::Wrong };
        let list = |error: VerifierBuilderError| {
            let list = plan.crl.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
            wrong("crl", format!("{list} cannot be used: {error}"))
        };
        let lists = std::mem::take(&mut files.lists);
        let chain = match (&files.roots, &plan.side) {
            (None, _) => Chain::None,
            (Some(roots), TlsSide::Client(name)) => {
                let name = ServerName::try_from(name.clone());
                let name = name.map_err(|error| wrong(files::ca_key(plan), error.to_string()))?;
                let builder = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone());
                let built = builder.with_crls(lists).enforce_revocation_expiration().build().map_err(list)?;
                Chain::Server(built, name)
            }
            (Some(roots), TlsSide::Server) => {
                let builder = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
                let built = builder.with_crls(lists).enforce_revocation_expiration().build().map_err(list)?;
                Chain::Client(built)
            }
        };
        Ok(Self { chain, allowed: plan.allowed.clone(), provider: provider.clone() })
    }

    fn check(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        match &self.chain {
            Chain::None => {}
            Chain::Server(chain, name) => {
                chain.verify_server_cert(leaf, above, name, &[], now)?;
            }
            Chain::Client(chain) => {
                chain.verify_client_cert(leaf, above, now)?;
            }
        }
        // Without an authority an empty list means nobody, never everybody.
        if (self.allowed.is_empty() && !matches!(self.chain, Chain::None)) || is_listed(&self.allowed, leaf) {
            Ok(())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    /// Judges a peer that was let in before, by what is known now.
    ///
    /// # Errors
    /// Why it would not be let in any more.
    pub(super) fn again(&self, peer: &[CertificateDer<'_>], clock: &Clock) -> Result<(), What> {
        let Some((leaf, above)) = peer.split_first() else { return Ok(()) };
        self.check(leaf, above, unix(clock)).map_err(|error| What::of_certificate(&error, leaf, clock))
    }
}

/// The wall clock as rustls wants it.
pub(super) fn unix(clock: &Clock) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_micros(u64::try_from(clock.utc().0).unwrap_or(0)))
}

/// One handshake.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) verifier: Arc<Verifier>,
    pub(super) own: Option<Arc<CertifiedKey>>,
    pub(super) clock: Clock,
    said: Mutex<Option<What>>,
    asked: AtomicBool,
}

impl Handshake {
    pub(super) fn new(verifier: Arc<Verifier>, own: Option<Arc<CertifiedKey>>, clock: Clock) -> Self {
        Self { verifier, own, clock, said: Mutex::new(None), asked: AtomicBool::new(false) }
    }

    /// Why the peer's certificate was refused.
    pub(super) fn said(&self) -> Option<What> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True when the peer asked for a certificate and got none.
    pub(super) fn asked_in_vain(&self) -> bool {
        self.own.is_none() && self.asked.load(Ordering::Relaxed)
    }

    fn check(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        self.verifier.check(leaf, above, now).inspect_err(|error| {
            let what = What::of_certificate(error, leaf, &self.clock);
            *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
        })
    }
}

impl ServerCertVerifier for Handshake {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(leaf, above, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.verifier.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.verifier.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Handshake {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        match &self.verifier.chain {
            Chain::Client(chain) => chain.root_hint_subjects(),
            Chain::None | Chain::Server(..) => &[],
        }
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(leaf, above, now).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls12_signature(self, message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls13_signature(self, message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ServerCertVerifier::supported_verify_schemes(self)
    }
}

impl ResolvesClientCert for Handshake {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.own.clone()
    }

    /// Always, so that it is noticed when the peer asks.
    fn has_certs(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for Handshake {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.own.clone()
    }
}
