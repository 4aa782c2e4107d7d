//! Three times, three types, so that none is taken for another.
//!
//! [`Tick`] is monotonic and only good for waiting. [`Utc`] is the gateway's own wall clock. [`DeviceTime`] is what
//! an instrument wrote: civil time of some precision, mostly without a zone. No clock is read here.

use core::fmt;
use core::time::Duration;

/// A point on a monotonic clock, in microseconds since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(u64);

impl Tick {
    /// The clock's origin.
    pub const ZERO: Self = Self(0);

    /// A tick so many microseconds after the origin.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the origin.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// This tick and a wait; saturates after 584,000 years.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to here; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// The gateway's wall clock: microseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Utc(pub i64);

/// How far the gateway's wall clock can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockQuality {
    /// The system says that it is synchronised.
    Synchronised,
    /// Not before the newest time in the journal, but nothing vouches for it.
    Plausible,
    /// Before the newest time in the journal, or before the software was built.
    Unset,
}

/// How much of a [`DeviceTime`] the instrument wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Precision {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// A civil time as an instrument wrote it. Parts beyond the [`Precision`] are their least value and mean nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct DeviceTime {
    pub year: u16,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
    pub precision: Precision,
    /// Offset from UTC in minutes, east positive, when the instrument sent one.
    pub offset: Option<i16>,
}

/// Why bytes are not a time stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeError {
    /// Not `YYYY[MM[DD[HH[MM[SS]]]]]` with an optional `+ZZZZ`; the offset of the first wrong byte.
    Syntax(usize),
    /// Digits that name no time, such as month 13.
    Range,
}

impl DeviceTime {
    /// Reads `YYYY[MM[DD[HH[MM[SS]]]]][+/-ZZZZ]` (LIS02 2.3, HL7 TS); fractions of a second are accepted and dropped.
    ///
    /// # Errors
    /// [`TimeError`] when the bytes are no such stamp.
    pub fn parse(bytes: &[u8]) -> Result<Self, TimeError> {
        let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
        let (stamp, mut rest) = bytes.split_at_checked(digits).ok_or(TimeError::Syntax(0))?;
        let precision = match digits {
            4 => Precision::Year,
            6 => Precision::Month,
            8 => Precision::Day,
            10 => Precision::Hour,
            12 => Precision::Minute,
            14 => Precision::Second,
            n => return Err(TimeError::Syntax(n)),
        };
        let part = |from: usize, len: usize, default: u16| -> u16 {
            stamp.get(from..from.saturating_add(len)).map_or(default, |d| {
                d.iter().fold(0u16, |n, b| n.wrapping_mul(10).wrapping_add(u16::from(b.wrapping_sub(b'0'))))
            })
        };
        let small = |from: usize, default: u16| u8::try_from(part(from, 2, default)).unwrap_or(u8::MAX);
        // Only a second has a fraction here: "2026.5" is a number, not a time.
        if precision == Precision::Second
            && let Some((b'.', fraction)) = rest.split_first()
        {
            let n = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            rest = fraction.get(n..).unwrap_or_default();
        }
        let offset = match rest {
            [] => None,
            [sign @ (b'+' | b'-'), zone @ ..] if zone.len() == 4 && zone.iter().all(u8::is_ascii_digit) => {
                let zone = zone
                    .iter()
                    .fold(0i16, |n, b| n.wrapping_mul(10).wrapping_add(i16::from(b.wrapping_sub(b'0'))));
                let past_hour = zone.wrapping_rem(100);
                let minutes = zone.wrapping_div(100).wrapping_mul(60).wrapping_add(past_hour);
                if past_hour > 59 || minutes > 14 * 60 {
                    return Err(TimeError::Range);
                }
                Some(if *sign == b'-' { minutes.wrapping_neg() } else { minutes })
            }
            _ => return Err(TimeError::Syntax(bytes.len().saturating_sub(rest.len()))),
        };
        let time = Self {
            year: part(0, 4, 0),
            month: small(4, 1),
            day: small(6, 1),
            hour: small(8, 0),
            minute: small(10, 0),
            second: small(12, 0),
            precision,
            offset,
        };
        let leap =
            time.year.is_multiple_of(4) && (!time.year.is_multiple_of(100) || time.year.is_multiple_of(400));
        let days = match time.month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => 0,
        };
        let good = time.year >= 1000
            && (1..=days).contains(&time.day)
            && time.hour < 24
            && time.minute < 60
            && time.second < 60;
        if good { Ok(time) } else { Err(TimeError::Range) }
    }

    /// True when it has an hour: only such a time can carry an offset from UTC.
    #[must_use]
    pub fn has_time_of_day(&self) -> bool {
        self.precision >= Precision::Hour
    }
}

/// HL7 TS without an offset: as many digits as the instrument wrote, never padded.
impl fmt::Display for DeviceTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.year)?;
        let parts = [
            (Precision::Month, self.month),
            (Precision::Day, self.day),
            (Precision::Hour, self.hour),
            (Precision::Minute, self.minute),
            (Precision::Second, self.second),
        ];
        for (precision, value) in parts {
            if self.precision >= precision {
                write!(f, "{value:02}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn keeps_the_precision_that_was_written() {
        for stamp in ["2026", "202611", "20261123", "2026112309", "202611230931", "20261123093159"] {
            assert_eq!(DeviceTime::parse(stamp.as_bytes()).unwrap().to_string(), stamp);
        }
    }

    #[test]
    fn reads_offsets_and_refuses_what_is_no_time() {
        assert_eq!(DeviceTime::parse(b"20261123093159-0330").unwrap().offset, Some(-210));
        assert_eq!(DeviceTime::parse(b"20261123093159.123+0100").unwrap().offset, Some(60));
        assert_eq!(DeviceTime::parse(b"20261323"), Err(TimeError::Range));
        assert_eq!(DeviceTime::parse(b"20230229"), Err(TimeError::Range));
        assert_eq!(DeviceTime::parse(b"202611231"), Err(TimeError::Syntax(9)));
        assert_eq!(DeviceTime::parse(b"20261123x"), Err(TimeError::Syntax(8)));
        assert_eq!(DeviceTime::parse(b""), Err(TimeError::Syntax(0)));
        assert_eq!(DeviceTime::parse(b"20261123093159+0060"), Err(TimeError::Range));
        assert_eq!(DeviceTime::parse(b"2026.5"), Err(TimeError::Syntax(4)));
        assert_eq!(DeviceTime::parse(b"202611230931.5"), Err(TimeError::Syntax(12)));
    }
}
