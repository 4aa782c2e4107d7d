//! A monitor's clock: seconds since 1970 that say a civil time without a zone, because monitors count their own wall clock.

use orugate_driver::time::{DeviceTime, Precision};

/// The civil time; `None` for 0, by which a record says that there is none.
pub(crate) fn time(seconds: u32) -> Option<DeviceTime> {
    if seconds == 0 {
        return None;
    }
    let days = seconds / 86_400;
    let second = seconds % 86_400;
    // Years of 1461-day cycles from March 1968; 2100 is the only one in the range that is no leap year.
    let mut since = days.checked_add(671)?;
    if since >= 48_212 {
        since = since.checked_add(1)?;
    }
    let cycle = since / 1461;
    let in_cycle = since % 1461;
    let year_of = (in_cycle / 365).min(3);
    let day_of = in_cycle.checked_sub(year_of.checked_mul(365)?)?;
    // Months from March have 31, 30, 31, 30, 31 days, again and again.
    let month_of = (day_of.checked_mul(5)?.checked_add(2)?) / 153;
    let day = day_of.checked_sub((month_of.checked_mul(153)?.checked_add(2)?) / 5)?.checked_add(1)?;
    let (month, carry) =
        if month_of < 10 { (month_of.checked_add(3)?, 0) } else { (month_of.checked_sub(9)?, 1) };
    let year = 1968u32.checked_add(cycle.checked_mul(4)?)?.checked_add(year_of)?.checked_add(carry)?;
    Some(DeviceTime {
        year: u16::try_from(year).ok()?,
        month: u8::try_from(month).ok()?,
        day: u8::try_from(day).ok()?,
        hour: u8::try_from(second / 3600).ok()?,
        minute: u8::try_from(second / 60 % 60).ok()?,
        second: u8::try_from(second % 60).ok()?,
        precision: Precision::Second,
        offset: None,
    })
}

/// The seconds of `YYYYMMDDHHMMSS`, for simulators.
pub(crate) fn seconds(stamp: &str) -> Option<u32> {
    let wanted =
        DeviceTime::parse(stamp.as_bytes()).ok().filter(|time| time.precision == Precision::Second)?;
    // A search, so that there is one calendar here.
    let key = |t: &DeviceTime| (t.year, t.month, t.day, t.hour, t.minute, t.second);
    let (mut low, mut high) = (1u32, u32::MAX);
    while low < high {
        let middle = low.checked_add((high.checked_sub(low)?) / 2)?;
        if key(&time(middle)?) < key(&wanted) { low = middle.checked_add(1)? } else { high = middle }
    }
    time(low).filter(|found| *found == wanted).map(|_| low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_times_are_those_of_the_calendar() {
        for (seconds_since, stamp) in [
            (1, "19700101000001"),
            (68_169_599, "19720228235959"),
            (68_169_600, "19720229000000"),
            (951_782_400, "20000229000000"),
            (951_868_800, "20000301000000"),
            (1_532_624_765, "20180726170605"),
            (4_107_542_399, "21000228235959"),
            (4_107_542_400, "21000301000000"),
            (u32::MAX, "21060207062815"),
        ] {
            assert_eq!(time(seconds_since).unwrap().to_string(), stamp);
            assert_eq!(seconds(stamp), Some(seconds_since));
        }
        assert_eq!(time(0), None);
        assert_eq!(seconds("20260230000000"), None);
    }
}
