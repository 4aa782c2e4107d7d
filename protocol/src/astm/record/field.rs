//! One field of a record, one repeat of it, or one component: bytes, where they are, and how to read on.
//!
//! Splitting never fails and never allocates: a field that is not there is empty, its first repeat and first
//! component are itself. Nothing is trimmed or unescaped unless asked for.

use crate::span::Span;
use crate::text::{Charset, Delimiters, Escapes, Text};
use crate::time::{DeviceTime, TimeError};
use core::iter::FusedIterator;

/// A field, a repeat or a component. It remembers which: a repeat does not split into repeats again, a component
/// not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    bytes: &'a [u8],
    start: usize,
    delimiters: Delimiters,
    charset: Charset,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// May repeat.
    Field,
    /// May have components.
    Repeat,
    /// Is text.
    Component,
    /// H.2: delimiters that stand for themselves.
    Definition,
}

impl<'a> Field<'a> {
    pub(super) const fn new(bytes: &'a [u8], start: usize, delimiters: Delimiters, charset: Charset) -> Self {
        Self { bytes, start, delimiters, charset, part: Part::Field }
    }

    /// H.2, which its own characters must not split or escape.
    pub(super) const fn into_definition(self) -> Self {
        Self { part: Part::Definition, ..self }
    }

    /// The bytes as they came.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where the bytes are in the message. For an absent part: empty, at the end of what it would be a part of.
    #[must_use]
    pub fn span(&self) -> Span {
        Span::new(self.start, self.start.saturating_add(self.bytes.len()))
    }

    /// True when there is no byte. A field of only spaces is not empty, but its [`trimmed`](Self::trimmed) is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// True for `""`, by which some systems ask to delete the stored value. It is no value.
    #[must_use]
    pub const fn is_delete(&self) -> bool {
        matches!(self.bytes, b"\"\"")
    }

    /// The same without spaces around it; the span follows.
    #[must_use]
    pub fn trimmed(self) -> Self {
        let bytes = self.text().trimmed().bytes();
        let leading = self.bytes.iter().take_while(|b| **b == b' ').count();
        Self { bytes, start: self.start.saturating_add(leading), ..self }
    }

    /// The bytes with the rules to read them: charset and escapes of the message.
    #[must_use]
    pub const fn text(&self) -> Text<'a> {
        let escapes = match self.part {
            Part::Definition => Escapes::None,
            Part::Field | Part::Repeat | Part::Component => Escapes::Astm(self.delimiters),
        };
        Text::new(self.bytes, self.charset, escapes)
    }

    /// The repeats in order; at least one, which is empty in an empty field. Components are split off each repeat
    /// by itself: a sender may leave out those that it gave in the first (Vitros O.5 `^^^1.0+950\951`).
    #[must_use]
    pub const fn repeats(self) -> Pieces<'a> {
        let delimiter = match self.part {
            Part::Field => Some(self.delimiters.repeat),
            Part::Repeat | Part::Component | Part::Definition => None,
        };
        Pieces { rest: Some(self.bytes), at: self.start, delimiter, of: self, gives: Part::Repeat }
    }

    /// The components of the first repeat, in order; at least one, which is empty in an empty repeat.
    #[must_use]
    pub fn components(self) -> Pieces<'a> {
        let first = self.repeat(1);
        let delimiter = match self.part {
            Part::Field | Part::Repeat => Some(self.delimiters.component),
            Part::Component | Part::Definition => None,
        };
        Pieces { rest: Some(first.bytes), at: first.start, delimiter, of: first, gives: Part::Component }
    }

    /// Repeat `n`, counted from 1; empty when there are fewer, and for 0.
    #[must_use]
    pub fn repeat(self, n: usize) -> Self {
        self.repeats().number(n).unwrap_or_else(|| self.absent(Part::Repeat))
    }

    /// Component `n` of the first repeat, counted from 1; empty when there are fewer, and for 0.
    #[must_use]
    pub fn component(self, n: usize) -> Self {
        self.components().number(n).unwrap_or_else(|| self.repeat(1).absent(Part::Component))
    }

    /// The time stamp in it (LIS02 2.3), or `None` when there are at most spaces.
    ///
    /// # Errors
    /// Within the `Some`: [`TimeError`] when it is no time stamp; its offset counts from the start of
    /// [`trimmed`](Self::trimmed).
    #[must_use]
    pub fn time(&self) -> Option<Result<DeviceTime, TimeError>> {
        let stamp = self.trimmed();
        (!stamp.is_empty()).then(|| DeviceTime::parse(stamp.bytes))
    }

    /// Digits with at most spaces around them, as a number; `None` for anything else and above `u32::MAX`.
    pub(super) fn number(&self) -> Option<u32> {
        let digits = self.trimmed().bytes;
        if digits.is_empty() {
            return None;
        }
        digits.iter().try_fold(0u32, |n, b| {
            let digit = b.is_ascii_digit().then(|| u32::from(b.wrapping_sub(b'0')))?;
            n.checked_mul(10)?.checked_add(digit)
        })
    }

    fn absent(self, part: Part) -> Self {
        Self { bytes: &[], start: self.start.saturating_add(self.bytes.len()), part, ..self }
    }
}

/// Iterator over the fields of a record, the repeats of a field or the components of a repeat.
#[derive(Clone, Debug)]
pub struct Pieces<'a> {
    rest: Option<&'a [u8]>,
    at: usize,
    delimiter: Option<u8>,
    of: Field<'a>,
    gives: Part,
}

impl<'a> Pieces<'a> {
    /// The fields of a record's bytes, which begin at `start` in the message.
    pub(super) const fn fields(
        bytes: &'a [u8],
        start: usize,
        delimiters: Delimiters,
        charset: Charset,
    ) -> Self {
        let of = Field::new(bytes, start, delimiters, charset);
        Pieces { rest: Some(bytes), at: start, delimiter: Some(delimiters.field), of, gives: Part::Field }
    }

    /// Piece `n`, counted from 1. One look at each byte before its end: pieces are a few bytes long, and to search for
    /// every delimiter anew costs more than to count them.
    pub(super) fn number(mut self, n: usize) -> Option<Field<'a>> {
        let bytes = self.rest?;
        let mut before = n.checked_sub(1)?;
        let (mut start, mut end) = (0usize, bytes.len());
        if let Some(delimiter) = self.delimiter {
            // Where a character may hide it the charset is asked each time.
            if self.of.charset.hides(delimiter) {
                return self.nth(before);
            }
            for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == delimiter) {
                if before == 0 {
                    end = at;
                    break;
                }
                before = before.saturating_sub(1);
                start = at.saturating_add(1);
            }
        }
        (before == 0).then(|| self.piece(bytes.get(start..end).unwrap_or_default(), start))
    }

    /// A piece that begins so many bytes behind the place where this is.
    fn piece(&self, bytes: &'a [u8], start: usize) -> Field<'a> {
        let part = if self.of.part == Part::Definition { Part::Definition } else { self.gives };
        Field { bytes, start: self.at.saturating_add(start), part, ..self.of }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let rest = self.rest?;
        let cut = self.delimiter.and_then(|delimiter| self.of.charset.find(delimiter, rest));
        let (bytes, after) = match cut.and_then(|cut| rest.split_at_checked(cut)) {
            Some((bytes, [_, after @ ..])) => (bytes, Some(after)),
            _ => (rest, None),
        };
        let piece = self.piece(bytes, 0);
        self.rest = after;
        self.at = self.at.saturating_add(bytes.len()).saturating_add(1);
        Some(piece)
    }
}

impl FusedIterator for Pieces<'_> {}
