//! Fields as the items of a report have them: decoded texts, codes, times.
//!
//! Promises: an escape sequence is undone, into the caller's scratch; a text without one is borrowed from the message. A charset in
//! which the second byte of a character can look like a delimiter is taken off before any field is looked for. MSH-18 that claims
//! ASCII for bytes that are none is a default that nobody set: the profile's charset counts then.

use orugate_driver::text::{Charset, Escapes, Text};
use orugate_driver::time::{DeviceTime, Precision};
use orugate_driver::{Fault, Scratch};
use orugate_protocol::hl7::header::Header;
use orugate_protocol::hl7::reader::{Lines, Part, ReadError, Segment};
use orugate_protocol::mdc;

/// A message that can be read.
pub(crate) struct Read<'a, 'm> {
    pub(crate) header: Header<'m>,
    pub(crate) lines: Lines<'m>,
    pub(crate) charset: Charset,
    pub(crate) scratch: &'a mut Scratch<'m>,
    /// MSH-7's offset from UTC, which is that of every time in the message that has none.
    zone: Option<i16>,
}

pub(crate) fn fault(error: ReadError) -> Fault {
    let offset = u32::try_from(error.offset()).unwrap_or(u32::MAX);
    let what = match error {
        ReadError::SecondMsh { .. } => "a second MSH segment stands in one message",
        ReadError::SegmentName { .. } => "a line is no segment",
        _ => "the MSH segment cannot be read",
    };
    Fault::Structure { offset, what }
}

impl<'a, 'm> Read<'a, 'm> {
    /// Checks that all lines are segments.
    pub(crate) fn new(raw: &'m [u8], charset: Charset, scratch: &'a mut Scratch<'m>) -> Result<Self, Fault> {
        let header = Header::read(raw).map_err(fault)?;
        let charset = said(header.field(18).repeat(1).bytes(), raw).unwrap_or(charset);
        let (raw, charset) = match without_hiding(raw, &header, charset, scratch)? {
            Some(text) => (text, Charset::Utf8),
            None => (raw, charset),
        };
        let header = Header::read(raw).map_err(fault)?;
        let lines = Lines::new(raw).map_err(fault)?;
        if let Some(error) = lines.clone().find_map(Result::err) {
            return Err(fault(error));
        }
        let zone = time(header.field(7).component(1).bytes()).and_then(|made| made.offset);
        Ok(Self { header, lines, charset, scratch, zone })
    }

    /// A time; one that says an hour and no offset from UTC has that of MSH-7.
    pub(crate) fn time(&self, bytes: &[u8]) -> Option<DeviceTime> {
        let time = time(bytes)?;
        let hour = matches!(time.precision, Precision::Hour | Precision::Minute | Precision::Second);
        Some(DeviceTime { offset: time.offset.or(self.zone.filter(|_| hour)), ..time })
    }

    /// A text that is put together of parts, and needs at most so many bytes.
    pub(crate) fn joined(
        &mut self,
        most: usize,
        put: impl FnOnce(&mut Joined<'m>),
    ) -> Result<Text<'m>, Fault> {
        let space = self.scratch.take(most).ok_or(Fault::Space)?;
        let mut joined = Joined { space, len: 0 };
        put(&mut joined);
        let (space, len): (&'m [u8], _) = (joined.space, joined.len);
        Ok(Text::new(space.get(..len).unwrap_or_default(), self.charset, Escapes::None).trimmed())
    }

    pub(crate) fn segments(&self) -> impl Iterator<Item = Segment<'m, 'static>> + use<'m> {
        self.lines.clone().filter_map(Result::ok)
    }

    /// A part as text, spaces around it trimmed. `""` is no text.
    pub(crate) fn text(&mut self, part: Part<'m>) -> Result<Text<'m>, Fault> {
        if part.is_null() {
            return Ok(Text::EMPTY);
        }
        let escape = self.header.delimiters().escape();
        let bytes = match escape {
            Some(escape) if part.bytes().contains(&escape) => {
                let space = self.scratch.take(part.bytes().len()).ok_or(Fault::Space)?;
                let mut len = 0usize;
                for (place, byte) in space.iter_mut().zip(part.unescaped()) {
                    *place = byte;
                    len = len.saturating_add(1);
                }
                let space: &'m [u8] = space;
                space.get(..len).unwrap_or_default()
            }
            _ => part.bytes(),
        };
        Ok(Text::new(bytes, self.charset, Escapes::None).trimmed())
    }
}

/// A text on its way.
pub(crate) struct Joined<'m> {
    space: &'m mut [u8],
    len: usize,
}

