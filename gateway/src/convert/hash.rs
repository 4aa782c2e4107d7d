//! Keyed hashes of specimens, identities and contents, so that the journal's indexes name no patient.

use orugate_protocol::text::Text;
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;

/// Hashes texts by what they read, not by how they were encoded or escaped.
#[derive(Clone, Copy)]
pub struct Keyed(SipHasher24);

/// Shows nothing: neither the key nor what was hashed.
impl std::fmt::Debug for Keyed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyed")
    }
}

impl Keyed {
    /// A hasher with the journal's key.
    #[must_use]
    pub fn new(key: &[u8; 16]) -> Self {
        Self(SipHasher24::new_with_key(key))
    }

    /// Adds a text, and an end mark that no text contains.
    pub fn text(&mut self, text: &Text<'_>) -> &mut Self {
        let plain = text.as_printable_ascii();
        self.0.write(plain.unwrap_or_default().as_bytes());
        for c in text.chars().take_while(|_| plain.is_none()) {
            match c {
                Ok(c) => {
                    let mut utf8 = [0; 4];
                    self.0.write(c.encode_utf8(&mut utf8).as_bytes());
                }
                // An undecodable text is held anyway; its hash only has to be stable.
                Err(bad) => self.0.write(&[0xFE, text.bytes().get(bad.offset).copied().unwrap_or(0)]),
            }
        }
        self.0.write(&[0xFF]);
        self
    }

    /// Adds text of our own.
    pub fn str(&mut self, text: &str) -> &mut Self {
        self.text(&Text::plain(text))
    }

    /// Adds a number.
    pub fn number(&mut self, number: u128) -> &mut Self {
        self.0.write(&number.to_le_bytes());
        self
    }

    /// The hash of all that was added.
    #[must_use]
    pub fn finish(&self) -> u128 {
        self.0.finish128().as_u128()
    }
}
