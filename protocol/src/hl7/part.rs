//! Parts of a segment: fields, repetitions, components, sub-components.

use super::Delimiters;
use super::unescape::{Unescaped, UnescapedChars};
use crate::span::Span;
use crate::text::{Charset, Undecodable};

/// What a [`Part`] is a part of, from the largest to the smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Field,
    Repeat,
    Component,
    /// A sub-component, or MSH-1 and MSH-2, whose characters delimit nothing.
    Leaf,
}

/// A field, or one of its repetitions, components or sub-components: raw bytes that know how to be read.
///
/// A larger part gives its first smaller ones: `field(3).component(1)` is the one of the first repetition, and what
/// has no components is its own first component. Numbers count from 1; what is not there is empty.
#[derive(Clone, Copy, Debug)]
pub struct Part<'m> {
    bytes: &'m [u8],
    start: usize,
    delimiters: Delimiters,
    level: Level,
}

impl<'m> Part<'m> {
    pub(super) const fn new(bytes: &'m [u8], start: usize, delimiters: Delimiters, level: Level) -> Self {
        Self { bytes, start, delimiters, level }
    }

    /// The bytes as they came, with their escapes.
    #[must_use]
    pub const fn bytes(&self) -> &'m [u8] {
        self.bytes
    }

    /// Where they stand in the message.
    #[must_use]
    pub fn span(&self) -> Span {
        Span::new(self.start, self.start.saturating_add(self.bytes.len()))
    }

    /// True when there is no byte: nothing was said.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// True for `""`: the sender says that the value is to be deleted.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.bytes == b"\"\""
    }

    /// Repetition `n` of a field.
    #[must_use]
    pub fn repeat(&self, n: usize) -> Self {
        self.nth(Level::Repeat, Some(self.delimiters.repeat()), n)
    }

    /// The repetitions of a field; none when it is empty.
    pub fn repeats(&self) -> impl Iterator<Item = Self> + use<'m> {
        self.split(Level::Repeat, Some(self.delimiters.repeat()))
    }

    /// Component `n`.
    #[must_use]
    pub fn component(&self, n: usize) -> Self {
        self.repeat_if_field().nth(Level::Component, Some(self.delimiters.component()), n)
    }

    /// The components; none when it is empty.
    pub fn components(&self) -> impl Iterator<Item = Self> + use<'m> {
        self.repeat_if_field().split(Level::Component, Some(self.delimiters.component()))
    }

    /// Sub-component `n`.
    #[must_use]
    pub fn subcomponent(&self, n: usize) -> Self {
        let component = if self.level < Level::Component { self.component(1) } else { *self };
        component.nth(Level::Leaf, self.delimiters.subcomponent(), n)
    }

    /// The bytes that it stands for, escape sequences undone.
    #[must_use]
    pub const fn unescaped(&self) -> Unescaped<'m> {
        Unescaped::new(self.bytes, self.delimiters)
    }

    /// The characters that it stands for, escape sequences undone.
    #[must_use]
    pub const fn chars(&self, charset: Charset) -> UnescapedChars<'m> {
        self.unescaped().chars(charset)
    }

    /// The first byte that the charset does not allow, if any.
    #[must_use]
    pub fn undecodable(&self, charset: Charset) -> Option<Undecodable> {
        self.chars(charset).find_map(Result::err)
    }

    /// True when it stands for the same bytes as `text`.
    #[must_use]
    pub fn reads(&self, text: &str) -> bool {
        self.unescaped().eq(text.bytes())
    }

    fn repeat_if_field(&self) -> Self {
        if self.level == Level::Field { self.repeat(1) } else { *self }
    }

    fn nth(&self, level: Level, delimiter: Option<u8>, n: usize) -> Self {
        let end = self.start.saturating_add(self.bytes.len());
        let absent = Self { bytes: &[], start: end, delimiters: self.delimiters, level };
        let Some(n) = n.checked_sub(1) else { return absent };
        let same = Self { level: self.level.max(level), ..*self };
        // A part can be asked for what is larger than itself: it is then the only one.
        if self.level >= level {
            return if n == 0 { same } else { absent };
        }
        self.split(level, delimiter).nth(n).unwrap_or(absent)
    }

    fn split(&self, level: Level, delimiter: Option<u8>) -> impl Iterator<Item = Self> + use<'m> {
        let whole = *self;
        let delimiter = delimiter.filter(|_| self.level < level);
        let mut rest = (!self.is_empty()).then_some((self.start, self.bytes));
        core::iter::from_fn(move || {
            let (start, bytes) = rest?;
            let at = delimiter.and_then(|d| memchr::memchr(d, bytes));
            let (bytes, tail) = match at.and_then(|at| bytes.split_at_checked(at)) {
                Some((bytes, tail)) => (bytes, tail.split_first().map(|(_, tail)| tail)),
                None => (bytes, None),
            };
            rest = tail.map(|t| (start.saturating_add(bytes.len()).saturating_add(1), t));
            Some(Self { bytes, start, level: whole.level.max(level), ..whole })
        })
    }
}
