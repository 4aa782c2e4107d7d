//! What attributes say: numbers, states, texts, times.

use crate::pdu::Attributes;
use crate::read::Reader;
use orugate_driver::time::{DeviceTime, Precision};

/// Attribute ids.
pub(crate) mod id {
    /// Compound numeric observed value.
    pub(crate) const COMPOUND: u16 = 0x094B;
    /// Numeric observed value.
    pub(crate) const NUMERIC: u16 = 0x0950;
    /// What it is called, by number.
    pub(crate) const LABEL: u16 = 0x0924;
    /// What it is called, in words.
    pub(crate) const LABEL_TEXT: u16 = 0x0927;
    /// How it is measured.
    pub(crate) const METRIC: u16 = 0x093F;
    pub(crate) const UNIT: u16 = 0x0996;
    /// When it was measured, in the monitor's local time.
    pub(crate) const TIME_STAMP: u16 = 0x0990;
    /// The monitor's MAC address.
    pub(crate) const SYSTEM: u16 = 0x0984;
    /// What kind of device.
    pub(crate) const SYSTEM_TYPE: u16 = 0x0986;
    pub(crate) const MODEL: u16 = 0x0928;
    pub(crate) const PRODUCTION: u16 = 0x092D;
    pub(crate) const BED: u16 = 0x091E;
    pub(crate) const CLOCK: u16 = 0x0987;
    pub(crate) const RELATIVE: u16 = 0x098F;
    /// The patient's id.
    pub(crate) const PATIENT: u16 = 0x095A;
    /// Addresses.
    pub(crate) const NETWORK: u16 = 0xF100;
    /// The patient's number within the monitor, which changes with each admission.
    pub(crate) const PATIENT_INSIDE: u16 = 0xF001;
    pub(crate) const GIVEN: u16 = 0x095D;
    pub(crate) const FAMILY: u16 = 0x095C;
    /// What the monitor is doing.
    pub(crate) const MODE: u16 = 0x0946;
    pub(crate) const POLL_SUPPORT: u16 = 0x0001;
    pub(crate) const POLL_EXTENSION: u16 = 0xF001;
    /// How long a poll goes on.
    pub(crate) const PERIOD: u16 = 0xF13E;
}

/// Bits of [`Observed::state`].
pub(crate) mod state {
    pub(crate) const INVALID: u16 = 0x8000;
    pub(crate) const QUESTIONABLE: u16 = 0x4000;
    pub(crate) const UNAVAILABLE: u16 = 0x2000;
    pub(crate) const CALIBRATING: u16 = 0x1000;
    pub(crate) const TEST: u16 = 0x0800;
    pub(crate) const DEMO: u16 = 0x0400;
    pub(crate) const VALIDATED: u16 = 0x0080;
    pub(crate) const EARLY: u16 = 0x0040;
    pub(crate) const MEASURING: u16 = 0x0020;
    pub(crate) const IN_ALARM: u16 = 0x0002;
    pub(crate) const ALARMS_OFF: u16 = 0x0001;
}

/// Bits of the monitor's mode.
pub(crate) mod mode {
    pub(crate) const DEMO: u16 = 0x2000;
    pub(crate) const SERVICE: u16 = 0x1000;
    pub(crate) const STANDBY: u16 = 0x0002;
}

/// One numeric value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Observed {
    /// What was measured.
    pub(crate) physio: u16,
    pub(crate) state: u16,
    pub(crate) unit: u16,
    pub(crate) value: Float,
}

impl Observed {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            physio: reader.u16()?,
            state: reader.u16()?,
            unit: reader.u16()?,
            value: Float::from_word(reader.u32()?),
        })
    }
}

/// All values of an object: none, one, or those of a compound.
pub(crate) fn observed<'a>(attributes: Attributes<'a>) -> impl Iterator<Item = Observed> + use<'a> {
    let single = attributes.find(id::NUMERIC).unwrap_or_default();
    let compound = attributes.find(id::COMPOUND).and_then(|value| value.get(4..)).unwrap_or_default();
    let (mut single, mut compound) = (Reader::new(single), Reader::new(compound));
    std::iter::from_fn(move || Observed::read(&mut single).or_else(|| Observed::read(&mut compound)))
}

