//! Times as devices print them, by a format.
//!
//! Promises: a time is read only when every character is as the format says; its precision is what the format has. Leaves out
//! zones, which such devices do not print.

use orugate_driver::time::{DeviceTime, Precision};

/// A format, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Byte(u8),
    Day,
    Month,
    MonthName,
    ShortYear,
    Year,
    Hour,
    Minute,
    Second,
}

/// English, and German where it differs.
const MONTHS: [(&str, u8); 16] = [
    ("JAN", 1),
    ("FEB", 2),
    ("MAR", 3),
    ("APR", 4),
    ("MAY", 5),
    ("JUN", 6),
    ("JUL", 7),
    ("AUG", 8),
    ("SEP", 9),
    ("OCT", 10),
    ("NOV", 11),
    ("DEC", 12),
    ("MRZ", 3),
    ("MAI", 5),
    ("OKT", 10),
    ("DEZ", 12),
];

impl Format {
    /// Reads a format.
    ///
    /// # Errors
    /// A sentence that says what is wrong in it.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            pieces.push(match byte {
                b'%' => match bytes.next() {
                    Some(b'd') => Piece::Day,
                    Some(b'm') => Piece::Month,
                    Some(b'b') => Piece::MonthName,
                    Some(b'y') => Piece::ShortYear,
                    Some(b'Y') => Piece::Year,
                    Some(b'H') => Piece::Hour,
                    Some(b'M') => Piece::Minute,
                    Some(b'S') => Piece::Second,
                    _ => return Err(format!("`{text}`: after % stands d, m, b, y, Y, H, M or S")),
                },
                byte => Piece::Byte(byte),
            });
        }
        let has = |wanted: &[Piece]| pieces.iter().any(|piece| wanted.contains(piece));
        let date = has(&[Piece::Day])
            && has(&[Piece::Month, Piece::MonthName])
            && has(&[Piece::Year, Piece::ShortYear]);
        let time = !has(&[Piece::Second]) || has(&[Piece::Minute]);
        let minutes = !has(&[Piece::Minute]) || has(&[Piece::Hour]);
        if date && time && minutes {
            Ok(Self { pieces })
        } else {
            Err(format!(
                "`{text}`: a time has a day, a month and a year, and nothing without what is greater"
            ))
        }
    }

    /// The time that a text is.
    pub(crate) fn time(&self, mut text: &[u8]) -> Option<DeviceTime> {
        let mut time = DeviceTime {
            year: 0,
            month: 0,
            day: 0,
            hour: 0,
            minute: 0,
            second: 0,
            precision: Precision::Day,
            offset: None,
        };
        for piece in &self.pieces {
            match piece {
                Piece::Byte(b' ') => text = text.trim_ascii_start(),
                Piece::Byte(byte) => text = text.strip_prefix(&[*byte])?,
                Piece::Day => time.day = number(&mut text, 2)?,
                Piece::Month => time.month = number(&mut text, 2)?,
                Piece::MonthName => {
                    let (name, rest) = text.split_at_checked(3)?;
                    let month =
                        MONTHS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()))?;
                    (time.month, text) = (month.1, rest);
                }
                Piece::ShortYear => {
                    let year = u16::from(number(&mut text, 2)?);
                    time.year = year.checked_add(if year < 70 { 2000 } else { 1900 })?;
                }
                Piece::Year => {
                    let (high, low) = (number(&mut text, 2)?, number(&mut text, 2)?);
                    time.year = u16::from(high).checked_mul(100)?.checked_add(low.into())?;
                }
                Piece::Hour => (time.hour, time.precision) = (number(&mut text, 2)?, Precision::Hour),
                Piece::Minute => (time.minute, time.precision) = (number(&mut text, 2)?, Precision::Minute),
                Piece::Second => (time.second, time.precision) = (number(&mut text, 2)?, Precision::Second),
            }
        }
        // The calendar is that of all device times.
        let stamp = stamp(&time);
        DeviceTime::parse(&stamp).ok().filter(|_| text.is_empty()).map(|_| time)
    }
}

/// `YYYYMMDDHHMMSS`.
fn stamp(time: &DeviceTime) -> [u8; 14] {
    let [century, year] = [time.year / 100, time.year % 100].map(|n| u8::try_from(n).unwrap_or(0));
    let mut out = [b'0'; 14];
    let parts = [century, year, time.month, time.day, time.hour, time.minute, time.second];
    for (pair, value) in out.chunks_exact_mut(2).zip(parts) {
        pair.copy_from_slice(&[b'0'.saturating_add(value / 10), b'0'.saturating_add(value % 10)]);
    }
    out
}

/// One or two digits; a blank may stand for a leading zero.
fn number(text: &mut &[u8], most: usize) -> Option<u8> {
    let trimmed = if text.first() == Some(&b' ') { text.get(1..)? } else { *text };
    let digits = trimmed.iter().take(most).take_while(|b| b.is_ascii_digit()).count();
    let (number, rest) = trimmed.split_at_checked(digits).filter(|_| digits > 0)?;
    *text = rest;
    number.iter().try_fold(0u8, |n, b| n.checked_mul(10)?.checked_add(b.wrapping_sub(b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_their_format_says() {
        for (format, text, stamp) in [
            ("%m/%d/%y %H:%M:%S", "02/22/16 22:47:45", Some("20160222224745")),
            ("%d-%b-%y %H:%M:%S", "12-NOV-98 14:00:05", Some("19981112140005")),
            ("%d-%b-%y %H:%M:%S", " 4-mai-26  8:06:05", Some("20260504080605")),
            ("%y/%m/%d %H:%M", "24/10/29 13:08", Some("202410291308")),
            ("%d.%m.%Y", "05.12.2026", Some("20261205")),
            ("%m/%d/%y", "02/30/16", None),
            ("%m/%d/%y", "2-22-16", None),
            ("%m/%d/%y", "02/22/16 x", None),
        ] {
            let read = Format::read(format).unwrap().time(text.as_bytes());
            assert_eq!(read.map(|time| time.to_string()).as_deref(), stamp, "{text}");
        }
        assert!(
            Format::read("%H:%M").is_err()
                && Format::read("%q").is_err()
                && Format::read("%d%m%y %M").is_err()
        );
    }
}
