//! The text of a message as records (LIS02 2.1), each read by the delimiters of the latest H before it.
//!
//! Promises: records cover every byte that ends no record exactly once and in order; a record that the text cuts off
//! says so. A record ends with CR. What else ends one:
//! - LF, in a text without any CR: files exported by hand have such lines.
//! - LF elsewhere only before another line end, the end of the text, or a letter and a field delimiter: some
//!   instruments put LF into a field, and half a value must never pass for a whole one.
//!
//! Leaves out: bytes of the link. A digit or a control character before the type letter makes a record
//! [`RecordType::Other`], visible and unread.

use super::field::{Field, Pieces};
use super::header::{HeaderError, parse_header};
use super::views::View;
use crate::ascii::{CR, LF};
use crate::span::Span;
use crate::text::{Charset, Delimiters};
use core::iter::FusedIterator;
use memchr::{memchr, memchr2};

/// What a record is, by the letter of its first field, in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordType {
    /// H: message header.
    Header,
    /// P: patient information.
    Patient,
    /// O: test order.
    Order,
    /// R: result.
    Result,
    /// C: comment.
    Comment,
    /// Q: request for information.
    Query,
    /// L: message terminator.
    Terminator,
    /// M: manufacturer information.
    Manufacturer,
    /// S: scientific.
    Scientific,
    /// Any other letter, or a first field that is not one letter (an `OBR` is no order record): the first byte.
    Other(u8),
}

impl RecordType {
    /// The type that one letter names.
    #[must_use]
    pub const fn from_letter(letter: u8) -> Self {
        match letter.to_ascii_uppercase() {
            b'H' => Self::Header,
            b'P' => Self::Patient,
            b'O' => Self::Order,
            b'R' => Self::Result,
            b'C' => Self::Comment,
            b'Q' => Self::Query,
            b'L' => Self::Terminator,
            b'M' => Self::Manufacturer,
            b'S' => Self::Scientific,
            _ => Self::Other(letter),
        }
    }

    /// The standard's letter; for [`Self::Other`] the byte that is there.
    #[must_use]
    pub const fn letter(self) -> u8 {
        match self {
            Self::Header => b'H',
            Self::Patient => b'P',
            Self::Order => b'O',
            Self::Result => b'R',
            Self::Comment => b'C',
            Self::Query => b'Q',
            Self::Terminator => b'L',
            Self::Manufacturer => b'M',
            Self::Scientific => b'S',
            Self::Other(byte) => byte,
        }
    }

    /// The type of a record's bytes. Only one byte before the field delimiter is a type; an H brings its own
    /// delimiter, so there any byte that is no letter or digit ends it.
    fn of(record: &[u8], delimiters: Delimiters) -> Self {
        match *record {
            [letter] => Self::from_letter(letter),
            [b'H' | b'h', next, ..] if !next.is_ascii_alphanumeric() => Self::Header,
            [b'H' | b'h', ..] => Self::Other(b'H'),
            [letter, next, ..] if next == delimiters.field => Self::from_letter(letter),
            [first, ..] => Self::Other(first),
            [] => Self::Other(0), // `Records` yields no empty record.
        }
    }
}

/// Where the delimiters that a record is read by come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DelimiterSource {
    /// The latest H declared them.
    Declared,
    /// No H came before this record: the message does not begin with one. The fallback is used.
    NoHeader,
    /// The latest H declares none that can be used; the offset counts from the start of the message. The fallback
    /// is used, but with the field delimiter of that H where it fits. This is enough to name the sender; what the
    /// fields mean is a guess.
    BadHeader(HeaderError),
}

/// One record of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    kind: RecordType,
    bytes: &'a [u8],
    start: usize,
    terminated: bool,
    delimiters: Delimiters,
    charset: Charset,
    source: DelimiterSource,
    index: Index,
}

