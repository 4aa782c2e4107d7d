//! Text of an instrument, decoded and unescaped while it is read, never copied.
//!
//! A [`Text`] is bytes plus the rules to read them: which charset, which escape sequences. [`Text::chars`] yields
//! characters or the offset of the first byte that the charset does not allow; nothing is replaced or guessed.
//! Only [`Text::trimmed`] changes what is there, and only spaces around it.

pub use crate::charset::Charset;
#[cfg(feature = "charsets")]
pub use crate::charset::Coded;

use crate::ascii::hex_value;
use core::fmt;

/// The delimiters of a LIS02 message, which its H record declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Delimiters {
    pub field: u8,
    pub repeat: u8,
    pub component: u8,
    pub escape: u8,
}

impl Default for Delimiters {
    /// The set that LIS02 uses in its examples and most instruments send: `|\^&`.
    fn default() -> Self {
        Self { field: b'|', repeat: b'\\', component: b'^', escape: b'&' }
    }
}

/// Which escape sequences the bytes contain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Escapes {
    /// None: every byte stands for itself.
    #[default]
    None,
    /// LIS02 2.2: `&F&`, `&S&`, `&R&`, `&E&`, `&Xhh..&`, `&H&`, `&N&`, with the declared escape character. Anything
    /// else after an escape character is literal.
    Astm(Delimiters),
}

/// Bytes with the rules to read them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text<'a> {
    bytes: &'a [u8],
    charset: Charset,
    escapes: Escapes,
}

/// A byte that the charset does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecodable {
    /// Offset from the start of the text.
    pub offset: usize,
}

impl<'a> Text<'a> {
    /// Text with its charset and escapes.
    #[must_use]
    pub const fn new(bytes: &'a [u8], charset: Charset, escapes: Escapes) -> Self {
        Self { bytes, charset, escapes }
    }

    /// Text of our own: UTF-8 without escapes.
    #[must_use]
    pub const fn plain(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), charset: Charset::Utf8, escapes: Escapes::None }
    }

    /// No text.
    pub const EMPTY: Text<'static> = Text::plain("");

    /// The bytes as they came.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// True when there is no byte.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The same text without spaces around it.
    #[must_use]
    pub const fn trimmed(self) -> Self {
        let mut bytes = self.bytes;
        while let [b' ', rest @ ..] = bytes {
            bytes = rest;
        }
        while let [rest @ .., b' '] = bytes {
            bytes = rest;
        }
        Self { bytes, ..self }
    }

    /// The same text without these ASCII characters at its end.
    #[must_use]
    pub fn without_tail(self, of: &[u8]) -> Self {
        let mut bytes = self.bytes;
        while let [rest @ .., last] = bytes
            && of.contains(last)
            && self.charset.ends_alone(bytes)
        {
            bytes = rest;
        }
        Self { bytes, ..self }
    }

    /// How its bytes become characters.
    #[must_use]
    pub const fn charset(&self) -> Charset {
        self.charset
    }

    /// A part of the same text, read by the same rules.
    #[must_use]
    pub const fn with_bytes(self, bytes: &'a [u8]) -> Self {
        Self { bytes, ..self }
    }

    /// Splits at every occurrence of one raw ASCII character; a byte inside of another character is none.
    pub fn split(self, delimiter: u8) -> impl Iterator<Item = Self> + use<'a> {
        let mut rest = Some(self.bytes);
        core::iter::from_fn(move || {
            let bytes = rest?;
            let cut = self.charset.find(delimiter, bytes).and_then(|cut| bytes.split_at_checked(cut));
            let (piece, after) = match cut {
                Some((piece, [_, after @ ..])) => (piece, Some(after)),
                _ => (bytes, None),
            };
            rest = after;
            Some(self.with_bytes(piece))
        })
    }

    /// Splits at the first occurrence of one raw ASCII character, which belongs to neither part.
    #[must_use]
    pub fn split_once(self, delimiter: u8) -> Option<(Self, Self)> {
        let (before, after) = self.bytes.split_at_checked(self.charset.find(delimiter, self.bytes)?)?;
        Some((self.with_bytes(before), self.with_bytes(after.get(1..)?)))
    }

    /// The characters, decoded and unescaped.
    #[must_use]
    pub const fn chars(&self) -> Chars<'a> {
        Chars { text: *self, at: 0, hex: None }
    }

    /// The bytes as they came, when they read as they stand in every charset: printable ASCII without the escape
    /// character. Most texts are, and what is done with them then needs no decoding.
    #[must_use]
    pub fn as_printable_ascii(&self) -> Option<&'a str> {
        let escape = match self.escapes {
            Escapes::None => 0,
            Escapes::Astm(delimiters) => delimiters.escape,
        };
        let plain = self.bytes.iter().all(|b| matches!(*b, b' '..=b'~') && *b != escape);
        if plain { core::str::from_utf8(self.bytes).ok() } else { None }
    }

    /// The first byte that cannot be decoded, if any.
    #[must_use]
    pub fn undecodable(&self) -> Option<Undecodable> {
        match self.as_printable_ascii() {
            Some(_) => None,
            None => self.chars().find_map(Result::err),
        }
    }

    /// True when it reads exactly as `other`.
    #[must_use]
    pub fn reads(&self, other: &str) -> bool {
        match self.as_printable_ascii() {
            Some(text) => text == other,
            None => self.chars().eq(other.chars().map(Ok)),
        }
    }
}

