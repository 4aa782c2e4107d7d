//! What stands in responses: records, numbers, texts, the identification, the device's clock.
//!
//! Promises: every byte of a response is in a record or in the rest that no record takes; a number is the device's digits, with
//! nothing converted; nothing is guessed. Leaves out what codes mean.

use orugate_driver::time::{DeviceTime, Precision};
use orugate_protocol::ascii::hex_value;

/// Ends a text message.
const ETX: u8 = 0x03;

/// A record of any data response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'r> {
    /// What the record is of; `None` when its two characters are no hexadecimal digits.
    pub(crate) code: Option<u8>,
    /// The two characters.
    pub(crate) digits: &'r [u8],
    /// Value, setting, phrase or text, as it came.
    pub(crate) field: &'r [u8],
    /// Priority of an alarm, 1 to 31; 0 for what is none.
    pub(crate) priority: u8,
    /// Where the record stands in the data.
    pub(crate) at: usize,
    /// How many bytes it has there.
    pub(crate) len: usize,
}

/// How records stand in a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Code and four characters.
    Values,
    /// Code and five characters.
    Settings,
    /// Priority, code and twelve characters.
    Alarms,
    /// Code, length, text, ETX.
    Texts,
}

impl Shape {
    /// That of a command's response.
    pub(crate) const fn of(command: u8) -> Option<Self> {
        match command {
            0x24..=0x26 | 0x2B..=0x2D => Some(Self::Values),
            0x29 => Some(Self::Settings),
            0x23 | 0x27 | 0x2E => Some(Self::Alarms),
            0x2A => Some(Self::Texts),
            _ => None,
        }
    }
}

/// The records of a response's data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records<'r> {
    shape: Shape,
    data: &'r [u8],
    at: usize,
}

impl<'r> Records<'r> {
    pub(crate) const fn new(shape: Shape, data: &'r [u8]) -> Self {
        Self { shape, data, at: 0 }
    }

    /// What no record took, so far.
    pub(crate) fn rest(&self) -> &'r [u8] {
        self.data.get(self.at..).unwrap_or_default()
    }
}

impl<'r> Iterator for Records<'r> {
    type Item = Record<'r>;

    fn next(&mut self) -> Option<Record<'r>> {
        let rest = self.rest();
        let (priority, digits, field, len) = match self.shape {
            Shape::Values => (0, rest.get(..2)?, rest.get(2..6)?, 6),
            Shape::Settings => (0, rest.get(..2)?, rest.get(2..7)?, 7),
            Shape::Alarms => (rest.first()?.wrapping_sub(b'0'), rest.get(1..3)?, rest.get(3..15)?, 15),
            Shape::Texts => {
                // The length is '0' and up; what ends the text says whether it is right.
                let len = usize::from(rest.get(2)?.checked_sub(b'0')?);
                let end = len.saturating_add(3);
                if rest.get(end) != Some(&ETX) {
                    return None;
                }
                (0, rest.get(..2)?, rest.get(3..end)?, end.saturating_add(1))
            }
        };
        let at = self.at;
        self.at = at.saturating_add(len);
        Some(Record { code: code(digits), digits, field, priority, at, len })
    }
}

/// Whether a good frame's data is whole: it is made of records to its end, and each reads as what it must be. The checksum is right
/// by chance once in 256 damaged frames; this finds most of those.
pub(crate) fn is_whole(command: u8, data: &[u8]) -> bool {
    let Some(shape) = Shape::of(command) else {
        // The device's clock; an identification may say as little as it wants.
        return command != 0x28 || clock(data).is_some();
    };
    let mut records = Records::new(shape, data);
    let good = records.by_ref().all(|record| {
        let field = match shape {
            // Words and marks are no damage; digits with something else between them are.
            Shape::Values | Shape::Settings => match number(record.field) {
                Number::Other(text) => !text.iter().any(u8::is_ascii_digit) || is_duration(text),
                _ => true,
            },
            Shape::Alarms => (1..=31).contains(&record.priority),
            Shape::Texts => true,
        };
        field && record.code.is_some() && record.field.iter().all(|byte| (b' '..=b'~').contains(byte))
    });
    good && records.rest().is_empty()
}

