//! Which bytes are which characters: [`Charset`].
//!
//! Promises: decoding and encoding go one character at a time, allocate nothing and replace nothing. A byte that a
//! charset does not define is no character, also where browsers read one: C1 controls, private use, the Windows
//! characters that the web sees in ISO 8859. What is encoded decodes to the same character again, or it is refused.
//! [`Charset::find`] is the one rule for delimiters in charsets whose second byte can look like one.
//!
//! Leaves out charsets that switch by escape sequences (ISO 2022) and UTF-16, whose bytes break LIS01 and MLLP.

use memchr::memchr;

/// How bytes become characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Charset {
    /// 0x00 to 0x7F; any other byte is undecodable.
    #[default]
    Ascii,
    /// ISO 8859-1, 0x80 to 0x9F excluded: no instrument means a C1 control, so one there is a wrong charset.
    Latin1,
    /// UTF-8.
    Utf8,
    /// One that is read by tables.
    #[cfg(feature = "charsets")]
    Coded(Coded),
}

#[cfg(feature = "charsets")]
pub use coded::Coded;

impl Charset {
    /// All of them.
    #[cfg(feature = "charsets")]
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Ascii, Self::Latin1, Self::Utf8].into_iter().chain(Coded::ALL.iter().copied().map(Self::Coded))
    }

    /// All of them.
    #[cfg(not(feature = "charsets"))]
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Ascii, Self::Latin1, Self::Utf8].into_iter()
    }

    /// IANA's preferred name; `ISO-8859-11` has none and is called as the others of its family.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ascii => "US-ASCII",
            Self::Latin1 => "ISO-8859-1",
            Self::Utf8 => "UTF-8",
            #[cfg(feature = "charsets")]
            Self::Coded(coded) => coded.name(),
        }
    }

    /// The charset that [`name`](Self::name) names, in either case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|charset| charset.name().eq_ignore_ascii_case(name))
    }

    /// MSH-18 as HL7 table 0211 spells it; `None` for a charset that is not in the table.
    #[must_use]
    pub const fn table_0211(self) -> Option<&'static str> {
        match self {
            Self::Ascii => Some("ASCII"),
            Self::Latin1 => Some("8859/1"),
            Self::Utf8 => Some("UNICODE UTF-8"),
            #[cfg(feature = "charsets")]
            Self::Coded(coded) => coded.table_0211(),
        }
    }

    /// What MSH-18 says: the table's value, and where the table has none the name.
    #[must_use]
    pub const fn msh_18(self) -> &'static str {
        match self.table_0211() {
            Some(value) => value,
            None => self.name(),
        }
    }

    /// True when a byte of a longer character can be this ASCII byte, so that it is not always itself.
    #[must_use]
    pub const fn hides(self, byte: u8) -> bool {
        match self {
            Self::Ascii | Self::Latin1 | Self::Utf8 => {
                let _ = byte;
                false
            }
            #[cfg(feature = "charsets")]
            Self::Coded(coded) => coded.hides(byte),
        }
    }

    /// Where an ASCII character stands first in `bytes`, which begin with a whole character.
    ///
    /// A byte inside a longer character is not that character. In GB18030, Big5 and Shift_JIS a lead byte and a byte
    /// that may follow it are one character, whether or not the table has it: so a delimiter right behind a stray
    /// lead byte is taken for its second half, and nothing in the bytes could tell. No second byte is below 0x30:
    /// a carriage return or a space is always itself and ends the damage.
    #[inline]
    #[must_use]
    pub fn find(self, ascii: u8, bytes: &[u8]) -> Option<usize> {
        #[cfg(feature = "charsets")]
        if let Self::Coded(coded) = self
            && coded.hides(ascii)
        {
            return coded.find(ascii, bytes);
        }
        memchr(ascii, bytes)
    }

    /// True when the last of `bytes`, which begin with a whole character, is a character by itself and not the end of
    /// a longer one. It must be ASCII.
    #[inline]
    #[must_use]
    pub fn ends_alone(self, bytes: &[u8]) -> bool {
        #[cfg(feature = "charsets")]
        if let Self::Coded(coded) = self
            && bytes.last().is_some_and(|last| coded.hides(*last))
        {
            return coded.ends_alone(bytes);
        }
        let _ = bytes;
        true
    }

    /// The bytes of a character in `out`, and how many; `None` when the charset does not have it.
    #[must_use]
    pub fn encode(self, c: char, out: &mut [u8; 4]) -> Option<usize> {
        match (self, u8::try_from(c)) {
            (Self::Utf8, _) => return Some(c.encode_utf8(out).len()),
            (_, Ok(byte @ 0..=0x7F)) | (Self::Latin1, Ok(byte @ 0xA0..=0xFF)) => *out = [byte, 0, 0, 0],
            (Self::Ascii | Self::Latin1, _) => return None,
            #[cfg(feature = "charsets")]
            (Self::Coded(coded), _) => return coded.encode(c, out),
        }
        Some(1)
    }
}