/// A number with its power of ten, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Float {
    Number {
        mantissa: i32,
        exponent: i8,
    },
    /// No number.
    Nothing,
    /// It cannot be told at this resolution.
    Resolution,
    Over,
    Under,
    /// A value that means nothing.
    Reserved,
}

impl Float {
    pub(crate) const fn from_word(word: u32) -> Self {
        let [exponent, high, middle, low] = word.to_be_bytes();
        match word & 0x00FF_FFFF {
            0x7F_FFFF => Self::Nothing,
            0x80_0000 => Self::Resolution,
            0x7F_FFFE => Self::Over,
            0x80_0002 => Self::Under,
            0x80_0001 => Self::Reserved,
            _ => {
                let sign = if high & 0x80 == 0 { 0 } else { 0xFF };
                let mantissa = i32::from_be_bytes([sign, high, middle, low]);
                Self::Number { mantissa, exponent: i8::from_be_bytes([exponent]) }
            }
        }
    }
}

/// How a numeric is measured, of its metric specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Metric {
    category: u16,
    access: u16,
}

impl Metric {
    pub(crate) fn read(value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(value);
        reader.u32()?;
        Some(Self { category: reader.u16()?, access: reader.u16()? })
    }

    /// Somebody set it.
    pub(crate) const fn is_set(self) -> bool {
        matches!(self.category, 3 | 4)
    }

    /// It comes of other values.
    pub(crate) const fn is_calculated(self) -> bool {
        matches!(self.category, 5 | 6)
    }

    /// It is measured now and then, not all the time.
    pub(crate) const fn is_intermittent(self) -> bool {
        self.access & 0x1000 != 0
    }
}

/// A time in BCD; `None` when it is not filled in or no time.
pub(crate) fn time(value: &[u8]) -> Option<DeviceTime> {
    let mut reader = Reader::new(value);
    let mut two = || {
        let byte = reader.u8()?;
        let (tens, ones) = (byte >> 4, byte & 0x0F);
        (tens < 10 && ones < 10).then(|| tens.saturating_mul(10).saturating_add(ones))
    };
    let (century, year) = (two()?, two()?);
    let time = DeviceTime {
        year: u16::from(century).saturating_mul(100).saturating_add(u16::from(year)),
        month: two()?,
        day: two()?,
        hour: two()?,
        minute: two()?,
        second: two()?,
        precision: Precision::Second,
        offset: None,
    };
    // 1970 at least: a monitor without a clock counts from the year 0.
    let good = (1..=12).contains(&time.month)
        && (1..=31).contains(&time.day)
        && time.hour < 24
        && time.minute < 60
        && time.second < 60
        && time.year >= 1970;
    good.then_some(time)
}

/// The characters of a counted UTF-16 text, without what fills it up.
pub(crate) fn wide(value: &[u8]) -> impl Iterator<Item = char> + Clone + use<'_> {
    let text = Reader::new(value).counted().unwrap_or_default();
    let mut len = text.len() & !1;
    while let Some([high, low]) = len.checked_sub(2).and_then(|from| text.get(from..len))
        && (*high == 0 && matches!(low, 0 | b' '))
    {
        len = len.saturating_sub(2);
    }
    let units = text.get(..len).unwrap_or_default().chunks_exact(2);
    char::decode_utf16(units.map(|unit| match unit {
        [high, low] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    }))
    .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
    .take_while(|unit| *unit != '\0')
}

/// A counted text of single bytes, without what fills it up; behind a zero may be anything.
pub(crate) fn narrow<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let mut text = reader.counted()?.split(|byte| *byte == 0).next()?;
    while let [rest @ .., b' '] = text {
        text = rest;
    }
    while let [b' ', rest @ ..] = text {
        text = rest;
    }
    Some(text)
}

/// The identity of a device by its MAC address: `FFFE` goes into the middle. A MAC address of nothing but zeros or ones is none.
pub(crate) fn eui64(mac: &[u8]) -> Option<u64> {
    let [a, b, c, d, e, f] = *mac.first_chunk::<6>()?;
    let none = mac.iter().take(6).all(|byte| *byte == 0) || mac.iter().take(6).all(|byte| *byte == 0xFF);
    (!none).then(|| u64::from_be_bytes([a, b, c, 0xFF, 0xFE, d, e, f]))
}

