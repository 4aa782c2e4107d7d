//! Where a message ends, while its records still come in pieces.
//!
//! Promises: what is seen does not depend on where the text was cut. LIS02 2.1 ends a message with its L record;
//! ETX ends a frame and means nothing here, but for an L that came without its CR. Leaves out everything else about
//! records.

use orugate_protocol::ascii::{CR, LF};

/// Follows the records of one message, byte by byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tracker {
    at: At,
    /// The field delimiter, as the latest H declared it.
    field: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before a record.
    Start,
    /// After the first byte of one.
    Letter(u8),
    Inside,
    /// Inside an L.
    Terminator,
    /// After an L, and nothing since.
    Ended,
}

impl Tracker {
    pub(crate) const fn new() -> Self {
        Self { at: At::Start, field: b'|' }
    }

    pub(crate) fn push(&mut self, text: &[u8]) {
        for byte in text {
            self.byte(*byte);
        }
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.at = match (self.at, byte) {
            (At::Terminator | At::Letter(b'L' | b'l'), CR | LF) => At::Ended,
            // An LF inside a field looks like this too; only an L after it would be taken wrongly, and the records
            // read it the same way.
            (At::Letter(_) | At::Inside, CR | LF) => At::Start,
            // Line ends and padding between records.
            (At::Start | At::Ended, 0..=b' ') => self.at,
            (At::Start | At::Ended, letter) => At::Letter(letter),
            (At::Letter(b'H' | b'h'), delimiter) if delimiter.is_ascii_punctuation() => {
                self.field = delimiter;
                At::Inside
            }
            (At::Letter(b'L' | b'l'), delimiter) if delimiter == self.field => At::Terminator,
            (At::Letter(_) | At::Inside, _) => At::Inside,
            (At::Terminator, _) => At::Terminator,
        };
    }

    /// The sender says that something ended here: then an L needs no CR.
    pub(crate) fn part_end(&mut self) {
        if matches!(self.at, At::Terminator | At::Letter(b'L' | b'l')) {
            self.at = At::Ended;
        }
    }

    /// True when no record is begun.
    pub(crate) fn is_between_records(self) -> bool {
        matches!(self.at, At::Start | At::Ended)
    }

    /// True when the last record was an L and is over.
    pub(crate) fn ended(self) -> bool {
        self.at == At::Ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_at_its_l_wherever_it_is_cut() {
        for (text, ended) in [
            (&b"H|\\^&\rP|1\rL|1|N\r"[..], true),
            (b"H|\\^&\rP|1\rL|1|N", false),
            (b"H|\\^&\nL|1|N\r\n\n", true),
            (b"H!\\^&\rL|1\rP!1\r", false),
            (b"H!\\^&\rL!1\r", true),
            (b"H|\\^&\rL|1\rH|\\^&\r", false),
            (b"H|\\^&\rR|1|L|1\r", false),
            (b"H|\\^&\rLOW\r", false),
            (b"H|\\^&\rL\r", true),
            (b"", false),
        ] {
            for cut in 0..=text.len() {
                let mut tracker = Tracker::new();
                tracker.push(&text[..cut]);
                tracker.push(&text[cut..]);
                assert_eq!(tracker.ended(), ended, "{:?} cut at {cut}", String::from_utf8_lossy(text));
            }
        }
        let mut without_cr = Tracker::new();
        without_cr.push(b"H|\\^&\rL|1|N");
        without_cr.part_end();
        assert!(without_cr.ended());
    }
}
