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

impl Zone for SiteZone<'_> {
    fn at(&self, instant: Utc) -> i16 {
        Timestamp::from_microsecond(instant.0).map_or(0, |t| minutes(self.zone.to_offset(t)))
    }

    fn of(&self, civil: &DeviceTime) -> Option<i16> {
        if !civil.has_time_of_day() {
            return None;
        }
        let part = |n: u8| i8::try_from(n).ok();
        let time = DateTime::new(
            i16::try_from(civil.year).ok()?,
            part(civil.month)?,
            part(civil.day)?,
            part(civil.hour)?,
            part(civil.minute)?,
            part(civil.second)?,
            0,
        )
        .ok()?;
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