/// Where the first fields of a record end, so that reading one by its number searches nothing: a record is read some
/// ten times, and its delimiters stand there once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Index {
    ends: [u16; Self::FIELDS],
    /// How many of `ends` are known.
    known: u8,
    /// The record has no more fields than are known.
    whole: bool,
}

impl Index {
    /// All that a result has, and what is read of an order and a patient.
    const FIELDS: usize = 16;

    fn of(record: &[u8], delimiter: u8, charset: Charset) -> Self {
        let mut index = Self { ends: [0; Self::FIELDS], known: 0, whole: false };
        let mut from = 0usize;
        for slot in &mut index.ends {
            let rest = record.get(from..).unwrap_or_default();
            let found = charset.find(delimiter, rest);
            let end = from.saturating_add(found.unwrap_or(rest.len()));
            // Beyond 64 KB, where only an image is, fields are searched for.
            let Ok(short) = u16::try_from(end) else { break };
            *slot = short;
            index.known = index.known.saturating_add(1);
            if found.is_none() {
                index.whole = true;
                break;
            }
            from = end.saturating_add(1);
        }
        index
    }

    /// Where field `n`, counted from 1, begins and ends, as far as it is known.
    fn field(&self, n: usize) -> Option<(usize, usize)> {
        let at = n.checked_sub(1).filter(|at| *at < usize::from(self.known))?;
        let end = usize::from(*self.ends.get(at)?);
        let begin = match at.checked_sub(1) {
            Some(before) => usize::from(*self.ends.get(before)?).saturating_add(1),
            None => 0,
        };
        Some((begin, end))
    }
}

impl<'a> Record<'a> {
    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> RecordType {
        self.kind
    }

    /// The record with the standard's names for its fields.
    #[must_use]
    pub const fn view(self) -> View<'a> {
        View::of(self)
    }

    /// Its bytes without the terminator; never empty.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where the bytes are in the message.
    #[must_use]
    pub fn span(&self) -> Span {
        Span::new(self.start, self.end())
    }

    /// False when the text ended before a terminator: of a message that was cut, such a record is not whole.
    #[must_use]
    pub const fn terminated(&self) -> bool {
        self.terminated
    }

    /// The delimiters that it is read by.
    #[must_use]
    pub const fn delimiters(&self) -> Delimiters {
        self.delimiters
    }

    /// Where these come from.
    #[must_use]
    pub const fn delimiter_source(&self) -> DelimiterSource {
        self.source
    }

    /// Field `n`, counted from 1, the type letter. An absent field, and 0, is empty at the end of the record.
    ///
    /// Beyond field 16 the cost grows with `n`; to visit all fields use [`Self::fields`].
    #[must_use]
    pub fn field(&self, n: usize) -> Field<'a> {
        let found = match self.index.field(n) {
            Some((begin, end)) => self.bytes.get(begin..end).map(|bytes| self.field_at(bytes, begin)),
            None if self.index.whole => None,
            None => self.pieces().number(n),
        };
        match found {
            Some(field) if n == 2 && self.kind == RecordType::Header => field.into_definition(),
            Some(field) => field,
            None => self.field_at(&[], self.bytes.len()),
        }
    }

    const fn field_at(&self, bytes: &'a [u8], begin: usize) -> Field<'a> {
        Field::new(bytes, self.start.saturating_add(begin), self.delimiters, self.charset)
    }

    /// All fields that are there, in order, the type letter first.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        let header = self.kind == RecordType::Header;
        (1usize..).zip(self.pieces()).map(
            move |(n, field)| {
                if header && n == 2 { field.into_definition() } else { field }
            },
        )
    }

    /// How many fields are there, the type letter included.
    #[must_use]
    pub fn field_count(&self) -> usize {
        self.pieces().count()
    }

    const fn pieces(&self) -> Pieces<'a> {
        Pieces::fields(self.bytes, self.start, self.delimiters, self.charset)
    }

    const fn end(&self) -> usize {
        self.start.saturating_add(self.bytes.len())
    }
}

