//! Undoes HL7 escape sequences (2.5.1, section 2.7) while reading, once, without a copy.
//!
//! Promises: what is no known sequence stands for itself, so that nothing of a text is lost. Leaves out character
//! set switching (`\C..\`, `\M..\`), local sequences (`\Z..\`) and formatting other than `\.br\`: those stay in the
//! text as they came.

use super::Delimiters;
use crate::ascii::hex_value;
use crate::text::{Charset, Undecodable};

/// Iterator over the bytes that a part of a message stands for.
///
/// `\F\`, `\S\`, `\T\`, `\R\`, `\E\` and `\P\` are the declared delimiters, `\Xhh..\` is bytes, `\.br\` is a line feed,
/// `\H\` and `\N\` (highlighting) are nothing.
#[derive(Clone, Debug)]
pub struct Unescaped<'m> {
    bytes: &'m [u8],
    at: usize,
    mode: Mode,
    delimiters: Delimiters,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    Text,
    /// In the digits of an `\X..\`, which its escape character at `end` closes.
    Hex {
        end: usize,
    },
    /// In a sequence that stands for itself, up to `end`.
    Literal {
        end: usize,
    },
}

impl<'m> Unescaped<'m> {
    pub(super) const fn new(bytes: &'m [u8], delimiters: Delimiters) -> Self {
        Self { bytes, at: 0, mode: Mode::Text, delimiters }
    }

    /// The same, decoded.
    #[must_use]
    pub const fn chars(self, charset: Charset) -> UnescapedChars<'m> {
        UnescapedChars { bytes: self, charset }
    }

    /// The next byte and where it, or its sequence, starts in the raw bytes.
    fn located(&mut self) -> Option<(usize, u8)> {
        loop {
            let start = self.at;
            match self.mode {
                Mode::Hex { end } => {
                    let Some([high, low]) = self.bytes.get(start..start.saturating_add(2).min(end)) else {
                        self.at = end.saturating_add(1);
                        self.mode = Mode::Text;
                        continue;
                    };
                    self.at = start.saturating_add(2);
                    return Some((start, hex_value(*high)?.wrapping_shl(4) | hex_value(*low)?));
                }
                Mode::Literal { end } if start >= end => self.mode = Mode::Text,
                Mode::Literal { .. } => return self.plain(),
                Mode::Text => match self.delimiters.escape() {
                    Some(escape) if self.bytes.get(start) == Some(&escape) => {
                        if let Some(byte) = self.sequence(escape) {
                            return Some((start, byte));
                        }
                    }
                    _ => return self.plain(),
                },
            }
        }
    }

    fn plain(&mut self) -> Option<(usize, u8)> {
        let start = self.at;
        let byte = *self.bytes.get(start)?;
        self.at = start.saturating_add(1);
        Some((start, byte))
    }

    /// Reads the sequence at `self.at`; the byte that it stands for, if it is one.
    fn sequence(&mut self, escape: u8) -> Option<u8> {
        let from = self.at.saturating_add(1);
        let rest = self.bytes.get(from..).unwrap_or_default();
        let close = memchr::memchr(escape, rest);
        let body = close.and_then(|n| rest.get(..n)).unwrap_or_default();
        let end = from.saturating_add(body.len());
        let after = end.saturating_add(1);
        let meaning = match body {
            [letter] if self.delimiters.meaning(*letter).is_some() => self.delimiters.meaning(*letter),
            b"H" | b"N" => None,
            b".br" | b".BR" => Some(b'\n'),
            [b'X', digits @ ..] if is_hex(digits) => {
                self.mode = Mode::Hex { end };
                self.at = from.saturating_add(1);
                return None;
            }
            // Well formed, but not for us: its closing character must not open the next sequence.
            [b'C' | b'M', digits @ ..] if is_hex(digits) => return self.literal(after),
            [b'Z' | b'.', name @ ..] if is_name(name) => return self.literal(after),
            // Not well formed: a sender that forgot to escape its escape character.
            _ => return self.literal(from),
        };
        self.at = after;
        meaning
    }

    fn literal(&mut self, end: usize) -> Option<u8> {
        self.mode = Mode::Literal { end };
        None
    }
}

fn is_hex(digits: &[u8]) -> bool {
    !digits.is_empty() && digits.len().is_multiple_of(2) && digits.iter().all(u8::is_ascii_hexdigit)
}

fn is_name(name: &[u8]) -> bool {
    name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-'))
}

impl Iterator for Unescaped<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        self.located().map(|(_, byte)| byte)
    }
}

/// Iterator over the characters that a part of a message stands for.
///
/// After a byte that the charset does not allow it goes on with the next one; its offset counts from the start of the
/// part.
#[derive(Clone, Debug)]
pub struct UnescapedChars<'m> {
    bytes: Unescaped<'m>,
    charset: Charset,
}

