//! Which OBX-2 a value's text allows, and other tests on text that goes into HL7.
//!
//! Promises: values stay text. A number is recognised, never computed with, and its digits go out as they came.
//! Leaves out units, flags and what a test's profile may say about its value.

use super::Delimiters;
use super::writer::Segment;
use crate::text::Text;

/// The greatest length of an ST value in characters (2.5.1, section 2.A.68).
pub const ST_MAX: usize = 199;

/// What OBX-2 can be for a value that is not coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType<'a> {
    /// A plain number; OBX-5 is the text as it is.
    Nm,
    /// A number with a comparator, a ratio, a range or a grade; OBX-5 has components.
    Sn(StructuredNumeric<'a>),
    /// Text of at most [`ST_MAX`] characters on one line, the empty one too.
    St,
    /// Longer text, or text with a line break, which ST cannot hold.
    Tx,
}

impl<'a> ValueType<'a> {
    /// The type for a value. SN is chosen only when the destination asks for `structured` numerics; without, `<5` is
    /// ST as it came, because a receiver that reads OBX-5.1 alone would file `<` and lose the 5.
    #[must_use]
    pub fn of(text: Text<'a>, structured: bool) -> Self {
        if is_numeric(text) {
            return Self::Nm;
        }
        if structured && let Some(sn) = StructuredNumeric::parse(text) {
            return Self::Sn(sn);
        }
        if let Some(plain) = text.as_printable_ascii() {
            return if plain.len() > ST_MAX { Self::Tx } else { Self::St };
        }
        let broken = text.chars().any(|c| matches!(c, Ok('\r' | '\n')));
        if broken || text.chars().nth(ST_MAX).is_some() { Self::Tx } else { Self::St }
    }

    /// OBX-2.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Nm => "NM",
            Self::Sn(_) => "SN",
            Self::St => "ST",
            Self::Tx => "TX",
        }
    }
}

/// True for what NM allows (2.5.1, section 2.A.47): an optional sign, digits, an optional point with or without
/// digits on one of its sides. No exponent, comma, blank or thousands separator.
#[must_use]
pub fn is_numeric(text: Text<'_>) -> bool {
    match text.as_printable_ascii() {
        Some(text) => is_number(text.chars()),
        None => is_number(text.chars().map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))),
    }
}

fn is_number(chars: impl Iterator<Item = char>) -> bool {
    let mut chars = chars.peekable();
    let _ = chars.next_if(|c| matches!(c, '+' | '-'));
    let (mut digits, mut points) = (0u32, 0u32);
    for c in chars {
        match c {
            '0'..='9' => digits = digits.saturating_add(1),
            '.' => points = points.saturating_add(1),
            _ => return false,
        }
    }
    digits > 0 && points <= 1
}

/// SN (2.5.1, section 2.A.66): the parts of `<5`, `>=10`, `1:128`, `2-5`, `1/2` or `3+`, each as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StructuredNumeric<'a> {
    /// SN.1: `=`, `<>`, `<`, `<=`, `>`, `>=`, or empty.
    pub comparator: Text<'a>,
    /// SN.2.
    pub first: Text<'a>,
    /// SN.3: `-`, `:`, `/`, `+`, or empty.
    pub separator: Text<'a>,
    /// SN.4, or empty.
    pub second: Text<'a>,
}

impl<'a> StructuredNumeric<'a> {
    /// The parts, or `None` for text that is not wholly one of the forms. Only a number behind a comparator may have
    /// a sign: `-5-2` would be a guess. A plain number is none of the forms.
    #[must_use]
    pub fn parse(text: Text<'a>) -> Option<Self> {
        let bytes = text.bytes();
        // An escape sequence makes fewer characters than bytes: nothing that is written with one is taken apart.
        if text.as_printable_ascii().is_none() && text.chars().count() != bytes.len() {
            return None;
        }
        let part = |bytes: &'a [u8]| text.with_bytes(bytes);
        let none = part(&[]);
        for comparator in [&b"<>"[..], b"<=", b">=", b"=", b"<", b">"] {
            if let Some(number) = bytes.strip_prefix(comparator) {
                let (comparator, _) = bytes.split_at_checked(comparator.len())?;
                return is_numeric(part(number)).then(|| Self {
                    comparator: part(comparator),
                    first: part(number),
                    separator: none,
                    second: none,
                });
            }
        }
        let at = bytes.iter().position(|b| matches!(b, b'-' | b':' | b'/' | b'+'))?;
        let (first, rest) = bytes.split_at_checked(at)?;
        let (separator, second) = rest.split_at_checked(1)?;
        let signed = second.first().is_some_and(|b| matches!(b, b'-' | b'+'));
        let good = match separator {
            b"+" => second.is_empty(),
            _ => is_numeric(part(second)) && !signed,
        };
        (good && is_numeric(part(first))).then(|| Self {
            comparator: none,
            first: part(first),
            separator: part(separator),
            second: part(second),
        })
    }

    /// Writes the components at the place where the segment is.
    pub fn write(&self, segment: &mut Segment<'_, '_>) {
        segment.component(1).text(self.comparator).component(2).text(self.first);
        segment.component(3).text(self.separator).component(4).text(self.second);
    }
}

