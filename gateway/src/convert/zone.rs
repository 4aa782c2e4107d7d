//! Offsets from UTC for an instrument's civil times, by the site's zone.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use orugate_protocol::oru::Zone;
use orugate_protocol::time::{DeviceTime, Utc};

/// The site's zone, seen from the time at which a message was received.
pub struct SiteZone<'a> {
    /// The zone.
    pub zone: &'a TimeZone,
    /// When the message came: decides between the two readings of the hour that autumn repeats.
    pub received: Utc,
}

impl SiteZone<'_> {
    /// A time of the instrument, in seconds since 1970; `None` when it has no time of day, or one that the zone never showed.
    #[must_use]
    pub fn instant(&self, time: &DeviceTime) -> Option<i64> {
        let offset = time.offset.or_else(|| self.of(time))?;
        let offset = Offset::from_seconds(i32::from(offset).checked_mul(60)?).ok()?;
        Some(offset.to_timestamp(civil(time)?).ok()?.as_second())
    }
}

/// Parts that the instrument did not write are their least value.
fn civil(time: &DeviceTime) -> Option<DateTime> {
    let part = |n: u8| i8::try_from(n).ok();
    let [month, day, hour] = [part(time.month)?, part(time.day)?, part(time.hour)?];
    let [minute, second] = [part(time.minute)?, part(time.second)?];
    DateTime::new(i16::try_from(time.year).ok()?, month, day, hour, minute, second, 0).ok()
}

impl Zone for SiteZone<'_> {
    fn at(&self, instant: Utc) -> i16 {
        Timestamp::from_microsecond(instant.0).map_or(0, |t| minutes(self.zone.to_offset(t)))
    }

    fn of(&self, time: &DeviceTime) -> Option<i16> {
        if !time.has_time_of_day() {
            return None;
        }
        let time = civil(time)?;
        match self.zone.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => Some(minutes(offset)),
            // The clock never showed this time: no offset is asserted.
            AmbiguousOffset::Gap { .. } => None,
            AmbiguousOffset::Fold { before, after } => {
                // The instant nearest to, and not after, the time of receipt.
                let later = after.to_timestamp(time).ok()?;
                Some(minutes(if later.as_microsecond() <= self.received.0 { after } else { before }))
            }
        }
    }
}

fn minutes(offset: Offset) -> i16 {
    i16::try_from(offset.seconds() / 60).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stamp: &str, received: &str) -> Option<i16> {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let received = Utc(received.parse::<Timestamp>().unwrap().as_microsecond());
        SiteZone { zone: &zone, received }.of(&DeviceTime::parse(stamp.as_bytes()).unwrap())
    }

    #[test]
    fn summer_winter_fold_and_gap() {
        let later = "2026-12-01T00:00:00Z";
        assert_eq!(of("20260701120000", later), Some(120));
        assert_eq!(of("20261201120000", later), Some(60));
        // 02:30 on 25 October 2026 happens twice: at 00:30Z and at 01:30Z.
        assert_eq!(of("20261025023000", "2026-10-25T00:31:00Z"), Some(120));
        assert_eq!(of("20261025023000", "2026-10-25T01:31:00Z"), Some(60));
        // 02:30 on 29 March 2026 never happens.
        assert_eq!(of("20260329023000", later), None);
        assert_eq!(of("20260701", later), None);
    }
}