/// Hours and minutes, as an incubator says how long a phototherapy took.
fn is_duration(text: &[u8]) -> bool {
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let colon = text.iter().position(|byte| *byte == b':').and_then(|at| text.split_at_checked(at));
    matches!(colon, Some((hours, [_, minutes @ ..])) if digits(hours) && digits(minutes))
}

/// A text that is the patient's first or last name, to a device that speaks MEDIBUS.X.
pub(crate) fn is_name(command: u8, code: Option<u8>) -> bool {
    Shape::of(command) == Some(Shape::Texts) && matches!(code, Some(0x60 | 0x61))
}

/// The records of values in `data` that were measured now and then, and that `before` has not or has with another value.
pub(crate) fn is_taken<'r>(before: Option<&'r [u8]>, record: &Record<'r>) -> bool {
    let same = before.and_then(|before| {
        Records::new(Shape::Values, before)
            .find(|old| old.code == record.code)
            .map(|old| trimmed(old.field) == trimmed(record.field))
    });
    same != Some(true) && !trimmed(record.field).is_empty()
}

fn code(digits: &[u8]) -> Option<u8> {
    match digits {
        [high, low] => Some(hex_value(*high)? << 4 | hex_value(*low)?),
        _ => None,
    }
}

/// A field without the spaces around it.
pub(crate) const fn trimmed(field: &[u8]) -> &[u8] {
    field.trim_ascii()
}

/// What a value field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number<'f> {
    /// Only spaces.
    Blank,
    /// Digits as they can be written: an optional `-`, digits, and a point with digits behind it.
    Plain(&'f [u8]),
    /// A number whose sign stands apart from its digits, or whose point has no digit on one side: what goes before the point,
    /// and what behind it. An empty part is a 0 before and nothing behind.
    Apart { negative: bool, whole: &'f [u8], fraction: &'f [u8] },
    /// No number.
    Other(&'f [u8]),
}

/// Reads a field of a value or a setting. Spaces stand for leading zeros, and may stand behind the sign.
pub(crate) fn number(field: &[u8]) -> Number<'_> {
    let text = trimmed(field);
    if text.is_empty() {
        return Number::Blank;
    }
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest.trim_ascii_start()),
        _ => (false, text),
    };
    let point = digits.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = match point.and_then(|at| digits.split_at_checked(at)) {
        Some((whole, [_, fraction @ ..])) => (whole, fraction),
        _ => (digits, digits.get(digits.len()..).unwrap_or_default()),
    };
    let all = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    if !all(whole) || !all(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return Number::Other(text);
    }
    let tight = text.len() == digits.len().saturating_add(usize::from(negative));
    if tight && !whole.is_empty() && (point.is_none() || !fraction.is_empty()) {
        return Number::Plain(text);
    }
    Number::Apart { negative, whole, fraction }
}

/// Who a device says it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity<'i> {
    /// Four characters.
    pub(crate) id: &'i [u8],
    /// Without its apostrophes.
    pub(crate) name: &'i [u8],
    /// Version of the device, `04.20`.
    pub(crate) device: &'i [u8],
    /// Version of MEDIBUS that it speaks, `03.00`.
    pub(crate) medibus: &'i [u8],
}

impl<'i> Identity<'i> {
    /// Reads the response to 52H. Parts that are not there are empty: some devices say less.
    pub(crate) fn read(data: &'i [u8]) -> Self {
        let (id, rest) = data.split_at_checked(4).unwrap_or((data, b""));
        let (name, versions) = match rest {
            [b'\'', rest @ ..] => match rest.iter().rposition(|byte| *byte == b'\'') {
                Some(end) => (
                    rest.get(..end).unwrap_or_default(),
                    rest.get(end.saturating_add(1)..).unwrap_or_default(),
                ),
                None => (rest, b"".as_slice()),
            },
            _ => (b"".as_slice(), rest),
        };
        let colon = versions.iter().position(|byte| *byte == b':');
        let (device, medibus) = match colon.and_then(|at| versions.split_at_checked(at)) {
            Some((device, [_, medibus @ ..])) => (device, medibus),
            _ => (versions, b"".as_slice()),
        };
        Self { id, name: trimmed(name), device: trimmed(device), medibus: trimmed(medibus) }
    }