/// What can be decoded, with `\u{FFFD}` for what cannot: for people, never for a result.
impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = self.as_printable_ascii() {
            return f.write_str(text);
        }
        self.chars().try_for_each(|c| fmt::Write::write_char(f, c.unwrap_or(char::REPLACEMENT_CHARACTER)))
    }
}

/// Iterator of [`Text::chars`]. After an undecodable byte it goes on with the next one.
#[derive(Clone, Debug)]
pub struct Chars<'a> {
    text: Text<'a>,
    at: usize,
    /// Hex digits of an `&X...&` escape still to be decoded: where they end.
    hex: Option<usize>,
}

impl Iterator for Chars<'_> {
    type Item = Result<char, Undecodable>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(end) = self.hex {
                if self.at >= end {
                    self.at = end.saturating_add(1); // The closing escape character.
                    self.hex = None;
                    continue;
                }
                return Some(self.decode(end, 2));
            }
            let first = *self.text.bytes.get(self.at)?;
            if let Escapes::Astm(delimiters) = self.text.escapes
                && first == delimiters.escape
                && let Some(meaning) = self.escape(delimiters)
            {
                if let Some(c) = meaning {
                    return Some(Ok(c));
                }
                continue;
            }
            return Some(self.decode(self.text.bytes.len(), 1));
        }
    }
}

