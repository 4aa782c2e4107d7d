//! Fields as the items of a report have them: decoded texts, codes, times.
//!
//! Promises: an escape sequence is undone, into the caller's scratch; a text without one is borrowed from the message.

use orugate_driver::text::{Charset, Escapes, Text};
use orugate_driver::time::DeviceTime;
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
        let lines = Lines::new(raw).map_err(fault)?;
        if let Some(error) = lines.clone().find_map(Result::err) {
            return Err(fault(error));
        }
        let said = header.field(18).repeat(1);
        let charset = Charset::all().find(|one| said.reads(one.msh_18())).unwrap_or(charset);
        Ok(Self { header, lines, charset, scratch })
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

/// A number of an MDC code.
pub(crate) fn number(part: Part<'_>) -> Option<u32> {
    decimal(part.bytes())
}

pub(crate) fn decimal(bytes: &[u8]) -> Option<u32> {
    let digits = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    digits.then(|| core::str::from_utf8(bytes).ok()?.parse().ok()).flatten()
}

/// A coded element whose third component says MDC.
pub(crate) fn mdc_code(field: Part<'_>) -> Option<u32> {
    if field.component(3).bytes() == b"MDC" { number(field.component(1)) } else { None }
}

/// The same among its alternates too, for a unit that is known here.
pub(crate) fn mdc_unit(field: Part<'_>) -> u32 {
    let known = |first: usize| {
        let system = field.component(first.saturating_add(2));
        let code = field.component(first);
        match system.bytes() {
            b"MDC" => number(code).filter(|code| mdc::unit(*code).is_some()),
            b"UCUM" => {
                let mut same = mdc::units().iter().filter(|unit| code.reads(unit.ucum));
                // More than one would be a guess.
                same.next().filter(|_| same.next().is_none()).map(|unit| unit.code)
            }
            _ => None,
        }
    };
    known(1).or_else(|| known(4)).unwrap_or(0)
}

/// A time in the standard's form or as devices write it: `YYYYMMDDHHMMSSfff+ZZZZ`, `Z` for UTC, a colon in the zone.
pub(crate) fn time(bytes: &[u8]) -> Option<DeviceTime> {
    if let Ok(time) = DeviceTime::parse(bytes) {
        return Some(time);
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
        ] {
            let time = time(sent.as_bytes()).unwrap_or_else(|| panic!("{sent}"));
            assert_eq!((time.to_string().as_str(), time.offset), (reads, offset), "{sent}");
        }
        for wrong in ["", "2025061001512", "20251310015127", "20250610015127+8", "yesterday"] {
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
        assert_eq!(eui64(b"00A0370098007A80"), Some(0x00A0_3700_9800_7A80));
        assert_eq!(eui64(b"00-A0-37-FF-FE-00-7A-80"), Some(0x00A0_37FF_FE00_7A80));
        assert_eq!(eui64(b"KC261551373G"), None);
    }
}
