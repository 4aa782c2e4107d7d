//! What is kept of a line, and its bytes: a disk format, in `gateway/journal/FORMAT.md` under *Rings*.
//!
//! A block is one record of a ring. Its meta says when its first entry was and by which clock; each entry has the time since
//! the one before by a clock that nobody sets.

use crate::records::{clock_number, clock_quality};
use orugate_protocol::time::{ClockQuality, Utc};
use std::time::Duration;

/// What happened on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The instrument sent these bytes, as one read gave them.
    In,
    /// The gateway sent these bytes.
    Out,
    /// The wire opened; what it leads to.
    Opened,
    /// The wire is gone; why.
    Closed,
    /// The wire could not be opened; why.
    Unopened,
    /// A note of the link.
    Note,
    /// The driver failed; how.
    Fell,
    /// So many bytes were not kept here: decimal digits.
    Lost,
    /// The gateway's port begins or ends.
    Port,
}

impl What {
    const ALL: [Self; 9] = [
        Self::In,
        Self::Out,
        Self::Opened,
        Self::Closed,
        Self::Unopened,
        Self::Note,
        Self::Fell,
        Self::Lost,
        Self::Port,
    ];

    /// Its word in a transcript.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Opened => "opened",
            Self::Closed => "closed",
            Self::Unopened => "unopened",
            Self::Note => "note",
            Self::Fell => "fell",
            Self::Lost => "lost",
            Self::Port => "port",
        }
    }

    /// The reverse.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|what| what.word() == word)
    }

    /// Bytes of the wire rather than words of the gateway.
    #[must_use]
    pub const fn is_bytes(self) -> bool {
        matches!(self, Self::In | Self::Out)
    }

    const fn code(self) -> u8 {
        self as u8
    }

    fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|what| what.code() == code)
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, by the wall clock of its block and the steady clock since.
    pub at: Utc,
    /// How far that can be trusted.
    pub clock: ClockQuality,
    /// What.
    pub what: What,
    /// Bytes of the wire, or words.
    pub bytes: Vec<u8>,
}

/// Entries on their way to a ring, or back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// When the first entry was.
    pub at: Utc,
    /// How far that can be trusted.
    pub clock: ClockQuality,
    /// The entries, encoded.
    pub body: Vec<u8>,
}

impl Block {
    /// Without entries.
    #[must_use]
    pub const fn new(at: Utc, clock: ClockQuality) -> Self {
        Self { at, clock, body: Vec::new() }
    }

    /// Adds an entry so long after the one before.
    pub fn push(&mut self, after: Duration, what: What, bytes: &[u8]) {
        number(&mut self.body, u64::try_from(after.as_micros()).unwrap_or(u64::MAX));
        self.body.push(what.code());
        number(&mut self.body, bytes.len() as u64);
        self.body.extend_from_slice(bytes);
    }

    /// What [`push`](Self::push) adds.
    #[must_use]
    pub const fn cost(bytes: usize) -> usize {
        bytes.saturating_add(8)
    }

    /// The record's meta.
    #[must_use]
    pub fn meta(&self) -> Vec<u8> {
        // Postcard fails only on types that are not used here.
        postcard::to_stdvec(&(self.at.0, clock_number(self.clock))).unwrap_or_default()
    }

    /// The entries of a record. `None`: it is none of this form. An entry that a later version made is left out.
    #[must_use]
    pub fn entries(meta: &[u8], mut body: &[u8]) -> Option<Vec<Entry>> {
        let (mut at, clock): (i64, u8) = postcard::from_bytes(meta).ok()?;
        let mut entries = Vec::new();
        while !body.is_empty() {
            let after = take_number(&mut body)?;
            let (code, rest) = body.split_first()?;
            body = rest;
            let len = usize::try_from(take_number(&mut body)?).ok()?;
            let (bytes, rest) = body.split_at_checked(len)?;
            body = rest;
            at = at.saturating_add(i64::try_from(after).unwrap_or(i64::MAX));
            if let Some(what) = What::of_code(*code) {
                entries.push(Entry { at: Utc(at), clock: clock_quality(clock), what, bytes: bytes.to_vec() });
            }
        }
        Some(entries)
    }
}

/// LEB128.
fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7F).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_read_back_and_no_cut_of_them_is_taken_for_another() {
        let mut block = Block::new(Utc(1_795_305_600_000_000), ClockQuality::Plausible);
        let all: Vec<(u64, What, Vec<u8>)> = What::ALL
            .into_iter()
            .enumerate()
            .map(|(n, what)| (n as u64 * 1_000_003, what, vec![n as u8; n * 40]))
            .collect();
        for (after, what, bytes) in &all {
            block.push(Duration::from_micros(*after), *what, bytes);
        }
        let entries = Block::entries(&block.meta(), &block.body).unwrap();
        let mut at = block.at.0;
        assert_eq!(entries.len(), all.len());
        for (entry, (after, what, bytes)) in entries.iter().zip(&all) {
            at += *after as i64;
            assert_eq!((entry.at.0, entry.what, &entry.bytes), (at, *what, bytes));
        }
        let whole = |cut: usize| Block::entries(&block.meta(), &block.body[..cut]);
        for cut in 0..block.body.len() {
            assert!(whole(cut).is_none_or(|some| some.len() < all.len() && entries.starts_with(&some)));
        }
        assert_eq!(What::ALL.map(What::code), [0, 1, 2, 3, 4, 5, 6, 7, 8], "a disk format");
        assert_eq!(What::of_word("note"), Some(What::Note));
    }
}