impl Chars<'_> {
    /// Reads an escape sequence at `self.at`. `None`: it is no known one and its bytes are literal.
    /// `Some(None)`: it stands for no character of its own.
    fn escape(&mut self, delimiters: Delimiters) -> Option<Option<char>> {
        let rest = self.text.bytes.get(self.at.saturating_add(1)..)?;
        let close = self.text.charset.find(delimiters.escape, rest)?;
        let (body, _) = rest.split_at_checked(close)?;
        let after = self.at.saturating_add(close).saturating_add(2);
        let meaning = match body {
            [b'F' | b'f'] => Some(delimiters.field),
            [b'S' | b's'] => Some(delimiters.component),
            [b'R' | b'r'] => Some(delimiters.repeat),
            [b'E' | b'e'] => Some(delimiters.escape),
            [b'H' | b'h' | b'N' | b'n'] => None, // Highlighting: no character.
            [b'X' | b'x', hex @ ..]
                if !hex.is_empty()
                    && hex.len().is_multiple_of(2)
                    && hex.iter().all(u8::is_ascii_hexdigit) =>
            {
                self.hex = Some(after.saturating_sub(1));
                self.at = self.at.saturating_add(2);
                return Some(None);
            }
            _ => return None,
        };
        self.at = after;
        Some(meaning.map(char::from))
    }

    /// Decodes one character from units of `width` source bytes (1 raw, 2 hex digits) that end before `end`.
    fn decode(&mut self, end: usize, width: usize) -> Result<char, Undecodable> {
        let start = self.at;
        let bytes = self.text.bytes;
        let unit = |n: usize| -> Option<u8> {
            let at = start.saturating_add(n.saturating_mul(width));
            let source = bytes.get(at..at.saturating_add(width).min(end))?;
            match source {
                [raw] if width == 1 => Some(*raw),
                [high, low] => Some(hex_value(*high)?.wrapping_shl(4) | hex_value(*low)?),
                _ => None,
            }
        };
        let bad = Err(Undecodable { offset: start });
        self.at = start.saturating_add(width);
        let Some(first) = unit(0) else { return bad };
        match (self.text.charset, first) {
            (_, 0..=0x7F) => Ok(char::from(first)),
            (Charset::Ascii, _) | (Charset::Latin1, 0x80..=0x9F) => bad,
            (Charset::Latin1, _) => Ok(char::from(first)),
            (Charset::Utf8, _) => {
                let len = match first {
                    0xC2..=0xDF => 2,
                    0xE0..=0xEF => 3,
                    0xF0..=0xF4 => 4,
                    _ => return bad,
                };
                let mut buffer = [0u8; 4];
                for (n, slot) in buffer.iter_mut().enumerate().take(len) {
                    let Some(byte) = unit(n) else { return bad };
                    *slot = byte;
                }
                let decoded = buffer.get(..len).and_then(|b| core::str::from_utf8(b).ok());
                let Some(c) = decoded.and_then(|s| s.chars().next()) else { return bad };
                self.at = start.saturating_add(len.saturating_mul(width));
                Ok(c)
            }
            #[cfg(feature = "charsets")]
            (Charset::Coded(coded), _) => {
                let decoded = coded.decode(unit);
                let (Ok((_, len)) | Err(len)) = decoded;
                self.at = start.saturating_add(len.saturating_mul(width));
                decoded.map_or(bad, |(c, _)| Ok(c))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::{String, ToString};

    fn astm(bytes: &[u8], charset: Charset) -> Text<'_> {
        Text::new(bytes, charset, Escapes::Astm(Delimiters::default()))
    }

    #[test]
    fn unescapes_once_and_keeps_unknown_escapes() {
        for (raw, read) in [
            ("PNG&R&2024", "PNG\\2024"),
            ("a&F&b&S&c&E&d", "a|b^c&d"),
            ("A&E", "A&E"),
            ("&E&F&", "&F&"),
            ("&Q&F&", "&Q|"), // An unknown letter makes only its own escape character literal.
            ("x&H&bold&N&y", "xboldy"),
            ("&X4142&C", "ABC"),
            ("&X4&", "&X4&"),
            ("&x0d&|", "\r|"),
            ("&Z1&", "&Z1&"),
            ("&", "&"),
            ("&&", "&&"),
        ] {
            assert_eq!(astm(raw.as_bytes(), Charset::Ascii).to_string(), read, "{raw}");
        }
    }

    #[test]
    fn decodes_or_says_where_it_cannot() {
        assert_eq!(astm(b"\xB5g/L", Charset::Latin1).to_string(), "\u{B5}g/L");
        assert_eq!(astm(b"a\xB5", Charset::Ascii).undecodable(), Some(Undecodable { offset: 1 }));
        assert_eq!(astm(b"a\x81", Charset::Latin1).undecodable(), Some(Undecodable { offset: 1 }));
        assert_eq!(astm("Müller".as_bytes(), Charset::Utf8).to_string(), "Müller");
        assert_eq!(astm(b"ab\xC3", Charset::Utf8).undecodable(), Some(Undecodable { offset: 2 }));
        assert_eq!(astm(b"&XC3BC&", Charset::Utf8).to_string(), "ü");
        assert_eq!(astm(b"&XC3&\xBC", Charset::Utf8).undecodable(), Some(Undecodable { offset: 2 }));
    }

    #[test]
    fn what_reads_as_it_stands() {
        for (bytes, plain) in [
            (&b"5.40 ~"[..], true),
            (b"", true),
            (b"a&F&", false),
            (b"a&", false),
            (b"\t", false),
            (b"\x7F", false),
            (b"\xB5", false),
        ] {
            assert_eq!(astm(bytes, Charset::Utf8).as_printable_ascii().is_some(), plain, "{bytes:?}");
        }
        assert_eq!(Text::plain("a&").as_printable_ascii(), Some("a&"));
    }

    #[test]
    fn trims_only_spaces_around() {
        assert_eq!(astm(b"  T20 1  ", Charset::Ascii).trimmed().bytes(), b"T20 1");
        assert!(astm(b"  1", Charset::Ascii).trimmed().reads("1"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_end_without_a_panic(bytes: std::vec::Vec<u8>) {
            for charset in Charset::all() {
                let text = astm(&bytes, charset);
                let n = text.chars().count();
                proptest::prop_assert!(n <= bytes.len());
                if let Some(plain) = text.as_printable_ascii() {
                    proptest::prop_assert!(text.chars().eq(plain.chars().map(Ok)));
                }
                let _: String = text.to_string();
                let pieces: std::vec::Vec<_> = text.split(b'|').map(|piece| piece.bytes()).collect();
                proptest::prop_assert_eq!(pieces.join(&b'|'), bytes.as_slice());
            }
        }
    }
}