impl Iterator for UnescapedChars<'_> {
    type Item = Result<char, Undecodable>;

    fn next(&mut self) -> Option<Self::Item> {
        let (offset, first) = self.bytes.located()?;
        let bad = Some(Err(Undecodable { offset }));
        match (self.charset, first) {
            (_, 0..=0x7F) => Some(Ok(char::from(first))),
            (Charset::Ascii, _) | (Charset::Latin1, 0x80..=0x9F) => bad,
            (Charset::Latin1, _) => Some(Ok(char::from(first))),
            (Charset::Utf8, _) => {
                // Read ahead on a copy, so that a broken character costs only its first byte.
                let mut ahead = self.bytes.clone();
                let mut buffer = [first, 0, 0, 0];
                for len in 2..=buffer.len() {
                    let slot = buffer.get_mut(len.saturating_sub(1))?;
                    let Some(byte) = ahead.next() else { return bad };
                    *slot = byte;
                    let whole = buffer.get(..len).and_then(|b| core::str::from_utf8(b).ok());
                    if let Some(c) = whole.and_then(|s| s.chars().next()) {
                        self.bytes = ahead;
                        return Some(Ok(c));
                    }
                }
                bad
            }
            #[cfg(feature = "charsets")]
            (Charset::Coded(coded), _) => {
                let mut ahead = self.bytes.clone();
                let bytes = [Some(first), ahead.next(), ahead.next(), ahead.next()];
                let (result, len) = match coded.decode(|n| bytes.get(n).copied().flatten()) {
                    Ok((c, len)) => (Some(Ok(c)), len),
                    Err(len) => (bad, len),
                };
                for _ in 1..len {
                    self.bytes.next();
                }
                result
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    fn read(raw: &[u8]) -> String {
        let chars = Unescaped::new(raw, Delimiters::STANDARD).chars(Charset::Utf8);
        chars.map(|c| c.unwrap_or('\u{FFFD}')).collect()
    }

    #[test]
    fn sequences() {
        for (raw, text) in [
            (r"a\F\b\S\c\T\d\R\e\E\f", "a|b^c&d~e\\f"),
            (r"10\S\3/uL", "10^3/uL"),
            (r"\E\F\E\", "\\F\\"),
            (r"a\X0D0A\b", "a\r\nb"),
            (r"\X0d\", "\r"),
            (r"\XC3BC\", "ü"),
            (r"\XC3\\XBC\", "ü"),
            (r"a\.br\b\.BR\", "a\nb\n"),
            (r"\H\bold\N\", "bold"),
            (r"\X\", r"\X\"),
            (r"\X0\", r"\X0\"),
            (r"\XZZ\", r"\XZZ\"),
            (r"\.sp+2\F\", r"\.sp+2\F\"), // The second sequence is no sequence: its opening closes the first.
            (r"\.sp+2\\F\", r"\.sp+2\|"),
            (r"\Zlocal1\\F\", r"\Zlocal1\|"),
            (r"\C2842\x", r"\C2842\x"),
            (r"\P\", r"\P\"), // No truncation character declared.
            (r"\f\", r"\f\"),
            (r"C:\dir\F\x", r"C:\dir|x"),
            (r"C:\dir", r"C:\dir"),
            (r"\", r"\"),
            (r"\\", r"\\"),
            (r"\\\", r"\\\"),
            (r"\\F\", r"\|"),
            ("", ""),
        ] {
            assert_eq!(read(raw.as_bytes()), text, "{raw}");
        }
        let d = Delimiters::new(b'#', b"!@%*+").unwrap();
        let bytes: Vec<u8> = Unescaped::new(b"%F%%S%%R%%E%%T%%P%\\F\\\xE9", d).collect();
        assert_eq!(bytes, b"#!@%*+\\F\\\xE9");
        let d = Delimiters::new(b'|', b"^~").unwrap();
        let bytes: Vec<u8> = Unescaped::new(b"\\F\\", d).collect();
        assert_eq!(bytes, b"\\F\\", "no escape character declared");
    }

    #[test]
    fn decodes_or_says_where_it_cannot() {
        let read = |raw, charset| -> Vec<Result<char, Undecodable>> {
            Unescaped::new(raw, Delimiters::STANDARD).chars(charset).collect()
        };
        let bad = |offset| Err(Undecodable { offset });
        assert_eq!(read(b"\\H\\\xE9a", Charset::Utf8), [bad(3), Ok('a')]);
        assert_eq!(read(b"\\XE9\\", Charset::Latin1), [Ok('é')]);
        assert_eq!(read(b"a\x85", Charset::Latin1), [Ok('a'), bad(1)]);
        assert_eq!(read(b"\xE6\xA3", Charset::Utf8), [bad(0), bad(1)]);
        assert_eq!(read("检".as_bytes(), Charset::Utf8), [Ok('检')]);
        assert_eq!(read("检".as_bytes(), Charset::Ascii), [bad(0), bad(1), bad(2)]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_end_and_never_grow(bytes in "[\\\\FXHZC.br0-9|é]{0,40}", noise: Vec<u8>) {
            for raw in [bytes.as_bytes(), &noise] {
                let unescaped = Unescaped::new(raw, Delimiters::STANDARD);
                proptest::prop_assert!(unescaped.clone().count() <= raw.len());
                for charset in Charset::all() {
                    proptest::prop_assert!(unescaped.clone().chars(charset).count() <= raw.len());
                }
            }
        }

        #[test]
        fn text_without_an_escape_character_is_itself(text in "[^\\\\]*") {
            proptest::prop_assert_eq!(read(text.as_bytes()), text);
        }
    }
}
