//! Finds a message in bytes and its segments' ends, without an index.
//!
//! Promises: the same segments and errors as [`super::reader::Message::index`], which is built on it. Good for one
//! look at a short message such as an acknowledgment; each access to a field searches its segment again.

use super::reader::Segment;
use super::{DelimiterError, Delimiters, Name};
use crate::ascii::{CR, FS, LF, VT};
use core::fmt;

/// The greatest offset that an index can hold.
pub(super) const MAX_LEN: usize = 0x7FFF_FFFF;

/// Why bytes are no message. Offsets count from the first byte that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The message does not begin with MSH.
    NoMsh {
        /// Where it should stand.
        offset: usize,
    },
    /// The message ends within MSH-1 or before MSH-2.
    TooShort {
        /// Where the message ends.
        offset: usize,
    },
    /// MSH-1 and MSH-2 are no delimiters.
    Delimiters {
        /// The wrong character, or for a wrong count the start of MSH-2.
        offset: usize,
        /// What is wrong.
        error: DelimiterError,
    },
    /// A segment does not begin with three upper-case letters or digits and the field delimiter.
    SegmentName {
        /// Where the segment starts.
        offset: usize,
    },
    /// A second MSH: two messages in one frame, which must not be read as one.
    SecondMsh {
        /// Where the second message starts.
        offset: usize,
    },
    /// More segments and fields than the index has entries.
    IndexFull {
        /// The segment or delimiter that has no entry any more.
        offset: usize,
    },
    /// 2 GiB or longer.
    TooLong,
}

impl ReadError {
    /// Where the trouble is.
    #[must_use]
    pub const fn offset(&self) -> usize {
        match self {
            Self::NoMsh { offset }
            | Self::TooShort { offset }
            | Self::Delimiters { offset, .. }
            | Self::SegmentName { offset }
            | Self::SecondMsh { offset }
            | Self::IndexFull { offset } => *offset,
            Self::TooLong => MAX_LEN,
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMsh { .. } => f.write_str("no MSH segment"),
            Self::TooShort { .. } => f.write_str("the message ends in its delimiters"),
            Self::Delimiters { error: DelimiterError::Count(n), .. } => {
                write!(f, "MSH-2 has {n} characters; 2 to 5 are allowed")
            }
            Self::Delimiters { error: DelimiterError::Character(_), .. } => {
                f.write_str("a delimiter that is no ASCII punctuation")
            }
            Self::Delimiters { error: DelimiterError::Repeated(_), .. } => {
                f.write_str("a delimiter that is declared twice")
            }
            Self::SegmentName { .. } => f.write_str("not a segment name and a field delimiter"),
            Self::SecondMsh { .. } => f.write_str("a second MSH segment in one message"),
            Self::IndexFull { .. } => f.write_str("more fields than the index has room for"),
            Self::TooLong => f.write_str("a message of 2 GiB or more"),
        }?;
        write!(f, " at byte {}", self.offset())
    }
}

impl core::error::Error for ReadError {}

/// A message's segments by their ends alone, without an index: for one walk over a message.
///
/// Each item is a segment or the first trouble at its place; after one the next segment follows.
#[derive(Clone, Debug)]
pub struct Lines<'m> {
    whole: &'m [u8],
    at: usize,
    end: usize,
    /// An LF ends a segment. Decided by what ends MSH: where that is CR, an LF within a field is text.
    lf_ends: bool,
    seen_msh: bool,
    pub(super) delimiters: Delimiters,
}

impl<'m> Lines<'m> {
    /// Finds MSH and reads its delimiters.
    ///
    /// # Errors
    /// The [`ReadError`] of an MSH that cannot be read.
    pub fn new(whole: &'m [u8]) -> Result<Self, ReadError> {
        let (start, end) = extent(whole);
        let body = whole.get(start..end).unwrap_or_default();
        let Some(after_name) = body.strip_prefix(b"MSH") else {
            return Err(ReadError::NoMsh { offset: start });
        };
        let msh_2 = start.saturating_add(4);
        let Some((field, rest)) = after_name.split_first() else {
            return Err(ReadError::TooShort { offset: end });
        };
        let stop = rest.iter().position(|b| b == field || matches!(*b, CR | LF)).unwrap_or(rest.len());
        let encoding = rest.get(..stop).unwrap_or_default();
        if encoding.is_empty() && stop == rest.len() {
            return Err(ReadError::TooShort { offset: end });
        }
        let delimiters = Delimiters::new(*field, encoding).map_err(|error| {
            let offset = match error {
                DelimiterError::Count(_) => msh_2,
                DelimiterError::Character(n) | DelimiterError::Repeated(n) => {
                    msh_2.saturating_sub(1).saturating_add(n)
                }
            };
            ReadError::Delimiters { offset, error }
        })?;
        let lf_ends = memchr::memchr2(CR, LF, body).is_some_and(|at| body.get(at).is_some_and(|b| *b == LF));
        Ok(Self { whole, at: start, end, lf_ends, seen_msh: false, delimiters })
    }

    fn segment(&mut self, start: usize, end: usize) -> Result<Segment<'m, 'static>, ReadError> {
        let bytes = self.whole.get(start..end).unwrap_or_default();
        let (name, rest) = bytes.split_at_checked(3).unwrap_or((bytes, &[]));
        let name = Name::new(name).filter(|_| rest.first().is_none_or(|b| *b == self.delimiters.field()));
        let name = name.ok_or(ReadError::SegmentName { offset: start })?;
        if name == Name::MSH && core::mem::replace(&mut self.seen_msh, true) {
            return Err(ReadError::SecondMsh { offset: start });
        }
        Ok(Segment::unindexed(self.whole, (start, end), name, self.delimiters))
    }
}

impl<'m> Iterator for Lines<'m> {
    type Item = Result<Segment<'m, 'static>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        // Blank lines, and the LF of a CR LF.
        let rest = self.whole.get(self.at..self.end)?;
        let blank = rest.iter().take_while(|b| matches!(**b, CR | LF)).count();
        let start = self.at.saturating_add(blank);
        let rest = rest.get(blank..).filter(|r| !r.is_empty())?;
        let len = if self.lf_ends { memchr::memchr2(CR, LF, rest) } else { memchr::memchr(CR, rest) };
        let end = start.saturating_add(len.unwrap_or(rest.len()));
        self.at = end;
        Some(self.segment(start, end))
    }
}

/// The message within the bytes: without block characters, blank lines or a UTF-8 byte order mark around it.
pub(super) fn extent(bytes: &[u8]) -> (usize, usize) {
    let around = |b: &u8| matches!(*b, VT | FS | CR | LF);
    let mut rest = bytes;
    while let [VT | CR | LF, tail @ ..] | [0xEF, 0xBB, 0xBF, tail @ ..] = rest {
        rest = tail;
    }
    let start = bytes.len().saturating_sub(rest.len());
    let tail = rest.iter().rev().take_while(|b| around(b)).count();
    (start, bytes.len().saturating_sub(tail))
}
