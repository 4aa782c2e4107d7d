//! Offsets from UTC for an instrument's civil times, by the zone of its clock.
//!
//! Promises: in the hour that autumn repeats, the reading that is nearest to the time of receipt and not after it; in the one
//! that spring skips, no offset at all.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use orugate_protocol::oru::{Local, Zone};
use orugate_protocol::time::{DeviceTime, Precision, Utc};

/// The zones of an instrument and of its site, seen from the time at which a message was received.
#[derive(Clone, Copy)]
pub struct SiteZone<'a> {
    /// The zone of the instrument's clock.
    pub instrument: &'a TimeZone,
    /// The zone in which the gateway writes its own times.
    pub site: &'a TimeZone,
    /// When the message came: decides between the two readings of the hour that autumn repeats.
    pub received: Utc,
}

impl Zone for SiteZone<'_> {
    fn at(&self, instant: Utc) -> i16 {
        Timestamp::from_microsecond(instant.0).map_or(0, |t| minutes(self.site.to_offset(t)))
    }

    fn of(&self, civil: &DeviceTime) -> Local {
        civil_time(civil).map_or(Local::Date, |time| self.local(time))
    }
}

impl SiteZone<'_> {
    fn local(&self, time: DateTime) -> Local {
        match self.instrument.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => Local::Offset(minutes(offset)),
            // The clock never showed this time: no offset is asserted.
            AmbiguousOffset::Gap { .. } => Local::Skipped,
            AmbiguousOffset::Fold { before, after } => {
                // The instant nearest to, and not after, the time of receipt. When both are after it, the first is nearer.
                let later = after.to_timestamp(time).map_or(i64::MAX, |later| later.as_microsecond());
                Local::Twice(minutes(if later <= self.received.0 { after } else { before }))
            }
        }
    }

    /// The instant of a device time that has minutes, by the offset that it carries or by the zone. `None` for one that no
    /// clock showed.
    #[must_use]
    pub fn instant(&self, civil: &DeviceTime) -> Option<Utc> {
        let time = civil_time(civil).filter(|_| civil.precision >= Precision::Minute)?;
        let offset = civil.offset.or_else(|| self.local(time).offset())?;
        let offset = Offset::from_seconds(i32::from(offset).checked_mul(60)?).ok()?;
        Some(Utc(offset.to_timestamp(time).ok()?.as_microsecond()))
    }
}

/// `None` for what is no time of a day.
fn civil_time(civil: &DeviceTime) -> Option<DateTime> {
    if !civil.has_time_of_day() {
        return None;
    }
    let part = |n: u8| i8::try_from(n).ok();
    let (hour, minute, second) = (part(civil.hour)?, part(civil.minute)?, part(civil.second)?);
    let year = i16::try_from(civil.year).ok()?;
    DateTime::new(year, part(civil.month)?, part(civil.day)?, hour, minute, second, 0).ok()
}