impl Joined<'_> {
    pub(crate) fn bytes(&mut self, bytes: impl Iterator<Item = u8>) {
        let free = self.space.get_mut(self.len..).unwrap_or_default();
        for (place, byte) in free.iter_mut().zip(bytes) {
            *place = byte;
            self.len = self.len.saturating_add(1);
        }
    }

    pub(crate) fn part(&mut self, part: Part<'_>) {
        self.bytes(part.unescaped());
    }

    pub(crate) fn str(&mut self, text: &str) {
        self.bytes(text.bytes());
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The charset that MSH-18 says, by table 0211 or as senders call it; `None` when it says nothing that holds.
fn said(msh_18: &[u8], raw: &[u8]) -> Option<Charset> {
    let same = |name: &str| msh_18.eq_ignore_ascii_case(name.as_bytes());
    let aliases = [
        ("UTF-8", Charset::Utf8),
        ("UTF8", Charset::Utf8),
        ("UNICODE", Charset::Utf8),
        ("ISO8859-1", Charset::Latin1),
    ];
    let known = Charset::all()
        .find(|one| same(one.msh_18()) || same(one.name()))
        .or_else(|| aliases.iter().find(|(name, _)| same(name)).map(|(_, charset)| *charset))
        .or_else(|| ["GBK", "GB2312"].iter().any(|name| same(name)).then(|| Charset::named("GB18030"))?);
    known.filter(|charset| *charset != Charset::Ascii || raw.is_ascii())
}

/// The message in UTF-8, when it has a character with a byte in it that would be taken for one of the message's delimiters.
fn without_hiding<'m>(
    raw: &'m [u8],
    header: &Header<'_>,
    charset: Charset,
    scratch: &mut Scratch<'m>,
) -> Result<Option<&'m [u8]>, Fault> {
    let of = header.delimiters();
    let delimiters =
        [Some(of.field()), Some(of.component()), Some(of.repeat()), of.escape(), of.subcomponent()];
    let hides = |byte: &u8| charset.hides(*byte);
    if raw.is_ascii() || !delimiters.iter().flatten().any(hides) {
        return Ok(None);
    }
    let chars = || Text::new(raw, charset, Escapes::None).chars();
    // One that is hidden is a byte and no character.
    let hidden = delimiters.iter().flatten().filter(|byte| hides(byte)).any(|byte| {
        let seen = chars().filter(|c| *c == Ok(char::from(*byte))).count();
        raw.iter().filter(|b| *b == byte).count() > seen
    });
    if !hidden || chars().any(|c| c.is_err()) {
        return Ok(None);
    }
    let length = chars().flatten().map(char::len_utf8).fold(0, usize::saturating_add);
    let space = scratch.take(length).ok_or(Fault::Space)?;
    let mut at = 0usize;
    for c in chars().flatten() {
        let end = at.saturating_add(c.len_utf8());
        c.encode_utf8(space.get_mut(at..end).ok_or(Fault::Space)?);
        at = end;
    }
    Ok(Some(space))
}

/// A number of an MDC code.
pub(crate) fn number(part: Part<'_>) -> Option<u32> {
    decimal(part.bytes())
}

pub(crate) fn decimal(bytes: &[u8]) -> Option<u32> {
    let digits = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    digits.then(|| core::str::from_utf8(bytes).ok()?.parse().ok()).flatten()
}

/// Numbers of Philips that the public codes of 2025 have not, or for another name, and the number of the same name or, of carbon dioxide,
/// the one that takes the same units; as in the driver for Philips' data export, whose table has the evidence.
const MOVED: [(u32, u32); 11] = [
    (0x2_0343, 131_927),
    (0x2_034B, 131_931),
    (0x2_0364, 131_971),
    (0x2_0365, 131_972),
    (0x2_0366, 131_973),
    (0x2_4908, 150_644),
    (0x2_50AC, 151_700),
    (0x2_50B0, 151_708),
    (0x2_50BA, 151_718),
    (0x2_593C, 153_640),
    (0x2_716C, 160_252),
];

/// `0002-4bb8`: partition and code in hexadecimal.
pub(crate) fn mdil(part: Part<'_>) -> Option<u32> {
    let (partition, code) = core::str::from_utf8(part.bytes()).ok()?.split_once('-')?;
    let half = |digits: &str| {
        let four = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        four.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    };
    let code = half(partition)?.wrapping_shl(16) | half(code)?;
    Some(MOVED.iter().find(|(philips, _)| *philips == code).map_or(code, |(_, public)| *public))
}