    /// Whether it speaks MEDIBUS 3.00 or later, which knows arguments.
    pub(crate) fn takes_arguments(&self) -> bool {
        let major = self.medibus.split(|byte| *byte == b'.').next().unwrap_or_default();
        let major = major.trim_ascii();
        let digits = !major.is_empty() && major.iter().all(u8::is_ascii_digit);
        digits
            && major
                .iter()
                .fold(0u32, |n, b| n.saturating_mul(10).saturating_add(u32::from(b.wrapping_sub(b'0'))))
                >= 3
    }
}

/// The months as German and English devices write them.
const MONTHS: [(&[u8; 3], u8); 18] = [
    (b"JAN", 1),
    (b"FEB", 2),
    (b"MAR", 3),
    (b"MRZ", 3),
    (b"MAE", 3),
    // An umlaut in seven bits.
    (b"M[R", 3),
    (b"APR", 4),
    (b"MAI", 5),
    (b"MAY", 5),
    (b"JUN", 6),
    (b"JUL", 7),
    (b"AUG", 8),
    (b"SEP", 9),
    (b"OKT", 10),
    (b"OCT", 10),
    (b"NOV", 11),
    (b"DEZ", 12),
    (b"DEC", 12),
];

/// Reads the response to 28H: `11:11:1911-NOV-93`, `  8:06:05  4-MAR  2`, ` 9:33 7-OCT-14`. `None` when it is no time.
pub(crate) fn clock(data: &[u8]) -> Option<DeviceTime> {
    let mut reader = Reader(data);
    let hour = reader.two()?;
    reader.take(b':')?;
    let minute = reader.two()?;
    let second = if reader.take(b':').is_some() { Some(reader.two()?) } else { None };
    let day = reader.two()?;
    reader.take(b'-')?;
    let (month, rest) = reader.0.split_at_checked(3)?;
    let month =
        MONTHS.iter().find(|(name, _)| name.eq_ignore_ascii_case(month)).map(|(_, number)| *number)?;
    reader.0 = rest;
    // One device writes a space for it.
    let _ = reader.take(b'-');
    let year = reader.year()?;
    // One place reads all times, and knows which of them there are.
    let mut stamp = [b'0'; 14];
    let parts = [
        year / 100,
        year % 100,
        month.into(),
        day.into(),
        hour.into(),
        minute.into(),
        second.unwrap_or(0).into(),
    ];
    for (pair, part) in stamp.chunks_exact_mut(2).zip(parts) {
        if let ([high, low], Ok(part)) = (pair, u8::try_from(part)) {
            *high = b'0'.wrapping_add(part / 10);
            *low = b'0'.wrapping_add(part % 10);
        }
    }
    let (stamp, precision) = if second.is_some() {
        (stamp.get(..14)?, Precision::Second)
    } else {
        (stamp.get(..12)?, Precision::Minute)
    };
    DeviceTime::parse(stamp).ok().filter(|time| time.precision == precision)
}

/// Reads from the front.
struct Reader<'r>(&'r [u8]);

