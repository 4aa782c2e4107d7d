//! Which library does the cryptography: chosen by a cargo feature, passed explicitly, never a process's default.

use rustls::crypto::CryptoProvider;
use rustls::crypto::hash::HashAlgorithm;
use std::sync::Arc;

#[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
compile_error!("TLS needs a crypto library: build with feature `aws-lc-rs` (the default) or `ring`");

/// The library. With both features it is aws-lc-rs, so that features stay additive.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "aws-lc-rs")]
    return Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    return Arc::new(rustls::crypto::ring::default_provider());
    // Stands here so that the error above is the only one.
    #[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
    loop {}
}

/// SHA-256 by this library; `None` when it has none, which no library of TLS 1.2 or 1.3 lacks.
pub(crate) fn sha256(provider: &CryptoProvider, bytes: &[u8]) -> Option<[u8; 32]> {
    let hashes = provider.cipher_suites.iter().map(|suite| match suite {
        rustls::SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider,
        rustls::SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider,
    });
    let hash = hashes.into_iter().find(|hash| hash.algorithm() == HashAlgorithm::SHA256)?;
    hash.hash(bytes).as_ref().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_sha_256() {
        let hash = sha256(&provider(), b"abc").unwrap();
        assert_eq!(hash[..4], [0xba, 0x78, 0x16, 0xbf], "FIPS 180-2, appendix B.1");
    }
}