/// A coded element whose third component says MDC.
pub(crate) fn mdc_code(field: Part<'_>) -> Option<u32> {
    if field.component(3).bytes() == b"MDC" { number(field.component(1)) } else { None }
}

/// Units as monitors write them without naming a system. Which one is meant is what the term is measured in.
const WORDS: [(&str, &[u32]); 8] = [
    ("%", &[262_688]),
    ("mmHg", &[266_016]),
    ("bpm", &[264_864]),
    ("rpm", &[264_928]),
    ("/min", &[264_864, 264_928]),
    ("1/min", &[264_864, 264_928]),
    ("kPa", &[265_987]),
    ("\u{b0}C", &[268_192]),
];

fn words(code: Part<'_>) -> impl Iterator<Item = u32> {
    let named = WORDS.iter().filter(move |(word, _)| code.reads(word));
    named.flat_map(|(_, units)| units.iter().copied())
}

fn ucum(code: Part<'_>) -> impl Iterator<Item = u32> {
    mdc::units().iter().filter(move |unit| code.reads(unit.ucum)).map(|unit| unit.code)
}

fn also_ucum(code: Part<'_>) -> impl Iterator<Item = u32> {
    let also = move |unit: &&mdc::Unit| unit.also_ucum.iter().any(|also| code.reads(also));
    mdc::units().iter().filter(also).map(|unit| unit.code)
}

/// The same for a unit that is known here, among its alternates too; in UCUM or in words it is one that the term is measured in.
pub(crate) fn mdc_unit(field: Part<'_>, term: u32) -> u32 {
    let takes = |unit: u32| {
        mdc::term(term).is_some_and(|term| term.units.contains(&unit) || term.device_units.contains(&unit))
    };
    // More than one would be a guess.
    let only = |units: &mut dyn Iterator<Item = u32>| units.next().filter(|_| units.next().is_none());
    let known = |first: usize| {
        let system = field.component(first.saturating_add(2));
        let code = field.component(first);
        match system.bytes() {
            // Where number and name contradict each other, nobody knows which is meant.
            b"MDC" => number(code).filter(|code| {
                let name = field.component(first.saturating_add(1));
                mdc::unit(*code).is_some_and(|unit| {
                    name.is_empty() || name.reads(unit.refid) || unit.also.iter().any(|also| name.reads(also))
                })
            }),
            b"MDIL" => mdil(code).filter(|code| mdc::unit(*code).is_some()),
            b"UCUM" => only(&mut ucum(code).filter(|unit| takes(*unit)))
                .or_else(|| only(&mut also_ucum(code).filter(|unit| takes(*unit))))
                .or_else(|| only(&mut ucum(code))),
            // Comen writes the name alone.
            b"" if code.is_empty() => {
                let name = field.component(first.saturating_add(1));
                mdc::units().iter().find(|unit| name.reads(unit.refid)).map(|unit| unit.code)
            }
            b"" => only(&mut words(code).filter(|unit| takes(*unit)))
                .or_else(|| only(&mut ucum(code).filter(|unit| takes(*unit))))
                .or_else(|| only(&mut also_ucum(code).filter(|unit| takes(*unit)))),
            _ => None,
        }
    };
    known(1).or_else(|| known(4)).unwrap_or(0)
}

/// A time in the standard's form or as devices write it: `YYYYMMDDHHMMSSfff+ZZZZ`, `Z` for UTC, a colon in the zone,
/// `YYYY-MM-DD HH:MM:SS`.
pub(crate) fn time(bytes: &[u8]) -> Option<DeviceTime> {
    if let Ok(time) = DeviceTime::parse(bytes) {
        return Some(time);
    }
    if let [_, _, _, _, b'-' | b'/', _, _, b'-' | b'/', _, _, b' ' | b'T', _, _, b':', _, _, rest @ ..] =
        bytes
        && matches!(rest, [] | [b':', _, _])
    {
        let mut made = [0u8; 14];
        let digits = bytes.iter().copied().filter(u8::is_ascii_digit);
        let mut count = 0usize;
        for (place, digit) in made.iter_mut().zip(digits) {
            *place = digit;
            count = count.saturating_add(1);
        }
        let whole = bytes.len().saturating_sub(if rest.is_empty() { 4 } else { 5 }) == count;
        return DeviceTime::parse(made.get(..count).filter(|_| whole)?).ok();
    }
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let stamp = bytes.get(..digits.min(14))?;
    let mut rest = bytes.get(digits..)?;
    if let Some((b'.', fraction)) = rest.split_first() {
        let count = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        rest = fraction.get(count..)?;
    }
    if !matches!(digits, 8 | 10 | 12 | 14..=20) {
        return None;
    }
    let mut made = [0u8; 19];
    let zone: [u8; 5] = match *rest {
        [] => return DeviceTime::parse(stamp).ok(),
        [b'Z'] => *b"+0000",
        [sign @ (b'+' | b'-'), a, b, b':', c, d] | [sign @ (b'+' | b'-'), a, b, c, d] => [sign, a, b, c, d],
        _ => return None,
    };
    let end = stamp.len().checked_add(zone.len())?;
    made.get_mut(..stamp.len())?.copy_from_slice(stamp);
    made.get_mut(stamp.len()..end)?.copy_from_slice(&zone);
    DeviceTime::parse(made.get(..end)?).ok()
}