#[cfg(feature = "charsets")]
mod coded {
    use encoding_rs::{DecoderResult, EncoderResult, Encoding};

    /// How long characters are and which bytes they may have.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Shape {
        /// One byte.
        Single,
        /// One byte, and 0x80 to 0x9F are C1 controls.
        Iso,
        /// One byte, two, or four.
        Gb18030,
        /// One byte or two.
        Big5,
        ShiftJis,
        /// One byte or two above 0xA0.
        EucKr,
        /// The same, and three after 0x8F.
        EucJp,
    }

    macro_rules! coded {
        ($($variant:ident, $name:literal, $table:expr, $encoding:ident, $shape:ident;)*) => {
            /// A charset that is read by tables.
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
            #[allow(missing_docs)]
            pub enum Coded {
                $($variant,)*
            }

            impl Coded {
                /// All of them.
                pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

                pub(super) const fn name(self) -> &'static str {
                    match self { $(Self::$variant => $name,)* }
                }

                pub(super) const fn table_0211(self) -> Option<&'static str> {
                    match self { $(Self::$variant => $table,)* }
                }

                fn encoding(self) -> &'static Encoding {
                    match self { $(Self::$variant => encoding_rs::$encoding,)* }
                }

                const fn shape(self) -> Shape {
                    match self { $(Self::$variant => Shape::$shape,)* }
                }
            }
        };
    }
    coded! {
        Iso8859_2, "ISO-8859-2", Some("8859/2"), ISO_8859_2, Iso;
        Iso8859_3, "ISO-8859-3", Some("8859/3"), ISO_8859_3, Iso;
        Iso8859_4, "ISO-8859-4", Some("8859/4"), ISO_8859_4, Iso;
        Iso8859_5, "ISO-8859-5", Some("8859/5"), ISO_8859_5, Iso;
        Iso8859_6, "ISO-8859-6", Some("8859/6"), ISO_8859_6, Iso;
        Iso8859_7, "ISO-8859-7", Some("8859/7"), ISO_8859_7, Iso;
        Iso8859_8, "ISO-8859-8", Some("8859/8"), ISO_8859_8, Iso;
        Iso8859_9, "ISO-8859-9", Some("8859/9"), WINDOWS_1254, Iso;
        Iso8859_10, "ISO-8859-10", None, ISO_8859_10, Iso;
        Iso8859_11, "ISO-8859-11", None, WINDOWS_874, Iso;
        Iso8859_13, "ISO-8859-13", None, ISO_8859_13, Iso;
        Iso8859_14, "ISO-8859-14", None, ISO_8859_14, Iso;
        Iso8859_15, "ISO-8859-15", Some("8859/15"), ISO_8859_15, Iso;
        Iso8859_16, "ISO-8859-16", None, ISO_8859_16, Iso;
        Windows874, "windows-874", None, WINDOWS_874, Single;
        Windows1250, "windows-1250", None, WINDOWS_1250, Single;
        Windows1251, "windows-1251", None, WINDOWS_1251, Single;
        Windows1252, "windows-1252", None, WINDOWS_1252, Single;
        Windows1253, "windows-1253", None, WINDOWS_1253, Single;
        Windows1254, "windows-1254", None, WINDOWS_1254, Single;
        Windows1255, "windows-1255", None, WINDOWS_1255, Single;
        Windows1256, "windows-1256", None, WINDOWS_1256, Single;
        Windows1257, "windows-1257", None, WINDOWS_1257, Single;
        Windows1258, "windows-1258", None, WINDOWS_1258, Single;
        Koi8R, "KOI8-R", None, KOI8_R, Single;
        Koi8U, "KOI8-U", None, KOI8_U, Single;
        Gb18030, "GB18030", Some("GB 18030-2000"), GB18030, Gb18030;
        Big5, "Big5", Some("BIG-5"), BIG5, Big5;
        ShiftJis, "Shift_JIS", None, SHIFT_JIS, ShiftJis;
        EucJp, "EUC-JP", None, EUC_JP, EucJp;
        EucKr, "EUC-KR", Some("KS X 1001"), EUC_KR, EucKr;
    }

    impl Coded {
        pub(super) const fn hides(self, byte: u8) -> bool {
            match self.shape() {
                Shape::Gb18030 => matches!(byte, 0x30..=0x39 | 0x40..=0x7E),
                Shape::Big5 | Shape::ShiftJis => matches!(byte, 0x40..=0x7E),
                Shape::Single | Shape::Iso | Shape::EucKr | Shape::EucJp => false,
            }
        }

        pub(super) fn find(self, ascii: u8, bytes: &[u8]) -> Option<usize> {
            let mut at = 0usize;
            loop {
                let rest = bytes.get(at..)?;
                if *rest.first()? == ascii {
                    return Some(at);
                }
                at = at.saturating_add(self.char_len(rest));
            }
        }

        pub(super) fn ends_alone(self, bytes: &[u8]) -> bool {
            let mut rest = bytes;
            while rest.len() > 1 {
                rest = rest.get(self.char_len(rest)..).unwrap_or_default();
            }
            rest.len() == 1
        }

        /// How many bytes the first character takes, at least 1. Bytes that make none count one by one.
        fn char_len(self, bytes: &[u8]) -> usize {
            match (self.shape(), bytes) {
                (Shape::Gb18030, [0x81..=0xFE, 0x30..=0x39, 0x81..=0xFE, 0x30..=0x39, ..]) => 4,
                (Shape::Gb18030, [0x81..=0xFE, 0x40..=0x7E | 0x80..=0xFE, ..])
                | (Shape::Big5, [0x81..=0xFE, 0x40..=0x7E | 0xA1..=0xFE, ..])
                | (Shape::ShiftJis, [0x81..=0x9F | 0xE0..=0xFC, 0x40..=0x7E | 0x80..=0xFC, ..])
                | (Shape::EucKr, [0xA1..=0xFE, 0xA1..=0xFE, ..])
                | (Shape::EucJp, [0x8E | 0xA1..=0xFE, 0xA1..=0xFE, ..]) => 2,
                (Shape::EucJp, [0x8F, 0xA1..=0xFE, 0xA1..=0xFE, ..]) => 3,
                _ => 1,
            }
        }

        /// The first character of the bytes that `byte` numbers from 0, and how many it takes; or how many make none.
        pub(crate) fn decode(self, byte: impl Fn(usize) -> Option<u8>) -> Result<(char, usize), usize> {
            let mut bytes = [0u8; 4];
            let mut have = 0usize;
            for slot in &mut bytes {
                let Some(next) = byte(have) else { break };
                *slot = next;
                have = have.saturating_add(1);
            }
            let bytes = bytes.get(..have).unwrap_or_default();
            let len = self.char_len(bytes);
            let whole = bytes.get(..len).and_then(|whole| self.character(whole));
            whole.map(|c| (c, len)).ok_or(len)
        }

        /// The one character that these bytes are.
        fn character(self, bytes: &[u8]) -> Option<char> {
            if self.char_len(bytes) != bytes.len() {
                return None; // Browsers read more into EUC-KR than KS X 1001 has.
            }
            let defined = match (self, bytes) {
                (_, [0x80..=0x9F]) if self.shape() == Shape::Iso => false,
                // CP936's euro sign, which GB18030 has elsewhere.
                (Self::Gb18030, [0x80]) => false,
                // RFC 2319 has box drawing there, what browsers read is Belarusian.
                (Self::Koi8U, [0xAE | 0xBE]) => false,
                _ => true,
            };
            if !defined {
                return None;
            }
            let mut utf8 = [0u8; 16];
            let mut decoder = self.encoding().new_decoder_without_bom_handling();
            let (result, read, written) = decoder.decode_to_utf8_without_replacement(bytes, &mut utf8, true);
            if result != DecoderResult::InputEmpty || read != bytes.len() {
                return None;
            }
            let mut chars = core::str::from_utf8(utf8.get(..written)?).ok()?.chars();
            // Big5 has four pairs that are two characters each; no text of a laboratory has them.
            let (Some(c), None) = (chars.next(), chars.next()) else { return None };
            let nobody_knows = matches!(
                c,
                '\u{80}'..='\u{9F}' | '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFF}' | char::REPLACEMENT_CHARACTER
            );
            (!nobody_knows).then_some(c)
        }

        pub(super) fn encode(self, c: char, out: &mut [u8; 4]) -> Option<usize> {
            let mut bytes = [0u8; 16];
            let mut encoder = self.encoding().new_encoder();
            let text = &*c.encode_utf8(out);
            let (result, _, written) = encoder.encode_from_utf8_without_replacement(text, &mut bytes, true);
            let encoded = bytes.get(..written)?;
            // Browsers write a yen sign as a backslash; whatever does not come back is refused.
            if result != EncoderResult::InputEmpty || self.character(encoded) != Some(c) {
                return None;
            }
            out.get_mut(..written)?.copy_from_slice(encoded);
            Some(written)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Escapes, Text, Undecodable};
    use std::vec::Vec;

    #[test]
    fn names_are_found_again_and_are_all_different() {
        for charset in Charset::all() {
            assert_eq!(Charset::named(charset.name()), Some(charset));
            assert_eq!(Charset::all().filter(|other| other.msh_18() == charset.msh_18()).count(), 1);
        }
        assert_eq!(Charset::named("utf-8"), Some(Charset::Utf8));
        assert_eq!(Charset::named("latin"), None);
    }

    /// Every character of Unicode in every charset: back as itself, or refused. No byte of a longer character can be
    /// one that ends a segment or a frame of LIS01 or MLLP, and `find` takes none for an ASCII character.
    #[test]
    fn what_is_encoded_comes_back_and_breaks_no_frame() {
        for charset in Charset::all() {
            let mut had = 0u32;
            // Only these go beyond the basic plane.
            let end = match charset.name() {
                "UTF-8" | "GB18030" => char::MAX,
                "Big5" => '\u{2FFFF}',
                _ => '\u{FFFF}',
            };
            for c in '\0'..=end {
                let mut bytes = [0; 4];
                let Some(len) = charset.encode(c, &mut bytes) else { continue };
                had += 1;
                let bytes = &bytes[..len];
                let text = Text::new(bytes, charset, Escapes::None);
                assert!(text.chars().eq([Ok(c)]), "{} {c:?} {bytes:02X?}", charset.name());
                if len > 1 || !c.is_ascii() {
                    assert!(bytes.iter().all(|b| *b >= 0x30), "{} {c:?} {bytes:02X?}", charset.name());
                    let hidden = bytes.iter().any(|b| b.is_ascii_punctuation());
                    assert!(!hidden || bytes.iter().all(|b| !b.is_ascii_punctuation() || charset.hides(*b)));
                    assert!((0x20..0x7F).all(|b| charset.find(b, bytes).is_none()), "{c:?}");
                } else {
                    assert_eq!(bytes, [c as u8]);
                }
            }
            assert!(had >= 128, "{} has {had} characters", charset.name());
        }
    }

    /// The Encoding Standard's encoder: places below lead byte 0xA1 are read and never written; of several places the
    /// first is written, and for six characters the last. So U+4EDD goes out as C6 DF, though it is at C9 69 too.
    #[cfg(feature = "charsets")]
    #[test]
    fn big5_is_written_as_the_encoding_standard_says() {
        let big5 = Charset::Coded(Coded::Big5);
        let mut places = std::collections::BTreeMap::<char, Vec<[u8; 2]>>::new();
        for lead in 0x81..=0xFE {
            for trail in (0x40..=0x7E).chain(0xA1..=0xFE) {
                let pair = [lead, trail];
                let mut chars = Text::new(&pair, big5, Escapes::None).chars();
                if let (Some(Ok(c)), None) = (chars.next(), chars.next()) {
                    places.entry(c).or_default().push(pair);
                }
            }
        }
        let mut several = 0;
        for (c, all) in &places {
            let mut written = all.iter().filter(|pair| pair[0] >= 0xA1);
            let last = "\u{2550}\u{255E}\u{2561}\u{256A}\u{5341}\u{5345}".contains(*c);
            let expected = if last { written.next_back() } else { written.next() };
            let mut bytes = [0; 4];
            let encoded = big5.encode(*c, &mut bytes).map(|len| &bytes[..len]);
            assert_eq!(encoded, expected.map(|pair| &pair[..]), "{c:?} has {all:02X?}");
            several += usize::from(all.len() > 1);
        }
        assert!(places.len() > 18_000 && several >= 7, "{} and {several}", places.len());
        assert_eq!(places[&'\u{4EDD}'], [[0xC6, 0xDF], [0xC9, 0x69]]);
    }

    #[test]
    fn bytes_that_no_charset_defines_are_undecodable() {
        for (name, bytes, offset) in [
            ("ISO-8859-9", &b"a\x80"[..], 1),
            ("ISO-8859-2", b"\x9F", 0),
            ("windows-1252", b"\x81", 0),
            ("windows-874", b"\x81", 0),
            ("KOI8-U", b"\xAE", 0),
            ("GB18030", b"\x80", 0),
            ("GB18030", b"ab\xC0\r", 2),
            ("GB18030", b"\xB0", 0),
            ("GB18030", b"\x81\x30\x81", 0),
            ("Shift_JIS", b"\x80", 0),
            ("Shift_JIS", b"\xF0\x40", 0), // Private use.
            ("Big5", b"\x88\x62", 0),      // Two characters.
            ("EUC-KR", b"\xB0A", 0),
            ("EUC-JP", b"\x8F\xA1", 0),
        ] {
            let Some(charset) = Charset::named(name) else { continue };
            let text = Text::new(bytes, charset, Escapes::None);
            assert_eq!(text.undecodable(), Some(Undecodable { offset }), "{name} {bytes:02X?}");
        }
    }

    #[test]
    fn a_character_that_would_become_another_is_refused() {
        for (name, refused) in [
            ("Shift_JIS", "\u{A5}\u{203E}\u{2212}"),
            ("EUC-JP", "\u{A5}\u{203E}\u{2212}"),
            ("ISO-8859-9", "\u{20AC}\u{81}"),
            ("US-ASCII", "µ"),
            ("ISO-8859-1", "\u{20AC}\u{85}"),
            ("KOI8-R", "µ"),
        ] {
            let Some(charset) = Charset::named(name) else { continue };
            for c in refused.chars() {
                assert_eq!(charset.encode(c, &mut [0; 4]), None, "{name} {c:?}");
            }
        }
    }

    #[cfg(feature = "charsets")]
    #[test]
    fn delimiters_are_not_found_inside_of_characters() {
        let gb = Charset::Coded(Coded::Gb18030);
        assert_eq!(gb.find(b'|', b"\x81\x7C|"), Some(2));
        assert_eq!(gb.find(b'0', b"\x81\x30\x81\x300"), Some(4));
        assert_eq!(gb.find(b'|', b"\xC0\r|"), Some(2));
        assert_eq!(gb.find(b'|', b"\xC0|"), None); // As Charset::find says.
        assert_eq!(gb.find(b'&', b"\xC0&"), Some(1)); // No second byte.
        let sjis = Charset::Coded(Coded::ShiftJis);
        assert_eq!(sjis.find(b'\\', b"\x95\\\\"), Some(2));
        assert_eq!(sjis.find(b'\\', b"\xB1\\"), Some(1)); // Half-width katakana is one byte.
        assert!(
            gb.ends_alone(b"\x81\x7C|")
                && !gb.ends_alone(b"|\x81\x7C")
                && !gb.ends_alone(b"\x81\x30\x81\x30")
        );
        let text = Text::new(b"\x81\x5E^ ^", gb, Escapes::None);
        assert_eq!(text.without_tail(b"^ ").bytes(), b"\x81\x5E");
        let pieces: Vec<_> =
            Text::new(b"\x81\x7Ca|b", gb, Escapes::None).split(b'|').map(|t| t.bytes()).collect();
        assert_eq!(pieces, [&b"\x81\x7Ca"[..], b"b"]);
    }
}