/// Iterator over the records of one message's text.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    at: usize,
    /// LF alone ends a record: the text has no CR.
    lines: bool,
    delimiters: Delimiters,
    charset: Charset,
    source: DelimiterSource,
    fallback: Delimiters,
}

impl<'a> Records<'a> {
    /// The records of `message`, in ASCII until [`in_charset`](Self::in_charset) says otherwise, read by LIS02's own
    /// delimiters `|\^&` where no header declares any.
    #[must_use]
    pub fn new(message: &'a [u8]) -> Self {
        Self::with_fallback(message, Delimiters::default())
    }

    /// The same with other delimiters where no header declares any, for an instrument that is known to use them.
    #[must_use]
    pub fn with_fallback(message: &'a [u8], fallback: Delimiters) -> Self {
        Self {
            rest: message,
            at: 0,
            lines: memchr(CR, message).is_none(),
            delimiters: fallback,
            charset: Charset::Ascii,
            source: DelimiterSource::NoHeader,
            fallback,
        }
    }

    /// The same in another charset. It must be known before anything is split: in some a byte that looks like a
    /// delimiter is the second half of a character.
    #[must_use]
    pub const fn in_charset(self, charset: Charset) -> Self {
        Self { charset, ..self }
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
        self.at = self.at.saturating_add(bytes);
    }

    /// Takes the delimiters of the H record that begins here.
    fn declare(&mut self) {
        match parse_header(self.rest) {
            Ok(declared) => {
                self.delimiters = declared;
                self.source = DelimiterSource::Declared;
            }
            Err(error) => {
                self.delimiters = self.fallback;
                let Delimiters { field: _, repeat, component, escape } = self.fallback;
                if let Some(field) = self.rest.get(1).filter(|b| b.is_ascii_punctuation())
                    && ![repeat, component, escape].contains(field)
                {
                    self.delimiters.field = *field;
                }
                self.source = DelimiterSource::BadHeader(error.shifted(self.at));
            }
        }
    }

    /// Where the record that begins here ends, and whether a terminator is there.
    fn end(&self) -> (usize, bool) {
        let mut from = 0usize;
        while let Some(found) = self.rest.get(from..).and_then(|rest| memchr2(CR, LF, rest)) {
            let end = from.saturating_add(found);
            from = end.saturating_add(1);
            let after = self.rest.get(from..).unwrap_or_default();
            if self.rest.get(end) == Some(&CR) || self.lines || self.begins_record(after) {
                return (end, true);
            }
        }
        (self.rest.len(), false)
    }

    /// After an LF that may be data: does `text` begin with a record, or with nothing that could be data?
    fn begins_record(&self, text: &[u8]) -> bool {
        match *text {
            [] | [CR | LF, ..] => true,
            [b'H' | b'h', ..] if parse_header(text).is_ok() => true,
            [letter, next, ..] => letter.is_ascii_alphabetic() && next == self.delimiters.field,
            [_] => false,
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let ends = self.rest.iter().take_while(|b| matches!(**b, CR | LF)).count();
        self.skip(ends);
        if self.rest.is_empty() {
            return None;
        }
        // The line is enough to know an H; the end of any record is sought with the delimiters that hold in it.
        let line = memchr2(CR, LF, self.rest).and_then(|end| self.rest.get(..end)).unwrap_or(self.rest);
        if RecordType::of(line, self.delimiters) == RecordType::Header {
            self.declare();
        }
        let (end, terminated) = self.end();
        let bytes = self.rest.get(..end).unwrap_or(self.rest);
        let record = Record {
            kind: RecordType::of(bytes, self.delimiters),
            bytes,
            start: self.at,
            terminated,
            delimiters: self.delimiters,
            charset: self.charset,
            source: self.source,
            index: Index::of(bytes, self.delimiters.field, self.charset),
        };
        self.skip(end);
        Some(record)
    }
}

impl FusedIterator for Records<'_> {}
