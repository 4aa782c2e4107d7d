//! A monitor's clock as a number of seconds, and back: for differences, and for a simulated clock that goes on.

use orugate_driver::time::{DeviceTime, Precision};

/// Days from 1 March of the year 0 to that of the next, of four and of four hundred years.
const YEAR: i64 = 365;
const FOUR: i64 = 1461;
const CENTURY: i64 = 36_524;
const FOUR_HUNDRED: i64 = 146_097;
const DAY: i64 = 86_400;

/// Seconds since 1 March of the year 0; only good for differences.
pub(crate) fn seconds(time: DeviceTime) -> i64 {
    let (year, month) = (i64::from(time.year), i64::from(time.month));
    // March is the first month, so that a leap day is a year's last.
    let (year, month) = if month > 2 {
        (year, month.saturating_sub(3))
    } else {
        (year.saturating_sub(1), month.saturating_add(9))
    };
    let leaps = (year / 4).saturating_sub(year / 100).saturating_add(year / 400);
    let before = month.saturating_mul(153).saturating_add(2) / 5;
    let day = i64::from(time.day).saturating_sub(1);
    let days = year.saturating_mul(YEAR).saturating_add(leaps).saturating_add(before).saturating_add(day);
    let minutes = i64::from(time.hour).saturating_mul(60).saturating_add(time.minute.into());
    days.saturating_mul(DAY).saturating_add(minutes.saturating_mul(60)).saturating_add(time.second.into())
}

/// The time in BCD, with hundredths, as a monitor writes it. Before the year 0 it is that year's begin.
pub(crate) fn bcd(seconds: i64) -> [u8; 8] {
    let (days, rest) = (seconds.max(0) / DAY, seconds.max(0) % DAY);
    let (cycle, days) = (days / FOUR_HUNDRED, days % FOUR_HUNDRED);
    let century = (days / CENTURY).min(3);
    let days = days.saturating_sub(century.saturating_mul(CENTURY));
    let (four, days) = (days / FOUR, days % FOUR);
    let one = (days / YEAR).min(3);
    let days = days.saturating_sub(one.saturating_mul(YEAR));
    let month = days.saturating_mul(5).saturating_add(2) / 153;
    let day = days.saturating_sub(month.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
    let year = cycle
        .saturating_mul(400)
        .saturating_add(century.saturating_mul(100))
        .saturating_add(four.saturating_mul(4))
        .saturating_add(one);
    let (year, month) = if month < 10 {
        (year, month.saturating_add(3))
    } else {
        (year.saturating_add(1), month.saturating_sub(9))
    };
    [year / 100, year % 100, month, day, rest / 3600, rest / 60 % 60, rest % 60, 0].map(two)
}

/// A number below 100 as two digits.
fn two(number: i64) -> u8 {
    let number = u8::try_from(number % 100).unwrap_or(0);
    ((number / 10) << 4) | (number % 10)
}

/// `20260301100000` as a monitor's clock would show it.
pub(crate) fn read(digits: &str) -> Option<DeviceTime> {
    let time = DeviceTime::parse(digits.as_bytes()).ok()?;
    (time.precision == Precision::Second).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_go_on_over_every_boundary() {
        let at = |text: &str| seconds(read(text).unwrap());
        assert_eq!(at("20240301000000") - at("20240228000000"), 2 * DAY);
        assert_eq!(at("20260301000000") - at("20260228000000"), DAY);
        assert_eq!(at("20260101000000") - at("20251231235959"), 1);
        assert_eq!(at("20250101000000") - at("20240101000000"), 366 * DAY);
        assert_eq!(at("21010301000000") - at("21000301000000"), 365 * DAY);
    }

    #[test]
    fn each_day_reads_back() {
        let first = seconds(read("19991231235959").unwrap());
        for day in 0..=(2 * FOUR_HUNDRED) {
            let moment = first + day * DAY;
            let shown = crate::value::time(&bcd(moment)).unwrap();
            assert_eq!(seconds(shown), moment, "{shown:?}");
        }
        assert_eq!(bcd(first), [0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x59, 0]);
    }
}