/// A system id is mostly a counted MAC address; newer monitors send the 64 bits themselves.
pub(crate) fn system(value: &[u8]) -> Option<u64> {
    let id = Reader::new(value).counted()?;
    match id.len() {
        6 => eui64(id),
        8 => id.first_chunk().map(|id| u64::from_be_bytes(*id)).filter(|id| !matches!(*id, 0 | u64::MAX)),
        _ => None,
    }
}

/// Whether one relative time is after another: they turn over after six days.
pub(crate) const fn is_later(time: u32, than: u32) -> bool {
    let ahead = time.wrapping_sub(than);
    ahead != 0 && ahead < 0x8000_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_of_every_kind() {
        assert_eq!(Float::from_word(0xFE00_2616), Float::Number { mantissa: 9750, exponent: -2 });
        assert_eq!(Float::from_word(0x00FF_FFFF), Float::Number { mantissa: -1, exponent: 0 });
        assert_eq!(Float::from_word(0x007F_FFFD), Float::Number { mantissa: 0x7F_FFFD, exponent: 0 });
        assert_eq!(Float::from_word(0x007F_FFFF), Float::Nothing);
        assert_eq!(Float::from_word(0xFF80_0000), Float::Resolution);
        assert_eq!(Float::from_word(0x007F_FFFE), Float::Over);
        assert_eq!(Float::from_word(0x0080_0002), Float::Under);
        assert_eq!(Float::from_word(0x0080_0001), Float::Reserved);
    }

    #[test]
    fn times_in_bcd() {
        let time_of = |bytes| time(bytes).map(|t| (t.year, t.month, t.day, t.hour, t.minute, t.second));
        assert_eq!(time_of(&[0x20, 0x14, 0x04, 0x11, 0x14, 0x39, 0x18, 0]), Some((2014, 4, 11, 14, 39, 18)));
        assert_eq!(time_of(&[0xFF; 8]), None);
        assert_eq!(time_of(&[0x20, 0x14, 0x13, 0x11, 0x14, 0x39, 0x18, 0]), None);
        assert_eq!(time_of(&[0x20, 0x1A, 0x04, 0x11, 0x14, 0x39, 0x18, 0]), None);
        assert_eq!(time_of(&[0; 8]), None);
        assert_eq!(time_of(&[0x20]), None);
    }

    #[test]
    fn texts_lose_what_fills_them_up() {
        let label = [0, 14, 0x03, 0x94, 0, b'S', 0, b'p', 0, b'O', 0x20, 0x82, 0, b' ', 0, 0];
        assert_eq!(wide(&label).collect::<String>(), "ΔSpO₂");
        assert_eq!(wide(&[0, 2, 0, 0]).collect::<String>(), "");
        assert_eq!(wide(&[0, 9, 0, b'x']).collect::<String>(), "");
        assert_eq!(wide(&[0, 3, 0, b'x', 0]).collect::<String>(), "x");
        let mut reader = Reader::new(b"\0\x08 M8000\0\0rest");
        assert_eq!(narrow(&mut reader), Some(&b"M8000"[..]));
    }

    #[test]
    fn a_mac_address_becomes_an_eui64() {
        let id = [0, 6, 0x00, 0x09, 0xFB, 0x70, 0x57, 0x1D];
        assert_eq!(system(&id), Some(0x0009_FBFF_FE70_571D));
        assert_eq!(system(&[0, 6, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(system(&[0, 6, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]), None);
        assert_eq!(system(&[0, 8, 1, 2, 3, 4, 5, 6, 7, 8]), Some(0x0102_0304_0506_0708));
        assert_eq!(system(&[0, 3, 1, 2, 3]), None);
    }

    #[test]
    fn relative_time_turns_over() {
        assert!(is_later(5, 3) && !is_later(3, 5) && !is_later(3, 3));
        assert!(is_later(10, u32::MAX - 10));
    }
}