/// Decimal digits with an optional sign and point.
pub(crate) fn is_number(bytes: &[u8]) -> bool {
    let digits = match bytes {
        [b'+' | b'-', rest @ ..] => rest,
        _ => bytes,
    };
    let points = digits.iter().filter(|byte| **byte == b'.').count();
    points <= 1
        && digits.iter().any(u8::is_ascii_digit)
        && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// Whether two decimal numbers are the same: `-999` and `-999.00`.
pub(crate) fn same_number(one: &[u8], other: &[u8]) -> bool {
    fn plain(bytes: &[u8]) -> (bool, &[u8]) {
        let (minus, digits) = match bytes {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, bytes),
        };
        let start = digits.iter().take_while(|byte| **byte == b'0').count();
        let mut digits = digits.get(start..).unwrap_or_default();
        if digits.contains(&b'.') {
            while let [rest @ .., b'0'] = digits {
                digits = rest;
            }
            digits = digits.strip_suffix(b".").unwrap_or(digits);
        }
        (minus, digits)
    }
    is_number(one) && is_number(other) && plain(one) == plain(other)
}

/// An EUI-64: sixteen hexadecimal digits, separators left out.
pub(crate) fn eui64(bytes: &[u8]) -> Option<u64> {
    let mut value = 0u64;
    let mut count = 0u32;
    for byte in bytes.iter().filter(|byte| !matches!(**byte, b'-' | b':' | b' ')) {
        value = value.wrapping_shl(4) | u64::from(orugate_protocol::ascii::hex_value(*byte)?);
        count = count.saturating_add(1);
    }
    (count == 16 && value != 0).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_devices_write_them() {
        for (sent, reads, offset) in [
            ("20191206113452", "20191206113452", None),
            ("20250610015127+0800", "20250610015127", Some(480)),
            ("20250610015127000+0800", "20250610015127", Some(480)),
            ("20250610015127.123-0330", "20250610015127", Some(-210)),
            ("20250610015127Z", "20250610015127", Some(0)),
            ("20250610015127.5+08:00", "20250610015127", Some(480)),
            ("20250610", "20250610", None),
            ("2022-06-15 15:52:41", "20220615155241", None),
            ("2022/06/15T15:52", "202206151552", None),
        ] {
            let time = time(sent.as_bytes()).unwrap_or_else(|| panic!("{sent}"));
            assert_eq!((time.to_string().as_str(), time.offset), (reads, offset), "{sent}");
        }
        for wrong in [
            "",
            "2022-06-15 15:5x:41",
            "2022-16-15 15:52:41",
            "2025061001512",
            "20251310015127",
            "20250610015127+8",
            "yesterday",
        ] {
            assert_eq!(time(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_and_names_of_devices() {
        for number in ["0", "-0.5", "+5", ".5", "97.50"] {
            assert!(is_number(number.as_bytes()), "{number}");
        }
        for none in ["", "-", "---", "1.2.3", "1e5", "5 "] {
            assert!(!is_number(none.as_bytes()), "{none}");
        }
        for (one, other, same) in [
            ("-999", "-999.00", true),
            ("-99.9", "-99.90", true),
            ("100", "1", false),
            ("-1", "1", false),
            ("0.5", ".5", true),
        ] {
            assert_eq!(same_number(one.as_bytes(), other.as_bytes()), same, "{one} {other}");
        }
        assert_eq!(eui64(b"00A0370098007A80"), Some(0x00A0_3700_9800_7A80));
        assert_eq!(eui64(b"00-A0-37-FF-FE-00-7A-80"), Some(0x00A0_37FF_FE00_7A80));
        assert_eq!(eui64(b"KC261551373G"), None);
    }
}