fn minutes(offset: Offset) -> i16 {
    i16::try_from(offset.seconds() / 60).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a device time is, seen from several times of receipt, in a zone.
    fn read(zone: &str, stamp: &str, received: &[&str]) -> Vec<(Local, Option<String>)> {
        let zone = TimeZone::get(zone).unwrap();
        let time = DeviceTime::parse(stamp.as_bytes()).unwrap();
        let seen_from = |received: &&str| {
            let received = Utc(received.parse::<Timestamp>().unwrap().as_microsecond());
            let zone = SiteZone { instrument: &zone, site: &TimeZone::UTC, received };
            let instant =
                zone.instant(&time).map(|at| Timestamp::from_microsecond(at.0).unwrap().to_string());
            (zone.of(&time), instant)
        };
        received.iter().map(seen_from).collect()
    }

    fn one(zone: &str, stamp: &str, received: &str) -> (Local, Option<String>) {
        read(zone, stamp, &[received]).remove(0)
    }

    fn known(minutes: i16, instant: &str) -> (Local, Option<String>) {
        (Local::Offset(minutes), Some(instant.to_owned()))
    }

    fn twice(minutes: i16, instant: &str) -> (Local, Option<String>) {
        (Local::Twice(minutes), Some(instant.to_owned()))
    }

    #[test]
    fn berlin_in_summer_in_winter_and_in_both_of_its_nights() {
        let later = "2026-12-01T00:00:00Z";
        assert_eq!(one("Europe/Berlin", "20260701120000", later), known(120, "2026-07-01T10:00:00Z"));
        assert_eq!(one("Europe/Berlin", "20261201120000", later), known(60, "2026-12-01T11:00:00Z"));
        // 02:30 on 25 October 2026 happens twice: at 00:30Z and at 01:30Z.
        let (first, second) = (twice(120, "2026-10-25T00:30:00Z"), twice(60, "2026-10-25T01:30:00Z"));
        let received = [
            "2026-10-25T00:20:00Z", // its clock is ahead, or the box's behind: the first is nearer
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:29:59Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T03:00:00Z",
            "2026-11-02T08:00:00Z",
        ];
        let expected = [&first, &first, &first, &second, &second, &second].map(Clone::clone);
        assert_eq!(read("Europe/Berlin", "20261025023000", &received), expected);
        assert_eq!(one("Europe/Berlin", "20261025015959", received[0]), known(120, "2026-10-24T23:59:59Z"));
        assert_eq!(one("Europe/Berlin", "20261025030000", received[5]), known(60, "2026-10-25T02:00:00Z"));
        // 02:30 on 29 March 2026 never happens.
        for received in ["2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", later] {
            assert_eq!(one("Europe/Berlin", "20260329023000", received), (Local::Skipped, None));
        }
        assert_eq!(one("Europe/Berlin", "20260329030000", later), known(120, "2026-03-29T01:00:00Z"));
        assert_eq!(one("Europe/Berlin", "20260701", later), (Local::Date, None));
    }

    #[test]
    fn the_south_has_its_autumn_in_april() {
        // 02:30 on 5 April 2026 in Sydney: at 15:30Z and at 16:30Z of the day before.
        let received = ["2026-04-04T15:31:00Z", "2026-04-04T16:31:00Z"];
        let expected = [twice(660, "2026-04-04T15:30:00Z"), twice(600, "2026-04-04T16:30:00Z")];
        assert_eq!(read("Australia/Sydney", "20260405023000", &received), expected);
        let skipped = one("Australia/Sydney", "20261004023000", "2026-10-03T16:30:00Z");
        assert_eq!(skipped, (Local::Skipped, None));
    }

    #[test]
    fn lord_howe_moves_its_clocks_by_half_an_hour() {
        // From 02:00 back to 01:30 on 5 April 2026: 01:45 is at 14:45Z and at 15:15Z, and 01:29 only once.
        let received = ["2026-04-04T14:46:00Z", "2026-04-04T15:14:00Z", "2026-04-04T15:16:00Z"];
        let (first, second) = (twice(660, "2026-04-04T14:45:00Z"), twice(630, "2026-04-04T15:15:00Z"));
        assert_eq!(read("Australia/Lord_Howe", "20260405014500", &received), [first.clone(), first, second]);
        let once = one("Australia/Lord_Howe", "20260405012900", received[2]);
        assert_eq!(once, known(660, "2026-04-04T14:29:00Z"));
        // From 02:00 on to 02:30 on 4 October.
        let spring = |stamp: &str| one("Australia/Lord_Howe", stamp, "2026-10-03T16:00:00Z");
        assert_eq!(spring("20261004021500"), (Local::Skipped, None));
        assert_eq!(spring("20261004023000"), known(660, "2026-10-03T15:30:00Z"));
    }

    #[test]
    fn a_device_that_does_not_switch_has_a_zone_that_does_not() {
        let fixed = |stamp: &str| one("Etc/GMT-1", stamp, "2026-12-01T00:00:00Z");
        assert_eq!(fixed("20260329023000"), known(60, "2026-03-29T01:30:00Z"));
        assert_eq!(fixed("20261025023000"), known(60, "2026-10-25T01:30:00Z"));
        assert_eq!(fixed("20260701120000"), known(60, "2026-07-01T11:00:00Z"));
    }

    #[test]
    fn an_offset_that_the_device_wrote_counts_and_an_hour_is_not_enough() {
        let read = |stamp: &str| one("Europe/Berlin", stamp, "2026-12-01T00:00:00Z").1;
        assert_eq!(read("20260329023000-0330").as_deref(), Some("2026-03-29T06:00:00Z"));
        assert_eq!(read("2026070112"), None);
        assert_eq!(read("202607011215").as_deref(), Some("2026-07-01T10:15:00Z"));
    }
}