impl Reader<'_> {
    fn take(&mut self, byte: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[byte])?;
        Some(())
    }

    fn digit(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first().filter(|(first, _)| first.is_ascii_digit())?;
        self.0 = rest;
        Some(first.wrapping_sub(b'0'))
    }

    /// One or two digits behind any spaces.
    fn two(&mut self) -> Option<u8> {
        self.0 = self.0.trim_ascii_start();
        let first = self.digit()?;
        Some(match self.digit() {
            Some(second) => first.wrapping_mul(10).wrapping_add(second),
            None => first,
        })
    }

    /// Two digits of a year from 1980 to 2079, one digit of a year from 2000 on, or four; then the end.
    fn year(&mut self) -> Option<u16> {
        let rest = self.0.trim_ascii();
        let short = matches!(rest.len(), 1 | 2 | 4) && rest.iter().all(u8::is_ascii_digit);
        let year =
            rest.iter().fold(0u16, |n, b| n.wrapping_mul(10).wrapping_add(u16::from(b.wrapping_sub(b'0'))));
        match (short, rest.len()) {
            (false, _) => None,
            (_, 4) => Some(year),
            _ if year < 80 => Some(year.saturating_add(2000)),
            _ => Some(year.saturating_add(1900)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> String {
        clock(text.as_bytes()).map_or_else(|| "-".to_owned(), |time| time.to_string())
    }

    #[test]
    fn a_clock_is_read_in_every_shape_that_was_seen() {
        for (text, read) in [
            ("11:11:1911-NOV-93", "19931111111119"),
            ("  8:06:05  4-MAR  2", "20020304080605"),
            ("  8:06:05  4-MAR-  2", "20020304080605"),
            (" 9:33 7-OCT-14", "201410070933"),
            (" 9:33:00 7-OKT-14", "20141007093300"),
            (" 9:33 07-OCT-14", "201410070933"),
            ("09:33 7-OKT-14", "201410070933"),
            ("09:33:00 07-OKT-14", "20141007093300"),
            ("23:59:5931-DEZ-26", "20261231235959"),
            ("00:00:00 1-MAI-26", "20260501000000"),
            ("00:00:0001-m[r-26", "20260301000000"),
            ("00:00:0001-MRZ-2026", "20260301000000"),
        ] {
            assert_eq!(time(text), read, "{text}");
        }
        for text in [
            "",
            "1",
            "11:11",
            "11:11:19",
            "24:00:0001-JAN-26",
            "11:60:0001-JAN-26",
            "11:11:1931-FEB-26",
            "11:11:1911-XXX-93",
            "11:11:1911-NOV-",
            "11:11:1911-NOV-93 x",
            "11:11:1911-NOV-193",
            "--:--:----NOV-93",
        ] {
            assert_eq!(time(text), "-", "{text}");
        }
    }

    #[test]
    fn numbers_are_the_devices_digits() {
        use Number::{Apart, Blank, Other, Plain};
        for (field, read) in [
            (" 98 ", Plain(b"98")),
            ("12.4", Plain(b"12.4")),
            ("-3.5", Plain(b"-3.5")),
            ("   0", Plain(b"0")),
            ("0015", Plain(b"0015")),
            ("    ", Blank),
            ("-  5", Apart { negative: true, whole: b"5", fraction: b"" }),
            ("- .5", Apart { negative: true, whole: b"", fraction: b"5" }),
            (" .50", Apart { negative: false, whole: b"", fraction: b"50" }),
            (" 12.", Apart { negative: false, whole: b"12", fraction: b"" }),
            ("----", Other(b"----")),
            ("1 2 ", Other(b"1 2")),
            ("1:2 ", Other(b"1:2")),
            ("  . ", Other(b".")),
            ("1.2.", Other(b"1.2.")),
        ] {
            assert_eq!(number(field.as_bytes()), read, "{field}");
        }
    }

    #[test]
    fn records_take_all_they_can_and_leave_the_rest() {
        let mut values = Records::new(Shape::Values, b"EB 98 E1 70 xG 12 5");
        let all: Vec<_> = values.by_ref().map(|record| (record.code, record.field, record.at)).collect();
        assert_eq!(all, [(Some(0xEB), b" 98 ".as_slice(), 0), (Some(0xE1), b" 70 ", 6), (None, b" 12 ", 12)]);
        assert_eq!(values.rest(), b"5");
        let mut settings = Records::new(Shape::Settings, b"0B  5.00145.0 ");
        let all: Vec<_> = settings.by_ref().map(|record| (record.code, record.field)).collect();
        assert_eq!(all, [(Some(0x0B), b"  5.0".as_slice()), (Some(0x01), b"45.0 ")]);
        let mut alarms = Records::new(Shape::Alarms, b"O98APNOEA !!!  119MV LOW      ");
        let all: Vec<_> =
            alarms.by_ref().map(|record| (record.priority, record.code, record.field)).collect();
        assert_eq!(all, [(31, Some(0x98), b"APNOEA !!!  ".as_slice()), (1, Some(0x19), b"MV LOW      ")]);
        let mut texts = Records::new(Shape::Texts, b"014IPPV\x030A4CPAP\x0320P");
        let all: Vec<_> = texts.by_ref().map(|record| (record.code, record.field)).collect();
        assert_eq!(all, [(Some(0x01), b"IPPV".as_slice()), (Some(0x0A), b"CPAP")]);
        assert_eq!(texts.rest(), b"20P");
        // The longest has 32 characters, and its length is `P`.
        let longest = [b"2CP".as_slice(), &[b'x'; 32], b"\x03"].concat();
        assert_eq!(
            Records::new(Shape::Texts, &longest).map(|record| record.field.len()).collect::<Vec<_>>(),
            [32]
        );
        assert_eq!(Records::new(Shape::Texts, b"014IPPVx").next(), None);
    }

    #[test]
    fn what_is_no_whole_answer_is_found() {
        for (command, data) in [
            (0x24, b"".as_slice()),
            (0x24, b"EB 98 E1 70 "),
            (0x24, b"EB----78    7D -.5"),
            (0x26, b"EBOFF "),
            (0x24, b"A21:05"),
            (0x29, b"0B  5.0"),
            (0x27, b"O98APNOEA !!!  "),
            (0x2A, b"014IPPV\x03"),
            (0x28, b"11:11:1911-NOV-93"),
            (0x52, b"82"),
        ] {
            assert!(is_whole(command, data), "{command:02X} {}", String::from_utf8_lossy(data));
        }
        for (command, data) in [
            (0x24, b"EB 98 E1 70".as_slice()),
            (0x24, b"EG 98 "),
            (0x24, b"EB 9x "),
            (0x24, b"EB 9: "),
            (0x24, b"EB 9\x008"),
            (0x29, b"0B  5.0 "),
            (0x27, b"098APNOEA !!!  "),
            (0x27, b"P98APNOEA !!!  "),
            (0x2A, b"014IPPVx"),
            (0x2A, b"014IP\x00V\x03"),
            (0x28, b"31:11:1911-NOV-93"),
            (0x28, b""),
        ] {
            assert!(!is_whole(command, data), "{command:02X} {}", String::from_utf8_lossy(data));
        }
    }

    #[test]
    fn another_value_or_a_new_one_was_taken() {
        let records = |data: &'static [u8]| Records::new(Shape::Values, data);
        let new = |before: Option<&'static [u8]>| -> Vec<_> {
            records(b"96 1208C  7491    ")
                .filter(|record| is_taken(before, record))
                .map(|record| record.code.unwrap())
                .collect()
        };
        assert_eq!(new(None), [0x96, 0x8C]);
        assert_eq!(new(Some(b"96 120")), [0x8C]);
        assert_eq!(new(Some(b"96 1218C 74 ")), [0x96]);
    }

    #[test]
    fn an_identification_is_read_as_far_as_it_goes() {
        let whole = Identity::read(b"8240'Evita 4'04.20:03.00");
        assert_eq!((whole.id, whole.name), (b"8240".as_slice(), b"Evita 4".as_slice()));
        assert_eq!((whole.device, whole.medibus), (b"04.20".as_slice(), b"03.00".as_slice()));
        assert!(whole.takes_arguments());
        let odd = Identity::read(b"5510'Primus 'S''04.53:02.99");
        assert_eq!((odd.name, odd.medibus), (b"Primus 'S'".as_slice(), b"02.99".as_slice()));
        assert!(!odd.takes_arguments());
        assert!(Identity::read(b"5000'V500'02.20:10.00").takes_arguments());
        assert_eq!(Identity::read(b"82"), Identity { id: b"82", ..Identity::default() });
        assert_eq!(Identity::read(b""), Identity::default());
        assert_eq!(Identity::read(b"8240'Evita").name, b"Evita");
        assert!(!Identity::read(b"8240'Evita'xx:yy").takes_arguments());
    }
}