/// True for a LOINC code with a right check digit: one to seven digits, a hyphen, the mod-10 check digit.
#[must_use]
pub fn is_loinc(code: &[u8]) -> bool {
    let [digits @ .., b'-', check @ b'0'..=b'9'] = code else { return false };
    if !(1..=7).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    // Every other digit from the right counts twice, and its two digits apart.
    let sum = digits.iter().rev().zip([2u8, 1].into_iter().cycle()).fold(0u8, |sum, (digit, weight)| {
        let product = (digit & 0x0F).wrapping_mul(weight);
        sum.wrapping_add(if product > 9 { product.wrapping_sub(9) } else { product })
    });
    (check & 0x0F) == 10u8.wrapping_sub(sum.wrapping_rem(10)).wrapping_rem(10)
}

/// Bytes that [`Segment::text`] writes for the text with the standard delimiters; `None` when it cannot be decoded.
#[must_use]
pub fn escaped_len(text: Text<'_>) -> Option<usize> {
    let d = Delimiters::STANDARD;
    let mut after_cr = false;
    text.chars().try_fold(0usize, |len, c| {
        let c = c.ok()?;
        let joined = after_cr && c == '\n';
        after_cr = c == '\r';
        let bytes = match c {
            '\n' if joined => 0,
            '\r' | '\n' => 1,
            c if c.is_ascii_control() => 5,
            c if u8::try_from(c).is_ok_and(|b| d.letter(b).is_some()) => 3,
            c => c.len_utf8(),
        };
        Some(len.saturating_add(bytes))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hl7::writer::Writer;
    use crate::text::{Charset, Delimiters as AstmDelimiters, Escapes};
    use std::string::String;

    #[test]
    fn numbers() {
        for good in ["0", "5.40", "+7", "-0.5", "5.", ".5", "-.5", "+5.", "000123456789012345678901234567890"]
        {
            assert!(is_numeric(Text::plain(good)), "{good}");
        }
        for bad in [
            "", "+", "-", ".", "+.", "5,4", "1e5", "3.26E+05", " 5", "5 ", "1 000", "5.4.1", "--5", "<5",
            "٣", "5-",
        ] {
            assert!(!is_numeric(Text::plain(bad)), "{bad}");
        }
        assert!(!is_numeric(Text::new(b"5\xFF", Charset::Utf8, Escapes::None)));
    }

    fn obx5(text: &str) -> String {
        let mut buffer = [0; 512];
        let mut writer = Writer::new(&mut buffer);
        let value = Text::plain(text);
        let kind = ValueType::of(value, true);
        let mut obx = writer.segment("OBX");
        obx.field(2).str(kind.code()).field(5);
        match kind {
            ValueType::Sn(sn) => sn.write(&mut obx),
            ValueType::Nm | ValueType::St => _ = obx.text(value),
            ValueType::Tx => _ = obx.formatted_text(value),
        }
        obx.end();
        let whole = String::from_utf8(writer.finish().unwrap().to_vec()).unwrap();
        whole.strip_prefix("OBX||").unwrap().trim_end().replace("|||", "|")
    }

    #[test]
    fn value_types() {
        for (text, expected) in [
            ("5.40", "NM|5.40"),
            ("-0.0", "NM|-0.0"),
            ("<0.1", "SN|<^0.1"),
            (">=10", "SN|>=^10"),
            ("<=10", "SN|<=^10"),
            ("<>10", "SN|<>^10"),
            ("=10", "SN|=^10"),
            (">-3", "SN|>^-3"),
            ("1:128", "SN|^1^:^128"),
            ("2-5", "SN|^2^-^5"),
            ("1/2", "SN|^1^/^2"),
            ("3+", "SN|^3^+"),
            ("< 5", "ST|< 5"),
            ("<", "ST|<"),
            ("5-", "ST|5-"),
            ("-5-2", "ST|-5-2"),
            ("2--5", "ST|2--5"),
            ("3+4", "ST|3+4"),
            ("+++", "ST|+++"),
            (">1:128", "ST|>1:128"),
            ("2026-11-22", "ST|2026-11-22"),
            ("3.26E+05", "ST|3.26E+05"),
            ("Negative", "ST|Negative"),
            ("a\r\nb", "TX|a\\.br\\b"),
            ("", "ST"),
        ] {
            assert_eq!(obx5(text), expected, "{text}");
        }
        assert_eq!(ValueType::of(Text::plain("<5"), false), ValueType::St);
        let long = "µ".repeat(200);
        assert_eq!(ValueType::of(Text::plain(&long), true), ValueType::Tx);
        assert_eq!(ValueType::of(Text::plain(&long["µ".len()..]), true), ValueType::St);
    }

    #[test]
    fn what_is_written_with_an_escape_is_not_taken_apart() {
        let astm = Escapes::Astm(AstmDelimiters { escape: b'-', ..AstmDelimiters::default() });
        assert_eq!(StructuredNumeric::parse(Text::new(b"1-X32-", Charset::Ascii, astm)), None);
    }

    #[test]
    fn loinc_check_digits() {
        for (code, good) in [
            ("2345-7", true),
            ("2160-0", true),
            ("718-7", true),
            ("94500-6", true),
            ("6690-2", true),
            ("2345-8", false),
            ("2354-7", false),
            ("2345-", false),
            ("-7", false),
            ("23457", false),
            ("12345678-4", false),
            ("LA6576-8", false),
            ("", false),
        ] {
            assert_eq!(is_loinc(code.as_bytes()), good, "{code}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_length_is_what_the_writer_writes(text in "(\\PC|[|^~&\\\\\r\n\t\0]){0,40}") {
            let mut buffer = [0; 1024];
            let mut writer = Writer::new(&mut buffer);
            writer.segment("ZZZ").field(1).str(".").text(Text::plain(&text));
            proptest::prop_assert_eq!(escaped_len(Text::plain(&text)), Some(writer.len() - "ZZZ|.\r".len()));
        }
    }
}
