//! HL7 time stamps (TS/DTM, 2.5.1 section 2.A.77) as things to display.
//!
//! [`Stamp`] is an instant of the gateway's clock in a zone, to the millisecond. [`DeviceStamp`] is what an
//! instrument wrote, no part padded. Neither knows a time zone: offsets are arguments.

use crate::time::{DeviceTime, Utc};
use core::fmt;

const MICROS_PER_MILLI: i64 = 1_000;
const MILLIS_PER_MINUTE: i64 = 60_000;
const MILLIS_PER_DAY: i64 = 86_400_000;
/// 0000-03-01, where the days of [`civil`] start, is so many days before 1970-01-01.
const DAYS_TO_EPOCH: i64 = 719_468;
/// Year 0 to year 9999 in milliseconds since 1970: what four digits can say.
const LEAST: i64 = -62_167_219_200_000;
const GREATEST: i64 = 253_402_300_799_999;

/// `YYYYMMDDHHMMSS.sss+ZZZZ`: an instant, shown in a zone.
///
/// Microseconds are cut, not rounded. A time outside the years 0 to 9999 is shown as the nearest that four digits
/// can say, an offset beyond 99 h 59 min likewise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The instant.
    pub utc: Utc,
    /// Minutes that the zone is ahead of UTC, east positive.
    pub offset: i16,
}

impl Stamp {
    /// An instant in a zone `offset` minutes east of Greenwich.
    #[must_use]
    pub const fn new(utc: Utc, offset: i16) -> Self {
        Self { utc, offset }
    }
}

impl Stamp {
    /// The same without a fraction of a second, which is cut.
    #[must_use]
    pub const fn to_the_second(self) -> ToTheSecond {
        ToTheSecond(self)
    }

    /// Writes it up to the second; gives the milliseconds.
    fn start(self, f: &mut fmt::Formatter<'_>) -> Result<i64, fmt::Error> {
        let ahead = i64::from(self.offset).saturating_mul(MILLIS_PER_MINUTE);
        let local = self.utc.0.div_euclid(MICROS_PER_MILLI).saturating_add(ahead).clamp(LEAST, GREATEST);
        let (year, month, day) = civil(local.div_euclid(MILLIS_PER_DAY));
        let millis = local.rem_euclid(MILLIS_PER_DAY);
        let part = |unit: i64, count: i64| millis.div_euclid(unit).checked_rem(count).unwrap_or(0);
        let (hour, minute, second) = (part(3_600_000, 24), part(60_000, 60), part(1_000, 60));
        write!(f, "{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")?;
        Ok(part(1, 1_000))
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.start(f)?;
        write!(f, ".{millis:03}{}", Offset(self.offset))
    }
}

/// `YYYYMMDDHHMMSS+ZZZZ`: a [`Stamp`] without its fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToTheSecond(Stamp);

impl fmt::Display for ToTheSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.start(f)?;
        write!(f, "{}", Offset(self.0.offset))
    }
}

/// A [`DeviceTime`] with the offset of the instrument's zone at that instant, which the caller worked out.
///
/// The offset that the instrument itself sent comes first, and none is written to a time without an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceStamp<'a> {
    /// What the instrument wrote.
    pub time: &'a DeviceTime,
    /// Minutes that its zone is ahead of UTC, where known.
    pub offset: Option<i16>,
}

impl<'a> DeviceStamp<'a> {
    /// A device's time in a zone.
    #[must_use]
    pub const fn new(time: &'a DeviceTime, offset: Option<i16>) -> Self {
        Self { time, offset }
    }
}

impl fmt::Display for DeviceStamp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.time)?;
        match self.time.offset.or(self.offset) {
            Some(offset) if self.time.has_time_of_day() => write!(f, "{}", Offset(offset)),
            _ => Ok(()),
        }
    }
}

/// `+ZZZZ` from minutes.
struct Offset(i16);

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { '-' } else { '+' };
        let minutes = self.0.unsigned_abs().min(99 * 60 + 59);
        write!(f, "{sign}{:02}{:02}", minutes.wrapping_div(60), minutes.wrapping_rem(60))
    }
}

