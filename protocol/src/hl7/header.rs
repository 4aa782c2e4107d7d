//! The MSH segment of a message, to answer it or to route it before anything else is read.
//!
//! Promises: needs no index. Leaves out whether the values are good: that is for whoever asks.

use super::lines::{self, Lines};
use super::reader::{Part, ReadError, Segment};
use super::{Delimiters, Name};
use crate::ascii::{CR, LF};

/// A message's MSH.
#[derive(Clone, Copy, Debug)]
pub struct Header<'m> {
    msh: Segment<'m, 'static>,
}

impl<'m> Header<'m> {
    /// Reads the MSH; the segments behind it are not looked at.
    ///
    /// # Errors
    /// The [`ReadError`] of an MSH that cannot be read.
    pub fn read(bytes: &'m [u8]) -> Result<Self, ReadError> {
        let missing = ReadError::NoMsh { offset: 0 };
        Lines::new(bytes)?.next().unwrap_or(Err(missing)).map(|msh| Self { msh })
    }

    /// What can be had of an MSH that [`Header::read`] refuses: where MSH-1 is a delimiter, its fields can be counted,
    /// so that even a message with unusable MSH-2 can be refused by its control id.
    #[must_use]
    pub fn salvage(bytes: &'m [u8]) -> Option<Self> {
        let (start, end) = lines::extent(bytes);
        let body = bytes.get(start..end)?;
        let field = *body.strip_prefix(b"MSH")?.first()?;
        let standard = Delimiters::new(field, b"^~\\&");
        // MSH-1 that is one of the standard encoding characters: any others will do, none is used to split.
        let delimiters = standard.or_else(|_| Delimiters::new(field, b"!@%*")).ok()?;
        let len = memchr::memchr2(CR, LF, body).unwrap_or(body.len());
        let extent = (start, start.saturating_add(len));
        Some(Self { msh: Segment::unindexed(bytes, extent, Name::MSH, delimiters) })
    }

    /// Field MSH-`n`.
    #[must_use]
    pub fn field(&self, n: usize) -> Part<'m> {
        self.msh.field(n)
    }

    /// What MSH-1 and MSH-2 declare.
    #[must_use]
    pub const fn delimiters(&self) -> &Delimiters {
        self.msh.delimiters()
    }

    /// MSH-9.1, such as `ORU`.
    #[must_use]
    pub fn message_code(&self) -> Part<'m> {
        self.field(9).component(1)
    }

    /// MSH-9.2, such as `R01`.
    #[must_use]
    pub fn trigger(&self) -> Part<'m> {
        self.field(9).component(2)
    }

    /// MSH-10, byte for byte.
    #[must_use]
    pub fn control_id(&self) -> &'m [u8] {
        self.field(10).bytes()
    }

    /// MSH-12.1 as its first two numbers, `2.5.1` as `(2, 5)`, or `None` for anything else.
    #[must_use]
    pub fn version(&self) -> Option<(u8, u8)> {
        let text = core::str::from_utf8(self.field(12).component(1).bytes()).ok()?;
        let mut numbers = text.split('.').map(|n| n.parse().ok());
        Some((numbers.next()??, numbers.next()??))
    }

    /// True when MSH-15 or MSH-16 has a value: the sender knows commit acknowledgments (2.5.1, section 2.9.3).
    #[must_use]
    pub fn is_enhanced(&self) -> bool {
        !self.field(15).is_empty() || !self.field(16).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_needs() {
        let header =
            Header::read(b"\x0bMSH|^~\\&|A|B|C|D|20260101||ORU^R01^ORU_R01| 7x|P|2.5.1|||AL|NE\r???")
                .unwrap();
        assert_eq!(header.control_id(), b" 7x");
        assert!(header.trigger().reads("R01") && header.message_code().reads("ORU"));
        assert_eq!(header.version(), Some((2, 5)));
        assert!(header.is_enhanced());
        let bare = Header::read(b"MSH|^~\\&|A").unwrap();
        assert!(bare.control_id().is_empty() && bare.version().is_none() && !bare.is_enhanced());
    }

    #[test]
    fn an_unusable_msh_2_does_not_hide_the_control_id() {
        for bytes in
            [&b"MSH|^^~&|A||C||1||ORU^R01|ID|P|2.5\rPID"[..], b"MSH^|~\\&\xE9&&^A^^C^^1^^ORU|R01^ID^P^2.5"]
        {
            assert!(Header::read(bytes).is_err());
            assert_eq!(Header::salvage(bytes).unwrap().control_id(), b"ID");
        }
        assert!(Header::salvage(b"PID|1").is_none());
        assert!(Header::salvage(b"MSH").is_none());
        assert!(Header::salvage(b"MSHA").is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(tail: std::vec::Vec<u8>, text in "[|^~\\\\&A-Z0-9\\r\\n]{0,60}") {
            for tail in [&tail, text.as_bytes()] {
                let bytes = [b"MSH|", tail].concat();
                for header in [Header::read(&bytes).ok(), Header::salvage(&bytes)].into_iter().flatten() {
                    let _ = (header.version(), header.is_enhanced(), header.trigger());
                    proptest::prop_assert!(!header.control_id().contains(&b'|'));
                }
            }
        }
    }
}