/// Year, month and day of a count of days since 1970-01-01, proleptic Gregorian.
///
/// Years are counted from 1 March, so that the leap day is a year's last and the months' lengths repeat every five
/// (153 days). The wrapping operations cannot wrap: `Stamp` clamps to years 0 to 9999.
fn civil(days: i64) -> (i64, i64, i64) {
    const PER_ERA: i64 = 146_097; // 400 years.
    let shifted = days.wrapping_add(DAYS_TO_EPOCH);
    let era = shifted.div_euclid(PER_ERA);
    let day_of_era = shifted.rem_euclid(PER_ERA);
    // Days without the leap days of 4, 100 and 400 years before it, in years of 365.
    let leap_days = day_of_era
        .wrapping_div(1_460)
        .wrapping_sub(day_of_era.wrapping_div(36_524))
        .wrapping_add(day_of_era.wrapping_div(146_096));
    let year_of_era = day_of_era.wrapping_sub(leap_days).wrapping_div(365);
    let before_year = year_of_era
        .wrapping_mul(365)
        .wrapping_add(year_of_era.wrapping_div(4))
        .wrapping_sub(year_of_era.wrapping_div(100));
    let day_of_year = day_of_era.wrapping_sub(before_year);
    let march_month = day_of_year.wrapping_mul(5).wrapping_add(2).wrapping_div(153);
    let before_month = march_month.wrapping_mul(153).wrapping_add(2).wrapping_div(5);
    let day = day_of_year.wrapping_sub(before_month).wrapping_add(1);
    let (month, carry) =
        if march_month < 10 { (march_month.wrapping_add(3), 0) } else { (march_month.wrapping_sub(9), 1) };
    (year_of_era.wrapping_add(era.wrapping_mul(400)).wrapping_add(carry), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn known_instants() {
        for (millis, offset, shown) in [
            (0, 0, "19700101000000.000+0000"),
            (-1, 0, "19691231235959.999+0000"),
            (-1, 60, "19700101005959.999+0100"),
            (0, -210, "19691231203000.000-0330"),
            (951_782_400_000, 0, "20000229000000.000+0000"),
            (951_868_799_999, 1, "20000301000059.999+0001"),
            (4_107_542_400_000, 0, "21000301000000.000+0000"), // 2100 has no 29 February.
            (4_107_542_399_999, 0, "21000228235959.999+0000"),
            (-2_203_891_200_000, 0, "19000301000000.000+0000"),
            (1_709_210_096_007, 345, "20240229181956.007+0545"),
            (1_795_338_905_123, 60, "20261122101505.123+0100"),
            (LEAST, 0, "00000101000000.000+0000"),
            (GREATEST, 0, "99991231235959.999+0000"),
        ] {
            assert_eq!(Stamp::new(Utc(millis * 1_000), offset).to_string(), shown);
        }
        assert_eq!(Stamp::new(Utc(-1), 0).to_string(), "19691231235959.999+0000", "cut towards the past");
        assert_eq!(Stamp::new(Utc(i64::MAX), i16::MAX).to_string(), "99991231235959.999+9959");
        assert_eq!(Stamp::new(Utc(i64::MIN), i16::MIN).to_string(), "00000101000000.000-9959");
    }

    /// Every day of 800 years against a calendar that only counts.
    #[test]
    fn counts_as_a_calendar_does() {
        let (mut year, mut month, mut day) = (1600, 1, 1);
        let start = -135_140; // 1600-01-01.
        for days in start..start + 2 * 146_097 {
            assert_eq!(civil(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > last {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!(year, 2400);
    }

    #[test]
    fn device_times_keep_their_precision_and_get_an_offset_only_with_an_hour() {
        for (raw, zone, shown) in [
            ("20261122", Some(60), "20261122"),
            ("2026112209", Some(60), "2026112209+0100"),
            ("202611220950", None, "202611220950"),
            ("20261122095000", Some(-90), "20261122095000-0130"),
            ("20261122095000+0200", Some(60), "20261122095000+0200"),
            ("2026", None, "2026"),
        ] {
            let time = DeviceTime::parse(raw.as_bytes()).unwrap();
            assert_eq!(DeviceStamp::new(&time, zone).to_string(), shown);
        }
    }
}
